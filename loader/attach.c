// SPDX-License-Identifier: GPL-2.0-only
/*
 * attach: puts the fast path in place and keeps the peers map true to what dom0
 * publishes, event by event.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include <vmc/xenstore.h>

#include "addr.h"
#include "adopt.h"
#include "claim.h"
#include "daemon.h"
#include "env.h"
#include "fastpath.h"
#include "loader.h"
#include "log.h"
#include "peers.h"
#include "xs.h"

enum { OPT_STATIC = 256, OPT_PEER, OPT_CGROUP, OPT_DAEMON };

struct attach {
	struct fastpath fp;
	struct peers peers;
	struct claim claim;
	struct xs_handle *xs;
	bool claimed; /* this run wrote the claim */
	bool is_static, daemon;
	const char *cgroup;
};

/* ADDRESS=ID, for --static. */
static int add_static_peer(struct peers *peers, const char *arg)
{
	const char *equals = strchr(arg, '=');
	struct addr_set addrs = {};
	struct vmc_peer_key key;
	char text[ADDR_STRLEN];
	char *end;
	unsigned long id;

	if (!equals || (size_t)(equals - arg) >= sizeof(text))
		goto refuse;
	memcpy(text, arg, (size_t)(equals - arg));
	text[equals - arg] = '\0';
	errno = 0;
	id = strtoul(equals + 1, &end, 0);
	if (addr_parse(text, &key) || !addr_is_unicast(&key) || errno || *end || !equals[1] ||
	    id > 0xffffffff)
		goto refuse;
	for (size_t i = 0; i < peers->nr; i++)
		if (peers->peer[i].id == id)
			for (size_t j = 0; j < peers->peer[i].addrs.nr; j++)
				if (addr_set_add(&addrs, &peers->peer[i].addrs.keys[j]))
					goto nomem;
	if (addr_set_add(&addrs, &key) || peers_set(peers, (__u32)id, &addrs))
		goto nomem;
	return VMC_OK;
nomem:
	addr_set_free(&addrs);
	return fail(VMC_FAILURE, NULL, "out of memory");
refuse:
	return fail(VMC_USAGE, "write ADDRESS=ID, as in 10.0.0.2=65536", "'%s' is not a peer", arg);
}

static int read_peer(struct attach *a, int id)
{
	struct addr_set addrs = {};
	size_t nr_bad = 0;
	char *text;
	int err;

	text = store_read(a->xs, XBT_NULL, VMC_XS_PEERS "/%d/" VMC_XS_PEER_ADDRESSES, id);
	if (!text) {
		if (errno != ENOENT && errno != EACCES)
			return -errno;
		peers_drop(&a->peers, (__u32)id);
		return 0;
	}
	err = addr_set_parse(&addrs, text, &nr_bad);
	free(text);
	if (nr_bad)
		say(LOG_WARNING, "peer %d: dom0 published %zu addresses that are none", id, nr_bad);
	if (err) {
		addr_set_free(&addrs);
		return err;
	}
	return peers_set(&a->peers, (__u32)id, &addrs);
}

static int read_all_peers(struct attach *a)
{
	unsigned int nr;
	char **names = store_list(a->xs, &nr, VMC_XS_PEERS);
	int err = 0;

	if (!names && errno != ENOENT && errno != EACCES)
		return -errno;
	peers_drop_all(&a->peers);
	for (unsigned int i = 0; !err && i < nr; i++) {
		int id = store_number(names[i]);

		if (id >= 0)
			err = read_peer(a, id);
	}
	free(names);
	return err;
}

/* One watch event: of a peer, of the directory of peers, or of our own claim. */
static int handle_event(struct attach *a, const char *path)
{
	static const char peers[] = VMC_XS_PEERS "/";
	char number[16];
	int id;

	say(LOG_DEBUG, "event: %s", path);
	if (!strncmp(path, VMC_XS_CLAIM, strlen(VMC_XS_CLAIM)))
		/* Restored or migrated: the new domain's home has no claim yet. */
		return claim_is_there(a->xs) ? 0 : claim_write(&a->claim, a->xs);
	if (strncmp(path, peers, strlen(peers)))
		return read_all_peers(a);
	snprintf(number, sizeof(number), "%.*s", (int)strcspn(path + strlen(peers), "/"),
		 path + strlen(peers));
	id = store_number(number);
	return id < 0 ? 0 : read_peer(a, id);
}

/* For the first time: connections may have been detached, with the same map. */
static int fill_peers(struct attach *a)
{
	int err = peers_sync(&a->peers);

	return err < 0 ? err : adopt_existing(&a->fp);
}

