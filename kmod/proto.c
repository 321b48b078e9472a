// SPDX-License-Identifier: GPL-2.0-only
/*
 * The proto of adopted sockets: TCP's own with what the flow must see. Everything
 * that reads (recvmsg, poll, ioctl, splice) is in the end TCP's own code, for the
 * bytes stand in the receive queue with their sequence numbers.
 *
 * A socket gets our proto before it enters the SOCKHASH, so that sockmap stacks on
 * top of us and asks our psock_update_sk_prot, with these two variants:
 *
 *   base      no sk_psock: no program, hence no verdict, bytes go by TCP
 *   program   with sk_psock: close and destroy go by sockmap, which then calls base's
 */
#include <linux/skmsg.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/transp_v6.h>

#include "flow.h"
#include "giveback.h"
#include "proto.h"
#include "queue.h"
#include "rx.h"
#include "tx.h"

enum { PROTO_BASE, PROTO_PROGRAM, PROTO_VARIANTS };

static struct proto protos[2][PROTO_VARIANTS]; /* [is_v6] */

static bool proto_is_v6(const struct sock *sk)
{
	return sk->sk_family == AF_INET6;
}

static struct proto *proto_stock(const struct sock *sk)
{
	return proto_is_v6(sk) ? &tcpv6_prot : &tcp_prot;
}

/* Is the socket's proto TCP's own? Then nobody else has stacked upon it. */
bool vmc_proto_is_stock(const struct sock *sk)
{
	return sk->sk_protocol == IPPROTO_TCP && READ_ONCE(sk->sk_prot) == proto_stock(sk);
}

/* Has the socket been adopted, and not been given back? */
bool vmc_proto_is_ours(const struct sock *sk)
{
	const struct proto *proto = READ_ONCE(sk->sk_prot);

	return sk->sk_protocol == IPPROTO_TCP && (proto == &protos[proto_is_v6(sk)][PROTO_BASE] ||
						  proto == &protos[proto_is_v6(sk)][PROTO_PROGRAM]);
}

/* Is the socket in a SOCKHASH with a program? */
bool vmc_proto_has_program(const struct sock *sk)
{
	return READ_ONCE(sk->sk_prot) == &protos[proto_is_v6(sk)][PROTO_PROGRAM];
}

/*
 * Ends of a stream. The real FIN and RST go by TCP and may overtake what is in the
 * ring. The peer's TCP keeps an early FIN while it is within its window; beyond,
 * it would drop it, so the ring carries the FIN as well, behind the last byte. An
 * early RST is answered by a challenge ACK to a socket that is gone (RFC 5961), so
 * the ring always carries it.
 */

static void proto_send_flag(struct vmc_flow *flow, u32 seq, u8 flag)
{
	struct vmc_record rec = { .type = VMC_REC_DATA, .flags = flag };

	rec.flow = cpu_to_le32(flow->peer_handle);
	rec.seq = cpu_to_le32(seq);
	vmc_tx_control(flow->queue, &rec);
}

static bool proto_can_send_fin(const struct sock *sk)
{
	return (1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT);
}

static bool proto_fin_may_be_early(const struct sock *sk, const struct vmc_flow *flow)
{
	return flow->has_used_ring && vmc_flow_bytes_in_ring(flow) > tcp_sk(sk)->snd_wnd / 2;
}

/* Will tcp_close() reset the connection? (RFC 2525 2.17, SO_LINGER 0) */
static bool proto_close_resets(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	const struct sk_buff *last = skb_peek_tail(&sk->sk_receive_queue);

	if (sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime)
		return true;
	return last && before(tp->copied_seq, TCP_SKB_CB(last)->end_seq -
						      !!(TCP_SKB_CB(last)->tcp_flags & TCPHDR_FIN));
}

