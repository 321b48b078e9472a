// SPDX-License-Identifier: GPL-2.0-only
/* Flows: adoption of a socket, look-up, end. */
#include <linux/module.h>
#include <linux/rhashtable.h>
#include <net/inet_sock.h>
#include <net/tcp.h>

#include "chan.h"
#include "flow.h"
#include "giveback.h"
#include "handshake.h"
#include "proto.h"
#include "queue.h"
#include "requeue.h"
#include "rx.h"
#include "space.h"
#include "stats.h"
#include "trace.h"

static const struct rhashtable_params flow_sock_params = {
	.key_len = sizeof(struct sock *),
	.key_offset = offsetof(struct vmc_flow, sk),
	.head_offset = offsetof(struct vmc_flow, sock_node),
	.automatic_shrinking = true,
};

static const struct rhashtable_params flow_key_params = {
	.key_len = sizeof(struct vmc_flow_key),
	.key_offset = offsetof(struct vmc_flow, key),
	.head_offset = offsetof(struct vmc_flow, key_node),
	.automatic_shrinking = true,
};

static struct rhashtable flows_by_sk;
static struct rhashtable flows_by_key;

int vmc_flows_init(void)
{
	int err;

	err = rhashtable_init(&flows_by_sk, &flow_sock_params);
	if (err)
		return err;
	err = rhashtable_init(&flows_by_key, &flow_key_params);
	if (err)
		rhashtable_destroy(&flows_by_sk);
	return err;
}

/* Each flow held a reference to the module: there is none left but in RCU. */
void vmc_flows_exit(void)
{
	rcu_barrier();
	rhashtable_destroy(&flows_by_key);
	rhashtable_destroy(&flows_by_sk);
}

static void flow_fill_key(struct vmc_flow_key *key, const struct sock *sk, u32 peer)
{
	struct in6_addr *saddr = (struct in6_addr *)key->tuple.saddr;
	struct in6_addr *daddr = (struct in6_addr *)key->tuple.daddr;

	key->peer = peer;
	if (sk->sk_family == AF_INET6) {
		*saddr = sk->sk_v6_rcv_saddr;
		*daddr = sk->sk_v6_daddr;
	} else {
		ipv6_addr_set_v4mapped(sk->sk_rcv_saddr, saddr);
		ipv6_addr_set_v4mapped(sk->sk_daddr, daddr);
	}
	key->tuple.sport = htons(sk->sk_num);
	key->tuple.dport = sk->sk_dport;
}

static bool flow_has_md5(const struct tcp_sock *tp)
{
#ifdef CONFIG_TCP_MD5SIG
	return rcu_access_pointer(tp->md5sig_info);
#else
	return false;
#endif
}

static bool flow_has_ao(const struct tcp_sock *tp)
{
#ifdef CONFIG_TCP_AO
	return rcu_access_pointer(tp->ao_info);
#else
	return false;
#endif
}

/* What we leave to TCP: everything that somebody else has a hand in. */
static enum vmc_reason flow_why_not(const struct sock *sk)
{
	const struct tcp_sock *tp = tcp_sk(sk);

	if (sk_is_mptcp(sk))
		return VMC_REASON_REFUSED_MPTCP;
	if (inet_csk_has_ulp(sk))
		return VMC_REASON_REFUSED_ULP;
	/* The kernel's own sockets have their own ideas of sk_user_data. */
	if (sk->sk_kern_sock)
		return VMC_REASON_REFUSED_KERNEL;
	/* Somebody is about to make it his own, or has broken its connection (AF_UNSPEC). */
	if (vmc_was_given_back(sk))
		return VMC_REASON_REFUSED_GIVEN_BACK;
	/* sk_user_data of a socket of ours is the psock of its sk_msg program. */
	if (!vmc_proto_is_ours(sk) && (!vmc_proto_is_stock(sk) || sk->sk_user_data))
		return VMC_REASON_REFUSED_OWNED;
	if (tp->repair)
		return VMC_REASON_REFUSED_REPAIR;
	if (tp->syn_fastopen || tp->syn_data)
		return VMC_REASON_REFUSED_FASTOPEN;
	if (flow_has_md5(tp))
		return VMC_REASON_REFUSED_MD5;
	return flow_has_ao(tp) ? VMC_REASON_REFUSED_AO : VMC_REASON_NONE;
}

