// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sending side's space: pages and slots, who waits for them, and who is woken.
 */
#include <net/tcp.h>

#include "chan.h"
#include "flow.h"
#include "queue.h"
#include "space.h"
#include "stats.h"
#include "tx.h"

/* A writer that waits is looked at so often, */
#define STALL_TICK  msecs_to_jiffies(100)
/* and has stalled after as many ticks without progress: TCP_RTO_MIN. */
#define STALL_TICKS 3

/**
 * __vmc_space_reap() - take what the peer has returned
 * @q: the queue
 *
 * Context: tx_lock held, to be let go by vmc_space_unlock(); the queue is not gone.
 * Return: 0, or -EPROTO: it is not what the peer had; the worker sees to that.
 */
int __vmc_space_reap(struct vmc_queue *q)
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
	__vmc_tx_flush_control(q);
	return ret;
}

/* Free slots for data. <= 0: none. */
static int __space_slots(struct vmc_queue *q)
{
	u32 used = q->ring.rec_prod - q->ring.peer_rec_cons;
	int room = q->ring.nr_records - used;

	if (room <= (int)(q->slots_reserved + VMC_CTRL_SLOTS))
		room = vmc_rec_room(&q->ring);
	if (room < 0)
		q->is_broken = true;
	return room < 0 ? room : room - (int)q->slots_reserved - VMC_CTRL_SLOTS;
}

/**
 * __vmc_space_has_room() - is there a slot, and a page, for the flow?
 * @q: the queue
 * @flow: the flow
 *
 * Context: tx_lock held.
 */
bool __vmc_space_has_room(struct vmc_queue *q, struct vmc_flow *flow)
{
	/* Data does not overtake control records. */
	return !q->nr_ctrl && vmc_pool_has_room(&q->pool, flow) && __space_slots(q) > 0;
}

/* What changes while the flow gets on with what it waits for. */
static u32 flow_progress(const struct vmc_flow *flow)
{
	return READ_ONCE(flow->hold) == VMC_HOLD_FOR_TCP ? READ_ONCE(tcp_sk(flow->sk)->snd_una) :
							   READ_ONCE(flow->tx_returned);
}

static bool flow_has_stalled(const struct vmc_flow *flow)
{
	return READ_ONCE(flow->stall_ticks) >= STALL_TICKS &&
	       READ_ONCE(flow->stall_mark) == flow_progress(flow);
}

/* Is what the flow waits for, or would, there? */
static bool __space_can_go_on(struct vmc_queue *q, struct vmc_flow *flow)
{
	/* Of a socket that goes at this moment; vmc_space_forget() comes after that. */
	if (READ_ONCE(flow->is_detached))
		return true;
	if (flow_has_stalled(flow))
		return true;
	if (flow->wait_pages == VMC_WAIT_TCP)
		return q->tx_dead || vmc_tcp_is_drained(tcp_sk(flow->sk));
	if (flow->wait_pages != VMC_WAIT_ROOM)
		return q->is_gone || flow->tx_pages <= flow->wait_pages;
	if (q->tx_dead)
		return true;
	/* Starved, it goes on by TCP. */
	if (!flow->tx_pages && !vmc_pool_has_room(&q->pool, flow))
		return true;
	return __vmc_space_has_room(q, flow);
}

static void __space_wait(struct vmc_queue *q, struct vmc_flow *flow)
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
static bool __space_arm(struct vmc_queue *q)
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
	if (__space_slots(q) <= 0)
		more |= vmc_rec_room_arm(&q->ring) > (int)(q->slots_reserved + VMC_CTRL_SLOTS);
	return more;
}

/* Move the waiters that can go on to @woken. */
static void __space_find_woken(struct vmc_queue *q, struct list_head *woken)
{
	struct vmc_flow *flow, *next;

	list_for_each_entry_safe(flow, next, &q->waiters, wait)
		if (__space_can_go_on(q, flow))
			list_move_tail(&flow->wait, woken);
}

static struct vmc_flow *__space_next_waiter(struct list_head *list)
{
	struct vmc_flow *flow = list_first_entry_or_null(list, struct vmc_flow, wait);

	if (flow)
		list_del_init(&flow->wait);
	return flow;
}

