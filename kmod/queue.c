// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receive worker of a queue, and the sending side's space: pages, slots, who
 * waits for them and who is woken.
 *
 * Lock order: socket lock, chan->lock, tx_lock or ret_lock (never both).
 */
#include <linux/mm.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/tcp.h>

#include "chan.h"
#include "flow.h"
#include "netdev.h"
#include "queue.h"
#include "rx.h"
#include "stats.h"

/* A writer that waits is looked at so often, */
#define STALL_TICK  msecs_to_jiffies(100)
/* and has stalled after as many ticks without progress: TCP_RTO_MIN. */
#define STALL_TICKS 3

struct vmc_ctrl {
	struct list_head node;
	struct vmc_record rec;
};

/* Under a lock of the queue: the transport's end comes after that of the locks. */
static void __queue_notify(struct vmc_queue *q)
{
	vmc_stat_inc(tx_doorbells);
	q->chan->ops->notify(q);
}

/*
 * Space.
 */

static void __queue_flush_ctrl(struct vmc_queue *q);

/* Take what the peer has returned. -EPROTO: it is not what it had. */
static int __queue_reap(struct vmc_queue *q)
{
	u32 page, nr_segs;
	int ret;

	lockdep_assert_held(&q->tx_lock);
	while ((ret = vmc_ret_pop(&q->ring, &page, &nr_segs)) > 0) {
		ret = __vmc_pool_return(&q->pool, page, nr_segs);
		if (ret)
			break;
		q->has_reaped = true;
	}
	if (ret < 0)
		q->is_broken = true;
	__queue_flush_ctrl(q);
	return ret;
}

/* Free slots for data. <= 0: none. */
static int __queue_slots(struct vmc_queue *q)
{
	u32 used = q->ring.rec_prod - q->ring.peer_rec_cons;
	int room = q->ring.nr_records - used;

	if (room <= (int)(q->slots_reserved + VMC_CTRL_SLOTS))
		room = vmc_rec_room(&q->ring);
	if (room < 0)
		q->is_broken = true;
	return room < 0 ? room : room - (int)q->slots_reserved - VMC_CTRL_SLOTS;
}

static bool __queue_has_room(struct vmc_queue *q, struct vmc_flow *flow)
{
	/* Data does not overtake control records. */
	return list_empty(&q->ctrl) && vmc_pool_has_room(&q->pool, flow) && __queue_slots(q) > 0;
}

/* What changes while the flow gets on with what it waits for. */
static u32 flow_progress(const struct vmc_flow *flow)
{
	return READ_ONCE(flow->hold) == VMC_HOLD_FOR_TCP ? READ_ONCE(tcp_sk(flow->sk)->snd_una) :
							   READ_ONCE(flow->tx_returned);
}

static bool flow_has_drained_tcp(const struct vmc_flow *flow)
{
	const struct tcp_sock *tp = tcp_sk(flow->sk);

	return READ_ONCE(tp->write_seq) == READ_ONCE(tp->snd_una);
}

/* Is what the flow waits for, or would, there? */
static bool __queue_can_go_on(struct vmc_queue *q, struct vmc_flow *flow)
{
	if (vmc_queue_has_stalled(flow))
		return true;
	if (flow->wait_pages == VMC_WAIT_TCP)
		return q->tx_dead || flow_has_drained_tcp(flow);
	if (flow->wait_pages != VMC_WAIT_ROOM)
		return q->is_gone || flow->tx_pages <= flow->wait_pages;
	if (q->tx_dead)
		return true;
	/* Starved, it goes on by TCP. */
	if (!flow->tx_pages && !vmc_pool_has_room(&q->pool, flow))
		return true;
	return __queue_has_room(q, flow);
}

