/* SPDX-License-Identifier: GPL-2.0-only */
/* Giving a socket back to TCP in mid-stream, and what was given back. */
#ifndef VMC_GIVEBACK_H
#define VMC_GIVEBACK_H

#include <linux/types.h>

struct sock;
struct vmc_flow;

int vmc_giveback(struct sock *sk);
void vmc_rx_stop(struct vmc_flow *flow);
void vmc_giveback_answer(struct vmc_flow *flow);

/* given_back.c */
bool vmc_was_given_back(const struct sock *sk);
void vmc_remember_given_back(struct sock *sk);
void vmc_given_back_exit(void);

#endif
