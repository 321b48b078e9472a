// SPDX-License-Identifier: GPL-2.0-only
/* Channels: look-up, state, and the order of their end. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/rcupdate.h>
#include <linux/slab.h>

#include "chan.h"
#include "flow.h"
#include "handshake.h"
#include "queue.h"
#include "stats.h"
#include "trace.h"
#include "tx.h"

/* peer -> channel, the newest of each peer; RCU look-up. Holds a reference. */
static DEFINE_XARRAY_FLAGS(vmc_chans, XA_FLAGS_LOCK_BH);

static void chan_connect_work(struct work_struct *work)
{
	struct vmc_chan *chan = container_of(work, struct vmc_chan, connect_work);

	chan->ops->connect(chan);
	vmc_chan_put(chan);
}

/**
 * vmc_chan_alloc() - a new channel in state IDLE
 * @peer: id of the other end
 * @ops: the transport
 * @priv: the transport's own data
 *
 * Return: the channel with one reference, the caller's, or NULL.
 */
struct vmc_chan *vmc_chan_alloc(u32 peer, const struct vmc_transport *ops, void *priv)
{
	struct vmc_chan *chan = kzalloc(sizeof(*chan), GFP_KERNEL);

	if (!chan)
		return NULL;
	refcount_set(&chan->refcnt, 1);
	chan->peer = peer;
	chan->ops = ops;
	chan->priv = priv;
	INIT_WORK(&chan->connect_work, chan_connect_work);
	xa_init_flags(&chan->handles, XA_FLAGS_ALLOC1 | XA_FLAGS_LOCK_BH);
	spin_lock_init(&chan->lock);
	INIT_LIST_HEAD(&chan->flows);
	return chan;
}

/**
 * vmc_chan_register() - let flows find the channel
 * @chan: the channel
 *
 * Return: 0, or -ENOMEM.
 */
int vmc_chan_register(struct vmc_chan *chan)
{
	struct vmc_chan *old;

	vmc_chan_get(chan);
	old = xa_store_bh(&vmc_chans, chan->peer, chan, GFP_KERNEL);
	if (xa_is_err(old)) {
		vmc_chan_put(chan);
		return xa_err(old);
	}
	if (old)
		vmc_chan_put(old);
	return 0;
}

static void chan_unregister(struct vmc_chan *chan)
{
	if (xa_cmpxchg_bh(&vmc_chans, chan->peer, chan, NULL, 0) == chan)
		vmc_chan_put(chan);
}

/**
 * vmc_chan_lookup() - the channel to a peer
 * @peer: the peer's id
 *
 * Context: any.
 * Return: the channel with a reference, or NULL.
 */
struct vmc_chan *vmc_chan_lookup(u32 peer)
{
	struct vmc_chan *chan;

	rcu_read_lock();
	chan = xa_load(&vmc_chans, peer);
	if (chan && !refcount_inc_not_zero(&chan->refcnt))
		chan = NULL;
	rcu_read_unlock();
	return chan;
}

static void chan_free_rcu(struct rcu_head *rcu)
{
	struct vmc_chan *chan = container_of(rcu, struct vmc_chan, rcu);

	xa_destroy(&chan->handles);
	kfree(chan);
}

/**
 * vmc_chan_put() - drop a reference
 * @chan: the channel
 *
 * Context: any. The queues were freed by vmc_chan_finish() in process context,
 * but for their memory, which late destructors of skbs may still look at.
 */
void vmc_chan_put(struct vmc_chan *chan)
{
	if (!refcount_dec_and_test(&chan->refcnt))
		return;
	kfree(chan->queues);
	chan->queues = NULL;
	call_rcu(&chan->rcu, chan_free_rcu);
}

/**
 * __vmc_chan_want() - a flow wants the channel: connect it if nobody did yet
 * @chan: the channel
 *
 * Context: chan->lock held.
 */
void __vmc_chan_want(struct vmc_chan *chan)
{
	lockdep_assert_held(&chan->lock);
	if (chan->state != VMC_CHAN_IDLE)
		return;
	chan->state = VMC_CHAN_CONNECTING;
	trace_vmc_chan_state(chan->peer, chan->state);
	vmc_chan_get(chan);
	queue_work(vmc_wq, &chan->connect_work);
}

/**
 * vmc_chan_set_queues() - allocate the queues, once their number is negotiated
 * @chan: the channel
 * @nr_queues: how many
 *
 * Context: process, by the transport, before vmc_chan_connected().
 * Return: 0 or -ENOMEM.
 */
int vmc_chan_set_queues(struct vmc_chan *chan, u16 nr_queues)
{
	u16 i;

	chan->queues = kcalloc(nr_queues, sizeof(*chan->queues), GFP_KERNEL);
	if (!chan->queues)
		return -ENOMEM;
	chan->nr_queues = nr_queues;
	for (i = 0; i < nr_queues; i++)
		vmc_queue_init(&chan->queues[i], chan, i);
	return 0;
}

/**
 * vmc_chan_connected() - both sides of every queue are mapped: begin to work
 * @chan: the channel
 *
 * Context: process, by the transport, which sees to it that it was not stopped.
 */
void vmc_chan_connected(struct vmc_chan *chan)
{
	struct vmc_flow *flow;
	u16 i;

	for (i = 0; i < chan->nr_queues; i++)
		vmc_queue_start(&chan->queues[i]);

	spin_lock_bh(&chan->lock);
	if (WARN_ON_ONCE(chan->state == VMC_CHAN_CLOSED)) {
		spin_unlock_bh(&chan->lock);
		return;
	}
	/* Flows find queues behind this state: release. */
	smp_store_release(&chan->state, VMC_CHAN_CONNECTED);
	trace_vmc_chan_state(chan->peer, chan->state);
	vmc_stat_inc(chans_connected);
	list_for_each_entry(flow, &chan->flows, chan_node)
		if (flow->is_wanted)
			vmc_handshake_offer(flow);
	spin_unlock_bh(&chan->lock);

	for (i = 0; i < chan->nr_queues; i++)
		vmc_queue_kick(&chan->queues[i]);
}

