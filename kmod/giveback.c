// SPDX-License-Identifier: GPL-2.0-only
/*
 * A socket goes back to TCP for good, while its peer may be sending by the ring: for
 * a ULP such as TLS, which puts its own proto on the socket, for TCP_REPAIR, which
 * wants to see all of the connection in the control block. STOP asks the peer to send
 * by TCP from now on; STOPPED comes behind its last byte.
 */
#include <linux/bpf.h>
#include <linux/delay.h>
#include <linux/skmsg.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "../include/vmc/bpf.h"
#include "flow.h"
#include "giveback.h"
#include "handshake.h"
#include "proto.h"
#include "queue.h"
#include "rx.h"
#include "tx.h"

/* A peer that is paused does not answer. */
#define GIVEBACK_TRIES 1000 /* of half a millisecond to one */

static void giveback_send(struct vmc_flow *flow, u8 type)
{
	struct vmc_record rec = { .type = type };

	rec.flow = cpu_to_le32(flow->peer_handle);
	rec.seq = cpu_to_le32(tcp_sk(flow->sk)->write_seq);
	vmc_tx_control(flow->queue, &rec);
}

/**
 * vmc_rx_stop() - the peer wants no more records with bytes
 * @flow: the flow
 *
 * A writer that owns the socket may be about to publish its last.
 *
 * Context: the queue's worker; socket's spinlock held.
 */
void vmc_rx_stop(struct vmc_flow *flow)
{
	__vmc_flow_close(flow, VMC_REASON_PEER_STOPPED);
	flow->wants_stopped = true;
	if (!sock_owned_by_user(flow->sk))
		vmc_giveback_answer(flow);
	vmc_flow_write_space(flow);
}

/**
 * vmc_giveback_answer() - tell the peer that no byte comes by the ring any more
 * @flow: the flow, CLOSED
 *
 * Context: socket's spinlock held, nobody is publishing.
 */
void vmc_giveback_answer(struct vmc_flow *flow)
{
	flow->wants_stopped = false;
	giveback_send(flow, VMC_REC_STOPPED);
}

/* Nothing of the stream is in the ring, and nothing will be. */
static bool giveback_is_quiet(const struct sock *sk, struct vmc_flow *flow)
{
	if (flow->is_detached || flow->has_left || sk->sk_state == TCP_CLOSE)
		return true;
	return (READ_ONCE(flow->has_stopped) || sock_flag(sk, SOCK_DONE)) &&
	       skb_queue_empty_lockless(&flow->rx_pending);
}

/* Bound, or never going to be. An offer that is under way has to be answered first. */
static bool giveback_is_settled(const struct sock *sk, struct vmc_flow *flow)
{
	return vmc_flow_seal(flow) || vmc_flow_state(flow) != VMC_FLOW_OPENING;
}

/* Lets go of the socket lock meanwhile. Rare enough to look again and again. */
static int giveback_wait(struct sock *sk, struct vmc_flow *flow,
			 bool (*is_done)(const struct sock *sk, struct vmc_flow *flow))
{
	int tries = GIVEBACK_TRIES;

	while (!is_done(sk, flow)) {
		if (!tries--)
			return -EBUSY;
		release_sock(sk);
		usleep_range(500, 1000);
		lock_sock(sk);
	}
	return 0;
}

static bool giveback_is_socks_map(const struct bpf_map *map)
{
	return map->map_type == BPF_MAP_TYPE_SOCKHASH && map->key_size == sizeof(u64) &&
	       !strcmp(map->name, VMC_SOCKS_MAP);
}

/* The map stays while the socket, which we own, is in it. */
static struct bpf_map *giveback_find_map(struct sk_psock *psock)
{
	struct sk_psock_link *link;
	struct bpf_map *map = NULL;

	spin_lock_bh(&psock->link_lock);
	list_for_each_entry(link, &psock->link, list)
		if (giveback_is_socks_map(link->map))
			map = link->map;
	spin_unlock_bh(&psock->link_lock);
	return map;
}

/*
 * With its program the socket loses its sk_psock, unless it is in other maps, too: not
 * everybody wants a socket that has one.
 */
static void giveback_leave_maps(struct sock *sk)
{
	u64 cookie = atomic64_read(&sk->sk_cookie);
	struct sk_psock *psock;
	struct bpf_map *map;

	rcu_read_lock();
	/* A map that is being freed deletes no more: then it is left by that. */
	do {
		psock = sk_psock(sk);
		map = psock ? giveback_find_map(psock) : NULL;
	} while (map && !map->ops->map_delete_elem(map, &cookie));
	rcu_read_unlock();
}

static int giveback_stop_peer(struct sock *sk, struct vmc_flow *flow)
{
	int err = giveback_wait(sk, flow, giveback_is_settled);

	if (err || !flow->peer_handle)
		return err;
	__vmc_flow_close(flow, VMC_REASON_GIVEN_BACK);
	giveback_send(flow, VMC_REC_STOP);
	return giveback_wait(sk, flow, giveback_is_quiet);
}

/**
 * vmc_giveback() - give a socket back, with all bytes that the peer has sent
 * @sk: the socket
 *
 * Nothing if it has no flow. From now on, bytes go by TCP, also on failure.
 *
 * Context: process; takes the socket lock.
 * Return: 0; -EBUSY: the peer does not answer.
 */
int vmc_giveback(struct sock *sk)
{
	struct vmc_flow *flow;
	int err = 0;

	lock_sock(sk);
	/* While the lock was let go, a flow that had left its channel may have been replaced. */
	while (!err && (flow = vmc_flow_of(sk))) {
		vmc_flow_get(flow);
		err = giveback_stop_peer(sk, flow);
		if (!err && vmc_flow_of(sk) == flow) {
			giveback_leave_maps(sk);
			vmc_proto_give_back(sk);
		}
		vmc_flow_put(flow);
	}
	release_sock(sk);
	return err;
}