/* The map follows the table, and connections that are there the map. */
static int sync_peers(struct attach *a)
{
	int ret = peers_sync(&a->peers);

	return ret > 0 ? adopt_existing(&a->fp) : ret;
}

static int handle_events(struct attach *a)
{
	char **event;
	int err;

	while (!(err = store_next_event(a->xs, &event))) {
		err = handle_event(a, event[XS_WATCH_PATH]);
		free(event);
		if (err)
			return err;
	}
	return err == -EAGAIN ? sync_peers(a) : err;
}

static void tell_status(const struct attach *a)
{
	daemon_status("%zu peers, %zu addresses", a->peers.nr, a->peers.nr_entries);
}

/* What attach waits for, but for XenStore. */
struct events {
	int signals, links, devices;
};

static int events_open(struct events *e)
{
	e->signals = daemon_signals();
	e->links = claim_link_open();
	e->devices = adopt_events_open();
	return e->signals < 0 || e->links < 0 || e->devices < 0 ? -EMFILE : 0;
}

/* Follows XenStore until a signal. Return: 0 then, or -errno. */
static int follow(struct attach *a, const struct events *e)
{
	struct pollfd fds[] = {
		{ .fd = e->signals, .events = POLLIN },
		{ .fd = xs_fileno(a->xs), .events = POLLIN },
		{ .fd = e->links, .events = POLLIN },
		{ .fd = e->devices, .events = POLLIN },
	};
	int err = 0;

	while (!err) {
		if (poll(fds, 4, -1) < 0)
			return errno == EINTR ? 0 : -errno;
		if (fds[0].revents && daemon_signal_read(e->signals) != SIGHUP)
			return 0;
		if (fds[2].revents) {
			claim_link_drain(e->links);
			err = claim_write(&a->claim, a->xs);
		}
		if (!err && fds[3].revents && adopt_events_drain(e->devices))
			err = adopt_existing(&a->fp);
		if (!err && fds[1].revents) {
			err = handle_events(a);
			tell_status(a);
		}
	}
	return err;
}

static void print_attached(const struct attach *a)
{
	struct json_object *obj;

	if (!log_json) {
		say(LOG_NOTICE, "attached%s: %zu peers, %zu addresses",
		    a->fp.was_attached ? " (took over)" : "", a->peers.nr, a->peers.nr_entries);
		return;
	}
	obj = json_object_new_object();
	json_object_object_add(obj, "attached", json_object_new_boolean(true));
	json_object_object_add(obj, "took_over", json_object_new_boolean(a->fp.was_attached));
	json_object_object_add(obj, "peers", json_object_new_int((int)a->peers.nr));
	json_object_object_add(obj, "addresses", json_object_new_int((int)a->peers.nr_entries));
	log_print_json(obj);
}

static int lost_xenstore(int err)
{
	return fail(VMC_FAILURE, "what is attached stays; run 'vmc-loader attach' again",
		    "lost XenStore or the peers map: %s", strerror(-err));
}

/* The part of attach that needs XenStore. Undoes its claim on failure. */
static int attach_and_follow(struct attach *a)
{
	struct events events;
	int err;

	err = events_open(&events);
	a->xs = xs_open(0);
	if (!a->xs)
		err = -errno;
	if (err)
		goto refuse;
	a->claimed = !claim_is_there(a->xs);
	if (!xs_watch(a->xs, VMC_XS_PEERS, "peers")) {
		err = -errno;
		goto refuse;
	}
	err = read_all_peers(a);
	if (!err)
		err = fill_peers(a);
	if (!err)
		err = claim_write(&a->claim, a->xs);
	if (!err && !xs_watch(a->xs, VMC_XS_CLAIM_VERSION, "claim"))
		err = -errno;
	if (err)
		goto withdraw;
	print_attached(a);
	tell_status(a);
	daemon_ready();
	err = follow(a, &events);
	if (err)
		return lost_xenstore(err);
	say(LOG_NOTICE, "ended by a signal; the fast path stays attached");
	return VMC_OK;
withdraw:
	if (a->claimed)
		claim_remove(a->xs);
refuse:
	fastpath_undo(&a->fp);
	return fail(a->xs ? VMC_FAILURE : VMC_ENVIRON, "run 'vmc-loader check'",
		    "can't follow XenStore: %s", strerror(-err));
}

