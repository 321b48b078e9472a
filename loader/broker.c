// SPDX-License-Identifier: GPL-2.0-only
/*
 * broker: dom0's authority on who is co-resident. Follows domains, their vifs and their
 * claims by watches, and makes XenStore say to each pair what the policy permits.
 *
 * What it wrote outlives it: a broker that starts learns what is there, and changes only
 * what differs, so that channels run on.
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vmc/xenstore.h>

#include "daemon.h"
#include "domain.h"
#include "env.h"
#include "loader.h"
#include "log.h"
#include "pair.h"
#include "policy.h"
#include "xs.h"

#define VIFS	 "/local/domain/0/backend/vif"
#define RETRY_MS 1000

struct broker {
	struct xs_handle *xs;
	struct policy policy;
	const char *policy_path; /* as given, or NULL */
	struct domains domains;
	struct pairs pairs;
	struct domain_ids {
		unsigned int *id;
		size_t nr;
	} dirty;		 /* domains to read again */
	struct domain_ids later; /* the same, from @retry on: XenStore refused something */
	int64_t retry;
	bool rescan; /* domains came or went */
};

static int ids_add(struct domain_ids *ids, unsigned int id)
{
	unsigned int *grown;

	for (size_t i = 0; i < ids->nr; i++)
		if (ids->id[i] == id)
			return 0;
	grown = realloc(ids->id, (ids->nr + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	ids->id = grown;
	grown[ids->nr++] = id;
	return 0;
}

static int mark_dirty(struct broker *b, unsigned int id)
{
	return ids_add(&b->dirty, id);
}

static int mark_all_dirty(struct broker *b)
{
	int err = 0;

	for (size_t i = 0; !err && i < b->domains.nr; i++)
		err = mark_dirty(b, b->domains.domain[i].id);
	return err;
}

/* Something of one domain failed: say so, and try it again a while later. */
static int retry_later(struct broker *b, unsigned int id, const char *what, int err)
{
	if (err == -ENOENT)
		return 0; /* the domain is going: @releaseDomain follows */
	say(LOG_WARNING, "domain %u: can't %s: %s; trying again", id, what, strerror(-err));
	if (!b->later.nr)
		b->retry = pair_now() + RETRY_MS;
	return ids_add(&b->later, id);
}

static int take_retries(struct broker *b)
{
	int err = 0;

	if (!b->later.nr || pair_now() < b->retry)
		return 0;
	while (!err && b->later.nr)
		err = mark_dirty(b, b->later.id[--b->later.nr]);
	return err;
}

static int publish_both(struct broker *b, struct pair *pair, const struct domain *d[2])
{
	struct addr_set addrs[2] = {};
	char *text[2] = {};
	int err = 0;

	/* addrs[i] is what d[i] sees of the other. */
	for (int i = 0; !err && i < 2; i++)
		err = domains_visible(&b->policy, &b->domains, d[i], d[!i], &addrs[i]);
	for (int i = 0; !err && i < 2; i++) {
		text[i] = addr_set_format(&addrs[i]);
		if (!text[i])
			err = -ENOMEM;
	}
	/* Without addresses of both, no connection can be adopted at both ends. */
	if (!err && (!addrs[0].nr || !addrs[1].nr))
		err = 1;
	/* A guest may have closed it when closing our end failed. */
	if (!err && pair->device == DEVICE_THERE)
		err = pair_step(pair, b->xs, false);
	if (!err)
		err = pair_open(pair, b->xs);
	for (int i = 0; !err && i < 2; i++)
		err = pair_publish(pair, b->xs, i, d[!i]->name, text[i]);
	for (int i = 0; i < 2; i++) {
		addr_set_free(&addrs[i]);
		free(text[i]);
	}
	return err;
}

static int close_pair(struct broker *b, struct pair *pair)
{
	bool gone = !domains_find(&b->domains, pair->id[1]);
	int err;

	err = pair_withdraw(pair, b->xs);
	if (!err)
		err = pair_close(pair, b->xs);
	if (!err)
		err = pair_step(pair, b->xs, gone);
	return err < 0 ? err : 0;
}

/* Makes XenStore hold for two domains what the policy says now. */
static int reconcile(struct broker *b, unsigned int lo, unsigned int hi)
{
	const struct domain *d[2] = { domains_find(&b->domains, lo),
				      domains_find(&b->domains, hi) };
	bool permitted = d[0] && d[1] && domains_permitted(&b->policy, d[0], d[1]);
	struct pair *pair = pairs_find(&b->pairs, lo, hi);
	int err = 1;

	if (permitted) {
		pair = pairs_get(&b->pairs, lo, hi);
		if (!pair)
			return -ENOMEM;
		err = publish_both(b, pair, d);
		if (err == -EAGAIN)
			return 0; /* the old device is on its way out */
	}
	if (err == 1 && pair)
		err = close_pair(b, pair);
	return err < 0 ? retry_later(b, lo, "update its peers", err) : 0;
}

static int reconcile_domain(struct broker *b, unsigned int id)
{
	int err = 0;

	for (size_t i = 0; !err && i < b->domains.nr; i++) {
		unsigned int other = b->domains.domain[i].id;

		if (other != id)
			err = reconcile(b, other < id ? other : id, other < id ? id : other);
	}
	/* With those that are gone. */
	for (size_t i = 0; !err && i < b->pairs.nr; i++) {
		const unsigned int *ids = b->pairs.pair[i].id;
		unsigned int other = ids[0] == id ? ids[1] : ids[0];

		if ((ids[0] == id || ids[1] == id) && !domains_find(&b->domains, other))
			err = reconcile(b, ids[0], ids[1]);
	}
	return err;
}

/* With trusted claims, a vif's address decides about other domains' claims, too. */
static int reconcile_dirty(struct broker *b)
{
	struct domain_ids dirty = b->dirty;
	int err = 0;

	b->dirty = (struct domain_ids){};
	for (size_t i = 0; !err && i < dirty.nr; i++) {
		struct domain *d = domains_find(&b->domains, dirty.id[i]);

		if (d)
			err = domain_read(d, b->xs, dirty.id[i]);
		if (err && err != -ENOMEM)
			err = retry_later(b, dirty.id[i], "read it", err);
	}
	if (b->policy.trust_claims && dirty.nr)
		for (size_t i = 0; !err && i < b->domains.nr; i++)
			err = reconcile_domain(b, b->domains.domain[i].id);
	for (size_t i = 0; !err && i < dirty.nr; i++)
		err = reconcile_domain(b, dirty.id[i]);
	pairs_drop_empty(&b->pairs);
	free(dirty.id);
	return err;
}

static void watch_domain(struct broker *b, unsigned int id, bool on)
{
	static const char *const nodes[] = { VMC_XS_CLAIM, "name" };
	char path[STORE_PATH_MAX];

	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		snprintf(path, sizeof(path), "/local/domain/%u/%s", id, nodes[i]);
		if (on)
			xs_watch(b->xs, path, "domain");
		else
			xs_unwatch(b->xs, path, "domain");
	}
}

static int add_domain(struct broker *b, unsigned int id)
{
	if (!domains_add(&b->domains, id))
		return -ENOMEM;
	say(LOG_INFO, "domain %u came", id);
	watch_domain(b, id, true);
	return mark_dirty(b, id);
}

static int drop_domain(struct broker *b, unsigned int id)
{
	say(LOG_INFO, "domain %u is gone", id);
	watch_domain(b, id, false);
	domains_drop(&b->domains, id);
	return mark_dirty(b, id);
}

/* Which domains are there. dom0 itself is no peer: its addresses are no vif's. */
static int scan_domains(struct broker *b)
{
	unsigned int nr;
	char **names = store_list(b->xs, &nr, "/local/domain");
	int err = 0;

	if (!names)
		return -errno;
	for (size_t i = b->domains.nr; !err && i-- > 0;) {
		unsigned int id = b->domains.domain[i].id;

		if (!xs_is_domain_introduced(b->xs, id))
			err = drop_domain(b, id);
	}
	for (unsigned int i = 0; !err && i < nr; i++) {
		int id = store_number(names[i]);

		if (id > 0 && !domains_find(&b->domains, (unsigned int)id) &&
		    xs_is_domain_introduced(b->xs, (unsigned int)id))
			err = add_domain(b, (unsigned int)id);
	}
	free(names);
	return err;
}

/* The number that follows a prefix of a path, or -EINVAL; @rest is what follows it. */
static int path_number(const char *path, const char *prefix, const char **rest)
{
	size_t len = strlen(prefix);
	char number[16];
	int n;

	if (strncmp(path, prefix, len))
		return -EINVAL;
	n = snprintf(number, sizeof(number), "%.*s", (int)strcspn(path + len, "/"), path + len);
	*rest = path + len + n;
	return store_number(number);
}

/* A vif's event, of which its frontend's handshake makes many that are no matter. */
static bool vif_event_matters(const char *rest)
{
	static const char *const leaves[] = { "ip", "bridge", "rate", "state" };
	const char *leaf = *rest ? strchr(rest + 1, '/') : NULL;

	if (!leaf)
		return true; /* the domain's, or a vif's directory */
	for (size_t i = 0; i < sizeof(leaves) / sizeof(*leaves); i++)
		if (!strcmp(leaf + 1, leaves[i]))
			return true;
	return false;
}

/* The state of one end of a device. */
static int device_event(struct broker *b, const char *path)
{
	const char *rest;
	struct pair *pair;
	int id, other, err;

	id = path_number(path, "/local/domain/", &rest);
	if (id < 0)
		return 0;
	other = path_number(rest, "/backend/" VMC_XS_DEVICE "/", &rest);
	if (other < 0)
		other = path_number(rest, "/device/" VMC_XS_DEVICE "/", &rest);
	if (other < 0)
		return 0;
	pair = pairs_find(&b->pairs, (unsigned int)(id < other ? id : other),
			  (unsigned int)(id < other ? other : id));
	if (!pair)
		return 0;
	err = pair_step(pair, b->xs, false);
	if (err == 1)
		return mark_dirty(b, pair->id[0]);
	return err < 0 ? retry_later(b, pair->id[0], "remove a device", err) : 0;
}

static int handle_event(struct broker *b, const char *path, const char *token)
{
	const char *rest;
	int id;

	say(LOG_DEBUG, "event: %s (%s)", path, token);
	if (*path == '@') {
		b->rescan = true;
		return 0;
	}
	if (!strcmp(token, "device"))
		return device_event(b, path);
	if (!strcmp(token, "vif")) {
		id = path_number(path, VIFS "/", &rest);
		return id < 0 || !vif_event_matters(rest) ? 0 : mark_dirty(b, (unsigned int)id);
	}
	id = path_number(path, "/local/domain/", &rest);
	return id < 0 ? 0 : mark_dirty(b, (unsigned int)id);
}

static int handle_events(struct broker *b)
{
	char **event;
	int err;

	while (!(err = store_next_event(b->xs, &event))) {
		err = handle_event(b, event[XS_WATCH_PATH], event[XS_WATCH_TOKEN]);
		free(event);
		if (err)
			return err;
	}
	return err == -EAGAIN ? 0 : err;
}

/* Devices whose deadline is over go on; those that may come again do. */
static int handle_deadlines(struct broker *b)
{
	int64_t now = pair_now();
	int err = take_retries(b);

	for (size_t i = 0; !err && i < b->pairs.nr; i++) {
		struct pair *pair = &b->pairs.pair[i];
		bool gone = !domains_find(&b->domains, pair->id[1]);

		if (now < pair->deadline && !gone)
			continue;
		err = pair_step(pair, b->xs, gone);
		if (err == 1)
			err = mark_dirty(b, pair->id[0]);
		else if (err < 0)
			err = retry_later(b, pair->id[0], "remove a device", err);
	}
	return err;
}

/* Time until the next deadline in ms; -1: there is none. */
static int next_timeout(const struct broker *b)
{
	int64_t first = b->later.nr ? b->retry : PAIR_NO_DEADLINE, wait;

	for (size_t i = 0; i < b->pairs.nr; i++) {
		if (b->pairs.pair[i].deadline < first)
			first = b->pairs.pair[i].deadline;
	}
	if (first == PAIR_NO_DEADLINE)
		return -1;
	wait = first - pair_now();
	return wait < 0 ? 0 : (int)wait;
}

/* All that the events, signals and deadlines so far ask for. */
static int settle(struct broker *b)
{
	int err = 0;

	if (b->rescan)
		err = scan_domains(b);
	b->rescan = false;
	if (!err)
		err = handle_deadlines(b);
	if (!err && b->dirty.nr)
		err = reconcile_dirty(b);
	return err;
}

static int load_policy(struct broker *b)
{
	const char *path = b->policy_path ? b->policy_path : POLICY_PATH;
	struct policy_error error;
	int err;

	if (!b->policy_path && access(path, F_OK) && errno == ENOENT) {
		say(LOG_INFO, "no " POLICY_PATH ": the built-in policy holds");
		policy_free(&b->policy);
		return VMC_OK;
	}
	err = policy_load(&b->policy, path, &error);
	if (!err)
		return VMC_OK;
	if (error.line)
		return fail(VMC_FAILURE, "see vmc-broker.conf(5)", "%s:%d: %s", path, error.line,
			    error.text);
	return fail(VMC_FAILURE, "see vmc-broker.conf(5)", "%s: %s", path, error.text);
}

static void tell_status(const struct broker *b)
{
	size_t nr_claims = 0;

	for (size_t i = 0; i < b->domains.nr; i++)
		nr_claims += b->domains.domain[i].claims;
	daemon_status("%zu domains, %zu announced, %zu pairs", b->domains.nr, nr_claims,
		      b->pairs.nr);
}

static int handle_signal(struct broker *b, int signal)
{
	if (signal == 0)
		return 0;
	if (signal != SIGHUP)
		return 1;
	if (!load_policy(b)) /* else the old one holds on */
		say(LOG_NOTICE, "policy read again");
	return mark_all_dirty(b);
}

/* Follows XenStore until a signal. Return: 0 then, or -errno. */
static int follow(struct broker *b, int signals)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = xs_fileno(b->xs), .events = POLLIN },
	};
	int err = 0;

	while (!err) {
		if (poll(fds, 2, next_timeout(b)) < 0)
			return -errno;
		if (fds[0].revents)
			err = handle_signal(b, daemon_signal_read(signals));
		if (!err && fds[1].revents)
			err = handle_events(b);
		if (!err)
			err = settle(b);
		tell_status(b);
	}
	return err == 1 ? 0 : err;
}

