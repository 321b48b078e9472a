/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses as the peers map has them. */
#ifndef VMC_ADDRESS_BPF_H
#define VMC_ADDRESS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <vmc/bpf.h>

#define AF_INET	 2
#define AF_INET6 10

/* @word: network order, ::ffff:a.b.c.d for IPv4; @key: the same as the map's key */
union address {
	struct vmc_peer_key key;
	__u32 word[4];
};

static __always_inline void address_map_v4(union address *a, __u32 v4)
{
	a->word[0] = 0;
	a->word[1] = 0;
	a->word[2] = bpf_htonl(0xffff);
	a->word[3] = v4;
}

static __always_inline bool address_equal(const union address *a, const union address *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}

#endif
