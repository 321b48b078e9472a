/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The maps, weak in each file that uses them: the linker makes one of each, and
 * refuses two that differ. Pinned by the loader under VMC_PIN_DIR.
 */
#ifndef VMC_MAPS_BPF_H
#define VMC_MAPS_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <vmc/bpf.h>

/* Who lives behind an address. Written by user space only. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, VMC_MAX_PEERS);
	__type(key, struct vmc_peer_key);
	__type(value, struct vmc_peer_value);
} vmc_peers SEC(".maps") __weak;

/* Adopted sockets by cookie; being in it attaches the sk_msg program. */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, VMC_MAX_SOCKS);
	__type(key, __u64);
	__type(value, __u64);
} vmc_socks SEC(".maps") __weak;

#endif
