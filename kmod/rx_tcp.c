// SPDX-License-Identifier: GPL-2.0-only
/*
 * From records to the TCP control block. Bytes whose sequence number is rcv_nxt
 * are queued as TCP itself would queue them; whatever is not that simple (bytes
 * that came by TCP and wait out of order, FIN, RST, a socket that is shut) is
 * given to TCP as a segment, so that all its rules hold.
 *
 * While a program owns the socket, records wait in the flow's rx_pending, in
 * order, until release_cb.
 */
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "chan.h"
#include "flow.h"
#include "giveback.h"
#include "handshake.h"
#include "path.h"
#include "queue.h"
#include "rx.h"
#include "space.h"
#include "stats.h"
#include "window.h"

/* How far a segment may be behind the ring's bytes, */
#define RX_MAX_OVERTAKEN SZ_1G

/* and for how long: less than the shortest interval of keepalive, a second. */
#define RX_EDGE_HOLD	 (HZ / 2)

/* May bytes come? Not behind the peer's FIN. */
static bool rx_is_open(const struct sock *sk)
{
	return (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2);
}

/* May bytes at rcv_nxt simply be queued? A socket filter sees segments. */
static bool rx_is_plain(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	return rx_is_open(sk) && !(sk->sk_shutdown & RCV_SHUTDOWN) && !sock_flag(sk, SOCK_DEAD) &&
	       RB_EMPTY_ROOT(&tp->out_of_order_queue) && !tp->urg_data &&
	       !rcu_access_pointer(sk->sk_filter);
}

/* What waits could not be delivered now. */
static void rx_drain_soon(struct vmc_flow *flow)
{
	/* What a filter has dropped comes again as TCP would send it again. */
	vmc_flow_drain_later(flow, rcu_access_pointer(flow->sk->sk_filter) ? TCP_RTO_MIN :
									     msecs_to_jiffies(10));
}

/**
 * vmc_rx_free_left_edge() - the window begins where TCP expects it to
 * @flow: the flow
 *
 * All that has come counts as acknowledged, unless TCP is about to do that. What the peer
 * sends to be answered (keepalive, probes of a shut window), TCP answers only if it is
 * left of the window.
 *
 * Context: socket's spinlock held, or ownership of the socket.
 */
void vmc_rx_free_left_edge(struct vmc_flow *flow)
{
	struct tcp_sock *tp = tcp_sk(flow->sk);

	flow->holds_edge = false;
	if (inet_csk_ack_scheduled(flow->sk))
		return;
	tp->rcv_wnd = tcp_receive_window(tp);
	tp->rcv_wup = tp->rcv_nxt;
}

/* Segments that the ring has overtaken are here after that time, or are sent again. */
static void rx_hold_left_edge(struct vmc_flow *flow)
{
	struct tcp_sock *tp = tcp_sk(flow->sk);

	/* The right edge stays where it is. */
	tp->rcv_wnd += tp->rcv_wup - flow->drained_wup;
	tp->rcv_wup = flow->drained_wup;
	flow->edge_stamp = tcp_jiffies32;
	flow->holds_edge = true;
	vmc_flow_drain_later(flow, RX_EDGE_HOLD);
}

/*
 * The window moves on with the bytes. Segments that the peer sent before them arrive
 * later, and acknowledge what we send by TCP: while there is such, tcp_sequence() must
 * not think them old, so the window keeps the left edge that it had before, although
 * each segment that we send moves it (tcp_select_window()).
 */
static void rx_move_window(struct vmc_flow *flow, u32 len)
{
	struct tcp_sock *tp = tcp_sk(flow->sk);

	tp->rcv_wup += len;
	if (vmc_tcp_is_drained(tp) || tp->rcv_nxt - flow->drained_wup > RX_MAX_OVERTAKEN) {
		vmc_rx_free_left_edge(flow);
		flow->drained_wup = tp->rcv_wup;
	} else {
		rx_hold_left_edge(flow);
	}
	/* Segments tell of the peer's window; any that is to come is newer than this. */
	if (before(tp->snd_wl1, tp->rcv_wup - 1))
		tp->snd_wl1 = tp->rcv_wup - 1;
}

/* As tcp_segs_in(): what reads them is not locked. */
static void rx_count_segs(struct tcp_sock *tp, u32 len)
{
	u32 nr = DIV_ROUND_UP(len, max_t(u32, tp->advmss, 1));

	WRITE_ONCE(tp->segs_in, tp->segs_in + nr);
	WRITE_ONCE(tp->data_segs_in, tp->data_segs_in + nr);
}

