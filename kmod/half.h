/* SPDX-License-Identifier: GPL-2.0-only */
/* One side's pages of a queue: the half that it writes and the other reads. */
#ifndef VMC_HALF_H
#define VMC_HALF_H

#include <linux/mm_types.h>

#include "../include/vmc/wire.h"

/*
 * @pages holds record pages, return pages and data pages, in this order, which
 * is also that of the directory. The arrays below point into it.
 */
struct vmc_half {
	struct page *head;
	struct page **dir;
	struct page **pages;
	u32 nr_dir;
	u32 nr_pages;
	u32 nr_records;
	u32 nr_returns;
	u32 nr_data;

	struct vmc_record **records; /* address a record page */
	__le32 **returns;	     /* address a return page */
	struct page **data;
};

int vmc_half_init(struct vmc_half *half, u32 nr_records, u32 nr_returns, u32 nr_data);
int vmc_half_alloc_pages(struct vmc_half *half);
void vmc_half_point(struct vmc_half *half);
void vmc_half_exit(struct vmc_half *half);
void vmc_half_free_pages(struct vmc_half *half);

#endif
