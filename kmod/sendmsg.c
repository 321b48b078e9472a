// SPDX-License-Identifier: GPL-2.0-only
/*
 * sendmsg of adopted sockets. For each piece of a message there are three ways:
 *
 *   RING  the flow is bound and TCP has nothing unsent or unacknowledged: bytes
 *	   are copied into our data pages (the first of two copies), the socket's
 *	   sk_msg program gives its verdict, the record is published, and the
 *	   control block advances as if the peer's TCP had acknowledged them
 *   TCP   everything else
 *   HOLD  the way changes, and the old way has to drain first. From TCP to the ring
 *	   that takes a round trip; without it, a stream that never pauses would never
 *	   change over. From the ring to TCP the peer's program has to read.
 *
 * Where nothing moves for a while, bytes go by TCP in any case: its queue is then
 * what it would have been, and its probes and time-outs are at work.
 */
#include <linux/net_tstamp.h>
#include <linux/skmsg.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "flow.h"
#include "path.h"
#include "proto.h"
#include "queue.h"
#include "space.h"
#include "stats.h"
#include "trace.h"
#include "tx.h"

enum send_route {
	SEND_TCP,
	SEND_TCP_STALLED, /* as much as TCP's queue takes, until something moves */
	SEND_RING,
	SEND_HOLD_TCP,	/* TCP has to drain, then RING */
	SEND_HOLD_RING, /* the ring has to drain, then TCP */
};

/* Of the functions below: there is no space, nothing happened. */
#define SEND_WAIT      (-ENOBUFS)

/* Flags whose meaning is TCP's own. */
#define SEND_TCP_FLAGS (MSG_OOB | MSG_FASTOPEN | MSG_PROBE)

/*
 * How much may be in the ring when bytes go by TCP again: the peer's TCP keeps what
 * fits in its window out of order; more it would drop, and we would send it again
 * after a time-out.
 */
static bool send_has_drained_ring(struct vmc_flow *flow)
{
	return !flow->has_used_ring ||
	       vmc_space_has_drained(flow->queue, flow, tcp_sk(flow->sk)->snd_wnd);
}

/* Does the message want to go by TCP? */
static enum vmc_reason send_why_not_message(const struct sock *sk, const struct msghdr *msg)
{
	if (msg->msg_flags & SEND_TCP_FLAGS || tcp_sk(sk)->repair)
		return VMC_REASON_SEND_FLAGS;
	/* When it is scheduled, sent, acknowledged: only a segment knows. */
	if (READ_ONCE(sk->sk_tsflags) & SOF_TIMESTAMPING_TX_RECORD_MASK || msg->msg_controllen)
		return VMC_REASON_SEND_TIMESTAMP;
	/* Its completion is TCP's to give. */
	if (msg->msg_flags & MSG_ZEROCOPY && sock_flag(sk, SOCK_ZEROCOPY))
		return VMC_REASON_SEND_ZEROCOPY;
	/* SO_MAX_PACING_RATE: TCP keeps to it, with or without fq. */
	if (READ_ONCE(sk->sk_max_pacing_rate) != ~0UL)
		return VMC_REASON_SEND_PACED;
	return VMC_REASON_NONE;
}

/* Must the flow? The queue may have stopped already when it is still BOUND. */
static enum vmc_reason send_why_not_flow(const struct sock *sk, const struct vmc_flow *flow)
{
	if (vmc_flow_state(flow) != VMC_FLOW_BOUND || READ_ONCE(flow->queue->tx_dead))
		return VMC_REASON_SEND_UNBOUND;
	return vmc_proto_has_program(sk) ? VMC_REASON_NONE : VMC_REASON_SEND_PROGRAM;
}

