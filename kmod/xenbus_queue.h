/* SPDX-License-Identifier: GPL-2.0-only */
/* A queue of a channel between two guests: its grants, its mapping, its event channel. */
#ifndef VMC_XENBUS_QUEUE_H
#define VMC_XENBUS_QUEUE_H

#include <linux/types.h>
#include <xen/xenbus.h>

#include "grant.h"

struct vmc_mapping;
struct vmc_queue;

struct vmc_xenbus_queue {
	struct xenbus_device *dev;
	struct vmc_queue *q;
	struct vmc_grants grants;
	struct vmc_mapping *mapping; /* NULL: none */
	evtchn_port_t port;	     /* frontend; 0: not allocated */
	int irq;		     /* 0: not bound */
	unsigned long flags;
#define VMC_XENBUS_QUEUE_EOI 0 /* the interrupt waits for its end */
	u32 eoi_progress;      /* of the queue at the last such end */
};

void vmc_xenbus_queue_init(struct vmc_xenbus_queue *xq, struct xenbus_device *dev,
			   struct vmc_queue *q);

int vmc_xenbus_queue_offer(struct vmc_xenbus_queue *xq);
int vmc_xenbus_queue_accept(struct vmc_xenbus_queue *xq);
int vmc_xenbus_queue_connect(struct vmc_xenbus_queue *xq);
int vmc_xenbus_queue_write(const struct vmc_xenbus_queue *xq, struct xenbus_transaction xbt);

void vmc_xenbus_queue_unmap(struct vmc_xenbus_queue *xq);
void vmc_xenbus_queue_revoke(struct vmc_xenbus_queue *xq);

/* struct vmc_transport's */
void vmc_xenbus_queue_notify(struct vmc_queue *q);
void vmc_xenbus_queue_poll_done(struct vmc_queue *q, u32 progress);

#endif
