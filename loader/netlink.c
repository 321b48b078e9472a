// SPDX-License-Identifier: GPL-2.0-only
/*
 * Netlink sockets that say that something has happened.
 */
#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netlink.h"

/**
 * netlink_listen - a socket that becomes readable with each message to its groups
 * @protocol: NETLINK_ROUTE or the like
 * @groups: bits
 *
 * Return: file descriptor, non-blocking, or -errno
 */
int netlink_listen(int protocol, unsigned int groups)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = groups };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
	int err;

	if (fd < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}
