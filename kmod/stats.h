/* SPDX-License-Identifier: GPL-2.0-only */
/* Per-CPU counters of the module, shown by "ethtool -S vmc0". */
#ifndef VMC_STATS_H
#define VMC_STATS_H

#include <linux/percpu.h>
#include <linux/types.h>

#include "reason.h"

/* Name and meaning; docs/operations.md explains each. */
#define VMC_STATS(X)             \
	X(tx_bytes)              \
	X(rx_bytes)              \
	X(tx_records)            \
	X(rx_records)            \
	X(tx_tcp_bytes)          \
	X(tx_doorbells)          \
	X(rx_doorbells)          \
	X(rx_doorbells_spurious) \
	X(tx_waits)              \
	X(tx_holds)              \
	X(tx_starved)            \
	X(tx_stalls)             \
	X(tx_requeued_bytes)     \
	X(rx_deferred)           \
	X(rx_crafted)            \
	X(rx_stale)              \
	X(rx_no_memory)          \
	X(flows_opened)          \
	X(flows_bound)           \
	X(flows_rejected)        \
	X(flows_fallen_back)     \
	X(flows_closed)          \
	X(chans_connected)       \
	X(chans_closed)          \
	X(chan_protocol_errors)

enum vmc_stat {
#define X(name) VMC_STAT_##name,
	VMC_STATS(X)
#undef X
		VMC_STAT_REASONS, /* and those behind it: by reason */
	VMC_NR_STATS = VMC_STAT_REASONS + VMC_NR_REASONS
};

struct vmc_stats {
	u64 v[VMC_NR_STATS];
};

DECLARE_PER_CPU(struct vmc_stats, vmc_stats);

/* Any context. */
#define vmc_stat_add(name, n) this_cpu_add(vmc_stats.v[VMC_STAT_##name], n)
#define vmc_stat_inc(name)    vmc_stat_add(name, 1)

/* For this reason so many sockets, flows or bytes are TCP's. Any context. */
static inline void vmc_stat_reason(enum vmc_reason reason, u64 n)
{
	this_cpu_add(vmc_stats.v[VMC_STAT_REASONS + reason], n);
}

extern const char *const vmc_stat_names[VMC_NR_STATS];

void vmc_stats_sum(u64 *sum);

#endif
