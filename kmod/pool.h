/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The data pages of a queue's sending side. A page in use belongs to one flow
 * and carries one or more segments that the peer has not returned yet.
 */
#ifndef VMC_POOL_H
#define VMC_POOL_H

#include <linux/types.h>

struct vmc_flow;
struct vmc_tx;

struct vmc_pool_page {
	struct vmc_flow *flow; /* while segs != 0; NULL: the flow is gone */
	u32 segs;	       /* outstanding */
	u32 next;	       /* on the free list */
};

/* All under the queue's tx_lock. */
struct vmc_pool {
	struct vmc_pool_page *pages;
	u32 nr_pages;
	u32 nr_free;
	u32 first_free;
	u32 segs;     /* outstanding, of all pages */
	u32 max_segs; /* what fits in the peer's return ring */
};

int vmc_pool_init(struct vmc_pool *pool, u32 nr_pages, u32 max_segs);
void vmc_pool_exit(struct vmc_pool *pool);
bool vmc_pool_has_room(const struct vmc_pool *pool, const struct vmc_flow *flow);
void __vmc_pool_take(struct vmc_pool *pool, struct vmc_flow *flow, size_t want, struct vmc_tx *tx);
void __vmc_pool_disown(struct vmc_pool *pool, struct vmc_flow *flow);
int __vmc_pool_return(struct vmc_pool *pool, u32 page, u32 nr_segs);

#endif
