// SPDX-License-Identifier: GPL-2.0-only
/*
 * Records on their way into the ring: those with bytes, from reservation to
 * publication, and control records, which may have to wait for a slot.
 */
#include "chan.h"
#include "flow.h"
#include "queue.h"
#include "space.h"
#include "stats.h"
#include "tx.h"

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
	if (!__vmc_space_has_room(q, flow)) {
		if (__vmc_space_reap(q) < 0 || !__vmc_space_has_room(q, flow))
			goto out;
	}
	__vmc_pool_take(&q->pool, flow, want, tx);
	q->slots_reserved++;
	err = 0;
out:
	vmc_space_unlock(q);
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
		__vmc_queue_notify(q);
	spin_unlock_bh(&q->tx_lock);
	vmc_stat_inc(tx_records);
	vmc_stat_add(tx_bytes, tx->len);
	return true;
}

/**
 * vmc_tx_is_drained() - has the peer taken all records?
 * @q: the queue
 *
 * Or has it broken the protocol. Context: process, while the channel finishes.
 */
bool vmc_tx_is_drained(struct vmc_queue *q)
{
	int room;

	spin_lock_bh(&q->tx_lock);
	room = vmc_rec_room(&q->ring);
	spin_unlock_bh(&q->tx_lock);
	return room < 0 || room == q->ring.nr_records;
}

/**
 * vmc_tx_has_passed() - has the peer taken all records up to a mark?
 * @q: the queue
 * @mark: number of records, modulo 2^32; if so, set to all there are now
 *
 * Context: any but hardirq.
 */
bool vmc_tx_has_passed(struct vmc_queue *q, u32 *mark)
{
	bool has_passed = false;
	int room;

	spin_lock_bh(&q->tx_lock);
	room = q->tx_dead ? -1 : vmc_rec_room(&q->ring);
	/* All that the peer has not taken came after the mark. */
	if (room >= 0 && q->ring.rec_prod - *mark >= q->ring.nr_records - room) {
		*mark = q->ring.rec_prod;
		has_passed = true;
	}
	spin_unlock_bh(&q->tx_lock);
	return has_passed;
}

/*
 * Control records.
 */

static void __tx_put_control(struct vmc_queue *q, const struct vmc_record *rec)
{
	memcpy(vmc_rec_next(&q->ring), rec, sizeof(*rec));
}

/**
 * __vmc_tx_flush_control() - publish the control records that wait, as far as there are slots
 * @q: the queue
 *
 * Context: tx_lock held.
 */
void __vmc_tx_flush_control(struct vmc_queue *q)
{
	if (!q->nr_ctrl || q->tx_dead)
		return;
	while (q->nr_ctrl && vmc_rec_room(&q->ring) > (int)q->slots_reserved) {
		__tx_put_control(q, &q->ctrl[q->first_ctrl]);
		q->first_ctrl = (q->first_ctrl + 1) % VMC_MAX_CTRL;
		q->nr_ctrl--;
	}
	if (vmc_rec_publish(&q->ring))
		__vmc_queue_notify(q);
	if (q->nr_ctrl && vmc_rec_room_arm(&q->ring) > (int)q->slots_reserved)
		vmc_queue_kick(q);
}

static void __tx_defer_control(struct vmc_queue *q, const struct vmc_record *rec)
{
	/* Each of them counts, so a peer that takes none has its channel closed. */
	if (q->nr_ctrl == VMC_MAX_CTRL) {
		q->is_broken = true;
		vmc_queue_kick(q);
		return;
	}
	q->ctrl[(q->first_ctrl + q->nr_ctrl) % VMC_MAX_CTRL] = *rec;
	q->nr_ctrl++;
	__vmc_tx_flush_control(q);
}

/**
 * vmc_tx_control() - send a record without segments, now or when there is a slot
 * @q: the queue
 * @rec: the record
 *
 * Context: any but hardirq.
 */
void vmc_tx_control(struct vmc_queue *q, const struct vmc_record *rec)
{
	spin_lock_bh(&q->tx_lock);
	if (q->tx_dead)
		goto out;
	if (q->nr_ctrl || vmc_rec_room(&q->ring) <= (int)q->slots_reserved) {
		__tx_defer_control(q, rec);
		goto out;
	}
	__tx_put_control(q, rec);
	if (vmc_rec_publish(&q->ring))
		__vmc_queue_notify(q);
out:
	spin_unlock_bh(&q->tx_lock);
}
