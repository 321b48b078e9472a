/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues of a channel: a pair of rings each way, the pool of data pages that we
 * send from, and the receive worker (a NAPI instance) that takes the peer's
 * records.
 */
#ifndef VMC_QUEUE_H
#define VMC_QUEUE_H

#include <linux/netdevice.h>
#include <linux/spinlock.h>

#include "../include/vmc/ring.h"
#include "half.h"
#include "pool.h"

struct vmc_chan;
struct vmc_flow;

struct vmc_queue {
	struct vmc_chan *chan;
	u16 index;
	void *priv; /* the transport's */
	struct vmc_half own;
	struct vmc_half peer;
	struct vmc_ring ring;
	struct napi_struct napi; /* record consumer */

	spinlock_t tx_lock; /* record producer, return consumer and: */
	bool tx_dead;	    /* nothing is published any more */
	bool is_gone;	    /* nothing comes back any more */
	bool is_broken;	    /* the peer broke the protocol; the worker tells */
	struct vmc_pool pool;
	u32 slots_reserved;
	struct list_head waiters; /* flows out of space; hold a reference */
	bool has_reaped;	  /* since the lock was taken */
	struct delayed_work stall_work;
	struct vmc_record *ctrl; /* control records that found no slot, in a circle */
	u32 first_ctrl;
	u32 nr_ctrl;
	u64 tx_bytes;

	spinlock_t ret_lock; /* return producer and: */
	bool rx_dead;
	u32 nr_received;	       /* records whose bytes are not consumed yet, */
	u32 received_bytes;	       /* and these */
	u16 *consumed;		       /* a peer's data page: segments to return */
	struct delayed_work scan_work; /* for pages that are held longer */

	/* The worker's. */
	u64 rx_bytes;
};

void vmc_queue_init(struct vmc_queue *q, struct vmc_chan *chan, u16 index);
int vmc_queue_setup(struct vmc_queue *q);
void vmc_queue_start(struct vmc_queue *q);
void vmc_queue_kick(struct vmc_queue *q);
void vmc_queue_stop(struct vmc_queue *q);
void vmc_queue_finish(struct vmc_queue *q);
void vmc_queue_stop_returns(struct vmc_queue *q);
void vmc_queue_exit(struct vmc_queue *q);
void __vmc_queue_notify(struct vmc_queue *q);

#endif
