// SPDX-License-Identifier: GPL-2.0-only
/*
 * Probes of the environment, each with what to do when a thing is missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <vmc/xenstore.h>

#include "daemon.h"
#include "env.h"
#include "loader.h"
#include "log.h"
#include "xs.h"

#define KERNEL_MAJOR 6
#define KERNEL_MINOR 12
#define MODULE_DIR   "/sys/module/vmc"
#define BPF_FS	     "/sys/fs/bpf"

/* First line of a small file, without its newline; NULL when unreadable. */
static char *read_line(const char *path, char *buf, size_t len)
{
	FILE *f = fopen(path, "re");
	char *line = f ? fgets(buf, (int)len, f) : NULL;

	if (f)
		fclose(f);
	if (line)
		line[strcspn(line, "\n")] = '\0';
	return line;
}

static int probe_file(const char *path, char *detail, size_t len)
{
	snprintf(detail, len, "%s", path);
	return access(path, F_OK) ? -errno : 0;
}

static int probe_kernel(char *detail, size_t len)
{
	struct utsname uts;
	int major = 0, minor = 0;

	if (uname(&uts))
		return -errno;
	snprintf(detail, len, "%s", uts.release);
	if (sscanf(uts.release, "%d.%d", &major, &minor) != 2)
		return -EINVAL;
	if (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR))
		return -ENOTSUP;
	return 0;
}

static int probe_kernel_btf(char *detail, size_t len)
{
	return probe_file("/sys/kernel/btf/vmlinux", detail, len);
}

static int probe_module_file(char *detail, size_t len)
{
	char path[256], line[1024];
	struct utsname uts;
	int err = -ENOENT;
	FILE *f;

	if (uname(&uts))
		return -errno;
	snprintf(path, sizeof(path), "/lib/modules/%s/modules.dep", uts.release);
	snprintf(detail, len, "vmc.ko for %s", uts.release);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (err && fgets(line, sizeof(line), f)) {
		const char *base;

		line[strcspn(line, ":")] = '\0';
		base = strrchr(line, '/');
		if (strncmp(base ? base + 1 : line, "vmc.ko", 6))
			continue;
		snprintf(detail, len, "%s", line);
		err = 0;
	}
	fclose(f);
	return err;
}

static int probe_module(char *detail, size_t len)
{
	char version[64];

	if (access(MODULE_DIR, F_OK)) {
		snprintf(detail, len, "not loaded");
		return -errno;
	}
	if (read_line(MODULE_DIR "/version", version, sizeof(version)))
		snprintf(detail, len, "version %s", version);
	else
		snprintf(detail, len, "loaded");
	return 0;
}

static int probe_module_btf(char *detail, size_t len)
{
	return probe_file("/sys/kernel/btf/vmc", detail, len);
}

static int probe_privileges(char *detail, size_t len)
{
	static const struct {
		int cap;
		const char *name;
	} caps[] = {
		{ CAP_BPF, "CAP_BPF" },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN" },
		{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN" },
	};
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	int err = 0;

	if (syscall(SYS_capget, &head, data))
		return -errno;
	*detail = '\0';
	for (size_t i = 0; i < sizeof(caps) / sizeof(*caps); i++) {
		size_t at = strlen(detail);

		if (data[CAP_TO_INDEX(caps[i].cap)].effective & CAP_TO_MASK(caps[i].cap))
			continue;
		err = -EPERM;
		snprintf(detail + at, len - at, "%s%s", at ? ", " : "without ", caps[i].name);
	}
	if (!err)
		snprintf(detail, len, "CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN");
	return err;
}

/**
 * env_cgroup2 - where cgroup v2 is mounted
 * @path: the place, static storage
 *
 * Return: 0, or -ENOENT
 */
int env_cgroup2(const char **path)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
	struct statfs fs;

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		*path = places[i];
		if (!statfs(*path, &fs) && fs.f_type == CGROUP2_SUPER_MAGIC)
			return 0;
	}
	*path = places[0];
	return -ENOENT;
}

static int probe_cgroup2(char *detail, size_t len)
{
	const char *path;
	int err = env_cgroup2(&path);

	snprintf(detail, len, "%s", path);
	return err;
}

static int probe_bpffs(char *detail, size_t len)
{
	struct statfs fs;

	if (statfs(BPF_FS, &fs)) {
		snprintf(detail, len, BPF_FS);
		return -errno;
	}
	snprintf(detail, len, "%s",
		 fs.f_type == BPF_FS_MAGIC ? BPF_FS : "not mounted; attach mounts it at " BPF_FS);
	return 0;
}