/* The receiver's half of D1: as if the bytes had arrived in segments. */
static void rx_queue(struct vmc_flow *flow, struct sk_buff *skb)
{
	struct sock *sk = flow->sk;
	struct tcp_sock *tp = tcp_sk(sk);
	u32 len = skb->len;

	vmc_rx_charge(skb, sk);
	vmc_rx_stamp(skb, sk);
	__skb_queue_tail(&sk->sk_receive_queue, skb);
	WRITE_ONCE(tp->rcv_nxt, tp->rcv_nxt + len);
	rx_move_window(flow, len);
	tp->bytes_received += len;
	rx_count_segs(tp, len);
	tp->rcv_tstamp = tcp_jiffies32;
	inet_csk(sk)->icsk_probes_out = 0;
	inet_csk(sk)->icsk_ack.lrcvtime = tcp_jiffies32;
	if (tcp_epollin_ready(sk, READ_ONCE(sk->sk_rcvlowat)))
		sk->sk_data_ready(sk);
}

/* Copies are this guest's memory: no more than a peer has pages that it may fill. */
static bool rx_may_copy(const struct vmc_flow *flow)
{
	const struct sock *sk = flow->sk;
	u32 bound = READ_ONCE(sk->sk_rcvbuf) + flow->queue->peer.nr_data * VMC_PAGE_SIZE;

	return atomic_read(&sk->sk_rmem_alloc) <= bound || skb_queue_empty(&sk->sk_receive_queue);
}

/* Would TCP take a segment now? */
static bool rx_has_space(const struct sock *sk)
{
	return atomic_read(&sk->sk_rmem_alloc) <= READ_ONCE(sk->sk_rcvbuf) &&
	       tcp_receive_window(tcp_sk(sk));
}

enum rx_result {
	RX_DONE,
	RX_AGAIN,  /* soon */
	RX_READER, /* when somebody reads */
};

static enum rx_result rx_deliver_plain(struct vmc_flow *flow, struct sk_buff *skb)
{
	if (READ_ONCE(flow->wants_copies)) {
		if (!rx_may_copy(flow))
			return RX_READER;
		if (vmc_rx_copy(skb))
			return RX_AGAIN;
	}
	rx_queue(flow, skb);
	return RX_DONE;
}

static enum rx_result rx_deliver(struct vmc_flow *flow, struct sk_buff *skb)
{
	struct sock *sk = flow->sk;
	const struct tcp_sock *tp = tcp_sk(sk);
	const u32 seq = TCP_SKB_CB(skb)->seq;
	const u32 end_seq = TCP_SKB_CB(skb)->end_seq;

	if (!skb->len) {
		/* Its own TCP segment may have come first. */
		if (seq == tp->rcv_nxt && !__vmc_rx_segment(sk, skb))
			return RX_AGAIN;
		kfree_skb(skb);
		return RX_DONE;
	}
	if (seq == tp->rcv_nxt && rx_is_plain(sk))
		return rx_deliver_plain(flow, skb);
	vmc_stat_inc(rx_crafted);
	__vmc_rx_segment(sk, skb);
	if (rx_is_open(sk) && after(end_seq, tp->rcv_nxt))
		return rx_has_space(sk) ? RX_AGAIN : RX_READER;
	kfree_skb(skb);
	return RX_DONE;
}

/*
 * Has the peer thrown bytes away that we count as received? What TCP says is RST.
 * Nobody sends at this moment, for the socket is not owned, or about to be released.
 */
static void rx_reset_if_lost(struct vmc_flow *flow)
{
	struct sk_buff *skb;
	bool is_done = false;

	if (!flow->has_used_ring || !after(flow->ring_end, flow->close_seq)) {
		flow->is_closed_by_peer = false;
		return;
	}
	skb = alloc_skb(0, GFP_ATOMIC | __GFP_NOWARN);
	if (skb) {
		TCP_SKB_CB(skb)->seq = tcp_sk(flow->sk)->rcv_nxt;
		TCP_SKB_CB(skb)->tcp_flags = TCPHDR_RST | TCPHDR_ACK;
		is_done = __vmc_rx_segment(flow->sk, skb);
		kfree_skb(skb);
	}
	flow->is_closed_by_peer = !is_done;
	if (!is_done)
		rx_drain_soon(flow);
}

/*
 * TCP has ended the connection, and the program has not closed the socket yet. By TCP,
 * the peer's next segment would find none.
 */