static void __queue_wait(struct vmc_queue *q, struct vmc_flow *flow)
{
	if (!list_empty(&flow->wait))
		return;
	list_add_tail(&flow->wait, &q->waiters);
	vmc_flow_get(flow);
	flow->stall_mark = flow_progress(flow);
	flow->stall_ticks = 0;
	queue_delayed_work(vmc_wq, &q->stall_work, STALL_TICK);
}

/*
 * Ask for doorbells so that every waiter wakes in time: when a quarter of what a
 * waiter holds has come back, and when half of the slots are free. A waiter's own
 * pages make at least as many entries as it holds pages, so the doorbell comes.
 *
 * Return: true if it has happened already.
 */
static bool __queue_arm(struct vmc_queue *q)
{
	struct vmc_flow *flow;
	u32 nr = U32_MAX;
	bool more;

	list_for_each_entry(flow, &q->waiters, wait)
		if (flow->wait_pages != VMC_WAIT_TCP)
			nr = min(nr, max(flow->tx_pages / 4, 1u));
	if (nr == U32_MAX)
		return false;
	more = vmc_ret_arm(&q->ring, nr);
	if (__queue_slots(q) <= 0)
		more |= vmc_rec_room_arm(&q->ring) > (int)(q->slots_reserved + VMC_CTRL_SLOTS);
	return more;
}

/* Move the waiters that can go on to @woken. */
static void __queue_find_woken(struct vmc_queue *q, struct list_head *woken)
{
	struct vmc_flow *flow, *next;

	list_for_each_entry_safe(flow, next, &q->waiters, wait)
		if (__queue_can_go_on(q, flow))
			list_move_tail(&flow->wait, woken);
}

static struct vmc_flow *__queue_next_waiter(struct list_head *list)
{
	struct vmc_flow *flow = list_first_entry_or_null(list, struct vmc_flow, wait);

	if (flow)
		list_del_init(&flow->wait);
	return flow;
}

/* @woken is private, but vmc_queue_forget() may take entries off it. */
static void queue_wake(struct vmc_queue *q, struct list_head *woken)
{
	struct vmc_flow *flow;

	for (;;) {
		spin_lock_bh(&q->tx_lock);
		flow = __queue_next_waiter(woken);
		spin_unlock_bh(&q->tx_lock);
		if (!flow)
			return;
		vmc_flow_write_space(flow);
		vmc_flow_put(flow);
	}
}

/**
 * vmc_queue_forget() - a flow goes: it waits no more, its pages are nobody's
 * @q: the queue
 * @flow: the flow
 */
void vmc_queue_forget(struct vmc_queue *q, struct vmc_flow *flow)
{
	bool has_waited;

	spin_lock_bh(&q->tx_lock);
	__vmc_pool_disown(&q->pool, flow);
	has_waited = !list_empty(&flow->wait);
	list_del_init(&flow->wait);
	spin_unlock_bh(&q->tx_lock);
	if (has_waited)
		vmc_flow_put(flow);
}

/* Worker: returns, waiters, control records. */
static int queue_reap(struct vmc_queue *q)
{
	LIST_HEAD(woken);
	int err;

	spin_lock_bh(&q->tx_lock);
	do {
		err = __queue_reap(q);
		if (err)
			break;
		__queue_find_woken(q, &woken);
	} while (__queue_arm(q));
	q->has_reaped = false;
	if (q->is_broken)
		err = -EPROTO;
	spin_unlock_bh(&q->tx_lock);
	queue_wake(q, &woken);
	return err;
}

/*
 * Who takes returns takes them for all: the doorbell that others wait for may never
 * come now. The worker looks after them, and after what is broken.
 */
static void queue_unlock(struct vmc_queue *q) __releases(&q->tx_lock)
{
	bool kick = (q->has_reaped && !list_empty(&q->waiters)) || q->is_broken;

	q->has_reaped = false;
	spin_unlock_bh(&q->tx_lock);
	if (kick)
		vmc_queue_kick(q);
}