/** env_is_dom0 - whether this is the domain that controls the host */
bool env_is_dom0(void)
{
	char line[128];

	return read_line("/proc/xen/capabilities", line, sizeof(line)) && strstr(line, "control_d");
}

static int probe_xen(char *detail, size_t len)
{
	char type[32];

	if (!read_line("/sys/hypervisor/type", type, sizeof(type)) || strcmp(type, "xen")) {
		snprintf(detail, len, "no Xen");
		return -ENODEV;
	}
	snprintf(detail, len, "%s", env_is_dom0() ? "dom0" : "guest");
	return 0;
}

static int probe_xenstore(char *detail, size_t len)
{
	struct xs_handle *xs = xs_open(0);
	int domid;

	snprintf(detail, len, "no answer");
	if (!xs)
		return -errno;
	domid = store_read_int(xs, XBT_NULL, "domid");
	if (domid >= 0)
		snprintf(detail, len, "domid %d", domid);
	xs_close(xs);
	return domid < 0 && !env_is_dom0() ? domid : 0;
}

static int probe_peers(char *detail, size_t len)
{
	struct xs_handle *xs = xs_open(0);
	unsigned int nr;

	snprintf(detail, len, "no XenStore");
	if (!xs)
		return -errno;
	free(store_list(xs, &nr, VMC_XS_PEERS));
	xs_close(xs);
	snprintf(detail, len, "%u published", nr);
	return nr ? 0 : -ENOENT;
}

static int probe_broker(char *detail, size_t len)
{
	pid_t pid = 0;

	if (daemon_lock_probe(DAEMON_BROKER_LOCK, &pid) == 1) {
		snprintf(detail, len, "pid %d", pid);
		return 0;
	}
	snprintf(detail, len, "not running");
	return -ESRCH;
}

const struct env_check env_checks[] = {
	{ "kernel", ENV_ATTACH, probe_kernel, "boot Linux 6.12 or newer" },
	{ "kernel-btf", ENV_ATTACH, probe_kernel_btf,
	  "boot a kernel with CONFIG_DEBUG_INFO_BTF, as Debian's are" },
	{ "module-file", ENV_NOTE | ENV_ATTACH, probe_module_file,
	  "install the module vmc for this kernel and run depmod" },
	{ "module", ENV_ATTACH, probe_module, "run 'modprobe vmc'" },
	{ "module-btf", ENV_ATTACH, probe_module_btf,
	  "rebuild vmc.ko where the kernel headers have a vmlinux and pahole is installed" },
	{ "privileges", ENV_ATTACH, probe_privileges, "run it as root" },
	{ "cgroup2", ENV_CGROUP, probe_cgroup2, "run 'mount -t cgroup2 none /sys/fs/cgroup'" },
	{ "bpffs", ENV_ATTACH, probe_bpffs, "mount sysfs, and bpffs at " BPF_FS },
	{ "xen", ENV_XENSTORE | ENV_BROKER, probe_xen,
	  "run it on a Xen host, or use 'attach --static'" },
	{ "xenstore", ENV_XENSTORE | ENV_BROKER, probe_xenstore,
	  "in dom0 start xenstored; in a guest check that /dev/xen/xenbus is there" },
	{ "peers", ENV_NOTE | ENV_XENSTORE, probe_peers,
	  "attach both guests, and run 'vmc-loader broker' in dom0" },
	{ "broker", ENV_NOTE | ENV_BROKER, probe_broker, "start 'vmc-loader broker'" },
	{},
};

/**
 * env_require - fail when something that a verb needs is missing
 * @need: the verb's ENV_ bits
 *
 * Return: VMC_OK, or VMC_ENVIRON after saying what is missing
 */
int env_require(unsigned int need)
{
	char detail[512];

	for (const struct env_check *c = env_checks; c->name; c++) {
		int err;

		if (!(c->need & need) || (c->need & ENV_NOTE))
			continue;
		err = c->probe(detail, sizeof(detail));
		if (err)
			return fail(VMC_ENVIRON, c->next, "%s is missing (%s: %s)", c->name, detail,
				    strerror(-err));
		say(LOG_DEBUG, "%s: %s", c->name, detail);
	}
	return VMC_OK;
}
