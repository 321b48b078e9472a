// SPDX-License-Identifier: GPL-2.0-only
/* A slot: serves one session at a time over one link, until the link closes. */

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "labd.h"

static volatile sig_atomic_t renew;

static void on_renew(int sig)
{
	(void)sig;
	renew = 1;
}

struct slot {
	struct link *link;
	struct decoder dec;
	struct outbuf out;
	struct session session;
};

static void slot_frame(void *arg, uint32_t id, uint8_t type, const uint8_t *data, size_t len)
{
	struct slot *slot = arg;

	if (type == FRAME_OPEN && id)
		session_open(&slot->session, id, data, len, &slot->out);
	else if (id && id == slot->session.id)
		session_frame(&slot->session, type, data, len);
}

/* 1: moved, 0: nothing to do, LINK_CLOSED */
static int slot_step(struct slot *slot)
{
	uint8_t data[FRAME_DATA];
	ssize_t in, out;

	out = outbuf_flush(&slot->out, slot->link);
	in = link_read(slot->link, data, sizeof(data));
	if (in < 0 || out < 0)
		return LINK_CLOSED;
	decoder_feed(&slot->dec, data, in, slot_frame, slot);
	return session_step(&slot->session, &slot->out) || in || out;
}

/* SIGUSR1 from the supervisor: the link is void. It is blocked but for the wait in slot_serve(). */
void slot_init(void)
{
	struct sigaction action = { .sa_handler = on_renew };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigaction(SIGUSR1, &action, NULL);
}

/* Until the link closes, or is void: false. */
bool slot_serve(struct link *link)
{
	struct slot *slot = calloc(1, sizeof(*slot));
	struct pollfd fds[1 + SESSION_FDS];
	sigset_t none;
	int moved, n;

	sigemptyset(&none);
	renew = 0;
	slot->link = link;
	slot->session = (struct session){ .pidfd = -1, .in = -1, .out = -1, .err = -1 };
	while (!renew) {
		while ((moved = slot_step(slot)) > 0)
			;
		if (moved < 0)
			break;
		fds[0] = (struct pollfd){ link_fd(link), POLLIN, 0 };
		n = 1 + session_fds(&slot->session, fds + 1,
				    outbuf_space(&slot->out) >= 2 * FRAME_WIRE);
		if (ppoll(fds, n, NULL, &none) > 0 && fds[0].revents)
			link_ack(link);
	}
	session_kill(&slot->session);
	free(slot);
	return !renew;
}