/* @woken is private, but vmc_space_forget() may take entries off it. */
static void space_wake(struct vmc_queue *q, struct list_head *woken)
{
	struct vmc_flow *flow;

	for (;;) {
		spin_lock_bh(&q->tx_lock);
		flow = __space_next_waiter(woken);
		spin_unlock_bh(&q->tx_lock);
		if (!flow)
			return;
		vmc_flow_write_space(flow);
		vmc_flow_put(flow);
	}
}

/**
 * vmc_space_wake_all() - the queue has stopped, or is gone: who can go on by that?
 * @q: the queue
 *
 * Context: process.
 */
void vmc_space_wake_all(struct vmc_queue *q)
{
	LIST_HEAD(woken);

	spin_lock_bh(&q->tx_lock);
	__space_find_woken(q, &woken);
	spin_unlock_bh(&q->tx_lock);
	space_wake(q, &woken);
}

/**
 * vmc_space_forget() - a flow goes: it waits no more, its pages are nobody's
 * @q: the queue
 * @flow: the flow
 */
void vmc_space_forget(struct vmc_queue *q, struct vmc_flow *flow)
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

/**
 * vmc_space_serve() - take returns, wake who can go on, send what waits for slots
 * @q: the queue
 *
 * Context: the queue's worker.
 * Return: 0, or -EPROTO: the peer breaks the protocol.
 */
int vmc_space_serve(struct vmc_queue *q)
{
	LIST_HEAD(woken);
	int err;

	spin_lock_bh(&q->tx_lock);
	do {
		err = __vmc_space_reap(q);
		if (err)
			break;
		__space_find_woken(q, &woken);
	} while (__space_arm(q));
	q->has_reaped = false;
	if (q->is_broken)
		err = -EPROTO;
	spin_unlock_bh(&q->tx_lock);
	space_wake(q, &woken);
	return err;
}

/**
 * vmc_space_unlock() - let go of tx_lock after __vmc_space_reap()
 * @q: the queue
 *
 * Who takes returns takes them for all: the doorbell that others wait for may never
 * come now. The worker looks after them, and after what is broken.
 */
void vmc_space_unlock(struct vmc_queue *q) __releases(&q->tx_lock)
{
	bool kick = (q->has_reaped && !list_empty(&q->waiters)) || q->is_broken;

	q->has_reaped = false;
	spin_unlock_bh(&q->tx_lock);
	if (kick)
		vmc_queue_kick(q);
}

/* Can the flow go on, with what has come back by now? If not, it is woken later. */
static bool space_try(struct vmc_queue *q, struct vmc_flow *flow, u32 wait_pages)
{
	bool can_go_on;

	spin_lock_bh(&q->tx_lock);
	flow->wait_pages = wait_pages;
	can_go_on = __space_can_go_on(q, flow);
	while (!can_go_on) {
		/* On error the channel closes soon, and that wakes, too. */
		bool is_broken = __vmc_space_reap(q) < 0;

		can_go_on = __space_can_go_on(q, flow);
		if (can_go_on)
			break;
		__space_wait(q, flow);
		if (is_broken || !__space_arm(q))
			break;
	}
	vmc_space_unlock(q);
	return can_go_on;
}

/**
 * vmc_space_has_room() - may the flow send? If not, it is woken when it may
 * @q: the queue
 * @flow: the flow
 *
 * Context: any, BH enabled or not, socket lock or not.
 */
bool vmc_space_has_room(struct vmc_queue *q, struct vmc_flow *flow)
{
	return space_try(q, flow, VMC_WAIT_ROOM);
}

/**
 * vmc_space_is_starved() - has the flow nothing in the ring and no page to get?
 * @q: the queue
 * @flow: the flow
 *
 * Flows whose readers sleep may hold all pages for as long as they like. One that
 * holds some gets them back when its own reader reads; this one might never.
 *
 * Context: any but hardirq, tx_lock not held.
 */
