/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Channels: what connects this guest with one peer. A channel sits on a
 * transport (Xen grants and event channels, or loopback), has one or more
 * queues and carries the flows between the two.
 */
#ifndef VMC_CHAN_H
#define VMC_CHAN_H

#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

struct vmc_chan;
struct vmc_queue;

/*
 *   IDLE --first flow--> CONNECTING --both sides mapped--> CONNECTED
 *     +----------------------+-----------stop-----------------+--> CLOSED
 *
 * A closed channel stays closed; its transport makes a new one.
 */
enum vmc_chan_state {
	VMC_CHAN_IDLE,
	VMC_CHAN_CONNECTING,
	VMC_CHAN_CONNECTED,
	VMC_CHAN_CLOSED,
};

/*
 * What a transport does for a channel.
 * @connect: begin to connect; it ends in vmc_chan_connected(). Process context.
 * @fail: the peer broke the protocol: close the channel soon. Any context.
 * @notify: ring the peer's doorbell of a queue. Any context.
 * @poll_done: the receive worker of a queue is going to sleep; @progress changes with
 *	whatever may be the reason for a doorbell. Softirq.
 */
struct vmc_transport {
	const char *name;
	void (*connect)(struct vmc_chan *chan);
	void (*fail)(struct vmc_chan *chan);
	void (*notify)(struct vmc_queue *q);
	void (*poll_done)(struct vmc_queue *q, u32 progress);
};

struct vmc_chan {
	refcount_t refcnt;
	struct rcu_head rcu;
	u32 peer; /* the peer's domid, or a loopback end */
	const struct vmc_transport *ops;
	void *priv; /* the transport's */
	struct work_struct connect_work;

	struct xarray handles; /* my handle -> flow; RCU look-up */
	u32 next_handle;

	spinlock_t lock; /* the fields below; taken with BH off */
	enum vmc_chan_state state;
	struct list_head flows;
	u32 nr_flows;

	bool was_connected; /* of the transport, since it was stopped */

	u16 nr_queues; /* constant once CONNECTED */
	struct vmc_queue *queues;
};

/* main.c: for what may sleep; unbound */
extern struct workqueue_struct *vmc_wq;

struct vmc_chan *vmc_chan_alloc(u32 peer, const struct vmc_transport *ops, void *priv);
int vmc_chan_register(struct vmc_chan *chan);
struct vmc_chan *vmc_chan_lookup(u32 peer);
void vmc_chan_put(struct vmc_chan *chan);
void __vmc_chan_want(struct vmc_chan *chan);
int vmc_chan_set_queues(struct vmc_chan *chan, u16 nr_queues);
void vmc_chan_connected(struct vmc_chan *chan);
void vmc_chan_stop(struct vmc_chan *chan);
void vmc_chan_finish(struct vmc_chan *chan);
void vmc_chan_fail(struct vmc_chan *chan, const char *why);
enum vmc_chan_state vmc_chan_state(struct vmc_chan *chan);
const char *vmc_chan_state_name(enum vmc_chan_state state);
void vmc_chans_exit(void);

static inline struct vmc_chan *vmc_chan_get(struct vmc_chan *chan)
{
	refcount_inc(&chan->refcnt);
	return chan;
}

#endif
