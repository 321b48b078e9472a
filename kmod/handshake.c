// SPDX-License-Identifier: GPL-2.0-only
/*
 * Binding a flow. Either side offers it (OPEN) when it finds that the connection
 * is more than one question and answer; the other answers ACCEPT or REJECT. The
 * peer has adopted its end by then: the side that accepted was established last,
 * and the side that connected waits until some of its bytes are acknowledged. (Not
 * of a connection that was adopted in mid-stream: that is offered again.) If both
 * offer at once, each binds by the other's offer.
 *
 * The address that made us adopt the socket is a hint that may be wrong, so an
 * offer must not give away to a stranger what lets it into the connection. Each
 * record therefore carries, in place of the two initial sequence numbers, a
 * SipHash of the 4-tuple keyed by them: only the other end of the connection can
 * check it or make the answer.
 */
#include <linux/siphash.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "chan.h"
#include "flow.h"
#include "handshake.h"
#include "path.h"
#include "queue.h"
#include "stats.h"
#include "trace.h"
#include "tx.h"
#include "window.h"

/* The key's second half: no answer is an offer sent back. */
#define PROOF_OPEN   0x766d632d6f70656eULL /* "vmc-open" */
#define PROOF_ACCEPT 0x766d632d61636370ULL /* "vmc-accp" */

/* @iss, @irs: of the record's sender, whose view @tuple is. */
static __le64 handshake_proof(const struct vmc_tuple *tuple, u32 iss, u32 irs, u64 kind)
{
	const siphash_key_t key = { { (u64)iss << 32 | irs, kind } };
	/* siphash() may want its data aligned. */
	struct vmc_tuple t __aligned(SIPHASH_ALIGNMENT) = *tuple;

	return cpu_to_le64(siphash(&t, sizeof(t), &key));
}

/* Both ends come to the same queue, whoever offers. */
static struct vmc_queue *handshake_choose_queue(const struct vmc_flow *flow)
{
	return &flow->chan->queues[(flow->iss ^ flow->irs) % flow->chan->nr_queues];
}

/**
 * vmc_handshake_offer() - offer a flow to the peer
 * @flow: the flow
 *
 * Context: chan->lock held, the channel is CONNECTED.
 */
void vmc_handshake_offer(struct vmc_flow *flow)
{
	struct vmc_record rec = { .type = VMC_REC_OPEN };

	lockdep_assert_held(&flow->chan->lock);
	rec.seq = cpu_to_le32(READ_ONCE(tcp_sk(flow->sk)->rcv_nxt));
	rec.open.handle = cpu_to_le32(flow->handle);
	rec.open.tuple = flow->key.tuple;
	rec.open.proof = handshake_proof(&flow->key.tuple, flow->iss, flow->irs, PROOF_OPEN);
	flow->is_offered = true;
	vmc_tx_control(handshake_choose_queue(flow), &rec);
}

/* The owner of the socket may close the flow at the same moment: false then. */
static bool handshake_bind(struct vmc_flow *flow)
{
	/* A full barrier; pairs with vmc_flow_state(). */
	if (cmpxchg(&flow->state, VMC_FLOW_OPENING, VMC_FLOW_BOUND) != VMC_FLOW_OPENING)
		return false;
	vmc_stat_inc(flows_bound);
	trace_vmc_flow_state(flow);
	vmc_window_tell(flow);
	return true;
}

static void handshake_reverse(struct vmc_tuple *to, const struct vmc_tuple *from)
{
	memcpy(to->saddr, from->daddr, sizeof(to->saddr));
	memcpy(to->daddr, from->saddr, sizeof(to->daddr));
	to->sport = from->dport;
	to->dport = from->sport;
}

static void handshake_accept(struct vmc_flow *flow, __le32 seq)
{
	struct vmc_record rec = { .type = VMC_REC_ACCEPT };

	rec.flow = cpu_to_le32(flow->peer_handle);
	rec.seq = seq;
	rec.open.handle = cpu_to_le32(flow->handle);
	rec.open.tuple = flow->key.tuple;
	rec.open.proof = handshake_proof(&flow->key.tuple, flow->iss, flow->irs, PROOF_ACCEPT);
	vmc_tx_control(flow->queue, &rec);
}

static void handshake_send_close(struct vmc_queue *q, __le32 peer_handle, __le32 seq)
{
	struct vmc_record rec = { .type = VMC_REC_CLOSE, .flow = peer_handle, .seq = seq };

	vmc_tx_control(q, &rec);
}

static void handshake_reject(struct vmc_queue *q, __le32 handle)
{
	struct vmc_record rec = { .type = VMC_REC_REJECT, .flow = handle };

	vmc_tx_control(q, &rec);
}

/*
 * By the peer's offer. It may send by the ring as soon as it sees the answer, so the
 * flow is not to be given back in between: vmc_flow_seal().
 *
 * Return: false if it has been closed.
 */
