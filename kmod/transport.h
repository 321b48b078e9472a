/* SPDX-License-Identifier: GPL-2.0-only */
/* The transports that a channel can sit on, and the sizes that they offer. */
#ifndef VMC_TRANSPORT_H
#define VMC_TRANSPORT_H

#include <linux/kconfig.h>
#include <linux/types.h>

struct vmc_half;

/* main.c: module parameters */
int vmc_half_init_own(struct vmc_half *half);
u16 vmc_max_queues(void);

/* loopback.c */
int vmc_loopback_init(void);
void vmc_loopback_exit(void);

/* xenbus.c */
#if IS_ENABLED(CONFIG_XEN_XENBUS_FRONTEND)
int vmc_xenbus_init(void);
void vmc_xenbus_exit(void);
#else
static inline int vmc_xenbus_init(void)
{
	return 0;
}

static inline void vmc_xenbus_exit(void)
{
}
#endif

#endif