static void rx_tell_ended(struct vmc_flow *flow)
{
	if (flow->state == VMC_FLOW_CLOSED)
		return;
	vmc_handshake_close(flow);
	__vmc_flow_close(flow, VMC_REASON_SOCKET_GONE);
}

/*
 * __rx_drain() - deliver the records that wait for this socket, in order
 * @flow: the flow
 *
 * Stops at a record that has to wait: for bytes that are on their way by TCP; for
 * memory, or a socket filter that drops it; or for space in the receive buffer, when
 * they go the long way. That there is when somebody reads.
 *
 * Context: BH off, socket's spinlock held; the flow under RCU, since delivering
 * an RST may destroy the socket.
 */
static void __rx_drain(struct vmc_flow *flow)
{
	struct sock *sk = flow->sk;
	enum rx_result result;
	struct sk_buff *skb;

	while ((skb = __skb_dequeue(&flow->rx_pending))) {
		if (sk->sk_state == TCP_CLOSE)
			rx_tell_ended(flow);
		if (sk->sk_state == TCP_CLOSE || (skb->len && !rx_is_open(sk))) {
			kfree_skb(skb);
			continue;
		}
		if (after(TCP_SKB_CB(skb)->seq, tcp_sk(sk)->rcv_nxt)) {
			__skb_queue_head(&flow->rx_pending, skb);
			break;
		}
		result = rx_deliver(flow, skb);
		if (result != RX_DONE) {
			__skb_queue_head(&flow->rx_pending, skb);
			if (result == RX_AGAIN)
				rx_drain_soon(flow);
			break;
		}
	}
	if (unlikely(flow->is_closed_by_peer) && sk->sk_state != TCP_CLOSE)
		rx_reset_if_lost(flow);
}

/*
 * Records.
 */

static u8 rx_tcp_flags(const struct vmc_record *rec)
{
	if (rec->flags & VMC_DATA_RST)
		return TCPHDR_RST | TCPHDR_ACK;
	if (rec->flags & VMC_DATA_FIN)
		return TCPHDR_FIN | TCPHDR_ACK;
	return TCPHDR_ACK;
}

/* A flow of this queue whose other end has proved itself, or NULL. Under RCU. */
static struct vmc_flow *rx_flow(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_flow *flow = vmc_flow_by_handle(q->chan, le32_to_cpu(rec->flow));

	if (!flow || !flow->peer_handle || flow->queue != q) {
		vmc_stat_inc(rx_stale);
		return NULL;
	}
	return flow;
}

static int rx_data(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_flow *flow = rx_flow(q, rec);
	struct sk_buff *skb;

	if (!flow) {
		vmc_rx_return_segs(q, rec);
		return 0;
	}
	skb = vmc_rx_build_skb(q, rec);
	if (IS_ERR(skb))
		return PTR_ERR(skb);
	TCP_SKB_CB(skb)->tcp_flags = rx_tcp_flags(rec);

	bh_lock_sock(flow->sk);
	vmc_window_tell(flow);
	vmc_stat_inc(rx_records);
	vmc_stat_add(rx_bytes, skb->len);
	WRITE_ONCE(q->rx_bytes, q->rx_bytes + skb->len);
	if (flow->is_detached) {
		bh_unlock_sock(flow->sk);
		vmc_stat_inc(rx_stale);
		kfree_skb(skb);
		return 0;
	}
	__skb_queue_tail(&flow->rx_pending, skb);
	if (sock_owned_by_user(flow->sk))
		vmc_stat_inc(rx_deferred);
	else
		__rx_drain(flow);
	bh_unlock_sock(flow->sk);
	return 0;
}

static void rx_close(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_flow *flow = rx_flow(q, rec);

	if (!flow)
		return;
	bh_lock_sock(flow->sk);
	__vmc_flow_close(flow, VMC_REASON_PEER_CLOSED);
	flow->close_seq = le32_to_cpu(rec->seq);
	flow->is_closed_by_peer = true;
	flow->has_stopped = true;
	if (!sock_owned_by_user(flow->sk))
		__rx_drain(flow);
	vmc_flow_write_space(flow);
	bh_unlock_sock(flow->sk);
}

/*
 * rx_send_ack() - acknowledge what came by TCP, now or as soon as it has come
 * @flow: the flow
 *
 * Context: socket's spinlock held, or ownership in release_cb.
 */