/* Return: 0 or -EOPNOTSUPP. */
static int flow_refuse(const struct sock *sk, u32 peer, enum vmc_reason reason)
{
	if (reason == VMC_REASON_NONE)
		return 0;
	vmc_stat_reason(reason, 1);
	trace_vmc_sock_refused(sk, peer, reason);
	return -EOPNOTSUPP;
}

struct flow_start {
	/* How the connection began: what both ends know, and no one else. */
	u32 iss;
	u32 irs;
	bool is_active;
	bool wants_copies; /* as the socket's last flow */
};

/*
 * TCP forgets its initial sequence numbers, but not how many bytes went since then.
 * bytes_acked counts the SYN of the side that connected, and no other. The two
 * accounts don't agree for a socket that was put together by TCP_REPAIR.
 */
static bool flow_recover_start(const struct sock *sk, struct flow_start *start)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 by_acked = tp->snd_una - (u32)tp->bytes_acked;

	start->iss = tp->snd_nxt - 1 - (u32)(tp->bytes_sent - tp->bytes_retrans);
	start->irs = tp->rcv_nxt - 1 - (u32)tp->bytes_received;
	start->is_active = by_acked == start->iss;
	return start->is_active || by_acked - 1 == start->iss;
}

/* Doesn't wait for a socket's owner: he does the same when he lets go. */
static void flow_drain_work(struct work_struct *work)
{
	struct vmc_flow *flow = container_of(to_delayed_work(work), struct vmc_flow, drain_work);
	struct sock *sk = flow->sk;

	rcu_read_lock();
	spin_lock_bh(&sk->sk_lock.slock);
	if (!sock_owned_by_user_nocheck(sk) && !flow->is_detached)
		vmc_rx_release_cb(flow);
	spin_unlock_bh(&sk->sk_lock.slock);
	rcu_read_unlock();
	vmc_flow_put(flow);
}

/**
 * vmc_flow_drain_later() - vmc_rx_release_cb() has something to do in a while
 * @flow: the flow, under RCU
 * @delay: jiffies; it may come sooner, for another's sake
 *
 * Context: any but hardirq.
 */
void vmc_flow_drain_later(struct vmc_flow *flow, unsigned long delay)
{
	if (!refcount_inc_not_zero(&flow->refcnt))
		return;
	if (!queue_delayed_work(vmc_wq, &flow->drain_work, delay))
		vmc_flow_put(flow);
}

static struct vmc_flow *flow_alloc(struct sock *sk, struct vmc_chan *chan,
				   const struct flow_start *start)
{
	struct vmc_flow *flow = kzalloc(sizeof(*flow), GFP_ATOMIC | __GFP_NOWARN);

	if (!flow)
		return NULL;
	refcount_set(&flow->refcnt, 1);
	flow->sk = sk;
	flow->chan = chan;
	flow_fill_key(&flow->key, sk, chan->peer);
	flow->iss = start->iss;
	flow->irs = start->irs;
	flow->is_active = start->is_active;
	flow->offer_after = jiffies;
	flow->max_pages = U32_MAX;
	flow->told_window = U32_MAX;
	flow->drained_wup = tcp_sk(sk)->rcv_wup;
	flow->cur_page = U32_MAX;
	flow->wants_copies = start->wants_copies;
	flow->state = VMC_FLOW_OPENING;
	flow->reason = VMC_REASON_NONE;
	INIT_LIST_HEAD(&flow->chan_node);
	INIT_LIST_HEAD(&flow->wait);
	__skb_queue_head_init(&flow->rx_pending);
	INIT_DELAYED_WORK(&flow->drain_work, flow_drain_work);
	return flow;
}

