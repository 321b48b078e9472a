// SPDX-License-Identifier: GPL-2.0-only
/*
 * skbs whose frags are pages of the peer, and the return of these pages.
 *
 * The frags hold no references of their own (SKBFL_MANAGED_FRAG_REFS): the skb's
 * ubuf_info completes when its data is released, or copied out by whoever clones
 * the skb, and returns the segments. A page goes back when nobody else holds it
 * (splice does, for as long as it likes): our mapping is its only reference.
 * Segments that can't go back yet are counted, and go with the next segment of
 * the page or by the scan.
 *
 * Where pages of the peer must not show, bytes are copied. Their segments are held
 * until the copy is consumed all the same: they are what bounds the sender.
 */
#include <linux/mm.h>
#include <linux/skbuff.h>
#include <linux/slab.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "chan.h"
#include "flow.h"
#include "queue.h"
#include "rx.h"
#include "stats.h"

#define RX_SCAN_INTERVAL msecs_to_jiffies(20)

struct rx_ubuf {
	struct ubuf_info ubuf;
	struct vmc_queue *q; /* holds a reference to the channel */
	u32 len;
	u32 nr_segs;
	u32 page[VMC_MAX_SEGS];
};

static struct kmem_cache *rx_ubuf_cache;

int vmc_rx_init(void)
{
	rx_ubuf_cache = kmem_cache_create("vmc_rx", sizeof(struct rx_ubuf), 0, 0, NULL);
	return rx_ubuf_cache ? 0 : -ENOMEM;
}

void vmc_rx_exit(void)
{
	kmem_cache_destroy(rx_ubuf_cache);
}

/* Return what is consumed of a page, if nobody holds it. */
static void __rx_return(struct vmc_queue *q, u32 page)
{
	lockdep_assert_held(&q->ret_lock);
	if (!q->consumed[page] || page_count(q->peer.data[page]) != 1)
		return;
	vmc_ret_push(&q->ring, page, q->consumed[page]);
	q->consumed[page] = 0;
}

static void __rx_consumed(struct vmc_queue *q, u32 page)
{
	/* The peer counts its segments; past the limit it is cheating itself. */
	if (q->consumed[page] < VMC_RETURN_MAX_SEGS)
		q->consumed[page]++;
	__rx_return(q, page);
	if (unlikely(q->consumed[page]))
		queue_delayed_work(vmc_wq, &q->scan_work, RX_SCAN_INTERVAL);
}

/* Ends the ret_lock section. */
static void rx_publish_returns(struct vmc_queue *q) __releases(&q->ret_lock)
{
	if (vmc_ret_publish(&q->ring))
		__vmc_queue_notify(q);
	spin_unlock_bh(&q->ret_lock);
}

/* Pages that somebody held when their segments were consumed. */
void vmc_rx_scan(struct work_struct *work)
{
	struct vmc_queue *q = container_of(to_delayed_work(work), struct vmc_queue, scan_work);
	bool has_left = false;
	u32 page;

	spin_lock_bh(&q->ret_lock);
	if (q->rx_dead) {
		spin_unlock_bh(&q->ret_lock);
		return;
	}
	for (page = 0; page < q->peer.nr_data; page++) {
		__rx_return(q, page);
		has_left |= q->consumed[page];
	}
	rx_publish_returns(q);
	if (has_left)
		queue_delayed_work(vmc_wq, &q->scan_work, RX_SCAN_INTERVAL);
}

static void rx_ubuf_put(struct ubuf_info *ubuf)
{
	struct rx_ubuf *u = container_of(ubuf, struct rx_ubuf, ubuf);
	struct vmc_queue *q = u->q;
	u32 i;

	if (!refcount_dec_and_test(&ubuf->refcnt))
		return;
	spin_lock_bh(&q->ret_lock);
	q->nr_received--;
	q->received_bytes -= u->len;
	if (q->rx_dead) {
		spin_unlock_bh(&q->ret_lock);
	} else {
		for (i = 0; i < u->nr_segs; i++)
			__rx_consumed(q, u->page[i]);
		rx_publish_returns(q);
	}
	vmc_chan_put(q->chan);
	kmem_cache_free(rx_ubuf_cache, u);
}

static void rx_ubuf_complete(struct sk_buff *skb, struct ubuf_info *ubuf, bool success)
{
	rx_ubuf_put(ubuf);
}

static const struct ubuf_info_ops rx_ubuf_ops = {
	.complete = rx_ubuf_complete,
};

/* Do the skb's bytes lie in a peer's pages? */
static bool rx_is_ours(const struct sk_buff *skb)
{
	return skb_zcopy((struct sk_buff *)skb) && skb_uarg(skb)->ops == &rx_ubuf_ops;
}

