// SPDX-License-Identifier: GPL-2.0-only
/*
 * labd dom0|guest: process 1 of the lab's hosts once they have booted. Keeps one process a slot
 * running and reaps what their commands left behind.
 */

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenstore.h>

#include "labd.h"

#define OWNER_PATH "data/labd/domid"

static pid_t slots[NR_SLOTS];
static void (*slot_main)(int index);

/* Never ends of itself: see link_abandon(). */
static void guest_slot(int index)
{
	struct link link;
	char path[64];

	snprintf(path, sizeof(path), SLOT_PATH, index);
	slot_init();
	for (;;) {
		if (!link_serve(&link, path))
			usleep(200000);
		else if (slot_serve(&link))
			link_close(&link);
		else
			link_abandon(&link);
	}
}

static void slot_start(int index, bool again)
{
	slots[index] = fork();
	if (slots[index])
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (again)
		usleep(50000); /* one that fails at once must not spin */
	slot_main(index);
	_exit(0);
}

static void reap_all(void)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (int i = 0; i < NR_SLOTS; i++)
			if (slots[i] == pid)
				slot_start(i, true);
}

static void on_child(int sig)
{
	(void)sig;
}

/*
 * After save/restore or migration the guest has a new, empty part of XenStore, and its grants and
 * event channels are void. The kernel re-registers the watch and so fires it: new links.
 */
static void renew_after_resume(struct xs_handle *xs)
{
	unsigned int len;
	char *owner = xs_read(xs, XBT_NULL, OWNER_PATH, &len);

	if (!owner) {
		for (int i = 0; i < NR_SLOTS; i++)
			if (slots[i] > 0)
				kill(slots[i], SIGUSR1);
		xs_write(xs, XBT_NULL, OWNER_PATH, "1", 1);
	}
	free(owner);
}

static void supervise(struct xs_handle *xs)
{
	struct pollfd fd = { xs ? xs_fileno(xs) : -1, POLLIN, 0 };
	sigset_t child, none;
	char **event;

	sigemptyset(&none);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	for (;;) {
		reap_all();
		if (ppoll(&fd, 1, NULL, &none) <= 0 || !xs)
			continue;
		while ((event = xs_check_watch(xs)))
			free(event);
		renew_after_resume(xs);
	}
}

/* A slot of dom0's own; the relay's end of the socket pair is its life. */
static int dom0_slot(void)
{
	struct link link;

	if (!link_from_fd(&link, 3))
		return 1;
	fcntl(3, F_SETFD, FD_CLOEXEC);
	slot_serve(&link);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction child = { .sa_handler = on_child };
	struct xs_handle *xs = NULL;

	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && !strcmp(argv[1], "seed"))
		return seed_main();
	if (argc == 2 && !strcmp(argv[1], "slot"))
		return dom0_slot();
	if (argc == 2 && !strcmp(argv[1], "drain")) {
		drain_forever();
		return 0;
	}
	if (argc != 2 || (strcmp(argv[1], "dom0") && strcmp(argv[1], "guest"))) {
		fprintf(stderr, "usage: labd dom0|guest|seed\n");
		return 2;
	}
	sigaction(SIGCHLD, &child, NULL);
	slot_main = strcmp(argv[1], "dom0") ? guest_slot : relay_serve;
	for (int i = 0; i < NR_SLOTS; i++)
		slot_start(i, false);
	if (slot_main == guest_slot) {
		xs = xs_open(0);
		if (xs) {
			xs_write(xs, XBT_NULL, OWNER_PATH, "1", 1);
			xs_watch(xs, OWNER_PATH, "owner");
		}
	}
	supervise(xs);
}
