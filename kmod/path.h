/* SPDX-License-Identifier: GPL-2.0-only */
/* The network's view of a connection that goes by the ring. */
#ifndef VMC_PATH_H
#define VMC_PATH_H

struct sock;
struct vmc_flow;

void vmc_path_open(struct vmc_flow *flow);
void vmc_path_refresh(struct vmc_flow *flow);
void vmc_path_send_ack(struct sock *sk);

#endif
