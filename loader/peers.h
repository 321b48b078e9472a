/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The peers map, kept equal to a table of peers.
 */
#ifndef VMC_PEERS_H
#define VMC_PEERS_H

#include <stddef.h>

#include "addr.h"

struct peer {
	__u32 id; /* value of its addresses in the map */
	struct addr_set addrs;
};

/* An entry that the map holds. */
struct peers_entry {
	struct vmc_peer_key key;
	__u32 id;
};

struct peers {
	int map_fd;
	struct peer *peer; /* by id */
	size_t nr;
	struct peers_entry *entry; /* what the map holds, by key */
	size_t nr_entries;
};

int peers_init(struct peers *peers, int map_fd);
int peers_set(struct peers *peers, __u32 id, struct addr_set *addrs);
void peers_drop(struct peers *peers, __u32 id);
void peers_drop_all(struct peers *peers);
int peers_sync(struct peers *peers);
void peers_free(struct peers *peers);

#endif
