/* SPDX-License-Identifier: GPL-2.0-only */
/* Our half of a queue, granted to the peer. */
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

int vmc_grant_half(struct vmc_half *half, domid_t domid, struct vmc_grants *grants);
void vmc_grant_end(struct vmc_half *half, struct vmc_grants *grants);
void vmc_grants_exit(void);

#endif
