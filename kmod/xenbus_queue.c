// SPDX-License-Identifier: GPL-2.0-only
/*
 * A queue of a channel between two guests: what of it is granted, mapped, told by
 * XenStore, and its doorbell. When each of that is due is xenbus.c's matter, which
 * also sees to it that one thread at a time sets a queue up or ends it.
 */
#include <linux/interrupt.h>
#include <linux/netdevice.h>
#include <xen/events.h>

#include "../include/vmc/xenstore.h"
#include "half.h"
#include "mapping.h"
#include "queue.h"
#include "stats.h"
#include "transport.h"
#include "xenbus.h"
#include "xenbus_queue.h"

/*
 * The doorbell.
 */

static irqreturn_t xenbus_queue_interrupt(int irq, void *data)
{
	struct vmc_xenbus_queue *xq = data;

	vmc_stat_inc(rx_doorbells);
	set_bit(VMC_XENBUS_QUEUE_EOI, &xq->flags);
	napi_schedule(&xq->q->napi);
	return IRQ_HANDLED;
}

void vmc_xenbus_queue_notify(struct vmc_queue *q)
{
	struct vmc_xenbus_queue *xq = q->priv;

	notify_remote_via_irq(xq->irq);
}

/* A peer that rings for nothing is slowed down by Xen's event code. */
void vmc_xenbus_queue_poll_done(struct vmc_queue *q, u32 progress)
{
	struct vmc_xenbus_queue *xq = q->priv;
	bool is_spurious;

	if (!test_and_clear_bit(VMC_XENBUS_QUEUE_EOI, &xq->flags))
		return;
	/* Other polls may have taken what this doorbell was rung for. */
	is_spurious = progress == xq->eoi_progress;
	xq->eoi_progress = progress;
	if (is_spurious)
		vmc_stat_inc(rx_doorbells_spurious);
	xen_irq_lateeoi(xq->irq, is_spurious ? XEN_EOI_FLAG_SPURIOUS : 0);
}

/*
 * Set-up.
 */

/**
 * vmc_xenbus_queue_init() - a queue with nothing to take back
 * @xq: zeroed
 * @dev: the channel's
 * @q: the channel's, not set up
 */
void vmc_xenbus_queue_init(struct vmc_xenbus_queue *xq, struct xenbus_device *dev,
			   struct vmc_queue *q)
{
	xq->dev = dev;
	xq->q = q;
	q->priv = xq;
}

static int queue_grant(struct vmc_xenbus_queue *xq)
{
	struct vmc_half *own = &xq->q->own;

	return vmc_half_init_own(own)		 ?:
		       vmc_half_alloc_pages(own) ?:
		       vmc_grant_half(own, xq->dev->otherend_id, &xq->grants);
}

static int queue_read_u32(const struct vmc_xenbus_queue *xq, const char *key, u32 *val)
{
	char path[32];

	snprintf(path, sizeof(path), "queue-%d/%s", xq->q->index, key);
	return xenbus_scanf(XBT_NIL, xq->dev->otherend, path, "%u", val) == 1 ? 0 : -EPROTO;
}

static int queue_map(struct vmc_xenbus_queue *xq)
{
	u32 ref;
	int err;

	err = queue_read_u32(xq, VMC_XS_RING_REF, &ref);
	return err ?: vmc_map_half(&xq->q->peer, xq->dev->otherend_id, ref, &xq->mapping);
}

/**
 * vmc_xenbus_queue_offer() - the frontend's first step: grant our half, allocate a port
 * @xq: initialised
 *
 * Context: process. Return: 0; -errno, and what has been done is taken back by
 * vmc_xenbus_queue_unmap() and vmc_xenbus_queue_revoke(); so with all of them.
 */
int vmc_xenbus_queue_offer(struct vmc_xenbus_queue *xq)
{
	return queue_grant(xq) ?: xenbus_alloc_evtchn(xq->dev, &xq->port);
}

/**
 * vmc_xenbus_queue_accept() - the backend's step: map what is offered, grant our half, bind
 * @xq: initialised
 *
 * Context: process. Return: 0; -errno; -EPROTO: the frontend's keys or pages are wrong.
 */
int vmc_xenbus_queue_accept(struct vmc_xenbus_queue *xq)
{
	u32 port;
	int ret;

	ret = queue_read_u32(xq, VMC_XS_EVTCHN, &port) ?:
		      queue_map(xq)		       ?:
		      queue_grant(xq)		       ?:
							 vmc_queue_setup(xq->q);
	if (ret)
		return ret;
	ret = bind_interdomain_evtchn_to_irqhandler_lateeoi(xq->dev, port, xenbus_queue_interrupt,
							    0, "vmc", xq);
	if (ret < 0)
		return ret;
	xq->irq = ret;
	return 0;
}

/**
 * vmc_xenbus_queue_connect() - the frontend's second step: map the backend's half, bind
 * @xq: offered
 *
 * Context: process. Return: 0; -errno; -EPROTO: the backend's keys or pages are wrong.
 */
int vmc_xenbus_queue_connect(struct vmc_xenbus_queue *xq)
{
	int ret;

	ret = queue_map(xq) ?: vmc_queue_setup(xq->q);
	if (ret)
		return ret;
	ret = bind_evtchn_to_irqhandler_lateeoi(xq->port, xenbus_queue_interrupt, 0, "vmc", xq);
	if (ret < 0)
		return ret;
	xq->irq = ret;
	return 0;
}

/**
 * vmc_xenbus_queue_write() - tell the other end by XenStore: docs/protocol.md, 1.2
 * @xq: offered or accepted
 * @xbt: the transaction it belongs to
 *
 * Context: process. Return: 0, -errno.
 */
int vmc_xenbus_queue_write(const struct vmc_xenbus_queue *xq, struct xenbus_transaction xbt)
{
	const char *dir = xq->dev->nodename;
	char path[32];
	int err;

	snprintf(path, sizeof(path), "queue-%d/" VMC_XS_RING_REF, xq->q->index);
	err = xenbus_printf(xbt, dir, path, "%u", xq->grants.head);
	if (err || !vmc_xenbus_is_frontend(xq->dev))
		return err;
	snprintf(path, sizeof(path), "queue-%d/" VMC_XS_EVTCHN, xq->q->index);
	return xenbus_printf(xbt, dir, path, "%u", xq->port);
}

/*
 * The end.
 */

/**
 * vmc_xenbus_queue_unmap() - nothing of the peer's is ours to see, and it can't ring
 * @xq: its queue is stopped and read by nobody
 *
 * Context: process.
 */
void vmc_xenbus_queue_unmap(struct vmc_xenbus_queue *xq)
{
	if (xq->irq > 0)
		unbind_from_irqhandler(xq->irq, xq);
	else if (xq->port)
		xenbus_free_evtchn(xq->dev, xq->port);
	vmc_unmap_half(&xq->q->peer, xq->mapping);
	xq->mapping = NULL;
}

/**
 * vmc_xenbus_queue_revoke() - revoke all; what the peer still maps is freed later
 * @xq: unmapped
 *
 * Context: process.
 */
void vmc_xenbus_queue_revoke(struct vmc_xenbus_queue *xq)
{
	vmc_grant_end(&xq->q->own, &xq->grants);
}
