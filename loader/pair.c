// SPDX-License-Identifier: GPL-2.0-only
/*
 * The nodes of a pair of domains.
 *
 * Opening: the device first, so that a channel can come up when the first flow wants
 * it, then the views. Withdrawing: the views first, so that no new flow comes, then
 * the device, closed as toolstacks close one (online=0, state=Closing at the backend),
 * and removed when both ends are Closed, the backend's domain gone, or its time over.
 *
 * A device that a guest has closed by itself (a fault, a save that did not end the
 * domain, the module unloaded) is removed and made anew, and so is one that gets stuck
 * on the way to where both ends may stay (a guest had no memory to begin with it, or
 * none to say so). At growing intervals, if it doesn't live long.
 *
 * Nobody trusts nodes that a guest can write: paths are made of domids, the ends'
 * states decide about nothing but when to remove what may be made anew.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <vmc/xenstore.h>

#include "log.h"
#include "pair.h"

#define HOME		"/local/domain/%u/"
#define VIEW		HOME VMC_XS_PEERS "/%u"
#define FRONTEND	HOME "device/" VMC_XS_DEVICE "/%u"
#define BACKEND_DIR	HOME "backend/" VMC_XS_DEVICE "/%u"
#define BACKEND		BACKEND_DIR "/0"

#define CLOSE_MS	10000 /* as long as xl gives a device */
#define RETRY_MS	1000  /* until closing or removing it is tried again */
#define REST_MS		500
#define REST_SHIFT	7     /* so at most 64 s */
#define STUCK_MS	30000 /* on the way */
#define STUCK_SHIFT	7     /* so at most an hour */
#define LIFE_MS		60000 /* of a device that fared well */

#define STATE_INIT	1
#define STATE_INIT_WAIT 2
#define STATE_CONNECTED 4
#define STATE_CLOSING	5
#define STATE_CLOSED	6

enum { LO, HI };