static void vmc_close(struct sock *sk, long timeout)
{
	const struct proto *stock = proto_stock(sk);
	struct vmc_flow *flow;
	bool sends_fin = false;
	u32 seq = 0;

	lock_sock(sk);
	flow = vmc_flow_of(sk);
	if (flow) {
		/* Keeps the socket, too. */
		vmc_flow_get(flow);
		seq = tcp_sk(sk)->write_seq;
		if (flow->has_used_ring && proto_can_send_fin(sk)) {
			if (proto_close_resets(sk))
				proto_send_flag(flow, seq, VMC_DATA_RST);
			else
				sends_fin = proto_fin_may_be_early(sk, flow);
		}
	}
	release_sock(sk);

	stock->close(sk, timeout);
	if (!flow)
		return;
	if (sends_fin)
		proto_send_flag(flow, seq, VMC_DATA_FIN);
	vmc_flow_put(flow);
}

static void vmc_shutdown(struct sock *sk, int how)
{
	struct vmc_flow *flow = vmc_flow_of(sk);
	u32 seq = tcp_sk(sk)->write_seq;
	bool sends_fin;

	sends_fin = how & SEND_SHUTDOWN && flow && proto_can_send_fin(sk) &&
		    proto_fin_may_be_early(sk, flow);
	proto_stock(sk)->shutdown(sk, how);
	if (sends_fin)
		proto_send_flag(flow, seq, VMC_DATA_FIN);
}

/**
 * vmc_proto_stock_rcv() - let TCP process a segment
 * @sk: the socket
 * @skb: the segment, as sk->sk_backlog_rcv takes it; it is consumed
 *
 * Context: socket's spinlock held, BH off.
 */
void vmc_proto_stock_rcv(struct sock *sk, struct sk_buff *skb)
{
	proto_stock(sk)->backlog_rcv(sk, skb);
}

/* sk->sk_backlog_rcv, which the owner of a socket calls when he lets go of it. */
static int vmc_backlog_rcv(struct sock *sk, struct sk_buff *skb)
{
	struct vmc_flow *flow;
	int ret;

	/* To the end, as in softirq: the flow, which holds the module, may go meanwhile. */
	rcu_read_lock();
	flow = vmc_flow_of(sk);
	if (flow)
		vmc_rx_before_backlog(flow);
	ret = proto_stock(sk)->backlog_rcv(sk, skb);
	rcu_read_unlock();
	return ret;
}

static void vmc_destroy(struct sock *sk)
{
	struct vmc_flow *flow;

	rcu_read_lock();
	flow = vmc_flow_of(sk);
	/* What is queued points into the channel's pages. */
	__skb_queue_purge(&sk->sk_receive_queue);
	WRITE_ONCE(sk->sk_prot, proto_stock(sk));
	sk->sk_backlog_rcv = proto_stock(sk)->backlog_rcv;
	if (flow)
		vmc_flow_detach(flow, VMC_REASON_SOCKET_GONE);
	rcu_read_unlock();
	proto_stock(sk)->destroy(sk);
}

static int vmc_disconnect(struct sock *sk, int flags)
{
	vmc_proto_give_back(sk);
	return READ_ONCE(sk->sk_prot)->disconnect(sk, flags);
}

/*
 * Kernel code that takes over a program's socket (iscsi_tcp) puts its own into
 * sk_user_data, without a look at what is there.
 */
static bool proto_lost_psock(const struct sock *sk)
{
	return vmc_proto_has_program(sk) && sk->sk_user_data && !sk_psock(sk);
}

/* Without its psock, sockmap would not close the socket. Its bytes go by TCP. */
static void proto_leave_program(struct sock *sk)
{
	write_lock(&sk->sk_callback_lock);
	if (proto_lost_psock(sk))
		WRITE_ONCE(sk->sk_prot, &protos[proto_is_v6(sk)][PROTO_BASE]);
	write_unlock(&sk->sk_callback_lock);
}

static void vmc_release_cb(struct sock *sk)
{
	struct vmc_flow *flow;

	rcu_read_lock();
	if (unlikely(proto_lost_psock(sk)))
		proto_leave_program(sk);
	flow = vmc_flow_of(sk);
	if (flow)
		vmc_rx_release_cb(flow);
	rcu_read_unlock();
	/* Behind ours: what came by the ring may be TCP's to acknowledge. */
	proto_stock(sk)->release_cb(sk);
}