/* Learns what is there, then makes it right. */
static int start(struct broker *b)
{
	int err;

	if (!xs_watch(b->xs, "@introduceDomain", "domains") ||
	    !xs_watch(b->xs, "@releaseDomain", "domains") || !xs_watch(b->xs, VIFS, "vif"))
		return -errno;
	err = scan_domains(b);
	for (size_t i = 0; !err && i < b->domains.nr; i++)
		err = pairs_load(&b->pairs, b->xs, b->domains.domain[i].id);
	/* Pairs with a domain that went while no broker ran belong to the other one. */
	return err ? err : reconcile_dirty(b);
}

static void broker_free(struct broker *b)
{
	pairs_free(&b->pairs);
	domains_free(&b->domains);
	policy_free(&b->policy);
	free(b->dirty.id);
	free(b->later.id);
	xs_close(b->xs);
}

static int broker(struct broker *b)
{
	int signals, err;

	signals = daemon_signals();
	b->xs = signals < 0 ? NULL : xs_open(0);
	if (!b->xs)
		return fail(VMC_ENVIRON, "check that xenstored runs", "can't open XenStore: %s",
			    strerror(signals < 0 ? -signals : errno));
	err = start(b);
	if (!err) {
		say(LOG_NOTICE, "broker runs: %zu domains, %zu pairs", b->domains.nr, b->pairs.nr);
		tell_status(b);
		daemon_ready();
		err = follow(b, signals);
	}
	if (err)
		return fail(VMC_FAILURE, "what is published stays; start the broker again",
			    "lost XenStore: %s", strerror(-err));
	say(LOG_NOTICE, "ended by a signal; what is published stays");
	return VMC_OK;
}