/** pair_now - time of deadlines, in ms */
int64_t pair_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static size_t pairs_at(const struct pairs *pairs, unsigned int lo, unsigned int hi)
{
	size_t low = 0, high = pairs->nr;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const unsigned int *id = pairs->pair[mid].id;

		if (id[LO] < lo || (id[LO] == lo && id[HI] < hi))
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/** pairs_find - the pair of two domids, or NULL */
struct pair *pairs_find(const struct pairs *pairs, unsigned int lo, unsigned int hi)
{
	size_t at = pairs_at(pairs, lo, hi);
	struct pair *pair = pairs->pair + at;

	return at < pairs->nr && pair->id[LO] == lo && pair->id[HI] == hi ? pair : NULL;
}

/**
 * pairs_get - the pair of two domids, a new one if needed; others' pointers become stale
 * @pairs: all pairs
 * @lo: lower domid
 * @hi: higher domid
 *
 * Return: the pair, or NULL without memory
 */
struct pair *pairs_get(struct pairs *pairs, unsigned int lo, unsigned int hi)
{
	struct pair *pair = pairs_find(pairs, lo, hi);
	size_t at;

	if (pair)
		return pair;
	pair = realloc(pairs->pair, (pairs->nr + 1) * sizeof(*pair));
	if (!pair)
		return NULL;
	pairs->pair = pair;
	at = pairs_at(pairs, lo, hi);
	memmove(pair + at + 1, pair + at, (pairs->nr - at) * sizeof(*pair));
	pairs->nr++;
	pair[at] = (struct pair){ .id = { lo, hi }, .deadline = PAIR_NO_DEADLINE };
	return &pair[at];
}

static void view_forget(struct pair *pair, int to)
{
	free(pair->addresses[to]);
	free(pair->name[to]);
	pair->addresses[to] = NULL;
	pair->name[to] = NULL;
}

/** pairs_drop_empty - forget pairs of which XenStore holds nothing */
void pairs_drop_empty(struct pairs *pairs)
{
	size_t kept = 0;

	for (size_t i = 0; i < pairs->nr; i++) {
		struct pair *p = &pairs->pair[i];

		if (p->device != DEVICE_NONE || p->addresses[LO] || p->addresses[HI])
			pairs->pair[kept++] = *p;
	}
	pairs->nr = kept;
}

/** pairs_free - forget all pairs; XenStore stays as it is */
void pairs_free(struct pairs *pairs)
{
	for (size_t i = 0; i < pairs->nr; i++) {
		view_forget(&pairs->pair[i], LO);
		view_forget(&pairs->pair[i], HI);
	}
	free(pairs->pair);
	*pairs = (struct pairs){};
}

static void watch_states(const struct pair *pair, struct xs_handle *xs, bool on)
{
	char path[2][STORE_PATH_MAX];

	snprintf(path[LO], sizeof(path[LO]), FRONTEND "/state", pair->id[LO], pair->id[HI]);
	snprintf(path[HI], sizeof(path[HI]), BACKEND "/state", pair->id[HI], pair->id[LO]);
	for (int i = LO; i <= HI; i++) {
		if (on)
			xs_watch(xs, path[i], "device");
		else
			xs_unwatch(xs, path[i], "device");
	}
}

static int64_t stuck_at(const struct pair *pair)
{
	return pair->since + ((int64_t)STUCK_MS << pair->nr_stuck);
}

static void pair_has_device(struct pair *pair, struct xs_handle *xs)
{
	pair->device = DEVICE_THERE;
	pair->settled = false;
	pair->since = pair_now();
	pair->deadline = stuck_at(pair);
	watch_states(pair, xs, true);
}

/* What a broker before us published to @domid about @peer. */
static int load_view(struct pairs *pairs, struct xs_handle *xs, unsigned int domid,
		     unsigned int peer)
{
	int to = domid < peer ? LO : HI;
	struct pair *pair =
		pairs_get(pairs, domid < peer ? domid : peer, domid < peer ? peer : domid);

	if (!pair)
		return -ENOMEM;
	view_forget(pair, to);
	pair->addresses[to] = store_read(xs, XBT_NULL, VIEW "/" VMC_XS_PEER_ADDRESSES, domid, peer);
	pair->name[to] = store_read(xs, XBT_NULL, VIEW "/" VMC_XS_PEER_NAME, domid, peer);
	/* Half of a view is one to withdraw, or to write again. */
	if (!pair->addresses[to])
		pair->addresses[to] = strdup("");
	return pair->addresses[to] ? 0 : -ENOMEM;
}

static int load_device(struct pairs *pairs, struct xs_handle *xs, unsigned int lo, unsigned int hi)
{
	struct pair *pair = pairs_get(pairs, lo, hi);

	if (!pair)
		return -ENOMEM;
	if (pair->device != DEVICE_NONE)
		return 0;
	pair_has_device(pair, xs);
	if (store_read_int(xs, XBT_NULL, BACKEND "/online", hi, lo) == 1 &&
	    store_exists(xs, XBT_NULL, FRONTEND "/backend", lo, hi))
		return 0;
	return pair_close(pair, xs);
}

static int load_each(struct pairs *pairs, struct xs_handle *xs, unsigned int domid, const char *dir,
		     int (*load)(struct pairs *pairs, struct xs_handle *xs, unsigned int domid,
				 unsigned int peer))
{
	unsigned int nr;
	char **names = store_list(xs, &nr, HOME "%s", domid, dir);
	int err = 0;

	for (unsigned int i = 0; !err && i < nr; i++) {
		int peer = store_number(names[i]);

		if (peer > 0 && (unsigned int)peer != domid)
			err = load(pairs, xs, domid, (unsigned int)peer);
	}
	free(names);
	return err;
}

static int load_frontend(struct pairs *pairs, struct xs_handle *xs, unsigned int lo,
			 unsigned int hi)
{
	return lo < hi ? load_device(pairs, xs, lo, hi) : 0;
}

static int load_backend(struct pairs *pairs, struct xs_handle *xs, unsigned int hi, unsigned int lo)
{
	return lo < hi ? load_device(pairs, xs, lo, hi) : 0;
}

/**
 * pairs_load - learn what XenStore holds in a domain's home
 * @pairs: where it goes
 * @xs: connection
 * @domid: the domain
 *
 * Return: 0, or -errno
 */
int pairs_load(struct pairs *pairs, struct xs_handle *xs, unsigned int domid)
{
	int err;

	err = load_each(pairs, xs, domid, VMC_XS_PEERS, load_view);
	if (!err)
		err = load_each(pairs, xs, domid, "device/" VMC_XS_DEVICE, load_frontend);
	if (!err)
		err = load_each(pairs, xs, domid, "backend/" VMC_XS_DEVICE, load_backend);
	return err;
}

/*
 * Whether a domain is still there for writing: a home that the toolstack has removed
 * must not come back by our writing into it. Being read in the transaction, it makes
 * a removal meanwhile a conflict.
 */
static bool home_is_there(struct xs_handle *xs, xs_transaction_t t, unsigned int domid)
{
	return store_exists(xs, t, HOME VMC_XS_CLAIM_VERSION, domid);
}

static int write_frontend(struct xs_handle *xs, xs_transaction_t t, unsigned int lo,
			  unsigned int hi)
{
	char path[STORE_PATH_MAX], id[16];
	int err;

	snprintf(path, sizeof(path), BACKEND, hi, lo);
	snprintf(id, sizeof(id), "%u", hi);
	err = store_mkdir(xs, t, lo, hi, FRONTEND, lo, hi);
	if (!err)
		err = store_write(xs, t, path, FRONTEND "/backend", lo, hi);
	if (!err)
		err = store_write(xs, t, id, FRONTEND "/backend-id", lo, hi);
	return err ? err : store_write(xs, t, "1", FRONTEND "/state", lo, hi);
}

static int write_backend(struct xs_handle *xs, xs_transaction_t t, unsigned int lo, unsigned int hi)
{
	char path[STORE_PATH_MAX], id[16];
	int err;

	snprintf(path, sizeof(path), FRONTEND, lo, hi);
	snprintf(id, sizeof(id), "%u", lo);
	err = store_mkdir(xs, t, hi, lo, BACKEND, hi, lo);
	if (!err)
		err = store_write(xs, t, path, BACKEND "/frontend", hi, lo);
	if (!err)
		err = store_write(xs, t, id, BACKEND "/frontend-id", hi, lo);
	if (!err)
		err = store_write(xs, t, "1", BACKEND "/online", hi, lo);
	return err ? err : store_write(xs, t, "1", BACKEND "/state", hi, lo);
}

static int change_open(struct xs_handle *xs, xs_transaction_t t, void *ctx)
{
	const unsigned int *id = ((struct pair *)ctx)->id;
	int err;

	if (!home_is_there(xs, t, id[LO]) || !home_is_there(xs, t, id[HI]))
		return -ENOENT;
	err = write_frontend(xs, t, id[LO], id[HI]);
	return err ? err : write_backend(xs, t, id[LO], id[HI]);
}

/**
 * pair_open - create the device of a pair, if it has none
 * @pair: the pair; one whose device is still closing or resting is left to pair_step()
 * @xs: connection
 *
 * Return: 0, -EAGAIN when it has to wait, -ENOENT when a domain is going, or -errno
 */
int pair_open(struct pair *pair, struct xs_handle *xs)
{
	int err;

	if (pair->device == DEVICE_THERE)
		return 0;
	if (pair->device != DEVICE_NONE)
		return -EAGAIN;
	err = store_transact(xs, change_open, pair);
	if (err)
		return err;
	pair_has_device(pair, xs);
	say(LOG_INFO, "domains %u and %u: device created", pair->id[LO], pair->id[HI]);
	return 0;
}

struct view {
	unsigned int domid, peer;
	const char *name, *addresses;
};

static int change_publish(struct xs_handle *xs, xs_transaction_t t, void *ctx)
{
	const struct view *v = ctx;
	int err;

	if (!home_is_there(xs, t, v->domid))
		return -ENOENT;
	err = store_mkdir(xs, t, 0, v->domid, HOME "vmc", v->domid);
	if (!err)
		err = store_mkdir(xs, t, 0, v->domid, HOME VMC_XS_PEERS, v->domid);
	if (!err)
		err = store_mkdir(xs, t, 0, v->domid, VIEW, v->domid, v->peer);
	if (!err)
		err = store_write(xs, t, v->name, VIEW "/" VMC_XS_PEER_NAME, v->domid, v->peer);
	/* Last: whoever sees it sees the rest. */
	return err ? err :
		     store_write(xs, t, v->addresses, VIEW "/" VMC_XS_PEER_ADDRESSES, v->domid,
				 v->peer);
}

static bool differs(const char *a, const char *b)
{
	return !a || !b || strcmp(a, b);
}

/**
 * pair_publish - make one domain of a pair see the other, if what it sees differs
 * @pair: the pair
 * @xs: connection
 * @to: 0 or 1: which one shall see
 * @name: the other's name
 * @addresses: the other's addresses
 *
 * Return: 0, -ENOENT when the domain is going, or -errno
 */
int pair_publish(struct pair *pair, struct xs_handle *xs, int to, const char *name,
		 const char *addresses)
{
	struct view view = { pair->id[to], pair->id[!to], name, addresses };
	int err;

	if (!differs(pair->name[to], name) && !differs(pair->addresses[to], addresses))
		return 0;
	err = store_transact(xs, change_publish, &view);
	if (err)
		return err;
	view_forget(pair, to);
	pair->name[to] = strdup(name);
	pair->addresses[to] = strdup(addresses);
	say(LOG_INFO, "domain %u: peer %u (%s) has %s", view.domid, view.peer, name, addresses);
	return pair->name[to] && pair->addresses[to] ? 0 : -ENOMEM;
}

/**
 * pair_withdraw - make the domains of a pair no longer see each other
 * @pair: the pair
 * @xs: connection
 *
 * Return: 0, or -errno
 */
int pair_withdraw(struct pair *pair, struct xs_handle *xs)
{
	int ret = 0;

	for (int to = LO; to <= HI; to++) {
		int err;

		if (!pair->addresses[to])
			continue;
		err = store_remove(xs, XBT_NULL, VIEW, pair->id[to], pair->id[!to]);
		if (err) {
			ret = err;
			continue;
		}
		view_forget(pair, to);
		say(LOG_INFO, "domain %u: peer %u withdrawn", pair->id[to], pair->id[!to]);
	}
	return ret;
}

static int change_close(struct xs_handle *xs, xs_transaction_t t, void *ctx)
{
	const struct pair *pair = ctx;
	int state, err;

	state = store_read_int(xs, t, BACKEND "/state", pair->id[HI], pair->id[LO]);
	if (state < 0)
		return 1; /* no backend that could close */
	err = store_write(xs, t, "0", BACKEND "/online", pair->id[HI], pair->id[LO]);
	if (err || state == STATE_CLOSED)
		return err;
	return store_write(xs, t, "5", BACKEND "/state", pair->id[HI], pair->id[LO]);
}

/**
 * pair_close - ask the device of a pair to close; events and pair_step() do the rest
 * @pair: the pair
 * @xs: connection
 *
 * Return: 0, or -errno
 */
int pair_close(struct pair *pair, struct xs_handle *xs)
{
	int err;

	if (pair->device != DEVICE_THERE)
		return 0;
	err = store_transact(xs, change_close, pair);
	if (err < 0)
		return err;
	pair->device = DEVICE_CLOSING;
	pair->deadline = pair_now() + CLOSE_MS;
	pair->rest = REST_MS;
	say(LOG_INFO, "domains %u and %u: device closing", pair->id[LO], pair->id[HI]);
	return 0;
}

static int change_remove(struct xs_handle *xs, xs_transaction_t t, void *ctx)
{
	const struct pair *pair = ctx;
	int err;

	err = store_remove(xs, t, FRONTEND, pair->id[LO], pair->id[HI]);
	return err ? err : store_remove(xs, t, BACKEND_DIR, pair->id[HI], pair->id[LO]);
}

/* Nothing is shared any more. The frontend comes last, unless it never began. */
static bool has_ended(const struct pair *pair, struct xs_handle *xs, int *back)
{
	int front = store_read_int(xs, XBT_NULL, FRONTEND "/state", pair->id[LO], pair->id[HI]);

	*back = store_read_int(xs, XBT_NULL, BACKEND "/state", pair->id[HI], pair->id[LO]);
	return *back == -ENOENT ||
	       (*back == STATE_CLOSED &&
		(front == STATE_CLOSED || front == STATE_INIT || front == -ENOENT));
}

static bool may_remove(const struct pair *pair, struct xs_handle *xs, bool gone)
{
	int state;

	if (gone || has_ended(pair, xs, &state))
		return true;
	if (pair_now() < pair->deadline)
		return false;
	say(LOG_WARNING, "domains %u and %u: device doesn't close (state %d), removed all the same",
	    pair->id[LO], pair->id[HI], state);
	return true;
}

/*
 * Where the ends are now. One that is Closing may take its time: programs may hold the
 * sockets, or the guest is paused.
 */
static void note_states(struct pair *pair, const int state[2])
{
	bool settled = state[LO] == state[HI] &&
		       (state[LO] == STATE_INIT_WAIT || state[LO] == STATE_CONNECTED);
	bool begun = state[LO] != STATE_INIT && state[HI] != STATE_INIT;
	bool closing = begun && (state[LO] == STATE_CLOSING || state[HI] == STATE_CLOSING);

	if (settled != pair->settled) {
		if (pair->settled && pair_now() - pair->since > LIFE_MS)
			pair->nr_short = 0;
		pair->settled = settled;
		pair->since = pair_now();
		pair->nr_stuck = 0;
	}
	pair->deadline = settled || closing ? PAIR_NO_DEADLINE : stuck_at(pair);
}

static void note_stuck(struct pair *pair, const int state[2])
{
	say(LOG_WARNING, "domains %u and %u: device is stuck in the states %d and %d", pair->id[LO],
	    pair->id[HI], state[LO], state[HI]);
	if (pair->nr_stuck < STUCK_SHIFT)
		pair->nr_stuck++;
}

static int close_for_another(struct pair *pair, struct xs_handle *xs)
{
	int err = pair_close(pair, xs);

	if (err) {
		pair->deadline = pair_now() + RETRY_MS;
		return err;
	}
	pair->rest = REST_MS << pair->nr_short;
	if (pair->nr_short < REST_SHIFT)
		pair->nr_short++;
	return 0;
}

/* Of a device that nobody has asked to close: does it need to be made anew? */
static int check_device(struct pair *pair, struct xs_handle *xs)
{
	const int state[2] = {
		store_read_int(xs, XBT_NULL, FRONTEND "/state", pair->id[LO], pair->id[HI]),
		store_read_int(xs, XBT_NULL, BACKEND "/state", pair->id[HI], pair->id[LO]),
	};

	note_states(pair, state);
	if (state[LO] == STATE_CLOSED || state[HI] == STATE_CLOSED)
		return close_for_another(pair, xs);
	if (pair_now() < pair->deadline)
		return 0;
	note_stuck(pair, state);
	return close_for_another(pair, xs);
}

/**
 * pair_step - go on with a device as far as its state allows
 * @pair: the pair
 * @xs: connection
 * @gone: the backend's domain is gone: nobody will close it
 *
 * Return: 1 when the device is out of the way now, 0 when nothing has to be done,
 * or -errno
 */
int pair_step(struct pair *pair, struct xs_handle *xs, bool gone)
{
	int err;

	if (pair->device == DEVICE_THERE) {
		err = check_device(pair, xs);
		if (err)
			return err;
	}
	if (pair->device == DEVICE_RESTING && (gone || pair_now() >= pair->deadline)) {
		pair->device = DEVICE_NONE;
		pair->deadline = PAIR_NO_DEADLINE;
		return 1;
	}
	if (pair->device != DEVICE_CLOSING || !may_remove(pair, xs, gone))
		return 0;
	err = store_transact(xs, change_remove, pair);
	if (err) {
		pair->deadline = pair_now() + RETRY_MS;
		return err;
	}
	watch_states(pair, xs, false);
	say(LOG_INFO, "domains %u and %u: device removed", pair->id[LO], pair->id[HI]);
	pair->device = DEVICE_RESTING;
	pair->deadline = pair_now() + pair->rest;
	return 0;
}
