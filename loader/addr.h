/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Addresses as the peers map holds them: 16 bytes, IPv4 as ::ffff:a.b.c.d.
 */
#ifndef VMC_ADDR_H
#define VMC_ADDR_H

#include <stdbool.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <linux/types.h>

#include <vmc/bpf.h>

#define ADDR_STRLEN INET6_ADDRSTRLEN

/* A sorted set of addresses; all zero is empty. */
struct addr_set {
	struct vmc_peer_key *keys;
	size_t nr;
};

int addr_parse(const char *text, struct vmc_peer_key *key);
bool addr_is_unicast(const struct vmc_peer_key *key);
bool addr_is_host(const struct vmc_peer_key *key);
void addr_format(const struct vmc_peer_key *key, char text[ADDR_STRLEN]);
int addr_compare(const void *a, const void *b);

int addr_set_add(struct addr_set *set, const struct vmc_peer_key *key);
int addr_set_parse(struct addr_set *set, const char *text, size_t *nr_bad);
bool addr_set_has(const struct addr_set *set, const struct vmc_peer_key *key);
bool addr_set_equal(const struct addr_set *a, const struct addr_set *b);
char *addr_set_format(const struct addr_set *set);
void addr_set_free(struct addr_set *set);

#endif