static bool handshake_take_offer(struct vmc_flow *flow, struct vmc_queue *q,
				 const struct vmc_record *rec)
{
	struct vmc_chan *chan = flow->chan;
	bool is_opening;

	vmc_path_open(flow);
	spin_lock_bh(&chan->lock);
	is_opening = flow->state == VMC_FLOW_OPENING;
	if (is_opening) {
		flow->queue = q;
		flow->peer_handle = le32_to_cpu(rec->open.handle);
		/* In the ring before any byte of the flow. */
		handshake_accept(flow, rec->seq);
		if (!handshake_bind(flow))
			vmc_handshake_close(flow);
	}
	spin_unlock_bh(&chan->lock);
	return is_opening;
}

/**
 * vmc_rx_open() - the peer offers a flow
 * @q: the queue
 * @rec: the record, checked by vmc_record_check()
 *
 * Context: the queue's worker, under RCU.
 * Return: 0.
 */
int vmc_rx_open(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_flow_key key = { .peer = q->chan->peer };
	struct vmc_flow *flow;
	bool is_known = false;

	handshake_reverse(&key.tuple, &rec->open.tuple);
	flow = vmc_flow_by_key(&key);
	if (flow && flow->chan == q->chan && handshake_choose_queue(flow) == q &&
	    rec->open.proof ==
		    handshake_proof(&rec->open.tuple, flow->irs, flow->iss, PROOF_OPEN)) {
		bh_lock_sock(flow->sk);
		/* BOUND: our offers have crossed, and it is the peer who answers. */
		is_known = rec->open.handle && flow->state != VMC_FLOW_CLOSED;
		if (is_known && flow->state == VMC_FLOW_OPENING)
			is_known = handshake_take_offer(flow, q, rec);
		bh_unlock_sock(flow->sk);
	}
	if (!is_known)
		handshake_reject(q, rec->open.handle);
	return 0;
}

/**
 * vmc_rx_accept() - the peer took our offer
 * @q: the queue
 * @rec: the record, checked by vmc_record_check()
 *
 * Context: the queue's worker, under RCU.
 * Return: 0.
 */
int vmc_rx_accept(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_flow *flow = vmc_flow_by_handle(q->chan, le32_to_cpu(rec->flow));
	struct vmc_tuple tuple;

	/* It has gone since it made the offer: what the peer sends from here on is
	 * lost, which it must know. We had received up to the offer's seq.
	 */
	if (!flow || flow->is_detached) {
		handshake_send_close(q, rec->open.handle, rec->seq);
		return 0;
	}
	if (handshake_choose_queue(flow) != q)
		return 0;
	handshake_reverse(&tuple, &flow->key.tuple);
	bh_lock_sock(flow->sk);
	/* As above, and only now it went. */
	if (flow->is_detached && !flow->peer_handle)
		handshake_send_close(q, rec->open.handle, rec->seq);
	if (flow->state != VMC_FLOW_OPENING)
		goto out;
	if (rec->open.handle &&
	    rec->open.proof == handshake_proof(&tuple, flow->irs, flow->iss, PROOF_ACCEPT)) {
		vmc_path_open(flow);
		flow->queue = q;
		flow->peer_handle = le32_to_cpu(rec->open.handle);
		if (!handshake_bind(flow))
			vmc_handshake_close(flow);
	} else {
		vmc_stat_inc(flows_rejected);
		__vmc_flow_close(flow, VMC_REASON_REJECTED);
	}
out:
	bh_unlock_sock(flow->sk);
	return 0;
}

/**
 * vmc_rx_reject() - the peer does not know the connection, or not yet
 * @q: the queue
 * @rec: the record, checked by vmc_record_check()
 *
 * Context: the queue's worker, under RCU.
 * Return: 0.
 */
int vmc_rx_reject(struct vmc_queue *q, const struct vmc_record *rec)
{
	struct vmc_flow *flow = vmc_flow_by_handle(q->chan, le32_to_cpu(rec->flow));

	if (!flow || handshake_choose_queue(flow) != q)
		return 0;
	bh_lock_sock(flow->sk);
	if (flow->state == VMC_FLOW_OPENING) {
		vmc_stat_inc(flows_rejected);
		vmc_flow_postpone(flow);
	}
	bh_unlock_sock(flow->sk);
	return 0;
}

/**
 * vmc_handshake_close() - tell the peer that this socket takes no more records
 * @flow: the flow
 *
 * Nothing needs to be said to a peer whose stream has ended by FIN.
 *
 * Context: the socket is locked, or dead.
 */
void vmc_handshake_close(struct vmc_flow *flow)
{
	if (!flow->peer_handle || sock_flag(flow->sk, SOCK_DONE))
		return;
	handshake_send_close(flow->queue, cpu_to_le32(flow->peer_handle),
			     cpu_to_le32(tcp_sk(flow->sk)->rcv_nxt));
}