/*
 * Whoever wants a proto of his own on this socket gets it without ours: TLS and
 * other ULPs, and the change of an IPv4-mapped IPv6 socket to IPv4. So does who wants
 * to take the connection elsewhere.
 */
static int vmc_setsockopt(struct sock *sk, int level, int name, sockptr_t val, unsigned int len)
{
	struct vmc_flow *flow;

	if (level == SOL_TCP && name == TCP_CORK) {
		/* The user's word counts, also when we hold. */
		lock_sock(sk);
		flow = vmc_flow_of(sk);
		if (flow)
			flow->is_corked = false;
		release_sock(sk);
	}
	if ((level == SOL_TCP && (name == TCP_ULP || name == TCP_REPAIR)) ||
	    (level == SOL_IPV6 && name == IPV6_ADDRFORM)) {
		int err = vmc_giveback(sk);

		if (err)
			return err;
	}
	return proto_stock(sk)->setsockopt(sk, level, name, val, len);
}

/*
 * Another sockmap's programs on what is received: with them, bytes leave TCP's queue,
 * and our recvmsg is TCP's. So the socket is theirs, unless it has a flow that is
 * bound: to give that back may sleep.
 *
 * Context: socket locked, RCU.
 */
static int proto_yield_to_psock(struct sock *sk)
{
	struct vmc_flow *flow = vmc_flow_of(sk);

	/* A BPF program that updates a map does not wait for the owner, who may be in our proto. */
	if (sock_owned_by_user_nocheck(sk) && softirq_count())
		return -EOPNOTSUPP;
	if (!flow || !vmc_flow_seal(flow))
		return -EOPNOTSUPP;
	/* Stacks the psock upon TCP's own proto. */
	vmc_proto_give_back(sk);
	return 0;
}

/*
 * Not sock_replace_proto(): it takes io_uring's zero-copy sends from the socket, for
 * protos that can't do them. Ours copies, or leaves them to TCP.
 *
 * Context: sk_callback_lock held for @restore, the socket lock otherwise.
 */
static int vmc_psock_update_sk_prot(struct sock *sk, struct sk_psock *psock, bool restore)
{
	if (restore) {
		WRITE_ONCE(sk->sk_write_space, psock->saved_write_space);
		/* The socket may have been given back meanwhile. */
		if (vmc_proto_has_program(sk))
			WRITE_ONCE(sk->sk_prot, psock->sk_proto);
		return 0;
	}
	if (psock->progs.stream_parser || psock->progs.stream_verdict || psock->progs.skb_verdict)
		return proto_yield_to_psock(sk);
	WRITE_ONCE(sk->sk_prot, &protos[proto_is_v6(sk)][PROTO_PROGRAM]);
	return 0;
}

static noinline void proto_first_recvmsg(struct sock *sk)
{
	struct vmc_flow *flow;

	lock_sock(sk);
	flow = vmc_flow_of(sk);
	if (flow)
		vmc_sock_ops_attach(sk, flow);
	release_sock(sk);
}

static int vmc_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len)
{
	/* Neither of these says that nobody is asleep in TCP's own splice. */
	if (unlikely(!vmc_sock_ops_are_ours(sk)) && !(flags & (MSG_ERRQUEUE | MSG_PEEK)))
		proto_first_recvmsg(sk);
	return proto_stock(sk)->recvmsg(sk, msg, len, flags, addr_len);
}

/* Maps pages of the receive queue into a program: none of the peer's. */
static int vmc_getsockopt(struct sock *sk, int level, int name, char __user *val, int __user *len)
{
	if (level == SOL_TCP && name == TCP_ZEROCOPY_RECEIVE) {
		struct vmc_flow *flow;

		lock_sock(sk);
		flow = vmc_flow_of(sk);
		if (flow)
			vmc_rx_want_copies(flow);
		release_sock(sk);
	}
	return proto_stock(sk)->getsockopt(sk, level, name, val, len);
}