/* In the place of @old, if there is one: that does not fail. */
static int flow_insert_by_sk(struct vmc_flow *flow, struct vmc_flow *old)
{
	return old ? rhashtable_replace_fast(&flows_by_sk, &old->sock_node, &flow->sock_node,
					     flow_sock_params) :
		     rhashtable_insert_fast(&flows_by_sk, &flow->sock_node, flow_sock_params);
}

static int flow_insert(struct vmc_flow *flow, struct vmc_flow *old)
{
	struct vmc_chan *chan = flow->chan;
	int err;

	err = xa_alloc_cyclic_bh(&chan->handles, &flow->handle, flow, xa_limit_32b,
				 &chan->next_handle, GFP_ATOMIC);
	if (err < 0)
		return err;
	err = flow_insert_by_sk(flow, old);
	if (err)
		xa_erase_bh(&chan->handles, flow->handle);
	return err;
}

/* Undo flow_insert(). */
static void flow_take_back(struct vmc_flow *flow, struct vmc_flow *old)
{
	if (old)
		flow_insert_by_sk(old, flow);
	else
		rhashtable_remove_fast(&flows_by_sk, &flow->sock_node, flow_sock_params);
	xa_erase_bh(&flow->chan->handles, flow->handle);
}

/* The peer's offer may bind the flow from here on. */
static int flow_expose(struct vmc_flow *flow, struct vmc_flow *old)
{
	if (old && !memcmp(&old->key, &flow->key, sizeof(flow->key)))
		return rhashtable_replace_fast(&flows_by_key, &old->key_node, &flow->key_node,
					       flow_key_params);
	return rhashtable_insert_fast(&flows_by_key, &flow->key_node, flow_key_params);
}

/* From wherever it is in; another flow may have taken its place. */
static void flow_remove(struct vmc_flow *flow)
{
	rhashtable_remove_fast(&flows_by_sk, &flow->sock_node, flow_sock_params);
	rhashtable_remove_fast(&flows_by_key, &flow->key_node, flow_key_params);
	xa_erase_bh(&flow->chan->handles, flow->handle);
}

static int flow_join(struct vmc_flow *flow)
{
	struct vmc_chan *chan = flow->chan;
	int err = 0;

	spin_lock_bh(&chan->lock);
	if (chan->state == VMC_CHAN_CLOSED) {
		err = -ENOTCONN;
		goto out;
	}
	list_add_tail(&flow->chan_node, &chan->flows);
	chan->nr_flows++;
	vmc_flow_get(flow);
out:
	spin_unlock_bh(&chan->lock);
	return err;
}

/* Off the channel's list; its reference goes too. */
static void flow_unlink(struct vmc_flow *flow)
{
	struct vmc_chan *chan = flow->chan;
	bool was_linked;

	spin_lock_bh(&chan->lock);
	was_linked = !list_empty(&flow->chan_node);
	if (was_linked) {
		list_del_init(&flow->chan_node);
		chan->nr_flows--;
	}
	spin_unlock_bh(&chan->lock);
	if (was_linked)
		vmc_flow_put(flow);
}

static int flow_enter(struct vmc_flow *flow, struct vmc_flow *old)
{
	int err;

	err = flow_insert(flow, old);
	if (err)
		return err;
	err = flow_join(flow);
	if (err)
		goto err_take_back;
	err = flow_expose(flow, old);
	if (err)
		goto err_unlink;
	return 0;

err_unlink:
	flow_unlink(flow);
err_take_back:
	flow_take_back(flow, old);
	return err;
}

/*
 * @old: the socket's flow, which is over, or NULL. On error the socket is as it was, with
 * that: it may be adopted another time.
 */
static int flow_open(struct sock *sk, u32 peer, const struct flow_start *start,
		     struct vmc_flow *old)
{
	struct vmc_chan *chan;
	struct vmc_flow *flow;
	int err;

