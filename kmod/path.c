// SPDX-License-Identifier: GPL-2.0-only
/*
 * What stateful firewalls on the way must think of a connection whose bytes they
 * do not see: that it is alive, and that segments far beyond the last one they saw
 * belong to it. Those of this guest are told; the ones of dom0 are the operator's.
 */
#include <linux/module.h>
#include <linux/netfilter.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_l4proto.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/tcp.h>

#include "flow.h"
#include "path.h"

/* Well below any sane time-out of an established connection. */
#define PATH_REFRESH_INTERVAL (10 * HZ)

#if IS_ENABLED(CONFIG_NF_CONNTRACK)

static void path_fill_tuple(struct nf_conntrack_tuple *t, const struct sock *sk)
{
	memset(t, 0, sizeof(*t));
	if (sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr)) {
		t->src.l3num = AF_INET6;
		t->src.u3.in6 = sk->sk_v6_rcv_saddr;
		t->dst.u3.in6 = sk->sk_v6_daddr;
	} else {
		t->src.l3num = AF_INET;
		t->src.u3.ip = sk->sk_rcv_saddr;
		t->dst.u3.ip = sk->sk_daddr;
	}
	t->src.u.tcp.port = htons(sk->sk_num);
	t->dst.u.tcp.port = sk->sk_dport;
	t->dst.protonum = IPPROTO_TCP;
}

static void path_be_liberal(const struct sock *sk)
{
	/* nf_conntrack need not be there. */
	typeof(nf_conntrack_find_get) *find = (void *)__symbol_get("nf_conntrack_find_get");
	struct nf_conntrack_tuple_hash *hash;
	struct nf_conntrack_tuple tuple;
	struct nf_conn *ct;

	if (!find)
		return;
	path_fill_tuple(&tuple, sk);
	hash = find(sock_net(sk), &nf_ct_zone_dflt, &tuple);
	if (hash) {
		ct = nf_ct_tuplehash_to_ctrack(hash);
		nf_ct_set_tcp_be_liberal(ct);
		nf_conntrack_put(&ct->ct_general);
	}
	__symbol_put("nf_conntrack_find_get");
}

#else

static void path_be_liberal(const struct sock *sk)
{
}

#endif

/**
 * vmc_path_open() - the ring is going to carry bytes of the flow
 * @flow: the flow, about to be BOUND
 *
 * nf_conntrack, if it tracks the connection, no longer judges its segments by the
 * window. Entries made later are picked up in mid-stream, which makes them so.
 *
 * Context: socket's spinlock held.
 */
void vmc_path_open(struct vmc_flow *flow)
{
	flow->path_stamp = tcp_jiffies32;
	path_be_liberal(flow->sk);
}

/**
 * vmc_path_refresh() - bytes go by the ring: show the path, at times, a segment
 * @flow: the flow
 *
 * Otherwise a connection that is busy by the ring looks idle, and its entry in a
 * firewall times out.
 *
 * Context: socket lock held.
 */
void vmc_path_refresh(struct vmc_flow *flow)
{
	if (likely(tcp_jiffies32 - flow->path_stamp < PATH_REFRESH_INTERVAL))
		return;
	flow->path_stamp = tcp_jiffies32;
	vmc_path_send_ack(flow->sk);
}

/**
 * vmc_path_send_ack() - send a segment that acknowledges what has been received
 * @sk: the socket, synchronised
 *
 * Context: socket lock held, or its spinlock.
 */
void vmc_path_send_ack(struct sock *sk)
{
	struct tcp_sock *tp = tcp_sk(sk);

	/* tcp_mstamp_refresh() */
	tp->tcp_clock_cache = tcp_clock_ns();
	tp->tcp_mstamp = div_u64(tp->tcp_clock_cache, NSEC_PER_USEC);
#ifdef VMC_TCP_SEND_ACK_HAS_FLAGS
	__tcp_send_ack(sk, tp->rcv_nxt, 0);
#else
	__tcp_send_ack(sk, tp->rcv_nxt);
#endif
}