/**
 * vmc_proto_attach() - give a stock TCP socket our proto; one that has it keeps it
 * @sk: the socket
 *
 * Context: socket locked; its flow can be found.
 */
void vmc_proto_attach(struct sock *sk)
{
	sk->sk_backlog_rcv = vmc_backlog_rcv;
	if (vmc_proto_is_stock(sk))
		WRITE_ONCE(sk->sk_prot, &protos[proto_is_v6(sk)][PROTO_BASE]);
}

/* The sk_psock that sockmap has put upon us shall stand upon TCP's own proto. */
static void proto_restack_psock(struct sock *sk, struct sk_psock *psock)
{
	struct proto *stock = proto_stock(sk);

	write_lock_bh(&sk->sk_callback_lock);
	psock->sk_proto = stock;
	psock->saved_unhash = stock->unhash;
	psock->saved_destroy = stock->destroy;
	psock->saved_close = stock->close;
	psock->psock_update_sk_prot = stock->psock_update_sk_prot;
	WRITE_ONCE(sk->sk_prot, stock);
	stock->psock_update_sk_prot(sk, psock, false);
	write_unlock_bh(&sk->sk_callback_lock);
}

/* The socket's proto becomes TCP's own again. Context: socket locked; its flow is going. */
static void proto_detach(struct sock *sk)
{
	struct sk_psock *psock = sk_psock_get(sk);

	vmc_remember_given_back(sk);
	vmc_sock_ops_detach(sk);
	/* IPv6's takes segments of IPv4, too. */
	sk->sk_backlog_rcv = proto_stock(sk)->backlog_rcv;
	if (psock) {
		proto_restack_psock(sk, psock);
		sk_psock_put(sk, psock);
	} else {
		/* A psock that is just going may be putting our proto back. */
		write_lock_bh(&sk->sk_callback_lock);
		WRITE_ONCE(sk->sk_prot, proto_stock(sk));
		write_unlock_bh(&sk->sk_callback_lock);
	}
}

/* What has come goes into the receive queue, and into this guest's memory. */
static void proto_take_out(struct sock *sk, struct vmc_flow *flow)
{
	if (!flow->peer_handle)
		return;
	spin_lock_bh(&sk->sk_lock.slock);
	vmc_rx_release_cb(flow);
	spin_unlock_bh(&sk->sk_lock.slock);
	vmc_rx_copy_out(sk);
}

/**
 * vmc_proto_give_back() - the socket becomes TCP's own again and has no flow
 * @sk: the socket
 *
 * Nothing if it is already. Bytes that the peer still sends by the ring are lost,
 * which it learns: vmc_giveback() sees to it that there are none.
 *
 * Context: socket locked; process, unless the flow has just been opened.
 */
void vmc_proto_give_back(struct sock *sk)
{
	struct vmc_flow *flow = vmc_flow_of(sk);

	if (!flow)
		return;
	proto_take_out(sk, flow);
	proto_detach(sk);
	vmc_flow_detach(flow, VMC_REASON_GIVEN_BACK);
}

static void proto_build(struct proto variants[PROTO_VARIANTS], const struct proto *stock)
{
	struct proto *base = &variants[PROTO_BASE];
	struct proto *program = &variants[PROTO_PROGRAM];

	*base = *stock;
	base->close = vmc_close;
	base->disconnect = vmc_disconnect;
	base->destroy = vmc_destroy;
	base->shutdown = vmc_shutdown;
	base->setsockopt = vmc_setsockopt;
	base->getsockopt = vmc_getsockopt;
	base->recvmsg = vmc_recvmsg;
	base->sendmsg = vmc_sendmsg;
	base->stream_memory_free = vmc_stream_memory_free;
	base->release_cb = vmc_release_cb;
	base->psock_update_sk_prot = vmc_psock_update_sk_prot;

	*program = *base;
	program->close = sock_map_close;
	program->destroy = sock_map_destroy;
}

void vmc_proto_init(void)
{
	proto_build(protos[false], &tcp_prot);
	proto_build(protos[true], &tcpv6_prot);
}