static int attach_static(struct attach *a, struct peers *wanted)
{
	int err = 0;

	for (size_t i = 0; !err && i < wanted->nr; i++)
		err = peers_set(&a->peers, wanted->peer[i].id, &wanted->peer[i].addrs);
	if (!err)
		err = fill_peers(a);
	if (err) {
		fastpath_undo(&a->fp);
		return fail(VMC_FAILURE, NULL, "can't fill the peers map: %s", strerror(-err));
	}
	print_attached(a);
	return VMC_OK;
}

static int attach(struct attach *a, struct peers *wanted)
{
	int status, err;

	status = fastpath_attach(&a->fp, a->cgroup);
	if (status) {
		fastpath_undo(&a->fp);
		goto close;
	}
	err = peers_init(&a->peers, a->fp.peers_fd);
	if (err) {
		fastpath_undo(&a->fp);
		status = fail(VMC_FAILURE, NULL, "can't read the peers map: %s", strerror(-err));
		goto close;
	}
	status = a->is_static ? attach_static(a, wanted) : attach_and_follow(a);
close:
	claim_free(&a->claim);
	peers_free(&a->peers);
	xs_close(a->xs);
	fastpath_close(&a->fp);
	return status;
}

/* The lock is kept until the process ends. */
static int attach_locked(struct attach *a, struct peers *wanted)
{
	pid_t holder = 0;
	int lock;

	lock = daemon_lock(DAEMON_ATTACH_LOCK, &holder);
	if (lock == -EBUSY)
		return fail(VMC_BUSY, "see 'vmc-loader status'",
			    "another attach is running, pid %d", holder);
	if (lock < 0)
		return fail(VMC_ENVIRON, "run it as root", "can't lock " DAEMON_ATTACH_LOCK ": %s",
			    strerror(-lock));
	return attach(a, wanted);
}

static int parse(struct attach *a, struct peers *wanted, const struct verb *verb, int argc,
		 char **argv)
{
	int c, status = VMC_OK;

	while (!status && (c = opts_next(verb, argc, argv)) >= 0) {
		if (c == OPT_PEER)
			status = add_static_peer(wanted, optarg);
		else if (c == OPT_CGROUP)
			a->cgroup = optarg;
		else if (c == OPT_STATIC)
			a->is_static = true;
		else
			a->daemon = true;
	}
	if (status)
		return status;
	if (c != OPTS_END)
		return c;
	for (; !status && optind < argc; optind++)
		status = add_static_peer(wanted, argv[optind]);
	if (status)
		return status;
	if (wanted->nr && !a->is_static)
		return fail(VMC_USAGE, "add --static", "peers come from XenStore");
	if (a->daemon && a->is_static)
		return fail(VMC_USAGE, "leave out --daemon",
			    "attach --static ends when it is done, and leaves the fast path there");
	return VMC_OK;
}

static int check_environment(struct attach *a)
{
	unsigned int need = ENV_ATTACH;
	int status;

	if (!a->is_static)
		need |= ENV_XENSTORE;
	if (!a->cgroup)
		need |= ENV_CGROUP;
	status = env_require(need);
	if (!status && !a->cgroup && env_cgroup2(&a->cgroup))
		status = VMC_ENVIRON;
	return status;
}

static int run_attach(const struct verb *verb, int argc, char **argv)
{
	struct peers wanted = {};
	struct attach a = {};
	int status, err;

	status = parse(&a, &wanted, verb, argc, argv);
	if (status == OPTS_DONE || status == OPTS_ERROR) {
		status = opts_status(status);
		goto out;
	}
	if (!status)
		status = check_environment(&a);
	if (!status && a.daemon) {
		err = daemon_fork();
		if (err)
			status = fail(VMC_FAILURE, NULL, "can't fork: %s", strerror(-err));
	}
	if (!status)
		status = attach_locked(&a, &wanted);
out:
	peers_free(&wanted);
	return status;
}

static const struct opt attach_opts[] = {
	{ "daemon", OPT_DAEMON, NULL, "go to the background once the peers are known" },
	{ "cgroup", OPT_CGROUP, "PATH", "look at the sockets of this cgroup (default: the root)" },
	{ "static", OPT_STATIC, NULL, "no XenStore: these peers, and no others; then end" },
	{ "peer", OPT_PEER, "ADDRESS=ID", "a peer, with --static; may be repeated" },
	{},
};

const struct verb verb_attach = {
	.name = "attach",
	.args = "[ADDRESS=ID]...",
	.summary = "Put the fast path in place and follow who is co-resident",
	.opts = attach_opts,
	.run = run_attach,
};
