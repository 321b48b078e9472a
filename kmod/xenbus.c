// SPDX-License-Identifier: GPL-2.0-only
/*
 * The transport "xen": a channel is a xenbus split device between two guests,
 * made by dom0's broker. Which of the two holds the frontend makes no difference
 * but in who speaks first:
 *
 *   frontend                             backend
 *   Initialising                         Initialising
 *   InitWait                             writes version, max queues; InitWait
 *                                        a flow here wants the channel: Initialised
 *   a flow here wants the channel, or
 *   the backend does (Initialised):
 *   grants its halves, writes their
 *   references and ports; Initialised
 *                                        maps them, grants its own, writes their
 *                                        references; Connected
 *   maps them; Connected
 *
 * The end, which either side begins by Closing (dom0 does it in the backend's name):
 *
 *   stops to publish; Closing
 *                                        stops to publish; Closing
 *                                        receives what is there, unmaps; Closed
 *   receives what is there, unmaps,
 *   revokes; Closed
 *                                        revokes; is removed, if not online
 *
 * So nothing that was published is lost, and nothing is revoked while it is mapped.
 * A side that is alone (the other's domain is gone, or its device) does all at once,
 * and grant.c keeps what is still mapped.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <xen/xen.h>
#include <xen/xenbus.h>

#include "../include/vmc/xenstore.h"
#include "chan.h"
#include "grant.h"
#include "queue.h"
#include "transport.h"
#include "xenbus.h"
#include "xenbus_queue.h"

#define XEN_MAX_QUEUES 16
#define XEN_PATIENCE   (2 * HZ) /* with the other end, with programs */

/* Of the device; and of its end, which may outlast it. */
struct xen_chan {
	refcount_t refcnt;
	struct xenbus_device *dev; /* holds a reference */
	struct vmc_chan *chan;
	struct work_struct fail_work;
	struct work_struct finish_work;
	struct completion finished;

	struct mutex lock; /* set-up and end; and: */
	bool is_wanted;	   /* by a flow */
	bool is_stopped;
	bool is_finishing; /* or finished */
	bool is_finished;
	bool is_removed; /* the device: no more talk of states */
	u16 nr_queues;
	struct vmc_xenbus_queue *queues;
};

/*
 * Queues.
 */

static int xen_queues_alloc(struct xen_chan *xc, u16 nr_queues)
{
	int i, err;

	err = vmc_chan_set_queues(xc->chan, nr_queues);
	if (err)
		return err;
	xc->queues = kcalloc(nr_queues, sizeof(*xc->queues), GFP_KERNEL);
	if (!xc->queues)
		return -ENOMEM;
	xc->nr_queues = nr_queues;
	for (i = 0; i < nr_queues; i++)
		vmc_xenbus_queue_init(&xc->queues[i], xc->dev, &xc->chan->queues[i]);
	return 0;
}

/* The frontend chooses. */
static int xen_write_choice(struct xen_chan *xc, struct xenbus_transaction xbt)
{
	const char *dir = xc->dev->nodename;

	return xenbus_printf(xbt, dir, VMC_XS_VERSION, "%u", VMC_PROTOCOL_VERSION) ?:
		       xenbus_printf(xbt, dir, VMC_XS_NUM_QUEUES, "%u", xc->nr_queues);
}

/* All that we tell the other end, in one transaction. */
static int xen_write_queues(struct xen_chan *xc)
{
	struct xenbus_transaction xbt;
	int i, err;

again:
	err = xenbus_transaction_start(&xbt);
	if (err)
		return err;
	for (i = 0; !err && i < xc->nr_queues; i++)
		err = vmc_xenbus_queue_write(&xc->queues[i], xbt);
	if (!err && vmc_xenbus_is_frontend(xc->dev))
		err = xen_write_choice(xc, xbt);
	if (err) {
		xenbus_transaction_end(xbt, 1);
		return err;
	}
	err = xenbus_transaction_end(xbt, 0);
	if (err == -EAGAIN)
		goto again;
	return err;
}

/*
 * The end, in three steps.
 */

/* We publish no more. */
static void __xen_stop(struct xen_chan *xc)
{
	lockdep_assert_held(&xc->lock);
	xc->is_stopped = true;
	vmc_chan_stop(xc->chan);
}

/* Once: the node may be another device's by now, and that one is not ours to close. */
static void __xen_closing(struct xen_chan *xc)
{
	__xen_stop(xc);
	if (xc->dev->state < XenbusStateClosing)
		vmc_xenbus_switch_state(xc->dev, XenbusStateClosing);
}

