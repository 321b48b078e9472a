// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue's life, and its receive worker.
 *
 * Lock order: socket lock, chan->lock, tx_lock or ret_lock (never both).
 */
#include <linux/mm.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "chan.h"
#include "netdev.h"
#include "queue.h"
#include "rx.h"
#include "space.h"
#include "stats.h"
#include "tx.h"

/**
 * __vmc_queue_notify() - ring the peer's doorbell
 * @q: the queue
 *
 * Context: under a lock of the queue, or its worker: the transport's end comes after theirs.
 */
void __vmc_queue_notify(struct vmc_queue *q)
{
	vmc_stat_inc(tx_doorbells);
	q->chan->ops->notify(q);
}

/* Return: records handled, or -errno; -ENOMEM: try again later. */
static int queue_receive(struct vmc_queue *q, int budget)
{
	struct vmc_record rec;
	int done = 0;
	int ret = 0;

	while (done < budget) {
		ret = vmc_rec_peek(&q->ring, &rec);
		if (ret <= 0)
			break;
		ret = vmc_rx_record(q, &rec);
		if (ret)
			break;
		vmc_rec_consume(&q->ring);
		done++;
	}
	if (vmc_rec_consumed(&q->ring))
		__vmc_queue_notify(q);
	return ret < 0 ? ret : done;
}

/* Records, returns and slots: what doorbells are rung for, whoever has taken them. */
static u32 queue_progress(const struct vmc_queue *q)
{
	return q->ring.rec_cons + READ_ONCE(q->ring.ret_cons) + READ_ONCE(q->ring.peer_rec_cons);
}

static int queue_poll(struct napi_struct *napi, int budget)
{
	struct vmc_queue *q = container_of(napi, struct vmc_queue, napi);
	u32 progress;
	int done;

	done = queue_receive(q, budget);
	if (done == -ENOMEM) {
		vmc_stat_inc(rx_no_memory);
		return budget;
	}
	if (done < 0 || vmc_space_serve(q) < 0) {
		/* No more polling; the transport closes the channel. */
		vmc_chan_fail(q->chan, "protocol error");
		napi_complete(napi);
		return 0;
	}
	/* While NAPI is still ours: a doorbell from here on schedules it again. */
	if (done == budget || vmc_rec_arm(&q->ring))
		return budget;
	progress = queue_progress(q);
	if (napi_complete_done(napi, done))
		q->chan->ops->poll_done(q, progress);
	return done;
}

void vmc_queue_init(struct vmc_queue *q, struct vmc_chan *chan, u16 index)
{
	q->chan = chan;
	q->index = index;
	spin_lock_init(&q->tx_lock);
	spin_lock_init(&q->ret_lock);
	INIT_LIST_HEAD(&q->waiters);
	INIT_DELAYED_WORK(&q->scan_work, vmc_rx_scan);
	INIT_DELAYED_WORK(&q->stall_work, vmc_space_stall_work);
	q->tx_dead = true;
	q->is_gone = true;
	q->rx_dead = true;
}

static void queue_free(struct vmc_queue *q)
{
	kvfree(q->ctrl);
	q->ctrl = NULL;
	kvfree(q->consumed);
	q->consumed = NULL;
}

/**
 * vmc_queue_setup() - both halves are mapped: prepare rings, pool and worker
 * @q: the queue
 *
 * Context: process, by the transport.
 * Return: 0, or -errno; then nothing is left behind.
 */
