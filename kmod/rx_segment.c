// SPDX-License-Identifier: GPL-2.0-only
/*
 * The long way into a socket: bytes or a flag of the stream as a TCP segment, as
 * if IP had delivered it. Used for what is rare, and where TCP's own judgement is
 * wanted: out-of-order queue, FIN, RST, shut or orphaned sockets, socket filters.
 */
#include <linux/filter.h>
#include <net/ipv6.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "proto.h"
#include "rx.h"

/* Payload of one segment, as GRO would make it. */
#define RX_SEGMENT_LEN 8192u

static void segment_fill_ip(struct sk_buff *skb, const struct sock *sk, bool is_v6)
{
	const struct inet_sock *inet = inet_sk(sk);

	skb_reset_network_header(skb);
	if (is_v6) {
		struct ipv6hdr *ip6 = skb_put_zero(skb, sizeof(*ip6));

		ip6->version = 6;
		ip6->nexthdr = IPPROTO_TCP;
		ip6->hop_limit = 64;
		ip6->saddr = sk->sk_v6_daddr;
		ip6->daddr = sk->sk_v6_rcv_saddr;
		skb->protocol = htons(ETH_P_IPV6);
	} else {
		struct iphdr *ip = skb_put_zero(skb, sizeof(*ip));

		ip->version = 4;
		ip->ihl = 5;
		ip->ttl = 64;
		ip->protocol = IPPROTO_TCP;
		ip->saddr = inet->inet_daddr;
		ip->daddr = inet->inet_rcv_saddr;
		skb->protocol = htons(ETH_P_IP);
	}
}

static void segment_fill_tcp(struct sk_buff *skb, const struct sock *sk, u32 seq, u8 flags)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	struct tcphdr *th = skb_put_zero(skb, sizeof(*th));

	skb->transport_header = (unsigned char *)th - skb->head;
	th->source = inet_sk(sk)->inet_dport;
	th->dest = inet_sk(sk)->inet_sport;
	th->seq = htonl(seq);
	th->ack_seq = htonl(tp->snd_una);
	th->doff = sizeof(*th) / 4;
	th->ack = 1;
	th->fin = !!(flags & TCPHDR_FIN);
	th->rst = !!(flags & TCPHDR_RST);
	th->window = htons(min_t(u32, tp->snd_wnd >> tp->rx_opt.snd_wscale, U16_MAX));
}

/* What tcp_v4_rcv() or tcp_v6_rcv() leaves in the control buffer. */
static void segment_fill_cb(struct sk_buff *skb, const struct sock *sk, u32 seq, u32 len, u8 flags)
{
	struct tcp_skb_cb *cb = TCP_SKB_CB(skb);

	memset(skb->cb, 0, sizeof(skb->cb));
	cb->seq = seq;
	cb->end_seq = seq + len + !!(flags & TCPHDR_FIN);
	cb->ack_seq = tcp_sk(sk)->snd_una;
	/* For TCP's estimate of the peer's MSS. */
	if (len > tcp_sk(sk)->advmss) {
		skb_shinfo(skb)->gso_size = tcp_sk(sk)->advmss;
		skb_shinfo(skb)->gso_segs = DIV_ROUND_UP(len, tcp_sk(sk)->advmss);
	}
	cb->tcp_flags = flags | TCPHDR_ACK;
	vmc_rx_stamp(skb, sk);
	skb->skb_iif = sk->sk_rx_dst_ifindex;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
}

/* Return: false if a socket filter drops the segment, or leaves nothing of its bytes. */
static bool segment_pass_filter(struct sock *sk, struct sk_buff *skb)
{
	u32 len = skb->len;

	/* An RST of ours tells of bytes that are lost: not for a filter to judge. */
	if (likely(!rcu_access_pointer(sk->sk_filter)) || tcp_hdr(skb)->rst)
		return true;
	if (sk_filter_trim_cap(sk, skb, sizeof(struct tcphdr)))
		return false;
	TCP_SKB_CB(skb)->end_seq -= len - skb->len;
	return skb->len == len || skb->len > sizeof(struct tcphdr);
}

static struct sk_buff *segment_alloc(const struct sock *sk, u32 seq, u32 len, u8 flags)
{
	bool is_v6 = sk->sk_family == AF_INET6 && !ipv6_addr_v4mapped(&sk->sk_v6_daddr);
	u32 ip_len = is_v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr);
	struct sk_buff *skb;

	skb = alloc_skb(ip_len + sizeof(struct tcphdr) + len, GFP_ATOMIC | __GFP_NOWARN);
	if (!skb)
		return NULL;
	skb_reset_mac_header(skb);
	segment_fill_ip(skb, sk, is_v6);
	segment_fill_tcp(skb, sk, seq, flags);
	segment_fill_cb(skb, sk, seq, len, flags);
	__skb_pull(skb, ip_len);
	return skb;
}

/**
 * __vmc_rx_segment() - let TCP process what of a record is at or behind rcv_nxt
 * @sk: the socket
 * @data: bytes, or none and a flag; TCP_SKB_CB has seq, end_seq and tcp_flags. It
 *	stays the caller's.
 *
 * TCP may refuse bytes (zero window, no memory, a filter); rcv_nxt tells how far it
 * went.
 *
 * Context: BH off, socket's spinlock held.
 * Return: false if there was no memory for a segment.
 */
bool __vmc_rx_segment(struct sock *sk, struct sk_buff *data)
{
	const struct tcp_sock *tp = tcp_sk(sk);
	u32 first = TCP_SKB_CB(data)->seq;
	u8 flags = TCP_SKB_CB(data)->tcp_flags;
	u32 off = data->len ? tp->rcv_nxt - first : 0;

	if (off > data->len)
		return true;
	do {
		u32 len = min(data->len - off, RX_SEGMENT_LEN);
		struct sk_buff *skb = segment_alloc(sk, first + off, len, flags);

		if (!skb)
			return false;
		if (len && skb_copy_bits(data, off, skb_put(skb, len), len)) {
			kfree_skb(skb);
			return false;
		}
		if (!segment_pass_filter(sk, skb)) {
			kfree_skb(skb);
			return true;
		}
		vmc_proto_stock_rcv(sk, skb);
		off += len;
	} while (off < data->len && sk->sk_state != TCP_CLOSE && tp->rcv_nxt == first + off);
	return true;
}
