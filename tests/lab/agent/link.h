/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A byte stream to the other side: a virtio-serial port, a socket pair or a vchan. Nothing blocks.
 * Work until neither direction moves, then wait for link_fd() to become readable and call link_ack():
 * events are edges, they say only "try again".
 */
#ifndef LAB_LINK_H
#define LAB_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct libxenvchan;

struct link {
	int fd;	   /* port, socket; -1 for a vchan */
	int epoll; /* its edges */
	struct libxenvchan *vchan;
};

#define LINK_CLOSED (-1) /* the other side is gone (a port: for now) */

bool link_from_fd(struct link *link, int fd);
bool link_serve(struct link *link, const char *path);
bool link_connect(struct link *link, int domid, const char *path);
void link_close(struct link *link);
/*
 * Forget it without closing it: Linux 6.12 runs into BUG_ON (evtchn_release) when an event channel of
 * /dev/xen/evtchn that was bound before a save is released after the restore, also at the process's end.
 */
void link_abandon(struct link *link);
bool link_is_open(const struct link *link);

int link_fd(const struct link *link);
void link_ack(struct link *link);
/* Bytes moved, 0 when it would block, LINK_CLOSED */
ssize_t link_read(struct link *link, void *data, size_t len);
ssize_t link_write(struct link *link, const void *data, size_t len);

#endif