static void __xen_closed(struct xen_chan *xc)
{
	if (xc->dev->state != XenbusStateClosed)
		vmc_xenbus_switch_state(xc->dev, XenbusStateClosed);
}

/*
 * Nor does the peer: flows go on by TCP, and nothing of the peer's is ours to see. That
 * takes the lock of each flow's socket, which a program may hold for as long as it
 * likes, so it has a thread of its own; the states are looked at again behind it. The
 * device, which holds the module, may be gone by then.
 *
 * Return: is it done?
 */
static bool __xen_finish(struct xen_chan *xc)
{
	__xen_closing(xc);
	if (!xc->is_finishing) {
		xc->is_finishing = true;
		refcount_inc(&xc->refcnt);
		__module_get(THIS_MODULE);
		queue_work(vmc_wq, &xc->finish_work);
	}
	return xc->is_finished;
}

/* The peer sees nothing of ours any more. If it does, grant.c keeps that. */
static void __xen_revoke(struct xen_chan *xc)
{
	int i;

	for (i = 0; i < xc->nr_queues; i++)
		vmc_xenbus_queue_revoke(&xc->queues[i]);
	kfree(xc->queues);
	xc->queues = NULL;
	xc->nr_queues = 0;
}

/* Stop, and let the other end know: the state becomes Closing. */
static void __xen_fatal(struct xen_chan *xc, int err, const char *what)
{
	__xen_stop(xc);
	xenbus_dev_fatal(xc->dev, err, "%s", what);
	vmc_xenbus_switch_state(xc->dev, XenbusStateClosing);
}

/*
 * Frontend.
 */

static u16 xen_choose_nr_queues(struct xenbus_device *dev)
{
	u32 theirs = xenbus_read_unsigned(dev->otherend, VMC_XS_MAX_QUEUES, 1);

	return clamp(min_t(u32, theirs, vmc_max_queues()), 1, XEN_MAX_QUEUES);
}

static void __front_setup(struct xen_chan *xc)
{
	struct xenbus_device *dev = xc->dev;
	int i, err;

	err = xen_queues_alloc(xc, xen_choose_nr_queues(dev));
	for (i = 0; !err && i < xc->nr_queues; i++)
		err = vmc_xenbus_queue_offer(&xc->queues[i]);
	err = err ?: xen_write_queues(xc);
	if (err)
		__xen_fatal(xc, err, "setting up queues");
	else
		vmc_xenbus_switch_state(dev, XenbusStateInitialised);
}

/* A flow on either side wants the channel and the backend is ready to talk: begin. */
static void __front_try_setup(struct xen_chan *xc, enum xenbus_state backend)
{
	if (xc->is_stopped || xc->queues)
		return;
	if (backend == XenbusStateInitialised || (backend == XenbusStateInitWait && xc->is_wanted))
		__front_setup(xc);
}

static void __front_connect(struct xen_chan *xc)
{
	int i, err = 0;

	if (xc->is_stopped || xc->dev->state != XenbusStateInitialised)
		return;
	for (i = 0; !err && i < xc->nr_queues; i++)
		err = vmc_xenbus_queue_connect(&xc->queues[i]);
	if (err) {
		__xen_fatal(xc, err, "mapping the backend's queues");
		return;
	}
	vmc_chan_connected(xc->chan);
	vmc_xenbus_switch_state(xc->dev, XenbusStateConnected);
}

static void __front_changed(struct xen_chan *xc, enum xenbus_state state)
{
	struct xenbus_device *dev = xc->dev;

	switch (state) {
	case XenbusStateInitWait:
	case XenbusStateInitialised:
		__front_try_setup(xc, state);
		break;
	case XenbusStateConnected:
		__front_connect(xc);
		break;
	case XenbusStateClosing:
		__xen_closing(xc);
		break;
	case XenbusStateUnknown: /* the backend's domain is gone */
	case XenbusStateClosed:
		if (!__xen_finish(xc))
			break;
		__xen_revoke(xc);
		if (dev->state != XenbusStateClosed) {
			vmc_xenbus_switch_state(dev, XenbusStateClosed);
			xenbus_frontend_closed(dev);
		}
		break;
	default:
		break;
	}
}

/*
 * Backend.
 */