static void rx_send_ack(struct vmc_flow *flow)
{
	struct inet_connection_sock *icsk = inet_csk(flow->sk);
	const struct tcp_sock *tp = tcp_sk(flow->sk);

	flow->wants_ack = false;
	if (!rx_is_open(flow->sk))
		return;
	/* The rest is under way: no delayed ACKs for these segments. */
	inet_csk_exit_pingpong_mode(flow->sk);
	icsk->icsk_ack.quick = TCP_MAX_QUICKACKS;
	if (before(tp->rcv_nxt, flow->ack_seq))
		return;
	vmc_path_send_ack(flow->sk);
}

static void rx_ackreq(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_flow *flow = rx_flow(q, rec);

	if (!flow)
		return;
	bh_lock_sock(flow->sk);
	flow->ack_seq = le32_to_cpu(rec->seq);
	flow->wants_ack = true;
	if (!sock_owned_by_user(flow->sk))
		rx_send_ack(flow);
	bh_unlock_sock(flow->sk);
}

static void rx_stop(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_flow *flow = rx_flow(q, rec);

	if (!flow)
		return;
	bh_lock_sock(flow->sk);
	if (!flow->is_detached)
		vmc_rx_stop(flow);
	bh_unlock_sock(flow->sk);
}

static void rx_stopped(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_flow *flow = rx_flow(q, rec);

	if (!flow)
		return;
	bh_lock_sock(flow->sk);
	WRITE_ONCE(flow->has_stopped, true);
	bh_unlock_sock(flow->sk);
}

static void rx_window(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_flow *flow = rx_flow(q, rec);

	if (flow)
		vmc_rx_window(q, flow, rec);
}

/**
 * vmc_rx_before_backlog() - a segment in the socket's backlog is about to be processed
 * @flow: the flow
 *
 * What came by the ring meanwhile comes first: behind more of it than the window that
 * TCP knows of, the segment would count as one of another time.
 *
 * Context: socket owned by the caller, not its spinlock; under RCU.
 */
void vmc_rx_before_backlog(struct vmc_flow *flow)
{
	struct sock *sk = flow->sk;

	if (skb_queue_empty_lockless(&flow->rx_pending))
		return;
	spin_lock_bh(&sk->sk_lock.slock);
	__rx_drain(flow);
	spin_unlock_bh(&sk->sk_lock.slock);
}

static void rx_expire_edge_hold(struct vmc_flow *flow)
{
	u32 held = tcp_jiffies32 - flow->edge_stamp;

	if (held < RX_EDGE_HOLD)
		vmc_flow_drain_later(flow, RX_EDGE_HOLD - held);
	else
		vmc_rx_free_left_edge(flow);
}

/**
 * vmc_rx_release_cb() - the owner of the socket lets go: what came meanwhile?
 * @flow: the flow, under RCU
 *
 * Context: BH off, socket's spinlock held; the socket is owned by the caller, or by nobody.
 */
void vmc_rx_release_cb(struct vmc_flow *flow)
{
	if (!skb_queue_empty(&flow->rx_pending) || flow->is_closed_by_peer)
		__rx_drain(flow);
	if (flow->wants_ack)
		rx_send_ack(flow);
	if (flow->holds_edge)
		rx_expire_edge_hold(flow);
	if (flow->wants_stopped)
		vmc_giveback_answer(flow);
}

/**
 * vmc_rx_record() - handle a checked record of the peer
 * @q: the queue
 * @rec: the record, checked by vmc_record_check()
 *
 * Context: the queue's worker.
 * Return: 0; -ENOMEM: nothing happened, come again with the same record; -EPROTO.
 */
int vmc_rx_record(struct vmc_queue *q, const struct vmc_record *rec)
{
	int err = 0;

	rcu_read_lock();
	switch (rec->type) {
	case VMC_REC_DATA:
		err = rx_data(q, rec);
		break;
	case VMC_REC_OPEN:
		err = vmc_rx_open(q, rec);
		break;
	case VMC_REC_ACCEPT:
		err = vmc_rx_accept(q, rec);
		break;
	case VMC_REC_REJECT:
		err = vmc_rx_reject(q, rec);
		break;
	case VMC_REC_CLOSE:
		rx_close(q, rec);
		break;
	case VMC_REC_ACKREQ:
		rx_ackreq(q, rec);
		break;
	case VMC_REC_STOP:
		rx_stop(q, rec);
		break;
	case VMC_REC_STOPPED:
		rx_stopped(q, rec);
		break;
	case VMC_REC_WINDOW:
		rx_window(q, rec);
		break;
	default:
		err = -EPROTO;
	}
	rcu_read_unlock();
	return err;
}