/* Can the flow go on, with what has come back by now? If not, it is woken later. */
static bool queue_try(struct vmc_queue *q, struct vmc_flow *flow, u32 wait_pages)
{
	bool can_go_on;

	spin_lock_bh(&q->tx_lock);
	flow->wait_pages = wait_pages;
	can_go_on = __queue_can_go_on(q, flow);
	while (!can_go_on) {
		/* On error the channel closes soon, and that wakes, too. */
		bool is_broken = __queue_reap(q) < 0;

		can_go_on = __queue_can_go_on(q, flow);
		if (can_go_on)
			break;
		__queue_wait(q, flow);
		if (is_broken || !__queue_arm(q))
			break;
	}
	queue_unlock(q);
	return can_go_on;
}

/**
 * vmc_queue_has_room() - may the flow send? If not, it is woken when it may
 * @q: the queue
 * @flow: the flow
 *
 * Context: any, BH enabled or not, socket lock or not.
 */
bool vmc_queue_has_room(struct vmc_queue *q, struct vmc_flow *flow)
{
	return queue_try(q, flow, VMC_WAIT_ROOM);
}

/**
 * vmc_queue_is_starved() - has the flow nothing in the ring and no page to get?
 * @q: the queue
 * @flow: the flow
 *
 * Flows whose readers sleep may hold all pages for as long as they like. One that
 * holds some gets them back when its own reader reads; this one might never.
 *
 * Context: any but hardirq, tx_lock not held.
 */
bool vmc_queue_is_starved(struct vmc_queue *q, struct vmc_flow *flow)
{
	bool is_starved;

	if (READ_ONCE(flow->tx_pages) || vmc_pool_has_room(&q->pool, flow))
		return false;
	spin_lock_bh(&q->tx_lock);
	is_starved = !q->is_gone && !__queue_reap(q) && !flow->tx_pages &&
		     !vmc_pool_has_room(&q->pool, flow);
	queue_unlock(q);
	return is_starved;
}

/**
 * vmc_queue_has_drained() - has the peer returned all but @bytes of what the flow sent?
 * @q: the queue
 * @flow: the flow
 * @bytes: counted in whole pages
 *
 * If not, the flow is woken when it has. Context: as vmc_queue_has_room().
 */
bool vmc_queue_has_drained(struct vmc_queue *q, struct vmc_flow *flow, u32 bytes)
{
	return queue_try(q, flow, bytes / VMC_PAGE_SIZE);
}

/**
 * vmc_queue_has_drained_tcp() - is all that the flow sent by TCP acknowledged?
 * @q: the queue
 * @flow: the flow, held for TCP
 *
 * If not, the flow is woken when it has stalled; TCP sees to the rest. Context: as
 * vmc_queue_has_room().
 */
bool vmc_queue_has_drained_tcp(struct vmc_queue *q, struct vmc_flow *flow)
{
	return queue_try(q, flow, VMC_WAIT_TCP);
}

/*
 * Stalls. A reader that doesn't read, or a peer that is paused, lets a writer wait
 * for ever, where TCP would have taken some more bytes into its queue and begun to
 * probe, to count its time-outs, and to show both. So that is what happens: while
 * there is no progress the flow's bytes go by TCP, which finds the window shut.
 */

/**
 * vmc_queue_has_stalled() - has the flow waited for long, without any progress to now?
 * @flow: the flow
 *
 * Context: any.
 */
bool vmc_queue_has_stalled(const struct vmc_flow *flow)
{
	return READ_ONCE(flow->stall_ticks) >= STALL_TICKS &&
	       READ_ONCE(flow->stall_mark) == flow_progress(flow);
}

/**
 * vmc_queue_restart_stall() - the flow begins to wait for something else
 * @flow: the flow
 *
 * Context: socket lock held.
 */
void vmc_queue_restart_stall(struct vmc_flow *flow)
{
	WRITE_ONCE(flow->stall_ticks, 0);
}

