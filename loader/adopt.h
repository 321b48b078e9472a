/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Adoption of connections that are there already.
 */
#ifndef VMC_ADOPT_H
#define VMC_ADOPT_H

#include <stdbool.h>

struct fastpath;

int adopt_existing(const struct fastpath *fp);

int adopt_events_open(void);
bool adopt_events_drain(int fd);

#endif
