/* SPDX-License-Identifier: GPL-2.0-only */
/* The netdev vmc0: host of the receive workers (NAPI) and of the counters. */
#ifndef VMC_NETDEV_H
#define VMC_NETDEV_H

struct net_device;

extern struct net_device *vmc_netdev;

int vmc_netdev_init(void);
void vmc_netdev_exit(void);

#endif
