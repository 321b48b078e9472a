/* SPDX-License-Identifier: GPL-2.0-only */
/* Sharing a queue's halves by Xen grants. */
#ifndef VMC_GRANT_H
#define VMC_GRANT_H

#include <xen/grant_table.h>

struct vmc_half;

/* Grants of our half. INVALID_GRANT_REF: not granted. */
struct vmc_grants {
	grant_ref_t head;
	grant_ref_t *dir;
	grant_ref_t *pages;
};

/* Mappings of the peer's half; NULL or a handle a page of it. */
struct vmc_mapping;

int vmc_grant_half(struct vmc_half *half, domid_t domid, struct vmc_grants *grants);
bool vmc_grant_try_end(struct vmc_half *half, struct vmc_grants *grants);
void vmc_grant_end(struct vmc_half *half, struct vmc_grants *grants);

int vmc_map_half(struct vmc_half *half, domid_t domid, grant_ref_t head_ref,
		 struct vmc_mapping **mapping);
void vmc_unmap_half(struct vmc_half *half, struct vmc_mapping *mapping);

#endif
