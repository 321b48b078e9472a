// SPDX-License-Identifier: GPL-2.0-only
/* The counters and their names. */
#include <linux/cpumask.h>

#include "stats.h"

DEFINE_PER_CPU(struct vmc_stats, vmc_stats);

const char *const vmc_stat_names[VMC_NR_STATS] = {
#define X(name) [VMC_STAT_##name] = #name,
	VMC_STATS(X)
#undef X
#define X(reason, name) [VMC_STAT_REASONS + VMC_REASON_##reason] = #name,
		VMC_REASONS(X)
#undef X
};

/**
 * vmc_stats_sum() - add up the counters of all CPUs
 * @sum: VMC_NR_STATS numbers
 */
void vmc_stats_sum(u64 *sum)
{
	int cpu, i;

	for (i = 0; i < VMC_NR_STATS; i++)
		sum[i] = 0;
	for_each_possible_cpu(cpu)
		for (i = 0; i < VMC_NR_STATS; i++)
			sum[i] += per_cpu(vmc_stats, cpu).v[i];
}