static void __back_connect(struct xen_chan *xc)
{
	struct xenbus_device *dev = xc->dev;
	u32 version, nr_queues;
	int i, err;

	if (xc->is_stopped ||
	    (dev->state != XenbusStateInitWait && dev->state != XenbusStateInitialised))
		return;
	version = xenbus_read_unsigned(dev->otherend, VMC_XS_VERSION, 0);
	nr_queues = xenbus_read_unsigned(dev->otherend, VMC_XS_NUM_QUEUES, 1);
	if (version != VMC_PROTOCOL_VERSION || !nr_queues || nr_queues > vmc_max_queues()) {
		__xen_fatal(xc, -EPROTO, "version or number of queues");
		return;
	}
	err = xen_queues_alloc(xc, nr_queues);
	for (i = 0; !err && i < nr_queues; i++)
		err = vmc_xenbus_queue_accept(&xc->queues[i]);
	err = err ?: xen_write_queues(xc);
	if (err) {
		__xen_fatal(xc, err, "connecting to the frontend's queues");
		return;
	}
	vmc_chan_connected(xc->chan);
	vmc_xenbus_switch_state(dev, XenbusStateConnected);
}

static void __back_changed(struct xen_chan *xc, enum xenbus_state state)
{
	switch (state) {
	case XenbusStateInitialised:
		__back_connect(xc);
		break;
	case XenbusStateClosing:
		/* A frontend whose guest shuts down waits for just the state Closing. */
		if (__xen_finish(xc))
			__xen_closed(xc);
		break;
	case XenbusStateUnknown: /* the frontend's domain is gone */
	case XenbusStateClosed:
		if (!__xen_finish(xc))
			break;
		__xen_revoke(xc);
		__xen_closed(xc);
		break;
	default:
		break;
	}
}

/*
 * Both.
 */

static void __xen_changed(struct xen_chan *xc, enum xenbus_state state)
{
	if (vmc_xenbus_is_frontend(xc->dev))
		__front_changed(xc, state);
	else
		__back_changed(xc, state);
}

/* dom0 removes the device when both ends are closed. */
static void xen_otherend_changed(struct xenbus_device *dev, enum xenbus_state state)
{
	struct xen_chan *xc = dev_get_drvdata(&dev->dev);

	mutex_lock(&xc->lock);
	__xen_changed(xc, state);
	mutex_unlock(&xc->lock);
}

static void xen_put(struct xen_chan *xc)
{
	if (!refcount_dec_and_test(&xc->refcnt))
		return;
	cancel_work_sync(&xc->fail_work);
	flush_work(&xc->chan->connect_work);
	vmc_chan_put(xc->chan);
	put_device(&xc->dev->dev);
	kfree(xc);
}

/* The queues are ours alone until is_finished. */
static void xen_finish_work(struct work_struct *work)
{
	struct xen_chan *xc = container_of(work, struct xen_chan, finish_work);
	int i;

	vmc_chan_finish(xc->chan);
	for (i = 0; i < xc->nr_queues; i++)
		vmc_xenbus_queue_unmap(&xc->queues[i]);
	mutex_lock(&xc->lock);
	xc->is_finished = true;
	if (xc->is_removed)
		__xen_revoke(xc);
	else
		__xen_changed(xc, xenbus_read_driver_state(xc->dev->otherend));
	mutex_unlock(&xc->lock);
	complete_all(&xc->finished);
	xen_put(xc);
	module_put(THIS_MODULE);
}

static void __front_wanted(struct xen_chan *xc)
{
	enum xenbus_state backend;
	int err = vmc_xenbus_read_state(xc->dev->otherend, &backend);

	if (!err)
		__front_try_setup(xc, backend);
	else if (err != -ENOENT)
		__xen_fatal(xc, err, "reading the backend's state");
}

static void xen_connect(struct vmc_chan *chan)
{
	struct xen_chan *xc = chan->priv;
	struct xenbus_device *dev = xc->dev;

	mutex_lock(&xc->lock);
	xc->is_wanted = true;
	if (xc->is_stopped)
		goto out;
	if (vmc_xenbus_is_frontend(dev))
		__front_wanted(xc);
	else if (dev->state == XenbusStateInitWait)
		vmc_xenbus_switch_state(dev, XenbusStateInitialised);
out:
	mutex_unlock(&xc->lock);
}

static void xen_fail_work(struct work_struct *work)
{
	struct xen_chan *xc = container_of(work, struct xen_chan, fail_work);

	mutex_lock(&xc->lock);
	if (!xc->is_stopped)
		__xen_fatal(xc, -EPROTO, "the peer broke the protocol");
	mutex_unlock(&xc->lock);
}

static void xen_fail(struct vmc_chan *chan)
{
	struct xen_chan *xc = chan->priv;

	queue_work(vmc_wq, &xc->fail_work);
}