enum { OPT_DAEMON = 256, OPT_POLICY };

static int parse(struct broker *b, bool *background, const struct verb *verb, int argc, char **argv)
{
	int c;

	while ((c = opts_next(verb, argc, argv)) >= 0) {
		if (c == OPT_POLICY)
			b->policy_path = optarg;
		else
			*background = true;
	}
	if (c == OPTS_END && optind < argc) {
		opts_unexpected(argv[optind]);
		return OPTS_ERROR;
	}
	return c;
}

static int run_locked(struct broker *b)
{
	pid_t holder = 0;
	int lock = daemon_lock(DAEMON_BROKER_LOCK, &holder);

	if (lock == -EBUSY)
		return fail(VMC_BUSY, "end it first", "another broker is running, pid %d", holder);
	if (lock < 0)
		return fail(VMC_ENVIRON, "run it as root", "can't lock " DAEMON_BROKER_LOCK ": %s",
			    strerror(-lock));
	return broker(b);
}

static int run_broker(const struct verb *verb, int argc, char **argv)
{
	struct broker b = {};
	bool background = false;
	char *path = NULL;
	int c, err, status;

	policy_init(&b.policy);
	c = parse(&b, &background, verb, argc, argv);
	if (c != OPTS_END)
		return opts_status(c);
	if (b.policy_path) { /* absolute: a daemon leaves this directory */
		path = realpath(b.policy_path, NULL);
		if (!path)
			return fail(VMC_FAILURE, "see vmc-broker.conf(5)", "%s: %s", b.policy_path,
				    strerror(errno));
		b.policy_path = path;
	}
	status = load_policy(&b);
	if (!status)
		status = env_require(ENV_BROKER);
	if (!status && !env_is_dom0())
		status = fail(VMC_ENVIRON, "run it in dom0", "this is not dom0");
	if (!status && background) {
		err = daemon_fork();
		if (err)
			status = fail(VMC_FAILURE, NULL, "can't fork: %s", strerror(-err));
	}
	if (!status)
		status = run_locked(&b);
	broker_free(&b);
	free(path);
	return status;
}

static const struct opt broker_opts[] = {
	{ "daemon", OPT_DAEMON, NULL, "go to the background once all is published" },
	{ "policy", OPT_POLICY, "FILE", "policy (default: " POLICY_PATH " if it is there)" },
	{},
};

const struct verb verb_broker = {
	.name = "broker",
	.summary = "In dom0: publish who is co-resident and create the channels' devices",
	.opts = broker_opts,
	.run = run_broker,
};