/* @why: with SEND_TCP and SEND_TCP_STALLED, the reason. */
static enum send_route send_route(struct sock *sk, struct vmc_flow *flow, const struct msghdr *msg,
				  enum vmc_reason *why)
{
	*why = VMC_REASON_SEND_STATE;
	if (!((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)))
		return SEND_TCP;
	*why = send_why_not_message(sk, msg);
	if (vmc_space_has_stalled(flow)) {
		if (*why != VMC_REASON_NONE)
			return SEND_TCP;
		*why = VMC_REASON_SEND_STALLED;
		return SEND_TCP_STALLED;
	}
	if (*why == VMC_REASON_NONE)
		*why = send_why_not_flow(sk, flow);
	if (*why != VMC_REASON_NONE)
		return send_has_drained_ring(flow) ? SEND_TCP : SEND_HOLD_RING;
	if (vmc_space_is_starved(flow->queue, flow)) {
		*why = VMC_REASON_SEND_STARVED;
		vmc_stat_inc(tx_starved);
		return SEND_TCP;
	}
	return vmc_tcp_is_drained(tcp_sk(sk)) ? SEND_RING : SEND_HOLD_TCP;
}

/* TCP_INFO's segments: as many as TCP would have sent. */
static void send_count_segs(struct tcp_sock *tp, u32 len)
{
	u32 nr = DIV_ROUND_UP(len, max(tp->mss_cache, 1U));

	tp->segs_out += nr;
	tp->data_segs_out += nr;
	tp->delivered += nr;
}

/* As much may go by the ring while a segment of the peer is under way. */
#define SEND_MAX_LAG SZ_64M

/*
 * What the peer sends by TCP acknowledges what it had received then, which is less than
 * what it has when the segment arrives. By more than the widest window ever, TCP would
 * drop it with all that is in it (RFC 5961 5.2): so let that be wide. A narrow one is
 * needed as it is, for it bounds the MSS (tcp_bound_to_half_wnd()).
 */
static void send_let_lag(struct tcp_sock *tp)
{
	if (tp->max_window < SEND_MAX_LAG && tp->max_window / 2 >= tp->rx_opt.mss_clamp)
		tp->max_window = SEND_MAX_LAG;
}

/* Often enough for keepalive, whose shortest interval is a second. */
#define SEND_ALIVE_INTERVAL (HZ / 4)

/*
 * Is the peer alive? That we send is no sign of it; that it takes what we send is one, as
 * an acknowledgment would be. It has to be: an answer to keepalive's question is an old
 * acknowledgment when the ring has overtaken it, which tcp_ack() takes for no sign at all.
 */
static void send_note_alive(struct sock *sk, struct vmc_flow *flow)
{
	struct tcp_sock *tp = tcp_sk(sk);

	if (likely(tcp_jiffies32 - tp->rcv_tstamp < SEND_ALIVE_INTERVAL) ||
	    !vmc_tx_has_passed(flow->queue, &flow->alive_mark))
		return;
	tp->rcv_tstamp = tcp_jiffies32;
	inet_csk(sk)->icsk_probes_out = 0;
}

/* The sender's half of D1: as if these bytes had been sent and acknowledged. */
static void send_advance(struct sock *sk, struct vmc_flow *flow, u32 len)
{
	struct tcp_sock *tp = tcp_sk(sk);
	u32 seq = tp->write_seq + len;

	WRITE_ONCE(tp->write_seq, seq);
	WRITE_ONCE(tp->snd_nxt, seq);
	tp->pushed_seq = seq;
	tp->snd_sml = seq;
	tp->high_seq = seq;
	tp->snd_up = seq; /* not in urgent mode: tcp_urg_mode() */
	WRITE_ONCE(tp->snd_una, seq);
	/* What was retransmitted or probed for is over, and counts for no time-out to come. */
	tp->retrans_stamp = 0;
	inet_csk(sk)->icsk_probes_tstamp = 0;
	tp->bytes_sent += len;
	tp->bytes_acked += len;
	send_let_lag(tp);
	send_count_segs(tp, len);
	send_note_alive(sk, flow);
	tp->lsndtime = tcp_jiffies32;
}

/*
 * The program's verdict.
 */

/* A message over the pages as they lie in the pool: the program sees the very bytes. */
static void send_fill_msg(struct sk_msg *m, const struct vmc_queue *q, const struct vmc_tx *tx)
{
	u32 i;

	sk_msg_init(m);
	for (i = 0; i < tx->nr_segs; i++) {
		const struct vmc_tx_seg *seg = &tx->seg[i];

		/* Helpers that change the message put the pages that they replace. */
		get_page(q->own.data[seg->page]);
		sg_set_page(sk_msg_elem(m, i), q->own.data[seg->page], seg->len, seg->off);
	}
	m->sg.end = tx->nr_segs;
	m->sg.size = tx->len;
}

