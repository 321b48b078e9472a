/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Flows: TCP connections adopted from a BPF program, at their establishment or in
 * mid-stream. A flow belongs to its socket from adoption until the socket is
 * destroyed (or given back), whatever state it is in; the proto of such a socket is
 * ours for just as long. One that has left its channel makes room for another when
 * the socket is adopted again.
 */
#ifndef VMC_FLOW_H
#define VMC_FLOW_H

#include <linux/refcount.h>
#include <linux/rhashtable-types.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "../include/vmc/wire.h"
#include "reason.h"

struct vmc_chan;
struct vmc_queue;

/*
 *   OPENING --proof of the peer--> BOUND
 *      +-----------any reason--------+--> CLOSED: by TCP only
 */
enum vmc_flow_state {
	VMC_FLOW_OPENING,
	VMC_FLOW_BOUND,
	VMC_FLOW_CLOSED,
};

/* What drains before bytes go the other way. */
enum vmc_hold {
	VMC_HOLD_NONE,
	VMC_HOLD_FOR_TCP,
	VMC_HOLD_FOR_RING,
};

struct vmc_flow_key {
	u32 peer;
	struct vmc_tuple tuple; /* saddr, sport: ours */
};

struct vmc_flow {
	refcount_t refcnt;
	struct rcu_head rcu;
	struct sock *sk;	 /* holds a reference */
	struct vmc_chan *chan;	 /* holds a reference */
	struct vmc_queue *queue; /* since BOUND */

	struct rhash_head sock_node;
	struct rhash_head key_node;
	struct list_head chan_node; /* chan->lock */
	bool is_wanted;		    /* chan->lock; offered, or as soon as possible */
	bool is_offered;	    /* chan->lock; the peer has not answered yet */
	unsigned long offer_after;  /* chan->lock; jiffies; not before */
	u32 nr_rejects;		    /* chan->lock */

	/* Constant since adoption. */
	struct vmc_flow_key key;
	u32 iss;	/* initial sequence numbers: mine, */
	u32 irs;	/* and the peer's */
	u32 handle;	/* in records to me */
	bool is_active; /* we connected, the peer accepted */

	/* Written under the socket's spinlock or by its owner; read anywhere. */
	enum vmc_flow_state state;
	enum vmc_reason reason;
	u32 peer_handle; /* in records to the peer; 0: it has proved nothing */

	/* Owner of the socket lock. */
	u32 ring_end;	   /* behind the last byte sent by the ring */
	u32 verdict_bytes; /* for which the last verdict still holds */
	bool verdict_ring; /* the verdict: by the ring */
	bool has_used_ring;
	enum vmc_hold hold;		/* read by pollers, too */
	bool is_corked;			/* by the user, but not while we hold */
	u32 nr_sends;			/* messages */
	struct task_struct *tcp_sender; /* in tcp_sendmsg_locked(); never dereferenced */
	u32 path_stamp; /* tcp_jiffies32 when the path last saw a segment for sure */
	u32 alive_mark; /* in the ring: the peer is alive when it has got there */

	/* Queue's tx_lock. */
	u32 tx_pages;
	u32 max_pages; /* as far as the peer's receive buffer is bounded */
	u32 cur_page;
	u32 cur_off;
	struct list_head wait;
	u32 wait_pages;	 /* woken when it holds no more; or VMC_WAIT_* */
	u32 tx_returned; /* pages, ever */
	u32 stall_mark;	 /* progress at the last tick of somebody who waits */
	u32 stall_ticks; /* without any */

	/* Socket's spinlock. */
	struct sk_buff_head rx_pending; /* came while the socket was owned */
	struct delayed_work drain_work; /* holds a reference while queued */
	u32 ack_seq;			/* of a deferred ACKREQ */
	bool wants_ack;
	u32 close_seq; /* of a CLOSE: what the peer has not received by then, it never will */
	bool is_closed_by_peer;
	bool wants_stopped; /* the peer waits for a STOPPED */
	bool has_stopped;   /* the peer sends no more by the ring */
	u32 told_window;    /* by the last WINDOW to the peer */
	u32 drained_wup;    /* rcv_wup when TCP had nothing unacknowledged */
	u32 edge_stamp;	    /* tcp_jiffies32 when that was last put back into rcv_wup */
	bool holds_edge;    /* it may be there still */

	bool wants_copies; /* no page of the peer in the receive queue */
	bool is_detached;
	bool has_left; /* by the socket's owner: the channel is closed, nothing refers to it */
};

int vmc_flows_init(void);
void vmc_flows_exit(void);

int vmc_flow_open(struct sock *sk, u32 peer, bool is_active);
int vmc_flow_adopt(struct sock *sk, u32 peer);
struct vmc_flow *vmc_flow_of(const struct sock *sk);
struct vmc_flow *vmc_flow_by_handle(struct vmc_chan *chan, u32 handle);
struct vmc_flow *vmc_flow_by_key(const struct vmc_flow_key *key);
void vmc_flow_want(struct vmc_flow *flow);
void vmc_flow_postpone(struct vmc_flow *flow);
bool vmc_flow_seal(struct vmc_flow *flow);
void __vmc_flow_close(struct vmc_flow *flow, enum vmc_reason reason);
bool vmc_flow_try_leave(struct vmc_flow *flow);
void vmc_flow_end_hold(struct vmc_flow *flow);
void vmc_flow_detach(struct vmc_flow *flow, enum vmc_reason reason);
void vmc_flow_put(struct vmc_flow *flow);
void vmc_flow_write_space(struct vmc_flow *flow);
void vmc_flow_drain_later(struct vmc_flow *flow, unsigned long delay);

static inline struct vmc_flow *vmc_flow_get(struct vmc_flow *flow)
{
	refcount_inc(&flow->refcnt);
	return flow;
}

/* Bytes that we sent and the peer's program has not consumed; never too few. */
static inline u32 vmc_flow_bytes_in_ring(const struct vmc_flow *flow)
{
	return READ_ONCE(flow->tx_pages) * VMC_PAGE_SIZE;
}

static inline enum vmc_flow_state vmc_flow_state(const struct vmc_flow *flow)
{
	/* Pairs with the release in handshake.c: behind BOUND are queue and
	 * peer_handle.
	 */
	return smp_load_acquire(&flow->state);
}

#endif
