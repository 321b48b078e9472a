/* SPDX-License-Identifier: GPL-2.0-only */
/* labd: the lab's agent. In dom0 it serves the virtio-serial ports, in a guest the vchans to dom0. */
#ifndef LAB_LABD_H
#define LAB_LABD_H

#include "frame.h"
#include "link.h"
#include "session.h"

/*
 * Slot i of a guest (a vchan) belongs to port i of dom0 (virtio-serial), and a port to one `lab exec`
 * at a time: no two sessions ever share a stream.
 */
#define NR_SLOTS  24
#define SLOT_PATH "data/labd/%d" /* in the guest's part of XenStore */

/* outbuf.c */
ssize_t outbuf_flush(struct outbuf *out, struct link *link);
/* slot.c */
void slot_init(void);
bool slot_serve(struct link *link);
/* relay.c */
void relay_serve(int index);
/* ports.c */
int port_open(const char *name);
/* seed.c */
int seed_main(void);

#endif