static const struct vmc_transport xen_transport = {
	.name = "xen",
	.connect = xen_connect,
	.fail = xen_fail,
	.notify = vmc_xenbus_queue_notify,
	.poll_done = vmc_xenbus_queue_poll_done,
};

/* What a backend tells before it says InitWait. */
static int xen_write_offer(struct xenbus_device *dev)
{
	if (vmc_xenbus_is_frontend(dev))
		return 0;
	return xenbus_printf(XBT_NIL, dev->nodename, VMC_XS_VERSION, "%u", VMC_PROTOCOL_VERSION) ?:
		       xenbus_printf(XBT_NIL, dev->nodename, VMC_XS_MAX_QUEUES, "%u",
				     vmc_max_queues());
}

/* A flow may have wanted the channel since it was registered: a frontend may be on its way. */
static int xen_begin(struct xen_chan *xc)
{
	struct xenbus_device *dev = xc->dev;
	int err;

	err = xen_write_offer(dev);
	if (err)
		return err;
	mutex_lock(&xc->lock);
	if (!xc->is_stopped && dev->state == XenbusStateInitialising)
		vmc_xenbus_switch_state(dev, XenbusStateInitWait);
	if (!xc->is_stopped && xc->is_wanted && !vmc_xenbus_is_frontend(dev) &&
	    dev->state == XenbusStateInitWait)
		vmc_xenbus_switch_state(dev, XenbusStateInitialised);
	mutex_unlock(&xc->lock);
	return 0;
}

/* A node that has been begun, or closed, is none to begin with. */
static void xen_decline(struct xen_chan *xc)
{
	mutex_lock(&xc->lock);
	__xen_finish(xc);
	__xen_closed(xc);
	mutex_unlock(&xc->lock);
}

/*
 * The other end gets there; or its node is gone, or is one to begin anew; or it takes
 * too long. Its events are not waited for: who gets here may be the thread that
 * delivers them.
 */
static void xen_await(struct xen_chan *xc, enum xenbus_state state, unsigned long deadline)
{
	enum xenbus_state other;

	for (;;) {
		other = xenbus_read_driver_state(xc->dev->otherend);
		if (other <= XenbusStateInitialising || other >= state ||
		    time_after(jiffies, deadline))
			return;
		msleep(20);
	}
}

/*
 * Leave without dom0's asking for it: give the other end a moment to leave as well, and
 * programs as long as @patience to let go of their sockets.
 */
static void xen_part(struct xen_chan *xc, unsigned long patience)
{
	unsigned long deadline = jiffies + XEN_PATIENCE;

	mutex_lock(&xc->lock);
	if (xc->nr_queues && !xc->is_finishing) {
		__xen_closing(xc);
		xen_await(xc,
			  vmc_xenbus_is_frontend(xc->dev) ? XenbusStateClosed : XenbusStateClosing,
			  deadline);
	}
	__xen_finish(xc);
	mutex_unlock(&xc->lock);

	wait_for_completion_timeout(&xc->finished, patience);

	mutex_lock(&xc->lock);
	__xen_closed(xc);
	if (xc->is_finished) {
		if (xc->nr_queues)
			xen_await(xc, XenbusStateClosed, deadline);
		__xen_revoke(xc);
	}
	mutex_unlock(&xc->lock);
}

/* Also while the channel is up: unbound by hand, or dom0 was in a hurry. */
static void xen_remove(struct xenbus_device *dev)
{
	struct xen_chan *xc = dev_get_drvdata(&dev->dev);

	xen_part(xc, XEN_PATIENCE);
	mutex_lock(&xc->lock);
	xc->is_removed = true;
	/* If not, the work that finishes it will. */
	if (xc->is_finished)
		__xen_revoke(xc);
	mutex_unlock(&xc->lock);
	xen_put(xc);
}

static struct xen_chan *xen_alloc(struct xenbus_device *dev)
{
	struct xen_chan *xc = kzalloc(sizeof(*xc), GFP_KERNEL);

	if (!xc)
		return NULL;
	refcount_set(&xc->refcnt, 1);
	mutex_init(&xc->lock);
	INIT_WORK(&xc->fail_work, xen_fail_work);
	INIT_WORK(&xc->finish_work, xen_finish_work);
	init_completion(&xc->finished);
	xc->chan = vmc_chan_alloc(dev->otherend_id, &xen_transport, xc);
	if (!xc->chan) {
		kfree(xc);
		return NULL;
	}
	get_device(&dev->dev);
	xc->dev = dev;
	return xc;
}