static void __flow_tick(struct vmc_flow *flow)
{
	u32 mark = flow_progress(flow);

	if (mark != flow->stall_mark) {
		WRITE_ONCE(flow->stall_ticks, 0);
		WRITE_ONCE(flow->stall_mark, mark);
		return;
	}
	WRITE_ONCE(flow->stall_ticks, flow->stall_ticks + 1);
	if (flow->stall_ticks == STALL_TICKS)
		vmc_stat_inc(tx_stalls);
}

static void queue_stall_work(struct work_struct *work)
{
	struct vmc_queue *q = container_of(to_delayed_work(work), struct vmc_queue, stall_work);
	struct vmc_flow *flow;
	LIST_HEAD(woken);

	spin_lock_bh(&q->tx_lock);
	if (!q->is_gone)
		__queue_reap(q);
	list_for_each_entry(flow, &q->waiters, wait)
		__flow_tick(flow);
	__queue_find_woken(q, &woken);
	if (!list_empty(&q->waiters))
		queue_delayed_work(vmc_wq, &q->stall_work, STALL_TICK);
	queue_unlock(q);
	queue_wake(q, &woken);
}

/**
 * vmc_queue_set_window() - the peer says how much of a flow may wait for its reader
 * @q: the queue
 * @flow: the flow
 * @bytes: as many; U32_MAX: any number
 *
 * Context: the queue's worker, which looks after the waiters next.
 */
void vmc_queue_set_window(struct vmc_queue *q, struct vmc_flow *flow, u32 bytes)
{
	spin_lock_bh(&q->tx_lock);
	WRITE_ONCE(flow->max_pages, bytes == U32_MAX ? U32_MAX : bytes / VMC_PAGE_SIZE);
	spin_unlock_bh(&q->tx_lock);
}

/**
 * vmc_tx_reserve() - reserve a record for up to @want bytes of a flow
 * @q: the queue
 * @flow: the flow
 * @want: bytes wished for, at least 1
 * @tx: gets the segments to fill
 *
 * To be followed by vmc_tx_commit() or vmc_tx_abort().
 *
 * Context: socket lock held.
 * Return: 0; -EAGAIN if there is no space; -EPIPE if the queue is dead.
 */
int vmc_tx_reserve(struct vmc_queue *q, struct vmc_flow *flow, size_t want, struct vmc_tx *tx)
{
	int err = -EPIPE;

	tx->nr_segs = 0;
	tx->len = 0;
	spin_lock_bh(&q->tx_lock);
	if (q->tx_dead)
		goto out;
	err = -EAGAIN;
	if (!__queue_has_room(q, flow)) {
		if (__queue_reap(q) < 0 || !__queue_has_room(q, flow))
			goto out;
	}
	__vmc_pool_take(&q->pool, flow, want, tx);
	q->slots_reserved++;
	err = 0;
out:
	queue_unlock(q);
	return err;
}

/**
 * vmc_tx_abort() - give a reservation back
 * @q: the queue
 * @tx: the reservation
 */
void vmc_tx_abort(struct vmc_queue *q, struct vmc_tx *tx)
{
	spin_lock_bh(&q->tx_lock);
	while (tx->nr_segs) {
		tx->nr_segs--;
		if (!q->is_gone)
			__vmc_pool_return(&q->pool, tx->seg[tx->nr_segs].page, 1);
	}
	tx->len = 0;
	q->slots_reserved--;
	spin_unlock_bh(&q->tx_lock);
}

static void tx_fill_record(struct vmc_record *rec, const struct vmc_flow *flow,
			   const struct vmc_tx *tx, u32 seq)
{
	u32 i;

	rec->type = VMC_REC_DATA;
	rec->flags = 0;
	rec->nr_segs = tx->nr_segs;
	rec->reserved = 0;
	rec->flow = cpu_to_le32(flow->peer_handle);
	rec->seq = cpu_to_le32(seq);
	rec->len = cpu_to_le32(tx->len);
	for (i = 0; i < tx->nr_segs; i++) {
		rec->seg[i].page = cpu_to_le32(tx->seg[i].page);
		rec->seg[i].off = cpu_to_le16(tx->seg[i].off);
		rec->seg[i].len = cpu_to_le16(tx->seg[i].len);
	}
}

