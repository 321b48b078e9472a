// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads the programs, attaches them and pins what keeps them alive. A loader that
 * comes later takes the pins over: maps are reused, links get the new programs,
 * so that sockets adopted by the earlier one stay adopted.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "fastpath.h"
#include "loader.h"
#include "log.h"
#include "vmc.skel.h"

static const char *const pins[] = {
	/* Order of removal: no new sockets, no verdicts, then the maps. */
	FASTPATH_PIN_SOCKOPS, FASTPATH_PIN_SKMSG, VMC_PIN_SOCKS, VMC_PIN_PEERS
};

#define NR_PINS (sizeof(pins) / sizeof(*pins))

static int libbpf_say(enum libbpf_print_level level, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));

static int libbpf_say(enum libbpf_print_level level, const char *fmt, va_list args)
{
	static const int levels[] = {
		[LIBBPF_WARN] = LOG_WARNING,
		[LIBBPF_INFO] = LOG_INFO,
		[LIBBPF_DEBUG] = LOG_DEBUG,
	};
	char text[4096];

	vsnprintf(text, sizeof(text), fmt, args);
	text[strcspn(text, "\n")] = '\0';
	say(levels[level], "%s", text);
	return 0;
}

/** fastpath_is_attached - whether programs of this or an earlier run are attached */
bool fastpath_is_attached(void)
{
	return !access(FASTPATH_PIN_SOCKOPS, F_OK) || !access(FASTPATH_PIN_SKMSG, F_OK);
}

/**
 * fastpath_open_peers - the pinned peers map
 *
 * Return: its file descriptor, or -errno
 */
int fastpath_open_peers(void)
{
	return bpf_obj_get(VMC_PIN_PEERS);
}

