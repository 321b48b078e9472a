/* SPDX-License-Identifier: GPL-2.0-only */
/* Binding a flow: both ends prove that they have the same TCP connection. */
#ifndef VMC_HANDSHAKE_H
#define VMC_HANDSHAKE_H

struct vmc_flow;
struct vmc_queue;
struct vmc_record;

void vmc_handshake_offer(struct vmc_flow *flow);
void vmc_handshake_close(struct vmc_flow *flow);
int vmc_rx_open(struct vmc_queue *q, const struct vmc_record *rec);
int vmc_rx_accept(struct vmc_queue *q, const struct vmc_record *rec);
int vmc_rx_reject(struct vmc_queue *q, const struct vmc_record *rec);

#endif
