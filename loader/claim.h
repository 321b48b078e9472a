/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest says of itself in XenStore: its protocol version and its addresses.
 */
#ifndef VMC_CLAIM_H
#define VMC_CLAIM_H

#include "xs.h"

struct claim {
	char *addresses; /* as last written, NULL before */
};

int claim_write(struct claim *claim, struct xs_handle *xs);
int claim_remove(struct xs_handle *xs);
bool claim_is_there(struct xs_handle *xs);
void claim_free(struct claim *claim);

int claim_link_open(void);
void claim_link_drain(int fd);

#endif
