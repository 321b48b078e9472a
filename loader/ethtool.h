/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a network device, as "ethtool -S" shows them.
 */
#ifndef VMC_ETHTOOL_H
#define VMC_ETHTOOL_H

#include <linux/ethtool.h>
#include <linux/types.h>

struct ethtool_counter {
	char name[ETH_GSTRING_LEN + 1];
	__u64 value;
};

int ethtool_counters(const char *ifname, struct ethtool_counter **counters);

#endif