/**
 * vmc_chan_stop() - begin to end the channel: no new flow, no new record
 * @chan: the channel
 *
 * What the peer sends is still received, and what it returns taken. The transport
 * tells the peer, waits until that has stopped, too, and calls vmc_chan_finish():
 * a byte that one side counts as sent is then one that the other has received.
 *
 * Context: process; by the transport, any number of times.
 */
void vmc_chan_stop(struct vmc_chan *chan)
{
	enum vmc_chan_state old;
	u16 i;

	spin_lock_bh(&chan->lock);
	old = chan->state;
	chan->state = VMC_CHAN_CLOSED;
	spin_unlock_bh(&chan->lock);
	chan_unregister(chan);
	if (old == VMC_CHAN_CLOSED)
		return;
	trace_vmc_chan_state(chan->peer, VMC_CHAN_CLOSED);
	vmc_stat_inc(chans_closed);
	chan->was_connected = old == VMC_CHAN_CONNECTED;
	for (i = 0; chan->was_connected && i < chan->nr_queues; i++)
		vmc_queue_stop(&chan->queues[i]);
}

/* A moment: as long as a peer takes that lives. */
#define CHAN_TAKE_PATIENCE (HZ / 10)

/* The peer's end may still be at work; what it takes now, TCP need not send again. */
static void chan_await_drained(struct vmc_chan *chan)
{
	unsigned long deadline = jiffies + CHAN_TAKE_PATIENCE;
	u16 i;

	for (i = 0; i < chan->nr_queues; i++)
		while (!vmc_tx_is_drained(&chan->queues[i]) && time_before(jiffies, deadline))
			usleep_range(500, 1000);
}

/* The flows of a closed channel, in turn: nobody joins it. NULL: there is none. */
static struct vmc_flow *chan_next_flow(struct vmc_chan *chan)
{
	struct vmc_flow *flow;

	spin_lock_bh(&chan->lock);
	flow = list_first_entry_or_null(&chan->flows, struct vmc_flow, chan_node);
	if (flow) {
		list_move_tail(&flow->chan_node, &chan->flows);
		vmc_flow_get(flow);
	}
	spin_unlock_bh(&chan->lock);
	return flow;
}

/* A socket that somebody owns for long keeps no other one waiting. */
static void chan_part_flows(struct vmc_chan *chan)
{
	struct vmc_flow *flow;
	u32 nr_owned = 0;

	while ((flow = chan_next_flow(chan))) {
		nr_owned = vmc_flow_try_leave(flow) ? 0 : nr_owned + 1;
		vmc_flow_put(flow);
		cond_resched();
		if (nr_owned && nr_owned >= READ_ONCE(chan->nr_flows)) {
			usleep_range(1000, 2000);
			nr_owned = 0;
		}
	}
}

/**
 * vmc_chan_finish() - end the channel, all of its flows go on by TCP
 * @chan: the channel, stopped; so has the peer, or it is gone
 *
 * Nothing touches a page of the peer, or one of ours that it can see, after the
 * return, so the transport may then unmap and revoke; a page to which user space
 * still holds a reference (splice) is left to the unmapping to wait for.
 *
 *   1. what the peer has published is received to the end
 *   2. each flow leaves: bytes in its socket's queue are copied out, and those that
 *	   the peer has not taken go to TCP
 *   3. what is consumed late is handed back no more
 *
 * Context: process; by the transport, once.
 */
void vmc_chan_finish(struct vmc_chan *chan)
{
	u16 i;

	for (i = 0; chan->was_connected && i < chan->nr_queues; i++)
		vmc_queue_finish(&chan->queues[i]);
	if (chan->was_connected)
		chan_await_drained(chan);
	chan_part_flows(chan);
	for (i = 0; chan->was_connected && i < chan->nr_queues; i++)
		vmc_queue_stop_returns(&chan->queues[i]);
	for (i = 0; i < chan->nr_queues; i++)
		vmc_queue_exit(&chan->queues[i]);
}

/**
 * vmc_chan_fail() - the peer broke the protocol
 * @chan: the channel
 * @why: for the log
 *
 * Context: any; the transport closes the channel soon.
 */
void vmc_chan_fail(struct vmc_chan *chan, const char *why)
{
	vmc_stat_inc(chan_protocol_errors);
	pr_warn_ratelimited("peer %u: %s; closing its channel, its connections go on by TCP\n",
			    chan->peer, why);
	chan->ops->fail(chan);
}

enum vmc_chan_state vmc_chan_state(struct vmc_chan *chan)
{
	/* Pairs with vmc_chan_connected(). */
	return smp_load_acquire(&chan->state);
}

const char *vmc_chan_state_name(enum vmc_chan_state state)
{
	static const char *const names[] = {
		[VMC_CHAN_IDLE] = "idle",
		[VMC_CHAN_CONNECTING] = "connecting",
		[VMC_CHAN_CONNECTED] = "connected",
		[VMC_CHAN_CLOSED] = "closed",
	};

	return names[state];
}

/* All transports are gone, and with them all channels. */
void vmc_chans_exit(void)
{
	WARN_ON_ONCE(!xa_empty(&vmc_chans));
	xa_destroy(&vmc_chans);
}
