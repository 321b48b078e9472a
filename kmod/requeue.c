// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a peer has not taken when its channel ends goes back to TCP.
 *
 * Bytes in the ring count as acknowledged (D1), but a peer that is gone, or that was
 * too slow to close in order, may never take them. They are in our pages still. So they
 * get into TCP's retransmission queue, in front of what is there, as sent and not
 * acknowledged: TCP sends them again to a peer that lives, and comes to its time-out
 * with one that doesn't. As sent, since TCP ignores an acknowledgment of what is not,
 * and the peer may have taken bytes without our knowing. Those are duplicates to its TCP;
 * their pages may even have come back and hold something else, which nobody looks at.
 *
 * How an skb has to be there is the matter of net/ipv4: tcp_skb_entail() and
 * tcp_event_new_data_sent(), and TCP_REPAIR, which restores a queue in the same way.
 */
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <net/tcp.h>

#include "flow.h"
#include "queue.h"
#include "requeue.h"
#include "stats.h"

/* What is left of a flow in the ring: its last bytes there, in one piece. */
struct requeue {
	u32 first; /* index of the first record */
	u32 seq;   /* of the first byte */
	u32 len;
	int truesize;
	struct sk_buff_head skbs; /* one a record */
};

static bool requeue_is_of(const struct vmc_record *rec, const struct vmc_flow *flow)
{
	return rec->type == VMC_REC_DATA && rec->nr_segs &&
	       rec->flow == cpu_to_le32(flow->peer_handle);
}

/* The peer's view is the last word, unless it is nonsense; then its last but one is. */
static u32 requeue_first(struct vmc_queue *q)
{
	spin_lock_bh(&q->tx_lock);
	vmc_rec_room(&q->ring);
	spin_unlock_bh(&q->tx_lock);
	return q->ring.peer_rec_cons;
}

static void requeue_find(struct requeue *left, struct vmc_queue *q, const struct vmc_flow *flow)
{
	u32 i;

	for (i = requeue_first(q); i != q->ring.rec_prod; i++) {
		const struct vmc_record *rec = vmc_rec_own(&q->ring, i);
		u32 seq = le32_to_cpu(rec->seq);

		if (!requeue_is_of(rec, flow))
			continue;
		/* Before bytes that went by TCP in between, nothing is left. */
		if (!left->len || seq != left->seq + left->len) {
			left->first = i;
			left->seq = seq;
			left->len = 0;
		}
		left->len += le32_to_cpu(rec->len);
	}
}

/* These bytes are nobody else's, so there is no going on without memory for them. */
static struct sk_buff *requeue_alloc_skb(u32 len)
{
	struct sk_buff *skb;
	int err;

	/* TCP wants no payload in the linear part; its pages are single ones. */
	do {
		skb = alloc_skb_with_frags(MAX_TCP_HEADER, len, 0, &err, GFP_KERNEL | __GFP_NOFAIL);
	} while (!skb);
	skb_reserve(skb, MAX_TCP_HEADER);
	skb->data_len = len;
	skb->len = len;
	return skb;
}

static void requeue_fill_skb(struct sk_buff *skb, const struct vmc_queue *q,
			     const struct vmc_record *rec)
{
	struct tcp_skb_cb *tcb = TCP_SKB_CB(skb);
	u32 off = 0;
	u32 i;

	for (i = 0; i < rec->nr_segs; i++) {
		const struct vmc_seg *seg = &rec->seg[i];
		const void *page = page_address(q->own.data[le32_to_cpu(seg->page)]);

		skb_store_bits(skb, off, page + le16_to_cpu(seg->off), le16_to_cpu(seg->len));
		off += le16_to_cpu(seg->len);
	}
	tcb->seq = le32_to_cpu(rec->seq);
	tcb->end_seq = tcb->seq + skb->len;
	tcb->tcp_flags = TCPHDR_ACK | TCPHDR_PSH;
	/* Not for measuring a round trip. */
	tcb->sacked = TCPCB_REPAIRED;
}

static void requeue_build(struct requeue *left, const struct vmc_queue *q,
			  const struct vmc_flow *flow)
{
	struct sk_buff *skb;
	u32 i;

	for (i = left->first; i != q->ring.rec_prod; i++) {
		const struct vmc_record *rec = vmc_rec_own(&q->ring, i);

		if (!requeue_is_of(rec, flow))
			continue;
		skb = requeue_alloc_skb(le32_to_cpu(rec->len));
		requeue_fill_skb(skb, q, rec);
		left->truesize += skb->truesize;
		__skb_queue_tail(&left->skbs, skb);
	}
}