/*
 * sock_rfree() under another name: TCP parks skbs of sock_rfree() for another
 * CPU to free, and the sender would wait for its pages.
 */
static void rx_rfree(struct sk_buff *skb)
{
	sock_rfree(skb);
}

/* Of a copy, whose destructor_arg is no business of the kernel's any more. */
static void rx_rfree_copy(struct sk_buff *skb)
{
	rx_ubuf_put(skb_uarg(skb));
	sock_rfree(skb);
}

static bool rx_is_copy(const struct sk_buff *skb)
{
	return skb->destructor == rx_rfree_copy;
}

/* Return: 0, or -ENOMEM, then nothing happened. */
static int rx_copy(struct sk_buff *skb, gfp_t gfp)
{
	struct ubuf_info *ubuf = skb_uarg(skb);

	refcount_inc(&ubuf->refcnt);
	if (skb_copy_ubufs(skb, gfp)) {
		rx_ubuf_put(ubuf);
		return -ENOMEM;
	}
	skb_shinfo(skb)->destructor_arg = ubuf;
	skb->destructor = rx_rfree_copy;
	return 0;
}

/**
 * vmc_rx_charge() - make the socket own the skb
 * @skb: the skb
 * @sk: the socket
 *
 * Only what this guest has allocated is charged: pages are the sender's,
 * bounded by the flow's share of its pool. Memory pressure does not refuse it,
 * for there is no one who would send the bytes again.
 *
 * Context: socket lock held.
 */
void vmc_rx_charge(struct sk_buff *skb, struct sock *sk)
{
	sk_rmem_schedule(sk, skb, skb->truesize);
	skb->sk = sk;
	if (!rx_is_copy(skb))
		skb->destructor = rx_rfree;
	atomic_add(skb->truesize, &sk->sk_rmem_alloc);
	sk_mem_charge(sk, skb->truesize);
}

/**
 * vmc_rx_stamp() - the time of arrival, for sockets that ask for it
 * @skb: the skb, with a TCP_SKB_CB
 * @sk: the socket
 *
 * Context: socket lock held.
 */
void vmc_rx_stamp(struct sk_buff *skb, const struct sock *sk)
{
	if (likely(!(sk->sk_flags & SK_FLAGS_TIMESTAMP)))
		return;
	__net_timestamp(skb);
	TCP_SKB_CB(skb)->has_rxtstamp = true;
}

/*
 * A peer has no more segments outstanding than our return ring has entries, nor more
 * bytes than its pages; one that publishes the same page over and over would fill our
 * memory with skbs, and with copies.
 */
static bool rx_count(struct vmc_queue *q, u32 len)
{
	bool is_fine;

	spin_lock_bh(&q->ret_lock);
	/* Twice: ends of streams have no segments, but are records, too. */
	is_fine = q->nr_received < q->own.nr_returns * 2 &&
		  q->received_bytes + len <= q->peer.nr_data * VMC_PAGE_SIZE;
	if (is_fine) {
		q->nr_received++;
		q->received_bytes += len;
	}
	spin_unlock_bh(&q->ret_lock);
	return is_fine;
}

static void rx_uncount(struct vmc_queue *q, u32 len)
{
	spin_lock_bh(&q->ret_lock);
	q->nr_received--;
	q->received_bytes -= len;
	spin_unlock_bh(&q->ret_lock);
}

static struct rx_ubuf *rx_ubuf_alloc(struct vmc_queue *q, const struct vmc_record *rec)
{
	u32 len = le32_to_cpu(rec->len);
	struct rx_ubuf *u;
	u32 i;

	if (!rx_count(q, len))
		return ERR_PTR(-EPROTO);
	u = kmem_cache_alloc(rx_ubuf_cache, GFP_ATOMIC | __GFP_NOWARN);
	if (!u) {
		rx_uncount(q, len);
		return ERR_PTR(-ENOMEM);
	}
	u->ubuf.ops = &rx_ubuf_ops;
	u->ubuf.flags = SKBFL_ZEROCOPY_FRAG | SKBFL_MANAGED_FRAG_REFS;
	refcount_set(&u->ubuf.refcnt, 1);
	u->q = q;
	u->len = len;
	u->nr_segs = rec->nr_segs;
	for (i = 0; i < rec->nr_segs; i++)
		u->page[i] = le32_to_cpu(rec->seg[i].page);
	vmc_chan_get(q->chan);
	return u;
}

