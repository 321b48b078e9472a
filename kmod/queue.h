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

/* Slots that data leaves free for the control records of flows. */
#define VMC_CTRL_SLOTS 16
#define VMC_MAX_CTRL   1024 /* of them that wait for a slot */

/* What else than pages a flow may wait for. */
#define VMC_WAIT_ROOM  U32_MAX
#define VMC_WAIT_TCP   (U32_MAX - 1) /* all that went by TCP is acknowledged */

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
	struct list_head ctrl;	  /* control records that found no slot */
	u32 nr_ctrl;
	u64 tx_bytes;

	spinlock_t ret_lock; /* return producer and: */
	bool rx_dead;
	u32 nr_received;	       /* records whose bytes are not consumed yet */
	u16 *consumed;		       /* a peer's data page: segments to return */
	struct delayed_work scan_work; /* for pages that are held longer */

	/* The worker's. */
	u64 rx_bytes;
	u32 last_progress;
};

/* Where the bytes of a record under construction go. */
struct vmc_tx_seg {
	u32 page;
	u16 off;
	u16 len;
};

struct vmc_tx {
	u32 nr_segs;
	u32 len;
	struct vmc_tx_seg seg[VMC_MAX_SEGS];
};

void vmc_queue_init(struct vmc_queue *q, struct vmc_chan *chan, u16 index);
int vmc_queue_setup(struct vmc_queue *q);
void vmc_queue_start(struct vmc_queue *q);
void vmc_queue_kick(struct vmc_queue *q);
void vmc_queue_stop(struct vmc_queue *q);
void vmc_queue_finish(struct vmc_queue *q);
void vmc_queue_stop_returns(struct vmc_queue *q);
void vmc_queue_exit(struct vmc_queue *q);

void vmc_queue_forget(struct vmc_queue *q, struct vmc_flow *flow);
bool vmc_queue_has_room(struct vmc_queue *q, struct vmc_flow *flow);
bool vmc_queue_is_starved(struct vmc_queue *q, struct vmc_flow *flow);
bool vmc_queue_has_drained(struct vmc_queue *q, struct vmc_flow *flow, u32 bytes);
bool vmc_queue_has_drained_tcp(struct vmc_queue *q, struct vmc_flow *flow);
bool vmc_queue_has_stalled(const struct vmc_flow *flow);
void vmc_queue_restart_stall(struct vmc_flow *flow);
void vmc_queue_set_window(struct vmc_queue *q, struct vmc_flow *flow, u32 bytes);
int vmc_tx_reserve(struct vmc_queue *q, struct vmc_flow *flow, size_t want, struct vmc_tx *tx);
bool vmc_tx_commit(struct vmc_queue *q, struct vmc_flow *flow, struct vmc_tx *tx, u32 seq);
void vmc_tx_abort(struct vmc_queue *q, struct vmc_tx *tx);
void vmc_tx_control(struct vmc_queue *q, const struct vmc_record *rec);

#endif