static void requeue_set_segs(struct sk_buff *skb, u32 mss)
{
	TCP_SKB_CB(skb)->tcp_gso_size = skb->len > mss ? mss : 0;
	tcp_skb_pcount_set(skb, DIV_ROUND_UP(skb->len, mss));
}

/* Into the tree of skbs by sequence number, as tcp_rbtree_insert() does. */
static void requeue_link(struct sock *sk, struct sk_buff *skb)
{
	struct rb_node **p = &sk->tcp_rtx_queue.rb_node;
	struct rb_node *parent = NULL;

	while (*p) {
		parent = *p;
		if (before(TCP_SKB_CB(skb)->seq, TCP_SKB_CB(rb_to_skb(parent))->seq))
			p = &parent->rb_left;
		else
			p = &parent->rb_right;
	}
	rb_link_node(&skb->rbnode, parent, p);
	rb_insert_color(&skb->rbnode, &sk->tcp_rtx_queue);
}

static void requeue_entail(struct sock *sk, struct sk_buff *skb)
{
	struct tcp_sock *tp = tcp_sk(sk);

	__skb_header_release(skb);
	skb->ip_summed = CHECKSUM_PARTIAL;
	skb_set_delivery_time(skb, tcp_clock_ns(), SKB_CLOCK_MONOTONIC);
	requeue_set_segs(skb, tp->mss_cache);
	sk_wmem_queued_add(sk, skb->truesize);
	sk_mem_charge(sk, skb->truesize);
	list_add_tail(&skb->tcp_tsorted_anchor, &tp->tsorted_sent_queue);
	requeue_link(sk, skb);
	tp->packets_out += tcp_skb_pcount(skb);
}

/* tcp_urg_mode() of net/ipv4/tcp_output.c */
static bool requeue_is_urgent(const struct tcp_sock *tp)
{
	return tp->snd_una != tp->snd_up;
}

/* What probed a window that was shut retransmits instead, and its time is over. */
static void requeue_start_timer(struct sock *sk)
{
	struct inet_connection_sock *icsk = inet_csk(sk);

	if (icsk->icsk_pending == ICSK_TIME_PROBE0) {
		icsk->icsk_probes_out = 0;
		icsk->icsk_backoff = 0;
		icsk->icsk_probes_tstamp = 0;
	}
	inet_csk_reset_xmit_timer(sk, ICSK_TIME_RETRANS, icsk->icsk_rto, TCP_RTO_MAX);
}

static void requeue_all(struct sock *sk, struct requeue *left)
{
	struct tcp_sock *tp = tcp_sk(sk);
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(&left->skbs)))
		requeue_entail(sk, skb);
	if (!requeue_is_urgent(tp))
		tp->snd_up = left->seq;
	WRITE_ONCE(tp->snd_una, left->seq);
	tp->bytes_acked -= left->len;
	if (!tp->sacked_out)
		tcp_highest_sack_reset(sk);
	tcp_clear_all_retrans_hints(tp);
	requeue_start_timer(sk);
}

/* Behind a FIN, too, and behind bytes in TCP's queue. */
static bool requeue_may_be_needed(const struct sock *sk, const struct vmc_flow *flow)
{
	return (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT | TCPF_FIN_WAIT1 |
				      TCPF_CLOSING | TCPF_LAST_ACK) &&
	       flow->has_used_ring && !flow->is_detached && tcp_sk(sk)->snd_una == flow->ring_end;
}

/**
 * vmc_requeue() - what the peer has not taken of a flow is TCP's to send
 * @sk: the socket
 * @flow: its flow, CLOSED
 *
 * Context: process, socket lock held; the queue is finished, and not yet unmapped.
 */
void vmc_requeue(struct sock *sk, struct vmc_flow *flow)
{
	struct vmc_queue *q = flow->queue;
	struct requeue left = {};

	if (!requeue_may_be_needed(sk, flow))
		return;
	requeue_find(&left, q, flow);
	/* TCP's acknowledgment of what came behind is a better one. */
	if (!left.len || left.seq + left.len != flow->ring_end)
		return;
	__skb_queue_head_init(&left.skbs);
	requeue_build(&left, q, flow);
	/* At TCP's limit of memory it is a debt, which the next allocation has to pay, too. */
	sk_wmem_schedule(sk, left.truesize);
	requeue_all(sk, &left);
	vmc_stat_add(tx_requeued_bytes, left.len);
}