	chan = vmc_chan_lookup(peer);
	if (!chan)
		return -ENODEV;
	flow = flow_alloc(sk, chan, start);
	if (!flow) {
		vmc_chan_put(chan);
		return -ENOMEM;
	}
	sock_hold(sk);
	__module_get(THIS_MODULE);

	err = flow_enter(flow, old);
	if (err) {
		vmc_flow_put(flow);
		return err;
	}
	if (old)
		vmc_flow_detach(old, VMC_REASON_CHAN_CLOSED);
	vmc_proto_attach(sk);
	vmc_stat_inc(flows_opened);
	trace_vmc_flow_state(flow);
	return 0;
}

/**
 * vmc_flow_open() - adopt a socket at its establishment
 * @sk: the socket; locked, at ACTIVE or PASSIVE_ESTABLISHED of sockops
 * @peer: id of the channel that the remote address leads to
 * @is_active: we connected
 *
 * Context: softirq or process, under rcu_read_lock().
 * Return: 0; then the socket has our proto and TCP carries its bytes until the
 * flow is bound. -errno: the socket is as it was.
 */
int vmc_flow_open(struct sock *sk, u32 peer, bool is_active)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	/* Nothing but the SYN is acknowledged on either side at this moment. */
	const struct flow_start start = {
		.iss = tp->snd_una - 1,
		.irs = tp->rcv_nxt - 1,
		.is_active = is_active,
		.wants_copies = true,
	};

	if (vmc_proto_is_ours(sk))
		return -EOPNOTSUPP;
	return flow_refuse(sk, peer, flow_why_not(sk)) ?: flow_open(sk, peer, &start, NULL);
}

/* A flow that is over, and has nothing left to deliver. */
static bool flow_is_replaceable(const struct vmc_flow *flow)
{
	return flow->has_left && skb_queue_empty(&flow->rx_pending) && !flow->is_closed_by_peer;
}

/**
 * vmc_flow_adopt() - adopt a socket in mid-stream
 * @sk: the socket; owned by the caller
 * @peer: id of the channel that the remote address leads to
 *
 * Also one whose flow has left a channel that was closed. One that has a flow which
 * is in use keeps it.
 *
 * Context: process, under rcu_read_lock().
 * Return: as vmc_flow_open().
 */
int vmc_flow_adopt(struct sock *sk, u32 peer)
{
	struct vmc_flow *old = vmc_flow_of(sk);
	struct flow_start start;
	int err;

	if (old && !flow_is_replaceable(old))
		return 0;
	if (sk->sk_state != TCP_ESTABLISHED)
		return -EOPNOTSUPP;
	err = flow_refuse(sk, peer, flow_why_not(sk));
	if (err)
		return err;
	if (!flow_recover_start(sk, &start))
		return flow_refuse(sk, peer, VMC_REASON_REFUSED_HISTORY);
	start.wants_copies = !old || old->wants_copies;
	return flow_open(sk, peer, &start, old);
}

/**
 * vmc_flow_want() - the flow is worth the ring: offer it to the peer
 * @flow: the flow, OPENING
 *
 * At once or as soon as the channel is up; the first such flow of a channel makes
 * it connect. Nothing happens while an offer is under way, or too soon behind one
 * that was rejected.
 *
 * Context: socket lock held.
 */
void vmc_flow_want(struct vmc_flow *flow)
{
	struct vmc_chan *chan = flow->chan;

	spin_lock_bh(&chan->lock);
	if (!flow->is_wanted && time_after_eq(jiffies, flow->offer_after)) {
		flow->is_wanted = true;
		if (chan->state == VMC_CHAN_CONNECTED)
			vmc_handshake_offer(flow);
		else
			__vmc_chan_want(chan);
	}
	spin_unlock_bh(&chan->lock);
}

/* 20 ms at first, up to 80 s. */
#define FLOW_OFFER_INTERVAL  msecs_to_jiffies(20)
#define FLOW_OFFER_MAX_SHIFT 12

