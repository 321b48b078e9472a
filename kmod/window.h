/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMC_WINDOW_H
#define VMC_WINDOW_H

struct vmc_flow;
struct vmc_queue;
struct vmc_record;

void vmc_window_tell(struct vmc_flow *flow);
void vmc_rx_window(struct vmc_queue *q, struct vmc_flow *flow, const struct vmc_record *rec);

#endif
