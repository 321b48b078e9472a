// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices whose nodes have changed behind the bus's back. The bus takes a node's
 * removal for a device's end, and a new node for a new device, but it looks at what
 * is there when it hears of it:
 *
 *   stale     a restored guest has a new home, without these nodes, and nobody has
 *	       removed those of the old one
 *   renewed   while the guest was paused or suspended, the node was removed and made
 *	       again under the same name: the device is over, its node wants it to begin
 *
 * Every watch fires after a restore. All of this runs in the thread that delivers
 * watches' events, as the bus's own removal of devices does.
 */
#include <xen/xenbus.h>

#include "../include/vmc/xenstore.h"
#include "xenbus.h"

static bool renew_is_vmc(const struct xenbus_device *dev)
{
	return !strcmp(dev->devicetype, VMC_XS_DEVICE);
}

/* Does an event at @path say anything about the device? One at the root may. */
static bool renew_is_told(const struct xenbus_device *dev, const char *path)
{
	size_t len = strlen(dev->nodename);

	return !strncmp(dev->nodename, path, strlen(path)) ||
	       (!strncmp(path, dev->nodename, len) && (!path[len] || path[len] == '/'));
}

static int renew_is_stale(struct device *d, const void *path)
{
	const struct xenbus_device *dev = to_xenbus_device(d);

	return renew_is_vmc(dev) && renew_is_told(dev, path) &&
	       !xenbus_exists(XBT_NIL, dev->nodename, "");
}

static int renew_is_renewed(struct device *d, const void *path)
{
	const struct xenbus_device *dev = to_xenbus_device(d);

	/* A driver writes what is beyond Initialising before it says so in dev->state. */
	return renew_is_vmc(dev) && renew_is_told(dev, path) &&
	       dev->state > XenbusStateInitialising &&
	       xenbus_read_driver_state(dev->nodename) == XenbusStateInitialising;
}

/**
 * vmc_xenbus_renew() - bring the devices of a bus in line with their nodes
 * @bus: the bus
 * @path: of a watch's event
 *
 * Context: the callback of a watch.
 */
void vmc_xenbus_renew(const struct bus_type *bus, const char *path)
{
	struct device *dev;

	while ((dev = bus_find_device(bus, NULL, path, renew_is_stale))) {
		device_unregister(dev);
		put_device(dev);
	}
	while ((dev = bus_find_device(bus, NULL, path, renew_is_renewed))) {
		bool has_begun;

		/* That of the old node: its end leaves the new one alone. */
		to_xenbus_device(dev)->state = XenbusStateClosed;
		has_begun = !device_reprobe(dev) && !renew_is_renewed(dev, path);
		put_device(dev);
		/* It would be found again. */
		if (!has_begun)
			break;
	}
}