static int pin_dir_make(void)
{
	struct statfs fs;

	if (statfs("/sys/fs/bpf", &fs))
		return -errno;
	if (fs.f_type != BPF_FS_MAGIC) {
		if (mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700"))
			return -errno;
		say(LOG_INFO, "mounted bpffs at /sys/fs/bpf");
	}
	return mkdir(VMC_PIN_DIR, 0700) && errno != EEXIST ? -errno : 0;
}

/*
 * Takes a pinned link over by giving it the new program. Return: 0, or -errno,
 * -ENOENT when there is none or when it hangs on another cgroup or map.
 */
static int link_take_over(const char *pin, struct bpf_program *prog, __u64 cgroup_id, __u32 map_id)
{
	struct bpf_link_info info = {};
	struct bpf_link *link;
	__u32 len = sizeof(info);
	int err;

	if (access(pin, F_OK))
		return -ENOENT;
	link = bpf_link__open(pin);
	if (!link)
		return -errno;
	err = bpf_link_get_info_by_fd(bpf_link__fd(link), &info, &len);
	if (!err &&
	    (cgroup_id ? info.cgroup.cgroup_id != cgroup_id : info.sockmap.map_id != map_id))
		err = -ENOENT;
	if (!err)
		err = bpf_link__update_program(link, prog);
	bpf_link__destroy(link); /* closes it; the pin keeps it attached */
	return err;
}

/* Pins a new link in place of one that could not be taken over. Consumes @link. */
static int link_pin(struct bpf_link *link, const char *pin)
{
	int err;

	if (!link)
		return -errno;
	unlink(pin);
	err = bpf_link__pin(link, pin);
	bpf_link__destroy(link);
	return err;
}

static __u32 map_id(const struct bpf_map *map)
{
	struct bpf_map_info info = {};
	__u32 len = sizeof(info);

	return bpf_map_get_info_by_fd(bpf_map__fd(map), &info, &len) ? 0 : info.id;
}

static int attach_skmsg(struct vmc_bpf *skel)
{
	int err;

	err = link_take_over(FASTPATH_PIN_SKMSG, skel->progs.vmc_skmsg, 0,
			     map_id(skel->maps.vmc_socks));
	if (!err)
		return 0;
	return link_pin(bpf_program__attach_sockmap(skel->progs.vmc_skmsg,
						    bpf_map__fd(skel->maps.vmc_socks)),
			FASTPATH_PIN_SKMSG);
}

static int attach_sockops(struct vmc_bpf *skel, const char *cgroup, __u64 cgroup_id)
{
	int fd, err;

	err = link_take_over(FASTPATH_PIN_SOCKOPS, skel->progs.vmc_sockops, cgroup_id, 0);
	if (!err)
		return 0;
	fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = link_pin(bpf_program__attach_cgroup(skel->progs.vmc_sockops, fd),
		       FASTPATH_PIN_SOCKOPS);
	close(fd);
	return err;
}

static int skel_load(struct fastpath *fp, __u64 cgroup_id)
{
	struct vmc_bpf *skel = vmc_bpf__open();
	int err;

	if (!skel)
		return fail(VMC_FAILURE, "see the lines above", "can't open the BPF object: %s",
			    strerror(errno));
	fp->skel = skel;
	skel->bss->cgroup_id = cgroup_id;
	err = bpf_map__set_pin_path(skel->maps.vmc_peers, VMC_PIN_PEERS);
	if (!err)
		err = bpf_map__set_pin_path(skel->maps.vmc_socks, VMC_PIN_SOCKS);
	if (!err)
		err = vmc_bpf__load(skel);
	if (err == -EINVAL && fp->was_attached)
		return fail(VMC_FAILURE, "run 'vmc-loader detach' first",
			    "can't load the BPF programs over those of an earlier version");
	if (err)
		return fail(VMC_FAILURE, "run it with -vv for libbpf's messages",
			    "can't load the BPF programs: %s", strerror(-err));
	fp->peers_fd = bpf_map__fd(skel->maps.vmc_peers);
	return VMC_OK;
}

/**
 * fastpath_attach - load, attach and pin, or take an earlier run's pins over
 * @fp: all zero; fastpath_close() it in the end, fastpath_undo() it on failure
 * @cgroup: directory of the cgroup (v2) whose sockets are looked at
 *
 * Return: an enum vmc_exit; a failure has been said
 */
int fastpath_attach(struct fastpath *fp, const char *cgroup)
{
	struct stat st; /* a cgroup's id is its inode number */
	int err, status;

	libbpf_set_print(libbpf_say);
	fp->was_attached = fastpath_is_attached();
	if (stat(cgroup, &st))
		return fail(VMC_FAILURE, "check that it is a cgroup v2 directory",
			    "can't use the cgroup %s: %s", cgroup, strerror(errno));
	err = pin_dir_make();
	if (err)
		return fail(VMC_ENVIRON, "check that bpffs is mounted at /sys/fs/bpf",
			    "can't make " VMC_PIN_DIR ": %s", strerror(-err));
	status = skel_load(fp, st.st_ino);
	if (status)
		return status;
	/* The verdict first: a socket must not enter the map before it. */
	err = attach_skmsg(fp->skel);
	if (err)
		return fail(VMC_FAILURE, "check that the kernel is 6.12 or newer",
			    "can't attach the sk_msg program: %s", strerror(-err));
	err = attach_sockops(fp->skel, cgroup, st.st_ino);
	if (err)
		return fail(VMC_FAILURE, "check that it is a cgroup v2 directory",
			    "can't attach the sockops program to %s: %s", cgroup, strerror(-err));
	/* Not pinned: it does nothing but when this run reads it. */
	fp->skel->links.vmc_adopt = bpf_program__attach_iter(fp->skel->progs.vmc_adopt, NULL);
	if (!fp->skel->links.vmc_adopt)
		return fail(VMC_FAILURE, "check that the kernel is 6.12 or newer",
			    "can't attach the iterator program: %s", strerror(errno));
	return VMC_OK;
}

/**
 * fastpath_iter_link - the link of the iterator that adopts existing connections
 * @fp: the fast path, attached
 *
 * Return: its file descriptor, the fast path's
 */
int fastpath_iter_link(const struct fastpath *fp)
{
	return bpf_link__fd(fp->skel->links.vmc_adopt);
}

/** fastpath_close - let go of it; what is pinned stays attached */
void fastpath_close(struct fastpath *fp)
{
	vmc_bpf__destroy(fp->skel);
	fp->skel = NULL;
}

/** fastpath_undo - detach again what this run attached; an earlier run's stays */
void fastpath_undo(struct fastpath *fp)
{
	if (!fp->was_attached)
		fastpath_remove();
}

/**
 * fastpath_remove - remove all pins, which detaches the programs
 *
 * Return: how many there were, or -errno
 */
int fastpath_remove(void)
{
	int nr = 0, err = 0;

	for (size_t i = 0; i < NR_PINS; i++) {
		if (!unlink(pins[i]))
			nr++;
		else if (errno != ENOENT)
			err = -errno;
	}
	if (rmdir(VMC_PIN_DIR) && errno != ENOENT && !err)
		err = -errno;
	return err ? err : nr;
}