static void send_put_msg(struct sk_msg *m)
{
	u32 i = m->sg.start;

	while (i != m->sg.end) {
		put_page(sg_page(sk_msg_elem(m, i)));
		sk_msg_iter_var_next(i);
	}
}

/* Return: __SK_PASS or __SK_DROP; flow->verdict_ring says which way. */
static noinline_for_stack int send_run_program(struct sock *sk, struct vmc_flow *flow,
					       const struct vmc_tx *tx)
{
	struct sk_psock *psock = sk_psock_get(sk);
	struct sk_msg m;
	int verdict;

	flow->verdict_ring = false;
	flow->verdict_bytes = 0;
	if (!psock)
		return __SK_PASS;
	send_fill_msg(&m, flow->queue, tx);
	verdict = sk_psock_msg_verdict(sk, psock, &m);
	if (psock->apply_bytes > tx->len)
		flow->verdict_bytes = psock->apply_bytes - tx->len;
	psock->apply_bytes = 0;
	/* A message that was changed in length is not ours to carry. */
	if (m.sg.size != tx->len)
		verdict = __SK_DROP;
	send_put_msg(&m);
	sk_psock_put(sk, psock);
	return verdict == __SK_DROP ? __SK_DROP : __SK_PASS;
}

/* Return: 1 by the ring, 0 by TCP, -EACCES. */
static int send_verdict(struct sock *sk, struct vmc_flow *flow, const struct vmc_tx *tx)
{
	if (flow->verdict_bytes >= tx->len) {
		flow->verdict_bytes -= tx->len;
		return flow->verdict_ring;
	}
	if (send_run_program(sk, flow, tx) == __SK_DROP)
		return -EACCES;
	return flow->verdict_ring;
}

/*
 * By TCP.
 */

static int send_tcp(struct sock *sk, struct vmc_flow *flow, struct msghdr *msg, size_t size,
		    enum vmc_reason why)
{
	int ret;

	/* TCP's space is what it asks for, not the ring's. */
	WRITE_ONCE(flow->tcp_sender, current);
	ret = tcp_sendmsg_locked(sk, msg, size);
	WRITE_ONCE(flow->tcp_sender, NULL);
	/* All that we sent by the ring is behind us. */
	if (flow->has_used_ring && !READ_ONCE(flow->tx_pages))
		flow->has_used_ring = false;
	if (ret > 0) {
		vmc_stat_add(tx_tcp_bytes, ret);
		vmc_stat_reason(why, ret);
		trace_vmc_send_tcp(flow, ret, why);
	}
	return ret;
}

/* Of a message that goes on by the ring when something moves, or when the flow is bound. */
#define SEND_STALLED_BYTES SZ_64K
#define SEND_UNBOUND_BYTES SZ_1M

/* Return: as send_some(). */
static int send_tcp_piece(struct sock *sk, struct vmc_flow *flow, struct msghdr *msg, size_t size,
			  enum vmc_reason why, long *timeo)
{
	size_t left = msg_data_left(msg);
	u32 flags = msg->msg_flags;
	int ret;

	size = min(size, left);
	msg->msg_flags |= MSG_DONTWAIT;
	iov_iter_truncate(&msg->msg_iter, size);
	ret = send_tcp(sk, flow, msg, size, why);
	iov_iter_reexpand(&msg->msg_iter, left - max(ret, 0));
	msg->msg_flags = flags;
	/* What is left of the time-out counts, not all of it for each piece. */
	return ret == -EAGAIN ? sk_stream_wait_memory(sk, timeo) : ret;
}

/*
 * The program let bytes pass that are copied already: send just these. Without
 * waiting, since the pages may go while the socket is not locked.
 */