/**
 * vmc_tx_commit() - publish a reserved record, or give it back; its bytes are in place
 * @q: the queue
 * @flow: the flow
 * @tx: the reservation
 * @seq: TCP sequence number of its first byte
 *
 * Context: socket lock held.
 * Return: false if the queue has stopped in between; the record is given back then.
 */
bool vmc_tx_commit(struct vmc_queue *q, struct vmc_flow *flow, struct vmc_tx *tx, u32 seq)
{
	spin_lock_bh(&q->tx_lock);
	if (q->tx_dead) {
		spin_unlock_bh(&q->tx_lock);
		vmc_tx_abort(q, tx);
		return false;
	}
	q->slots_reserved--;
	tx_fill_record(vmc_rec_next(&q->ring), flow, tx, seq);
	q->tx_bytes += tx->len;
	if (vmc_rec_publish(&q->ring))
		__queue_notify(q);
	spin_unlock_bh(&q->tx_lock);
	vmc_stat_inc(tx_records);
	vmc_stat_add(tx_bytes, tx->len);
	return true;
}

/*
 * Control records.
 */

static void __queue_put_ctrl(struct vmc_queue *q, const struct vmc_record *rec)
{
	memcpy(vmc_rec_next(&q->ring), rec, sizeof(*rec));
}

static void __queue_flush_ctrl(struct vmc_queue *q)
{
	struct vmc_ctrl *ctrl, *next;

	if (list_empty(&q->ctrl) || q->tx_dead)
		return;
	list_for_each_entry_safe(ctrl, next, &q->ctrl, node) {
		if (vmc_rec_room(&q->ring) <= (int)q->slots_reserved)
			break;
		__queue_put_ctrl(q, &ctrl->rec);
		list_del(&ctrl->node);
		kfree(ctrl);
		q->nr_ctrl--;
	}
	if (vmc_rec_publish(&q->ring))
		__queue_notify(q);
	if (!list_empty(&q->ctrl) && vmc_rec_room_arm(&q->ring) > (int)q->slots_reserved)
		vmc_queue_kick(q);
}

static void __queue_defer_ctrl(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_ctrl *ctrl;

	/*
	 * A peer that takes no records but makes us write them gets no answers. Lost,
	 * a control record costs time: TCP's own FIN, RST, delayed ACK.
	 */
	if (q->nr_ctrl >= VMC_MAX_CTRL)
		return;
	ctrl = kmalloc(sizeof(*ctrl), GFP_ATOMIC | __GFP_NOWARN);
	if (!ctrl)
		return;
	ctrl->rec = *rec;
	list_add_tail(&ctrl->node, &q->ctrl);
	q->nr_ctrl++;
	__queue_flush_ctrl(q);
}

/**
 * vmc_tx_control() - send a record without segments, now or when there is a slot
 * @q: the queue
 * @rec: the record, checked by vmc_record_check()
 *
 * Context: any but hardirq.
 */
void vmc_tx_control(struct vmc_queue *q, const struct vmc_record *rec)
{
	spin_lock_bh(&q->tx_lock);
	if (q->tx_dead)
		goto out;
	if (!list_empty(&q->ctrl) || vmc_rec_room(&q->ring) <= (int)q->slots_reserved) {
		__queue_defer_ctrl(q, rec);
		goto out;
	}
	__queue_put_ctrl(q, rec);
	if (vmc_rec_publish(&q->ring))
		__queue_notify(q);
out:
	spin_unlock_bh(&q->tx_lock);
}

