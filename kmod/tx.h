/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMC_TX_H
#define VMC_TX_H

#include "../include/vmc/wire.h"

struct vmc_flow;
struct vmc_queue;

#define VMC_MAX_CTRL 1024 /* control records that wait for a slot */

/* Where the bytes of a record under construction go. */
struct vmc_tx_seg {
	u32 page;
	u16 off;
	u16 len;
};

struct vmc_tx {
	u32 nr_segs;
	u32 len;
	struct vmc_tx_seg seg[VMC_MAX_SEGS];
};

int vmc_tx_reserve(struct vmc_queue *q, struct vmc_flow *flow, size_t want, struct vmc_tx *tx);
bool vmc_tx_commit(struct vmc_queue *q, struct vmc_flow *flow, struct vmc_tx *tx, u32 seq);
void vmc_tx_abort(struct vmc_queue *q, struct vmc_tx *tx);
bool vmc_tx_is_drained(struct vmc_queue *q);
bool vmc_tx_has_passed(struct vmc_queue *q, u32 *mark);
void vmc_tx_control(struct vmc_queue *q, const struct vmc_record *rec);

/* For space.c. */
void __vmc_tx_flush_control(struct vmc_queue *q);

#endif