/**
 * vmc_flow_postpone() - the peer has not adopted its end; it may do so later
 * @flow: the flow, OPENING
 *
 * Then the peer's offer binds the flow, or ours when it is made again.
 *
 * Context: socket's spinlock held.
 */
void vmc_flow_postpone(struct vmc_flow *flow)
{
	struct vmc_chan *chan = flow->chan;
	u32 shift;

	spin_lock_bh(&chan->lock);
	shift = min_t(u32, flow->nr_rejects++, FLOW_OFFER_MAX_SHIFT);
	flow->offer_after = jiffies + (FLOW_OFFER_INTERVAL << shift);
	flow->is_wanted = false;
	flow->is_offered = false;
	spin_unlock_bh(&chan->lock);
}

/**
 * vmc_flow_of() - the flow of a socket
 * @sk: the socket
 *
 * Context: the caller holds the socket lock, or uses the flow under RCU only.
 * Return: the flow, without a reference, or NULL.
 */
struct vmc_flow *vmc_flow_of(const struct sock *sk)
{
	return rhashtable_lookup_fast(&flows_by_sk, &sk, flow_sock_params);
}

/* Under RCU; without a reference. */
struct vmc_flow *vmc_flow_by_handle(struct vmc_chan *chan, u32 handle)
{
	return xa_load(&chan->handles, handle);
}

/* Under RCU; without a reference. */
struct vmc_flow *vmc_flow_by_key(const struct vmc_flow_key *key)
{
	return rhashtable_lookup_fast(&flows_by_key, key, flow_key_params);
}

static void flow_free_rcu(struct rcu_head *rcu)
{
	struct vmc_flow *flow = container_of(rcu, struct vmc_flow, rcu);

	__skb_queue_purge(&flow->rx_pending);
	sock_put(flow->sk);
	vmc_chan_put(flow->chan);
	kfree(flow);
	module_put(THIS_MODULE);
}

/**
 * vmc_flow_put() - drop a reference
 * @flow: the flow
 *
 * Context: any but hardirq.
 */
void vmc_flow_put(struct vmc_flow *flow)
{
	if (refcount_dec_and_test(&flow->refcnt))
		call_rcu(&flow->rcu, flow_free_rcu);
}

/**
 * __vmc_flow_close() - the flow goes on by TCP only
 * @flow: the flow
 * @reason: why
 *
 * Bytes that we have published are the peer's to inject still, and bytes that it
 * publishes before it learns of this are still injected: order is TCP's.
 *
 * Context: socket's spinlock or ownership held.
 */
void __vmc_flow_close(struct vmc_flow *flow, enum vmc_reason reason)
{
	if (flow->state == VMC_FLOW_CLOSED)
		return;
	if (reason != VMC_REASON_SOCKET_GONE)
		vmc_stat_inc(flows_fallen_back);
	vmc_stat_reason(reason, 1);
	flow->reason = reason;
	/* The reason before the state; pairs with vmc_flow_state(). */
	smp_store_release(&flow->state, VMC_FLOW_CLOSED);
	trace_vmc_flow_state(flow);
}

/**
 * vmc_flow_seal() - a flow that is to be given back is not going to be bound
 * @flow: the flow
 *
 * Then the peer has sent nothing by the ring, and cannot. Not while our offer is
 * under way: bytes of the peer may be right behind its ACCEPT.
 *
 * Context: socket locked, by its spinlock or by its owner.
 * Return: false if the flow is bound, or may be by the answer that is to come.
 */
bool vmc_flow_seal(struct vmc_flow *flow)
{
	struct vmc_chan *chan = flow->chan;
	bool is_sealed;

	/* Whoever binds the flow holds it, too; the socket's owner does not keep him. */
	spin_lock_bh(&chan->lock);
	if (!flow->peer_handle && !flow->is_offered) {
		flow->is_wanted = false;
		__vmc_flow_close(flow, VMC_REASON_GIVEN_BACK);
	}
	is_sealed = !flow->peer_handle && flow->state == VMC_FLOW_CLOSED;
	spin_unlock_bh(&chan->lock);
	return is_sealed;
}

