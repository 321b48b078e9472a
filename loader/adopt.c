// SPDX-License-Identifier: GPL-2.0-only
/*
 * Adoption of connections that are there already: runs the iterator program in every
 * network namespace that a process or a name keeps. The time for it has come when the
 * peers map has new entries, and when the module has bound a device, without which
 * there is no channel to adopt for; which of the two is first, nobody knows.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "adopt.h"
#include "fastpath.h"
#include "log.h"
#include "netlink.h"

/* Namespaces that were visited. */
struct visited {
	ino_t *ino;
	size_t nr;
};

static bool visited_add(struct visited *v, ino_t ino)
{
	ino_t *more;

	for (size_t i = 0; i < v->nr; i++)
		if (v->ino[i] == ino)
			return false;
	more = realloc(v->ino, (v->nr + 1) * sizeof(*more));
	if (!more)
		return false;
	v->ino = more;
	v->ino[v->nr++] = ino;
	return true;
}

/* An iterator does its work while it is read; ours prints nothing. */
static int adopt_here(int iter_link)
{
	int fd = bpf_iter_create(iter_link);
	char buf[64];
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = read(fd, buf, sizeof(buf));
	while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	n = n < 0 ? -errno : 0;
	close(fd);
	return (int)n;
}

/* In the namespace that @path leads to, unless it has gone or was visited. */
static int adopt_in(int iter_link, const char *path, struct visited *v)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return 0;
	if (!fstat(fd, &st) && visited_add(v, st.st_ino) && !setns(fd, CLONE_NEWNET))
		err = adopt_here(iter_link);
	close(fd);
	return err;
}

/* @format makes the path to a namespace of an entry of @dir */
static int adopt_in_all(int iter_link, const char *dir, const char *format, struct visited *v)
	__attribute__((format(printf, 3, 0)));

static int adopt_in_all(int iter_link, const char *dir, const char *format, struct visited *v)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	char path[512];
	int err = 0;

	while (d && !err && (entry = readdir(d))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), format, entry->d_name);
		err = adopt_in(iter_link, path, v);
	}
	if (d)
		closedir(d);
	return err;
}

/**
 * adopt_existing - adopt the connections of this machine whose peers are in the map
 * @fp: the fast path, attached
 *
 * Those that are adopted already stay as they are.
 *
 * Return: 0, or -errno
 */
int adopt_existing(const struct fastpath *fp)
{
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int iter_link = fastpath_iter_link(fp);
	struct visited v = {};
	int err;

	if (home < 0)
		return -errno;
	err = adopt_in(iter_link, "/proc/self/ns/net", &v);
	if (!err)
		err = adopt_in_all(iter_link, "/proc", "/proc/%s/ns/net", &v);
	if (!err)
		err = adopt_in_all(iter_link, "/run/netns", "/run/netns/%s", &v);
	if (setns(home, CLONE_NEWNET) && !err)
		err = -errno;
	close(home);
	free(v.ino);
	return err;
}

/**
 * adopt_events_open - a socket that becomes readable with each of the kernel's uevents
 *
 * Return: file descriptor, or -errno
 */
int adopt_events_open(void)
{
	return netlink_listen(NETLINK_KOBJECT_UEVENT, 1 /* the kernel's */);
}

/**
 * adopt_events_drain - read what adopt_events_open()'s socket has
 * @fd: the socket
 *
 * Return: whether the module has bound a device, or may have
 */
bool adopt_events_drain(int fd)
{
	bool found = false;
	char buf[8192];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf) - 1, 0)) >= 0 || errno == ENOBUFS) {
		if (n < 0) { /* some were lost */
			found = true;
			continue;
		}
		buf[n] = '\0';
		found |= !strncmp(buf, "bind@", 5) && strstr(buf, "/vmc-");
	}
	return found;
}
