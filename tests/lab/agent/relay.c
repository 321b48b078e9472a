// SPDX-License-Identifier: GPL-2.0-only
/*
 * In dom0: one relay a virtio-serial port. It takes the frames of `lab exec` to the host they are for
 * (a guest's vchan, or a slot of dom0's own) and the answers back.
 */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <xenstore.h>

#include "labd.h"

#define MAX_TARGETS 16
#define DOM0	    "dom0"

/* Room for what one read can turn into. */
#define ROOM	    (2 * FRAME_WIRE)

/* A client that is gone for so long isn't coming back. */
#define HANG_UP_MS  300

struct target {
	char name[64]; /* "" when free */
	int domid;
	struct link link;
	struct decoder dec;
	struct outbuf out;
};

struct relay {
	int index;
	struct link port;
	struct decoder dec;
	struct outbuf out;
	uint32_t session; /* 0: none */
	struct target *current;
	struct xs_handle *xs;
	bool watching;
	long hung_up_since; /* ms; 0: a client is there, or nothing is running */
	struct target targets[MAX_TARGETS];
};

static void session_fail(struct relay *relay, uint32_t id, const char *why)
{
	outbuf_put(&relay->out, id, FRAME_FAIL, why, strlen(why));
	relay->session = 0;
	relay->current = NULL;
}

static void target_close(struct relay *relay, struct target *target)
{
	if (relay->current == target)
		session_fail(relay, relay->session,
			     "the connection to the guest is lost (gone, saved or crashed?)");
	link_close(&target->link);
	target->name[0] = '\0';
}

static bool domain_has_name(struct relay *relay, const char *domid, const char *name)
{
	char path[64], *got;
	bool same;

	snprintf(path, sizeof(path), "/local/domain/%.10s/name", domid);
	got = xs_read(relay->xs, XBT_NULL, path, NULL);
	same = got && !strcmp(got, name);
	free(got);
	return same;
}

static int domain_by_name(struct relay *relay, const char *name)
{
	unsigned int n = 0;
	char **ids = xs_directory(relay->xs, XBT_NULL, "/local/domain", &n);
	int found = -1;

	for (unsigned int i = 0; ids && i < n; i++)
		if (domain_has_name(relay, ids[i], name) && atoi(ids[i]) > found)
			found = atoi(ids[i]);
	free(ids);
	return found;
}

/* A program of its own, so that it holds neither the port nor a guest's pages. */
static bool connect_dom0(struct target *target)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return false;
	if (!fork()) {
		dup2(fds[1], 3);
		close_range(4, ~0U, 0);
		execl("/proc/self/exe", "labd", "slot", NULL);
		_exit(1);
	}
	fcntl(fds[0], F_SETFD, FD_CLOEXEC);
	close(fds[1]);
	return link_from_fd(&target->link, fds[0]);
}

static bool connect_guest(struct relay *relay, struct target *target)
{
	char path[96];

	target->domid = domain_by_name(relay, target->name);
	if (target->domid <= 0)
		return false;
	snprintf(path, sizeof(path), "/local/domain/%d/" SLOT_PATH, target->domid, relay->index);
	if (!link_connect(&target->link, target->domid, path))
		return false;
	/* A mapped page keeps a dead guest half alive: its end must be heard of. */
	if (!relay->watching)
		relay->watching = xs_watch(relay->xs, "@releaseDomain", "gone");
	return true;
}

static bool target_is_alive(struct relay *relay, struct target *target)
{
	char domid[12];

	if (!link_is_open(&target->link))
		return false;
	if (!strcmp(target->name, DOM0))
		return true;
	snprintf(domid, sizeof(domid), "%d", target->domid);
	return domain_has_name(relay, domid, target->name) &&
	       xs_is_domain_introduced(relay->xs, target->domid);
}

static struct target *target_get(struct relay *relay, const char *name)
{
	struct target *target, *unused = NULL;

	for (target = relay->targets; target < relay->targets + MAX_TARGETS; target++) {
		if (!strcmp(target->name, name)) {
			if (target_is_alive(relay, target))
				return target;
			target_close(relay, target);
		}
		if (!target->name[0])
			unused = target;
	}
	if (!unused)
		return NULL;
	memset(unused, 0, sizeof(*unused));
	snprintf(unused->name, sizeof(unused->name), "%s", name);
	if (strcmp(name, DOM0) ? connect_guest(relay, unused) : connect_dom0(unused))
		return unused;
	unused->name[0] = '\0';
	return NULL;
}

static void session_drop(struct relay *relay)
{
	if (relay->session) {
		outbuf_put(&relay->current->out, relay->session, FRAME_KILL, NULL, 0);
		outbuf_flush(&relay->current->out, &relay->current->link);
	}
	relay->session = 0;
	relay->current = NULL;
}

