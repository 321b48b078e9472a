// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whoever sets SO_RCVBUF says how much may be written ahead of him. By TCP its window
 * tells the sender; for the ring, WINDOW does. Without SO_RCVBUF, what the sender's
 * pool gives is the window.
 */
#include <net/sock.h>

#include "flow.h"
#include "queue.h"
#include "space.h"
#include "tx.h"
#include "window.h"

static u32 window_of(const struct sock *sk)
{
	/* Half of what setsockopt() has doubled is for the kernel's overhead: socket(7). */
	return sk->sk_userlocks & SOCK_RCVBUF_LOCK ? READ_ONCE(sk->sk_rcvbuf) / 2 : U32_MAX;
}

/**
 * vmc_window_tell() - tell the peer how much may wait for this program, if that is new
 * @flow: the flow, whose peer has proved itself
 *
 * Context: socket's spinlock held.
 */
void vmc_window_tell(struct vmc_flow *flow)
{
	struct vmc_record rec = { .type = VMC_REC_WINDOW };
	u32 window = window_of(flow->sk);

	if (likely(window == flow->told_window))
		return;
	flow->told_window = window;
	rec.flow = cpu_to_le32(flow->peer_handle);
	rec.window = cpu_to_le32(window);
	vmc_tx_control(flow->queue, &rec);
}

/**
 * vmc_rx_window() - the peer tells how much may wait for its program
 * @q: the queue
 * @flow: the flow
 * @rec: the record; any number will do
 *
 * Context: the queue's worker, under RCU.
 */
void vmc_rx_window(struct vmc_queue *q, struct vmc_flow *flow, const struct vmc_record *rec)
{
	vmc_space_set_window(q, flow, le32_to_cpu(rec->window));
}