/*
 * Receive worker.
 */

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
		__queue_notify(q);
	return ret < 0 ? ret : done;
}

/*
 * Was there any reason for the doorbell since the last time? Records, returns and
 * slots count, whoever has taken them.
 */
static bool queue_was_idle(struct vmc_queue *q)
{
	u32 progress =
		q->ring.rec_cons + READ_ONCE(q->ring.ret_cons) + READ_ONCE(q->ring.peer_rec_cons);
	bool was_idle = progress == q->last_progress;

	q->last_progress = progress;
	return was_idle;
}

static int queue_poll(struct napi_struct *napi, int budget)
{
	struct vmc_queue *q = container_of(napi, struct vmc_queue, napi);
	bool is_idle;
	int done;

	done = queue_receive(q, budget);
	if (done == -ENOMEM) {
		vmc_stat_inc(rx_no_memory);
		return budget;
	}
	if (done < 0 || queue_reap(q) < 0) {
		/* No more polling; the transport closes the channel. */
		vmc_chan_fail(q->chan, "protocol error");
		napi_complete(napi);
		return 0;
	}
	/* While NAPI is still ours: a doorbell from here on schedules it again. */
	if (done == budget || vmc_rec_arm(&q->ring))
		return budget;
	is_idle = queue_was_idle(q);
	if (napi_complete_done(napi, done))
		q->chan->ops->poll_done(q, is_idle);
	return done;
}

void vmc_queue_init(struct vmc_queue *q, struct vmc_chan *chan, u16 index)
{
	q->chan = chan;
	q->index = index;
	spin_lock_init(&q->tx_lock);
	spin_lock_init(&q->ret_lock);
	INIT_LIST_HEAD(&q->waiters);
	INIT_LIST_HEAD(&q->ctrl);
	INIT_DELAYED_WORK(&q->scan_work, vmc_rx_scan);
	INIT_DELAYED_WORK(&q->stall_work, queue_stall_work);
	q->tx_dead = true;
	q->is_gone = true;
	q->rx_dead = true;
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
	err = vmc_pool_init(&q->pool, q->own.nr_data, q->peer.nr_returns);
	if (err) {
		kvfree(q->consumed);
		q->consumed = NULL;
		return err;
	}
	rtnl_lock();
	netif_napi_add(vmc_netdev, &q->napi, queue_poll);
	rtnl_unlock();
	return 0;
}

void vmc_queue_start(struct vmc_queue *q)
{
	napi_enable(&q->napi);
	spin_lock_bh(&q->tx_lock);
	q->tx_dead = false;
	q->is_gone = false;
	spin_unlock_bh(&q->tx_lock);
	spin_lock_bh(&q->ret_lock);
	q->rx_dead = false;
	spin_unlock_bh(&q->ret_lock);
}

/* Run the worker: something may have come before doorbells worked. */
void vmc_queue_kick(struct vmc_queue *q)
{
	local_bh_disable();
	napi_schedule(&q->napi);
	local_bh_enable();
}

static void queue_wake_all(struct vmc_queue *q)
{
	LIST_HEAD(woken);

	spin_lock_bh(&q->tx_lock);
	__queue_find_woken(q, &woken);
	spin_unlock_bh(&q->tx_lock);
	queue_wake(q, &woken);
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
	queue_wake_all(q);
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
	queue_wake_all(q);
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
	struct vmc_ctrl *ctrl, *next;

	if (!q->consumed)
		return;
	rtnl_lock();
	netif_napi_del(&q->napi);
	rtnl_unlock();
	list_for_each_entry_safe(ctrl, next, &q->ctrl, node) {
		list_del(&ctrl->node);
		kfree(ctrl);
	}
	spin_lock_bh(&q->tx_lock);
	vmc_pool_exit(&q->pool);
	spin_unlock_bh(&q->tx_lock);
	kvfree(q->consumed);
	q->consumed = NULL;
}