static void port_frame(void *arg, uint32_t id, uint8_t type, const uint8_t *data, size_t len)
{
	struct relay *relay = arg;

	if (type == FRAME_OPEN && id && len && memchr(data, '\0', len)) {
		session_drop(relay);
		relay->current = target_get(relay, (const char *)data);
		relay->session = id;
		if (!relay->current) {
			session_fail(relay, id, "no such host, or its agent does not answer (yet)");
			return;
		}
		/* What a guest that hangs did not take of an earlier session is of no use now. */
		if (outbuf_space(&relay->current->out) < ROOM)
			outbuf_reset(&relay->current->out);
	}
	if (id && id == relay->session)
		outbuf_put(&relay->current->out, id, type, data, len);
}

static void target_frame(void *arg, uint32_t id, uint8_t type, const uint8_t *data, size_t len)
{
	struct relay *relay = arg;

	if (!id || id != relay->session)
		return;
	outbuf_put(&relay->out, id, type, data, len);
	if (type == FRAME_EXIT || type == FRAME_FAIL) {
		relay->session = 0;
		relay->current = NULL;
	}
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * The kernel takes a port's closing and opening from another queue than its data: a new client's first
 * frames may come before the old client's hang-up, which then must not end the new session.
 */
static void check_client(struct relay *relay)
{
	struct pollfd port = { relay->port.fd, 0, 0 };

	if (!relay->session || poll(&port, 1, 0) <= 0) {
		relay->hung_up_since = 0;
	} else if (!relay->hung_up_since) {
		relay->hung_up_since = now_ms();
	} else if (now_ms() - relay->hung_up_since >= HANG_UP_MS) {
		session_drop(relay);
		outbuf_reset(&relay->out);
		relay->hung_up_since = 0;
	}
}

static bool port_step(struct relay *relay)
{
	uint8_t data[FRAME_DATA];
	ssize_t in = 0, out;

	out = outbuf_flush(&relay->out, &relay->port);
	if (!relay->current || outbuf_space(&relay->current->out) >= ROOM)
		in = link_read(&relay->port, data, sizeof(data));
	if (in > 0)
		decoder_feed(&relay->dec, data, in, port_frame, relay);
	check_client(relay);
	return in > 0 || out > 0;
}

static bool target_step(struct relay *relay, struct target *target)
{
	uint8_t data[FRAME_DATA];
	ssize_t in = 0, out;

	if (!target->name[0])
		return false;
	out = outbuf_flush(&target->out, &target->link);
	if (target != relay->current || outbuf_space(&relay->out) >= ROOM)
		in = link_read(&target->link, data, sizeof(data));
	if (in < 0 || out < 0) {
		target_close(relay, target);
		return true;
	}
	decoder_feed(&target->dec, data, in, target_frame, relay);
	return in || out;
}

static void check_domains(struct relay *relay)
{
	struct target *target;
	char **event;

	while ((event = xs_check_watch(relay->xs)))
		free(event);
	for (target = relay->targets; target < relay->targets + MAX_TARGETS; target++)
		if (target->name[0] && !target_is_alive(relay, target))
			target_close(relay, target);
}

static void relay_wait(struct relay *relay)
{
	struct pollfd fds[2 + MAX_TARGETS];
	struct link *links[2 + MAX_TARGETS];
	int n = 0;

	fds[n] = (struct pollfd){ xs_fileno(relay->xs), POLLIN, 0 };
	n++;
	links[n] = &relay->port;
	fds[n] = (struct pollfd){ link_fd(&relay->port), POLLIN, 0 };
	n++;
	for (int i = 0; i < MAX_TARGETS; i++) {
		if (!relay->targets[i].name[0])
			continue;
		links[n] = &relay->targets[i].link;
		fds[n] = (struct pollfd){ link_fd(links[n]), POLLIN, 0 };
		n++;
	}
	poll(fds, n, relay->hung_up_since ? HANG_UP_MS : -1);
	for (int i = 1; i < n; i++)
		if (fds[i].revents)
			link_ack(links[i]);
	if (fds[0].revents)
		check_domains(relay);
}

void relay_serve(int index)
{
	struct relay *relay = calloc(1, sizeof(*relay));
	char name[16];
	bool moved;

	relay->index = index;
	snprintf(name, sizeof(name), "exec.%d", index);
	if (!link_from_fd(&relay->port, port_open(name)))
		return;
	relay->xs = xs_open(0);
	if (!relay->xs)
		return;
	for (;;) {
		moved = port_step(relay);
		for (int i = 0; i < MAX_TARGETS; i++)
			moved |= target_step(relay, &relay->targets[i]);
		if (!moved)
			relay_wait(relay);
	}
}