/* lock_sock(), unless somebody owns the socket. */
static bool flow_trylock_sock(struct sock *sk)
{
	bool is_owned;

	spin_lock_bh(&sk->sk_lock.slock);
	is_owned = sock_owned_by_user_nocheck(sk);
	if (!is_owned)
		sk->sk_lock.owned = 1;
	spin_unlock_bh(&sk->sk_lock.slock);
	if (!is_owned)
		mutex_acquire(&sk->sk_lock.dep_map, 0, 1, _RET_IP_);
	return !is_owned;
}

/**
 * vmc_flow_try_leave() - the flow leaves its channel, which is closing
 * @flow: the flow
 *
 * Bytes that lie in the peer's pages are copied out, so that they may go; those that
 * the peer has not taken are TCP's to send.
 *
 * Context: process. The queues have stopped.
 * Return: false if somebody owns the socket, who may do so for as long as a page
 * fault takes: come again.
 */
bool vmc_flow_try_leave(struct vmc_flow *flow)
{
	struct sock *sk = flow->sk;

	if (!flow_trylock_sock(sk))
		return false;
	flow_unlink(flow);
	__vmc_flow_close(flow, VMC_REASON_CHAN_CLOSED);
	vmc_rx_copy_out(sk);
	vmc_rx_copy_out_pending(&flow->rx_pending);
	vmc_requeue(sk, flow);
	flow->has_left = true;
	release_sock(sk);
	/* Whoever waits for the ring may go on by TCP. */
	vmc_flow_write_space(flow);
	return true;
}

/**
 * vmc_flow_end_hold() - the way has changed, or the flow goes: the user's cork is back
 * @flow: the flow
 *
 * Context: socket locked, or nobody else's any more.
 */
void vmc_flow_end_hold(struct vmc_flow *flow)
{
	WRITE_ONCE(flow->hold, VMC_HOLD_NONE);
	if (flow->is_corked)
		tcp_sk(flow->sk)->nonagle |= TCP_NAGLE_CORK;
	flow->is_corked = false;
}

/**
 * vmc_flow_detach() - the socket is being destroyed, given back, or gets another flow
 * @flow: the flow
 * @reason: which of them
 *
 * Context: softirq or process; the socket is locked or nobody else's any more.
 */
void vmc_flow_detach(struct vmc_flow *flow, enum vmc_reason reason)
{
	vmc_handshake_close(flow);
	__vmc_flow_close(flow, reason);
	/* The worker may have found the flow already; what it still puts into
	 * rx_pending goes with the flow.
	 */
	WRITE_ONCE(flow->is_detached, true);
	vmc_flow_end_hold(flow);
	if (flow->holds_edge)
		vmc_rx_free_left_edge(flow);
	flow_remove(flow);
	flow_unlink(flow);
	if (flow->queue)
		vmc_space_forget(flow->queue, flow);
	vmc_stat_inc(flows_closed);
	vmc_flow_put(flow);
}

/**
 * vmc_flow_write_space() - there is space for a writer of this flow, maybe
 * @flow: the flow
 *
 * Context: any but hardirq, no spinlock of ours held.
 */
void vmc_flow_write_space(struct vmc_flow *flow)
{
	struct sock *sk = flow->sk;

	/* It looks at sk->sk_socket under RCU, as if called from softirq. The socket may have
	 * been given back meanwhile, to TLS say, whose function and what that looks at go
	 * together: tls_sk_proto_close().
	 */
	rcu_read_lock();
	read_lock_bh(&sk->sk_callback_lock);
	sk->sk_write_space(sk);
	read_unlock_bh(&sk->sk_callback_lock);
	rcu_read_unlock();
}
