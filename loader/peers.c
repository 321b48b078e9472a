// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peers map follows a table of peers. Only differences are written, so that a
 * connection set up meanwhile finds every address that was right before and after.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "log.h"
#include "peers.h"

static int entry_compare(const void *a, const void *b)
{
	const struct peers_entry *x = a, *y = b;

	return addr_compare(&x->key, &y->key);
}

/* By key, then by id: of two peers with one address, the lower id has it. */
static int entry_compare_id(const void *a, const void *b)
{
	const struct peers_entry *x = a, *y = b;
	int c = addr_compare(&x->key, &y->key);

	return c ? c : (x->id > y->id) - (x->id < y->id);
}

/**
 * peers_init - begin with no peers and with what a map holds
 * @peers: table; peers_free() it in the end
 * @map_fd: peers map, stays the caller's
 *
 * Return: 0, or -errno
 */
int peers_init(struct peers *peers, int map_fd)
{
	struct peers_entry *entry;
	struct vmc_peer_value value;
	struct vmc_peer_key key, *prev = NULL;

	*peers = (struct peers){ .map_fd = map_fd };
	peers->entry = calloc(VMC_MAX_PEERS, sizeof(*peers->entry));
	if (!peers->entry)
		return -ENOMEM;
	while (peers->nr_entries < VMC_MAX_PEERS && !bpf_map_get_next_key(map_fd, prev, &key)) {
		entry = &peers->entry[peers->nr_entries];
		entry->key = key;
		prev = &entry->key;
		if (bpf_map_lookup_elem(map_fd, &key, &value))
			continue;
		entry->id = value.peer;
		peers->nr_entries++;
	}
	qsort(peers->entry, peers->nr_entries, sizeof(*peers->entry), entry_compare);
	return 0;
}

static size_t peers_find(const struct peers *peers, __u32 id)
{
	size_t at = 0;

	while (at < peers->nr && peers->peer[at].id < id)
		at++;
	return at;
}

/**
 * peers_set - set the addresses of a peer, which may be new
 * @peers: table
 * @id: the peer
 * @addrs: its addresses, consumed also on failure
 *
 * Return: 0, or -ENOMEM
 */
int peers_set(struct peers *peers, __u32 id, struct addr_set *addrs)
{
	size_t at = peers_find(peers, id);
	struct peer *peer;

	if (at == peers->nr || peers->peer[at].id != id) {
		peer = realloc(peers->peer, (peers->nr + 1) * sizeof(*peer));
		if (!peer) {
			addr_set_free(addrs);
			return -ENOMEM;
		}
		peers->peer = peer;
		memmove(peer + at + 1, peer + at, (peers->nr - at) * sizeof(*peer));
		peer[at] = (struct peer){ .id = id };
		peers->nr++;
	}
	addr_set_free(&peers->peer[at].addrs);
	peers->peer[at].addrs = *addrs;
	*addrs = (struct addr_set){};
	return 0;
}

/**
 * peers_drop - forget a peer, if it is there
 * @peers: table
 * @id: the peer
 */
void peers_drop(struct peers *peers, __u32 id)
{
	size_t at = peers_find(peers, id);

	if (at == peers->nr || peers->peer[at].id != id)
		return;
	addr_set_free(&peers->peer[at].addrs);
	peers->nr--;
	memmove(peers->peer + at, peers->peer + at + 1, (peers->nr - at) * sizeof(*peers->peer));
}

/** peers_drop_all - forget all peers; the map follows at the next peers_sync() */
void peers_drop_all(struct peers *peers)
{
	while (peers->nr)
		addr_set_free(&peers->peer[--peers->nr].addrs);
}

/* What the map shall hold, by key. Return: entries, to be freed; NULL without memory. */
static struct peers_entry *entries_wanted(const struct peers *peers, size_t *nr)
{
	struct peers_entry *want;
	size_t all = 0, kept = 0;

	for (size_t i = 0; i < peers->nr; i++)
		all += peers->peer[i].addrs.nr;
	want = calloc(all > VMC_MAX_PEERS ? all : VMC_MAX_PEERS, sizeof(*want));
	if (!want)
		return NULL;
	*nr = 0;
	for (size_t i = 0; i < peers->nr; i++)
		for (size_t j = 0; j < peers->peer[i].addrs.nr; j++)
			want[(*nr)++] = (struct peers_entry){ peers->peer[i].addrs.keys[j],
							      peers->peer[i].id };
	qsort(want, *nr, sizeof(*want), entry_compare_id);
	for (size_t i = 0; i < *nr; i++)
		if (!kept || addr_compare(&want[kept - 1].key, &want[i].key))
			want[kept++] = want[i];
	if (kept > VMC_MAX_PEERS) {
		say(LOG_WARNING, "%zu addresses of peers are %zu too many: the last stay on TCP",
		    kept, kept - VMC_MAX_PEERS);
		kept = VMC_MAX_PEERS;
	}
	*nr = kept;
	return want;
}

static int entry_apply(int map_fd, const struct peers_entry *entry, bool add)
{
	struct vmc_peer_value value = { .peer = entry->id };
	char text[ADDR_STRLEN];
	int err;

	addr_format(&entry->key, text);
	say(LOG_INFO, "peer %u: %s %s", entry->id, add ? "has" : "no longer has", text);
	if (add)
		err = bpf_map_update_elem(map_fd, &entry->key, &value, BPF_ANY);
	else
		err = bpf_map_delete_elem(map_fd, &entry->key);
	return err == -ENOENT ? 0 : err;
}

/*
 * Entries of @from that @in lacks are deleted, or, with @add, those that differ written.
 * Return: how many, or -errno.
 */
static int entries_apply(int map_fd, const struct peers_entry *from, size_t nr_from,
			 const struct peers_entry *in, size_t nr_in, bool add)
{
	const struct peers_entry *same;
	int err = 0, nr = 0;

	for (size_t i = 0; !err && i < nr_from; i++) {
		same = bsearch(&from[i], in, nr_in, sizeof(*in), entry_compare);
		if (same && (!add || same->id == from[i].id))
			continue;
		err = entry_apply(map_fd, &from[i], add);
		nr++;
	}
	return err ? err : nr;
}

/**
 * peers_sync - make the map equal to the table
 * @peers: table
 *
 * Return: 0, or 1 when the map has entries that it had not, or -errno: then it is
 * partly updated and the next call tries again
 */
int peers_sync(struct peers *peers)
{
	struct peers_entry *want;
	size_t nr;
	int ret;

	want = entries_wanted(peers, &nr);
	if (!want)
		return -ENOMEM;
	ret = entries_apply(peers->map_fd, peers->entry, peers->nr_entries, want, nr, false);
	if (ret >= 0)
		ret = entries_apply(peers->map_fd, want, nr, peers->entry, peers->nr_entries, true);
	if (ret < 0) {
		free(want);
		return ret;
	}
	free(peers->entry);
	peers->entry = want;
	peers->nr_entries = nr;
	return ret > 0;
}

/** peers_free - free the table; the map stays as it is */
void peers_free(struct peers *peers)
{
	peers_drop_all(peers);
	free(peers->peer);
	free(peers->entry);
	*peers = (struct peers){};
}
