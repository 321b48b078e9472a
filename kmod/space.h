/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMC_SPACE_H
#define VMC_SPACE_H

#include <net/tcp.h>

struct vmc_flow;
struct vmc_queue;
struct work_struct;

/* Slots that data leaves free for the control records of flows. */
#define VMC_CTRL_SLOTS 16

/* What else than pages a flow may wait for. */
#define VMC_WAIT_ROOM  U32_MAX
#define VMC_WAIT_TCP   (U32_MAX - 1) /* all that went by TCP is acknowledged */

bool vmc_space_has_room(struct vmc_queue *q, struct vmc_flow *flow);
bool vmc_space_is_starved(struct vmc_queue *q, struct vmc_flow *flow);
bool vmc_space_has_drained(struct vmc_queue *q, struct vmc_flow *flow, u32 bytes);
bool vmc_space_has_drained_tcp(struct vmc_queue *q, struct vmc_flow *flow);
bool vmc_space_has_stalled(struct vmc_flow *flow);
void vmc_space_restart_stall(struct vmc_flow *flow);
void vmc_space_set_window(struct vmc_queue *q, struct vmc_flow *flow, u32 bytes);
void vmc_space_forget(struct vmc_queue *q, struct vmc_flow *flow);

/* For tx.c and queue.c. */
int __vmc_space_reap(struct vmc_queue *q);
bool __vmc_space_has_room(struct vmc_queue *q, struct vmc_flow *flow);
void vmc_space_unlock(struct vmc_queue *q) __releases(&q->tx_lock);
int vmc_space_serve(struct vmc_queue *q);
void vmc_space_wake_all(struct vmc_queue *q);
void vmc_space_stall_work(struct work_struct *work);

/* All that went by TCP is sent and acknowledged. Context: any. */
static inline bool vmc_tcp_is_drained(const struct tcp_sock *tp)
{
	return READ_ONCE(tp->write_seq) == READ_ONCE(tp->snd_una);
}

#endif