static int xen_start(struct xenbus_device *dev)
{
	enum xenbus_state state;
	struct xen_chan *xc;
	int err;

	err = vmc_xenbus_read_state(dev->nodename, &state);
	if (err)
		return err;
	dev->state = state;
	xc = xen_alloc(dev);
	if (!xc)
		return -ENOMEM;
	dev_set_drvdata(&dev->dev, xc);
	if (state != XenbusStateInitialising) {
		xen_decline(xc);
		return 0;
	}
	/* From here on a flow may connect it at any moment. */
	err = vmc_chan_register(xc->chan);
	if (err) {
		xen_put(xc);
		return err;
	}
	err = xen_begin(xc);
	if (err)
		xen_remove(dev);
	return err;
}

/* Closed, the broker makes another one soon. */
static int xen_probe(struct xenbus_device *dev, const struct xenbus_device_id *id)
{
	int err = xen_start(dev);

	if (err)
		vmc_xenbus_switch_state(dev, XenbusStateClosed);
	return err;
}

/*
 * Save, restore and migration. What is shared with the peer can't come along, so the
 * channel ends here. Restored, we are another domain, whose home has no device of
 * ours until its broker makes one. If the guest stays (the save was a checkpoint, or
 * failed), the broker finds the device Closed and makes a new one as well.
 */

static int xen_suspend(struct xenbus_device *dev)
{
	/* Nothing may be in use behind this: however long it takes. */
	xen_part(dev_get_drvdata(&dev->dev), MAX_SCHEDULE_TIMEOUT);
	return 0;
}

/* The backends' bus, unlike the frontends', leaves suspending to the driver. */
static int back_freeze(struct device *dev)
{
	return xen_suspend(to_xenbus_device(dev));
}

static const struct dev_pm_ops back_pm_ops = {
	.freeze = back_freeze,
};

/* Of a bound device. */
struct vmc_chan *vmc_xenbus_chan(struct device *dev)
{
	const struct xen_chan *xc = dev_get_drvdata(dev);

	return xc->chan;
}

static const struct xenbus_device_id xen_ids[] = { { VMC_XS_DEVICE }, { "" } };

static struct xenbus_driver front_driver = {
	.ids = xen_ids,
	.probe = xen_probe,
	.remove = xen_remove,
	.suspend = xen_suspend,
	.otherend_changed = xen_otherend_changed,
	.not_essential = true,
	.allow_rebind = true,
	.driver.dev_groups = vmc_xenbus_attr_groups,
};

static struct xenbus_driver back_driver = {
	.ids = xen_ids,
	.probe = xen_probe,
	.remove = xen_remove,
	.otherend_changed = xen_otherend_changed,
	.allow_rebind = true,
	.driver.dev_groups = vmc_xenbus_attr_groups,
	.driver.pm = &back_pm_ops,
};

static void front_node_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	vmc_xenbus_renew(front_driver.driver.bus, path);
}

static void back_node_changed(struct xenbus_watch *watch, const char *path, const char *token)
{
	vmc_xenbus_renew(back_driver.driver.bus, path);
}

static struct xenbus_watch front_watch = {
	.node = "device/" VMC_XS_DEVICE,
	.callback = front_node_changed,
};

static struct xenbus_watch back_watch = {
	.node = "backend/" VMC_XS_DEVICE,
	.callback = back_node_changed,
};

/* Waits for work that finds its device removed: it ends grants, too. */
static void xen_end_grants(void)
{
	flush_workqueue(vmc_wq);
	vmc_grants_exit();
}

/* Without Xen there is nothing to register, and the module still serves loopback. */
int vmc_xenbus_init(void)
{
	int err;

	if (!xen_domain())
		return 0;
	err = xenbus_register_frontend(&front_driver);
	if (err)
		return err;
	err = xenbus_register_backend(&back_driver);
	if (err)
		goto err_front;
	err = register_xenbus_watch(&front_watch);
	if (err)
		goto err_back;
	err = register_xenbus_watch(&back_watch);
	if (err)
		goto err_watch;
	return 0;

err_watch:
	unregister_xenbus_watch(&front_watch);
err_back:
	xenbus_unregister_driver(&back_driver);
err_front:
	xenbus_unregister_driver(&front_driver);
	xen_end_grants();
	return err;
}

void vmc_xenbus_exit(void)
{
	if (!xen_domain())
		return;
	unregister_xenbus_watch(&back_watch);
	unregister_xenbus_watch(&front_watch);
	xenbus_unregister_driver(&back_driver);
	xenbus_unregister_driver(&front_driver);
	xen_end_grants();
}

MODULE_ALIAS("xen:" VMC_XS_DEVICE);
MODULE_ALIAS("xen-backend:" VMC_XS_DEVICE);