static int send_tcp_copied(struct sock *sk, struct vmc_flow *flow, const struct vmc_tx *tx,
			   int flags)
{
	struct bio_vec bvec[VMC_MAX_SEGS];
	struct msghdr msg = { .msg_flags = (flags & ~MSG_SPLICE_PAGES) | MSG_DONTWAIT };
	u32 i;

	for (i = 0; i < tx->nr_segs; i++)
		bvec_set_page(&bvec[i], flow->queue->own.data[tx->seg[i].page], tx->seg[i].len,
			      tx->seg[i].off);
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, bvec, tx->nr_segs, tx->len);
	return send_tcp(sk, flow, &msg, tx->len, VMC_REASON_SEND_VERDICT);
}

/*
 * By the ring.
 */

/* Copy 1 of 2: the user's bytes into the pages that the peer maps. */
static u32 send_copy(struct vmc_queue *q, const struct vmc_tx *tx, struct iov_iter *from)
{
	u32 copied = 0;
	u32 i;

	for (i = 0; i < tx->nr_segs; i++) {
		const struct vmc_tx_seg *seg = &tx->seg[i];
		size_t n = copy_page_from_iter(q->own.data[seg->page], seg->off, seg->len, from);

		copied += n;
		if (n < seg->len)
			break;
	}
	return copied;
}

/* The bytes are in place: by the program's verdict to the ring or to TCP. */
static int send_filled(struct sock *sk, struct vmc_flow *flow, struct vmc_tx *tx, int flags)
{
	u32 seq = tcp_sk(sk)->write_seq;
	u32 len = tx->len;
	int ret;

	ret = send_verdict(sk, flow, tx);
	if (ret > 0) {
		/* The owner of the socket publishes first: what comes back waits. */
		if (vmc_tx_commit(flow->queue, flow, tx, seq)) {
			flow->has_used_ring = true;
			WRITE_ONCE(flow->ring_end, seq + len);
			send_advance(sk, flow, len);
			vmc_path_refresh(flow);
			return len;
		}
		__vmc_flow_close(flow, VMC_REASON_CHAN_CLOSED);
		return 0;
	}
	if (!ret)
		ret = send_tcp_copied(sk, flow, tx, flags);
	vmc_tx_abort(flow->queue, tx);
	return ret == -EAGAIN ? SEND_WAIT : ret;
}

/* Return: bytes sent, 0 to try again, or -errno; SEND_WAIT: no space. */
static int send_ring(struct sock *sk, struct vmc_flow *flow, struct msghdr *msg)
{
	struct vmc_queue *q = flow->queue;
	struct vmc_tx tx;
	u32 copied;
	int ret;

	ret = vmc_tx_reserve(q, flow, msg_data_left(msg), &tx);
	if (ret == -EAGAIN)
		return SEND_WAIT;
	if (ret) {
		__vmc_flow_close(flow, VMC_REASON_CHAN_CLOSED);
		return 0;
	}
	copied = send_copy(q, &tx, &msg->msg_iter);
	if (copied < tx.len) {
		/* As tcp_sendmsg() does: of a piece with a fault nothing goes. */
		iov_iter_revert(&msg->msg_iter, copied);
		vmc_tx_abort(q, &tx);
		return -EFAULT;
	}
	ret = send_filled(sk, flow, &tx, msg->msg_flags);
	/* What did not go is still the caller's. */
	iov_iter_revert(&msg->msg_iter, copied - max(ret, 0));
	return ret;
}

static void send_ask_ack(struct sock *sk, struct vmc_flow *flow)
{
	struct vmc_record rec = { .type = VMC_REC_ACKREQ };

	rec.flow = cpu_to_le32(flow->peer_handle);
	rec.seq = cpu_to_le32(tcp_sk(sk)->write_seq);
	vmc_tx_control(flow->queue, &rec);
}

/*
 * A tail that TCP keeps back for more to come (MSG_MORE, TCP_CORK) would be kept
 * until its timer: waiting for it, we wait for ourselves. Lets go of the socket
 * lock for a moment.
 */
static void send_uncork(struct sock *sk, struct vmc_flow *flow)
{
	bool is_corked;

	if (!tcp_send_head(sk))
		return;
	flow->is_corked |= tcp_sk(sk)->nonagle & TCP_NAGLE_CORK;
	is_corked = flow->is_corked;
	release_sock(sk);
	tcp_sock_set_cork(sk, false);
	lock_sock(sk);
	/* The hold may have ended meanwhile, and the cork been put back before we took it off. */
	if (is_corked && flow->hold != VMC_HOLD_FOR_TCP)
		tcp_sk(sk)->nonagle |= TCP_NAGLE_CORK;
}

