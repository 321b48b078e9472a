/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMC_REQUEUE_H
#define VMC_REQUEUE_H

struct sock;
struct vmc_flow;

void vmc_requeue(struct sock *sk, struct vmc_flow *flow);

#endif