static void rx_fill_frags(struct sk_buff *skb, struct rx_ubuf *u, const struct vmc_record *rec)
{
	u32 i;

	skb_zcopy_init(skb, &u->ubuf);
	for (i = 0; i < rec->nr_segs; i++) {
		u32 len = le16_to_cpu(rec->seg[i].len);

		__skb_fill_page_desc_noacc(skb_shinfo(skb), i, u->q->peer.data[u->page[i]],
					   le16_to_cpu(rec->seg[i].off), len);
		skb->len += len;
		skb->data_len += len;
	}
	skb_shinfo(skb)->nr_frags = rec->nr_segs;
}

/**
 * vmc_rx_build_skb() - an skb over the segments of a checked DATA record
 * @q: the queue
 * @rec: the record, checked by vmc_record_check()
 *
 * Its TCP_SKB_CB has seq and end_seq. A record without segments gives an empty skb,
 * which is charged to the peer as one with bytes is.
 *
 * Context: the queue's worker.
 * Return: the skb; -ENOMEM; -EPROTO: the peer has more under way than it may.
 */
struct sk_buff *vmc_rx_build_skb(struct vmc_queue *q, const struct vmc_record *rec)
{
	u32 seq = le32_to_cpu(rec->seq);
	struct sk_buff *skb;
	struct rx_ubuf *u;

	skb = alloc_skb(0, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return ERR_PTR(-ENOMEM);
	u = rx_ubuf_alloc(q, rec);
	if (IS_ERR(u)) {
		kfree_skb(skb);
		return ERR_CAST(u);
	}
	memset(skb->cb, 0, sizeof(skb->cb));
	TCP_SKB_CB(skb)->seq = seq;
	TCP_SKB_CB(skb)->end_seq = seq + le32_to_cpu(rec->len);
	rx_fill_frags(skb, u, rec);
	skb_reset_mac_header(skb);
	skb_reset_network_header(skb);
	skb_reset_transport_header(skb);
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	return skb;
}

/**
 * vmc_rx_return_segs() - hand a record's segments back unused
 * @q: the queue
 * @rec: the record, checked by vmc_record_check()
 *
 * Context: the queue's worker.
 */
void vmc_rx_return_segs(struct vmc_queue *q, const struct vmc_record *rec)
{
	u32 i;

	spin_lock_bh(&q->ret_lock);
	for (i = 0; i < rec->nr_segs; i++)
		__rx_consumed(q, le32_to_cpu(rec->seg[i].page));
	rx_publish_returns(q);
}

/**
 * vmc_rx_copy() - the bytes of an skb that no socket owns yet move into our memory
 * @skb: of vmc_rx_build_skb()
 *
 * What it occupies is charged to the socket, to which vmc_rx_charge() is to give it.
 *
 * Context: any but hardirq.
 * Return: 0, or -ENOMEM, then nothing happened.
 */
int vmc_rx_copy(struct sk_buff *skb)
{
	if (!rx_is_ours(skb) || !skb->len)
		return 0;
	if (rx_copy(skb, GFP_ATOMIC | __GFP_NOWARN))
		return -ENOMEM;
	skb->truesize += skb->data_len;
	return 0;
}

/* Nothing of ours is left in the skb, and nothing of the module. */
static void rx_copy_out(struct sk_buff *skb)
{
	while (rx_is_ours(skb) && skb_copy_ubufs(skb, GFP_KERNEL | __GFP_NOFAIL))
		cond_resched();
	if (rx_is_copy(skb))
		rx_ubuf_put(skb_uarg(skb));
	if (skb->destructor == rx_rfree || rx_is_copy(skb))
		skb->destructor = sock_rfree;
}

/**
 * vmc_rx_copy_out() - copy what a socket has received into this guest's memory
 * @sk: the socket
 *
 * Context: process; socket owned by the caller.
 */
void vmc_rx_copy_out(struct sock *sk)
{
	struct sk_buff *skb;

	skb_queue_walk(&sk->sk_receive_queue, skb)
		rx_copy_out(skb);
}

/**
 * vmc_rx_want_copies() - from now on, no page of the peer is in the receive queue
 * @flow: the flow
 *
 * Context: process; socket owned by the caller.
 */
void vmc_rx_want_copies(struct vmc_flow *flow)
{
	struct sk_buff *skb;

	WRITE_ONCE(flow->wants_copies, true);
	skb_queue_walk(&flow->sk->sk_receive_queue, skb)
		while (rx_is_ours(skb) && rx_copy(skb, GFP_KERNEL | __GFP_NOFAIL))
			cond_resched();
}

/**
 * vmc_rx_copy_out_pending() - the same for records that wait for a socket
 * @pending: the flow's queue
 *
 * Context: process; socket owned by the caller; no worker runs any more.
 */
void vmc_rx_copy_out_pending(struct sk_buff_head *pending)
{
	struct sk_buff *skb;

	skb_queue_walk(pending, skb)
		rx_copy_out(skb);
}