static void send_hold(struct sock *sk, struct vmc_flow *flow, enum vmc_hold hold)
{
	if (flow->hold == hold)
		return;
	WRITE_ONCE(flow->hold, hold);
	vmc_space_restart_stall(flow);
	vmc_stat_inc(tx_holds);
	if (hold == VMC_HOLD_FOR_TCP) {
		send_uncork(sk, flow);
		send_ask_ack(sk, flow);
	}
}

/* A connection that is only a question and an answer is better off by TCP. */
#define SEND_WORTH_BYTES    SZ_16K
#define SEND_WORTH_MESSAGES 2

static bool send_is_worth(const struct vmc_flow *flow, size_t size)
{
	return flow->nr_sends >= SEND_WORTH_MESSAGES || size >= SEND_WORTH_BYTES;
}

/*
 * The peer has adopted its end for sure when it has acknowledged bytes, or has
 * connected to us.
 */
static bool send_peer_is_ready(const struct sock *sk, const struct vmc_flow *flow)
{
	return !flow->is_active || tcp_sk(sk)->snd_una != flow->iss + 1;
}

static void send_consider_ring(struct sock *sk, struct vmc_flow *flow, size_t size)
{
	if (vmc_flow_state(flow) == VMC_FLOW_OPENING && send_is_worth(flow, size) &&
	    send_peer_is_ready(sk, flow))
		vmc_flow_want(flow);
}

/* One step on. Return: bytes sent, 0 to try again, or -errno; SEND_WAIT. */
static int send_some(struct sock *sk, struct vmc_flow *flow, struct msghdr *msg, long *timeo)
{
	enum vmc_reason why;

	switch (send_route(sk, flow, msg, &why)) {
	case SEND_RING:
		vmc_flow_end_hold(flow);
		return send_ring(sk, flow, msg);
	case SEND_HOLD_TCP:
		send_hold(sk, flow, VMC_HOLD_FOR_TCP);
		return SEND_WAIT;
	case SEND_HOLD_RING:
		send_hold(sk, flow, VMC_HOLD_FOR_RING);
		return SEND_WAIT;
	case SEND_TCP_STALLED:
		return send_tcp_piece(sk, flow, msg, SEND_STALLED_BYTES, why, timeo);
	default:
		vmc_flow_end_hold(flow);
		if (why == VMC_REASON_SEND_UNBOUND || why == VMC_REASON_SEND_STARVED)
			return send_tcp_piece(sk, flow, msg, SEND_UNBOUND_BYTES, why, timeo);
		return send_tcp(sk, flow, msg, msg_data_left(msg), why);
	}
}

/*
 * Wait until vmc_stream_memory_free(), which asks for the same as send_route() and
 * vmc_tx_reserve() do: whoever is told to wait is going to be woken.
 * Not sk_stream_wait_memory(): space that came since counts there as a shortage of
 * memory, for which it sleeps up to a fifth of a second.
 */
