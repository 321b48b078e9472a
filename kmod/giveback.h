/* SPDX-License-Identifier: GPL-2.0-only */
/* Giving a socket back to TCP in mid-stream. */
#ifndef VMC_GIVEBACK_H
#define VMC_GIVEBACK_H

struct sock;
struct vmc_flow;

int vmc_giveback(struct sock *sk);
void vmc_rx_stop(struct vmc_flow *flow);
void vmc_giveback_answer(struct vmc_flow *flow);

#endif
