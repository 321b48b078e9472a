// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a peer has not taken when its channel ends goes back to TCP.
 *
 * Bytes in the ring count as acknowledged (D1), but a peer that is gone, or that was
 * too slow to close in order, may never take them. They are still in our pages. So the
 * send sequence goes back to the first of them, and they are queued as if they had
 * been sent and lost: TCP's retransmission brings them to a peer that lives, and comes
 * to its time-out with one that doesn't. Bytes that the peer had taken all the same are
 * duplicates to its TCP.
 *
 * Behind bytes that TCP has in its queue already (after a stall) there is nothing to
 * do: they keep its timers going, and a peer that lives drains its end of the ring.
 */
#include <linux/mm.h>
#include <linux/uio.h>
#include <net/tcp.h>

#include "flow.h"
#include "queue.h"
#include "requeue.h"
#include "stats.h"
#include "tcp_seq.h"

/* What is left of a flow in the ring. */
struct requeue {
	u32 first; /* index of its first record */
	u32 seq;   /* of its first byte */
	u32 len;
	u32 nr_segs;
	struct bio_vec *bvec;
};

static bool requeue_is_of(const struct vmc_record *rec, const struct vmc_flow *flow)
{
	return rec->type == VMC_REC_DATA && rec->flow == cpu_to_le32(flow->peer_handle);
}

/* The peer's view is the last word, unless it is nonsense; then its last but one is. */
static u32 requeue_first(struct vmc_queue *q)
{
	spin_lock_bh(&q->tx_lock);
	vmc_rec_room(&q->ring);
	spin_unlock_bh(&q->tx_lock);
	return q->ring.peer_rec_cons;
}

/* In one piece: bytes that went by TCP in between are acknowledged, and so is what was before. */
static void requeue_add(struct requeue *left, u32 index, const struct vmc_record *rec)
{
	u32 seq = le32_to_cpu(rec->seq);

	if (seq != left->seq + left->len)
		*left = (struct requeue){ .first = index, .seq = seq };
	left->len += le32_to_cpu(rec->len);
	left->nr_segs += rec->nr_segs;
}

static void requeue_find(struct requeue *left, struct vmc_queue *q, const struct vmc_flow *flow)
{
	u32 i;

	for (i = requeue_first(q); i != q->ring.rec_prod; i++) {
		const struct vmc_record *rec = vmc_rec_own(&q->ring, i);

		if (requeue_is_of(rec, flow))
			requeue_add(left, i, rec);
	}
}

static void requeue_fill(struct requeue *left, const struct vmc_queue *q,
			 const struct vmc_flow *flow)
{
	struct bio_vec *bvec = left->bvec;
	u32 i, j;

	for (i = left->first; i != q->ring.rec_prod; i++) {
		const struct vmc_record *rec = vmc_rec_own(&q->ring, i);

		if (!requeue_is_of(rec, flow))
			continue;
		for (j = 0; j < rec->nr_segs; j++)
			bvec_set_page(bvec++, q->own.data[le32_to_cpu(rec->seg[j].page)],
				      le16_to_cpu(rec->seg[j].len), le16_to_cpu(rec->seg[j].off));
	}
}

/*
 * As TCP_REPAIR restores a send queue (net/ipv4/tcp_output.c, tcp_write_xmit()): the
 * peer may acknowledge all of it at any time, which it must not find unsent. In one
 * piece: tcp_should_autocork() would keep a second one back.
 */
static int requeue_send(struct sock *sk, struct vmc_flow *flow, const struct requeue *left)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT };
	struct tcp_sock *tp = tcp_sk(sk);
	int sndbuf = sk->sk_sndbuf;
	int ret;

	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, left->bvec, left->nr_segs, left->len);
	tcp_seq_set_sent(tp, left->seq);
	tp->bytes_acked -= left->len;
	WRITE_ONCE(sk->sk_sndbuf, INT_MAX);
	WRITE_ONCE(flow->tcp_sender, current);
	tp->repair_queue = TCP_SEND_QUEUE;
	tp->repair = 1;
	ret = tcp_sendmsg_locked(sk, &msg, left->len);
	tp->repair = 0;
	WRITE_ONCE(flow->tcp_sender, NULL);
	WRITE_ONCE(sk->sk_sndbuf, sndbuf);
	return ret == left->len ? 0 : -ENOMEM;
}

static bool requeue_may_send(const struct sock *sk, const struct vmc_flow *flow)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT) &&
	       !(sk->sk_shutdown & SEND_SHUTDOWN) && !tp->repair && flow->has_used_ring &&
	       tcp_seq_is_drained(tp) && tp->write_seq == flow->ring_end;
}

/**
 * vmc_requeue() - what the peer has not taken of a flow is TCP's to send
 * @sk: the socket
 * @flow: its flow, CLOSED
 *
 * Context: process, socket lock held; the queue is finished, and not yet unmapped.
 * Return: 0; -ENOMEM: bytes are lost.
 */
int vmc_requeue(struct sock *sk, struct vmc_flow *flow)
{
	struct vmc_queue *q = flow->queue;
	struct requeue left = {};
	int err;

	if (!requeue_may_send(sk, flow))
		return 0;
	requeue_find(&left, q, flow);
	if (!left.nr_segs)
		return 0;
	left.bvec = kvmalloc_array(left.nr_segs, sizeof(*left.bvec), GFP_KERNEL);
	if (!left.bvec)
		return -ENOMEM;
	requeue_fill(&left, q, flow);
	err = requeue_send(sk, flow, &left);
	kvfree(left.bvec);
	vmc_stat_add(tx_requeued_bytes, left.len);
	return err;
}