static int send_wait(struct sock *sk, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	vmc_stat_inc(tx_waits);
	add_wait_queue(sk_sleep(sk), &wait);
	sk_set_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	smp_mb__after_atomic(); /* pairs with tcp_check_space() */
	if (sk_stream_memory_free(sk)) {
		/* It has come meanwhile. Were that wrong, nobody else is to suffer. */
		sk_flush_backlog(sk);
		cond_resched();
		if (fatal_signal_pending(current))
			err = -EINTR;
	} else if (!*timeo) {
		err = -EAGAIN;
	} else if (signal_pending(current)) {
		err = sock_intr_errno(*timeo);
	} else {
		sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
		sk->sk_write_pending++;
		/* Broken, and maybe connected anew, by another thread: as tcp_sendmsg() has it. */
		if (sk_wait_event(sk, timeo,
				  READ_ONCE(sk->sk_err) ||
					  READ_ONCE(sk->sk_shutdown) & SEND_SHUTDOWN ||
					  sk_stream_memory_free(sk),
				  &wait) < 0)
			err = -EPIPE;
		sk->sk_write_pending--;
	}
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* Adopted anew while its writer slept, the socket has another flow. */
static struct vmc_flow *send_renew_flow(struct sock *sk, struct vmc_flow *old)
{
	struct vmc_flow *flow = vmc_flow_of(sk);

	if (!flow)
		return old;
	vmc_flow_get(flow);
	flow->nr_sends++;
	vmc_flow_put(old);
	return flow;
}

/* @held: a reference, to another flow at the end if the socket has another. */
static int send_all(struct sock *sk, struct vmc_flow **held, struct msghdr *msg)
{
	long timeo = sock_sndtimeo(sk, msg->msg_flags & MSG_DONTWAIT);
	int copied = 0;
	int ret = 0;

	sk_clear_bit(SOCKWQ_ASYNC_NOSPACE, sk);
	while (msg_data_left(msg)) {
		ret = -EPIPE;
		if (sk->sk_err || sk->sk_shutdown & SEND_SHUTDOWN)
			break;
		if (unlikely((*held)->is_detached))
			*held = send_renew_flow(sk, *held);
		send_consider_ring(sk, *held, msg_data_left(msg));
		ret = send_some(sk, *held, msg, &timeo);
		if (ret > 0)
			copied += ret;
		else if (ret == SEND_WAIT)
			ret = send_wait(sk, &timeo);
		if (ret < 0)
			break;
	}
	if (!copied)
		return ret < 0 ? sk_stream_error(sk, msg->msg_flags, ret) : 0;
	/* TCP has reported the error to us; it is the next caller's. */
	if (ret == -ECONNRESET || ret == -ETIMEDOUT || ret == -EHOSTUNREACH)
		WRITE_ONCE(sk->sk_err, -ret);
	return copied;
}

/**
 * vmc_sendmsg() - proto->sendmsg of adopted sockets
 * @sk: the socket
 * @msg: the message
 * @size: its length in bytes
 */
int vmc_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)
{
	struct vmc_flow *flow;
	int ret;

	lock_sock(sk);
	flow = vmc_flow_of(sk);
	if (!flow || !size) {
		ret = tcp_sendmsg_locked(sk, msg, size);
	} else {
		/* Another thread may give the socket back while this one waits. */
		vmc_flow_get(flow);
		flow->nr_sends++;
		ret = send_all(sk, &flow, msg);
		vmc_flow_put(flow);
	}
	release_sock(sk);
	return ret;
}

static bool flow_may_write(const struct sock *sk, struct vmc_flow *flow, int wake)
{
	enum vmc_hold hold = READ_ONCE(flow->hold);

	if (vmc_space_has_stalled(flow) || READ_ONCE(flow->tcp_sender) == current)
		return tcp_stream_memory_free(sk, wake);
	if (hold == VMC_HOLD_FOR_RING)
		return send_has_drained_ring(flow);
	if (send_why_not_flow(sk, flow) != VMC_REASON_NONE)
		return tcp_stream_memory_free(sk, wake);
	if (hold == VMC_HOLD_FOR_TCP)
		return vmc_space_has_drained_tcp(flow->queue, flow);
	if (!vmc_tcp_is_drained(tcp_sk(sk)) || vmc_space_is_starved(flow->queue, flow))
		return tcp_stream_memory_free(sk, wake);
	return vmc_space_has_room(flow->queue, flow);
}

/**
 * vmc_stream_memory_free() - may a writer go on? Who gets "no" is woken later
 * @sk: the socket
 * @wake: as for tcp_stream_memory_free()
 *
 * Context: any but hardirq; by sk_stream_wait_memory(), tcp_poll() and
 * sk_stream_write_space().
 */
bool vmc_stream_memory_free(const struct sock *sk, int wake)
{
	struct vmc_flow *flow;
	bool is_free;

	rcu_read_lock();
	flow = vmc_flow_of(sk);
	is_free = flow ? flow_may_write(sk, flow, wake) : tcp_stream_memory_free(sk, wake);
	rcu_read_unlock();
	return is_free;
}
