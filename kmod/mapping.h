/* SPDX-License-Identifier: GPL-2.0-only */
/* The peer's half of a queue, mapped. */
#ifndef VMC_MAPPING_H
#define VMC_MAPPING_H

#include <xen/grant_table.h>

struct vmc_half;
struct vmc_mapping;

int vmc_map_half(struct vmc_half *half, domid_t domid, grant_ref_t head_ref,
		 struct vmc_mapping **mapping);
void vmc_unmap_half(struct vmc_half *half, struct vmc_mapping *mapping);

#endif