bool vmc_space_is_starved(struct vmc_queue *q, struct vmc_flow *flow)
{
	bool is_starved;

	if (READ_ONCE(flow->tx_pages) || vmc_pool_has_room(&q->pool, flow))
		return false;
	spin_lock_bh(&q->tx_lock);
	if (!q->is_gone)
		__vmc_space_reap(q);
	/* As __space_can_go_on() sees it, also when the peer is to blame. */
	is_starved = !flow->tx_pages && !vmc_pool_has_room(&q->pool, flow);
	vmc_space_unlock(q);
	return is_starved;
}

/**
 * vmc_space_has_drained() - has the peer returned all but @bytes of what the flow sent?
 * @q: the queue
 * @flow: the flow
 * @bytes: counted in whole pages
 *
 * If not, the flow is woken when it has. Context: as vmc_space_has_room().
 */
bool vmc_space_has_drained(struct vmc_queue *q, struct vmc_flow *flow, u32 bytes)
{
	return space_try(q, flow, bytes / VMC_PAGE_SIZE);
}

/**
 * vmc_space_has_drained_tcp() - is all that the flow sent by TCP acknowledged?
 * @q: the queue
 * @flow: the flow, held for TCP
 *
 * If not, the flow is woken when it has stalled; TCP sees to the rest. Context: as
 * vmc_space_has_room().
 */
bool vmc_space_has_drained_tcp(struct vmc_queue *q, struct vmc_flow *flow)
{
	return space_try(q, flow, VMC_WAIT_TCP);
}

/*
 * Stalls. A reader that doesn't read, or a peer that is paused, lets a writer wait
 * for ever, where TCP would have taken some more bytes into its queue and begun to
 * probe, to count its time-outs, and to show both. So that is what happens: while
 * there is no progress the flow's bytes go by TCP, which finds the window shut.
 */

/*
 * A flow that has nothing in the ring has waited for a slot, and nothing of its own
 * comes back to tell that there is one.
 */
static bool flow_waits_for_slot(const struct vmc_flow *flow)
{
	return READ_ONCE(flow->hold) != VMC_HOLD_FOR_TCP && !READ_ONCE(flow->tx_pages);
}

/**
 * vmc_space_has_stalled() - has the flow waited for long, without any progress to now?
 * @flow: the flow
 *
 * Context: any but hardirq, tx_lock not held.
 */
bool vmc_space_has_stalled(struct vmc_flow *flow)
{
	struct vmc_queue *q = flow->queue;

	if (!flow_has_stalled(flow))
		return false;
	if (!flow_waits_for_slot(flow))
		return true;
	spin_lock_bh(&q->tx_lock);
	if (q->tx_dead || (!__vmc_space_reap(q) && __vmc_space_has_room(q, flow)))
		vmc_space_restart_stall(flow);
	vmc_space_unlock(q);
	return flow_has_stalled(flow);
}

/**
 * vmc_space_restart_stall() - the flow begins to wait for something else
 * @flow: the flow
 *
 * Context: socket lock or tx_lock held.
 */
void vmc_space_restart_stall(struct vmc_flow *flow)
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

/* The queue's stall_work: runs while somebody waits. */
void vmc_space_stall_work(struct work_struct *work)
{
	struct vmc_queue *q = container_of(to_delayed_work(work), struct vmc_queue, stall_work);
	struct vmc_flow *flow;
	LIST_HEAD(woken);

	spin_lock_bh(&q->tx_lock);
	if (!q->is_gone)
		__vmc_space_reap(q);
	list_for_each_entry(flow, &q->waiters, wait)
		__flow_tick(flow);
	__space_find_woken(q, &woken);
	if (!list_empty(&q->waiters))
		queue_delayed_work(vmc_wq, &q->stall_work, STALL_TICK);
	vmc_space_unlock(q);
	space_wake(q, &woken);
}

/**
 * vmc_space_set_window() - the peer says how much of a flow may wait for its reader
 * @q: the queue
 * @flow: the flow
 * @bytes: as many; U32_MAX: any number
 *
 * Context: the queue's worker, which looks after the waiters next.
 */
void vmc_space_set_window(struct vmc_queue *q, struct vmc_flow *flow, u32 bytes)
{
	spin_lock_bh(&q->tx_lock);
	WRITE_ONCE(flow->max_pages, bytes == U32_MAX ? U32_MAX : bytes / VMC_PAGE_SIZE);
	spin_unlock_bh(&q->tx_lock);
}