int vmc_queue_setup(struct vmc_queue *q)
{
	struct vmc_ring *ring = &q->ring;
	int err;

	ring->head = page_address(q->own.head);
	ring->records = q->own.records;
	ring->returns = q->own.returns;
	ring->nr_records = q->own.nr_records;
	ring->nr_returns = q->own.nr_returns;
	ring->peer_head = page_address(q->peer.head);
	ring->peer_records = (const struct vmc_record *const *)q->peer.records;
	ring->peer_returns = (const __le32 *const *)q->peer.returns;
	ring->peer_nr_records = q->peer.nr_records;
	ring->peer_nr_returns = q->peer.nr_returns;
	ring->peer_nr_data = q->peer.nr_data;

	q->consumed = kvcalloc(q->peer.nr_data, sizeof(*q->consumed), GFP_KERNEL);
	if (!q->consumed)
		return -ENOMEM;
	q->ctrl = kvcalloc(VMC_MAX_CTRL, sizeof(*q->ctrl), GFP_KERNEL);
	err = q->ctrl ? vmc_pool_init(&q->pool, q->own.nr_data, q->peer.nr_returns) : -ENOMEM;
	if (err) {
		queue_free(q);
		return err;
	}
	rtnl_lock();
	netif_napi_add(vmc_netdev, &q->napi, queue_poll);
	rtnl_unlock();
	return 0;
}

/* The worker last: the peer's first offer is answered, and its first pages go back. */
void vmc_queue_start(struct vmc_queue *q)
{
	spin_lock_bh(&q->tx_lock);
	q->tx_dead = false;
	q->is_gone = false;
	spin_unlock_bh(&q->tx_lock);
	spin_lock_bh(&q->ret_lock);
	q->rx_dead = false;
	spin_unlock_bh(&q->ret_lock);
	napi_enable(&q->napi);
}

/* Run the worker: something may have come before doorbells worked. */
void vmc_queue_kick(struct vmc_queue *q)
{
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
}

/**
 * vmc_queue_stop() - publish no more
 * @q: the queue
 *
 * What the peer publishes and returns is still taken.
 *
 * Context: process, by vmc_chan_stop().
 */
void vmc_queue_stop(struct vmc_queue *q)
{
	spin_lock_bh(&q->tx_lock);
	q->tx_dead = true;
	spin_unlock_bh(&q->tx_lock);
	vmc_space_wake_all(q);
}

/*
 * To the end that the ring has now: a peer that goes on publishing does not keep us,
 * and is to blame for what it loses.
 */
static void queue_drain(struct vmc_queue *q)
{
	u32 left = vmc_load(&q->ring.peer_head->rec_prod) - q->ring.rec_cons;
	int tries = 100;
	int ret;

	left = min(left, q->ring.peer_nr_records);
	while (left && tries) {
		local_bh_disable();
		ret = queue_receive(q, min_t(u32, left, NAPI_POLL_WEIGHT));
		local_bh_enable();
		if (ret == -ENOMEM) {
			schedule_timeout_uninterruptible(1);
			tries--;
		} else if (ret <= 0) {
			break;
		}
		left -= max(ret, 0);
	}
}

/**
 * vmc_queue_finish() - the peer publishes no more: receive what it has published
 * @q: the queue
 *
 * Context: process, by vmc_chan_finish(), after vmc_queue_stop().
 */
void vmc_queue_finish(struct vmc_queue *q)
{
	napi_disable(&q->napi);
	queue_drain(q);
	spin_lock_bh(&q->tx_lock);
	q->is_gone = true;
	spin_unlock_bh(&q->tx_lock);
	vmc_space_wake_all(q);
	/* Nobody begins to wait any more. */
	cancel_delayed_work_sync(&q->stall_work);
}

/* From now on skbs that are freed only drop their pages. */
void vmc_queue_stop_returns(struct vmc_queue *q)
{
	spin_lock_bh(&q->ret_lock);
	q->rx_dead = true;
	spin_unlock_bh(&q->ret_lock);
	cancel_delayed_work_sync(&q->scan_work);
}

/**
 * vmc_queue_exit() - free what vmc_queue_setup() made, if it did
 * @q: the queue
 */
void vmc_queue_exit(struct vmc_queue *q)
{
	if (!q->consumed)
		return;
	rtnl_lock();
	netif_napi_del(&q->napi);
	rtnl_unlock();
	spin_lock_bh(&q->tx_lock);
	vmc_pool_exit(&q->pool);
	q->nr_ctrl = 0;
	spin_unlock_bh(&q->tx_lock);
	queue_free(q);
}
