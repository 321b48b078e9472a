// SPDX-License-Identifier: GPL-2.0-only
/* The three kinds of links. */

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <unistd.h>

#include <libxenvchan.h>

#include "link.h"

#define RING_SIZE  32768
#define SERVE_LOCK "/run/lab/serve.lock"

/*
 * Edges, because a virtio-serial port without a client is level-triggered EPOLLHUP for ever; its
 * coming and going wakes the port's wait queue, which is an edge.
 */
bool link_from_fd(struct link *link, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLHUP | EPOLLET };

	link->vchan = NULL;
	link->fd = fd;
	link->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (link->epoll < 0)
		return false;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return !epoll_ctl(link->epoll, EPOLL_CTL_ADD, fd, &ev);
}

static bool from_vchan(struct link *link, struct libxenvchan *vchan)
{
	link->fd = -1;
	link->epoll = -1;
	link->vchan = vchan;
	if (!vchan)
		return false;
	vchan->blocking = 0;
	return true;
}

/*
 * The guest's side: owns the pages and grants them to dom0. One slot after the other: a guest may have
 * ten XenStore transactions open, and its network driver needs one too, just when it comes back from
 * a restore.
 */
bool link_serve(struct link *link, const char *path)
{
	int lock = open(SERVE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool ok;

	flock(lock, LOCK_EX);
	ok = from_vchan(link, libxenvchan_server_init(NULL, 0, path, RING_SIZE, RING_SIZE));
	close(lock);
	return ok;
}

bool link_connect(struct link *link, int domid, const char *path)
{
	return from_vchan(link, libxenvchan_client_init(NULL, domid, path));
}

void link_close(struct link *link)
{
	if (link->vchan)
		libxenvchan_close(link->vchan);
	if (link->fd >= 0)
		close(link->fd);
	if (link->epoll >= 0)
		close(link->epoll);
	link->vchan = NULL;
	link->fd = -1;
	link->epoll = -1;
}

void link_abandon(struct link *link)
{
	*link = (struct link){ .fd = -1, .epoll = -1 };
}

bool link_is_open(const struct link *link)
{
	return link->vchan ? libxenvchan_is_open(link->vchan) : link->fd >= 0;
}

int link_fd(const struct link *link)
{
	return link->vchan ? libxenvchan_fd_for_select(link->vchan) : link->epoll;
}

void link_ack(struct link *link)
{
	struct epoll_event ev;

	if (link->vchan)
		libxenvchan_wait(link->vchan);
	else
		epoll_wait(link->epoll, &ev, 1, 0);
}

static ssize_t fd_result(ssize_t n)
{
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	return LINK_CLOSED;
}

ssize_t link_read(struct link *link, void *data, size_t len)
{
	if (link->vchan)
		return libxenvchan_read(link->vchan, data, len);
	return fd_result(read(link->fd, data, len));
}

ssize_t link_write(struct link *link, const void *data, size_t len)
{
	if (link->vchan)
		return libxenvchan_write(link->vchan, data, len);
	return fd_result(write(link->fd, data, len));
}
