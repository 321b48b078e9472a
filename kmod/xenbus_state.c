// SPDX-License-Identifier: GPL-2.0-only
/*
 * States of a device's ends, in spite of xenbus_client.c: xenbus_read_driver_state()
 * knows no errors and says "Unknown" also when it had no memory, and
 * xenbus_switch_state() returns 0 also when it had none and has written nothing. An end
 * that believes such answers stays as it is for ever.
 */
#include <linux/delay.h>
#include <xen/xenbus.h>

#include "xenbus.h"

#define SWITCH_TRIES 5
#define SWITCH_MS    20 /* from one to the next */

/**
 * vmc_xenbus_read_state() - the state that an end has written
 * @node: the end's directory in XenStore
 * @state: where it goes
 *
 * Context: process, may sleep.
 * Return: 0, -ENOENT when the node is gone, or another error.
 */
int vmc_xenbus_read_state(const char *node, enum xenbus_state *state)
{
	int value, n = xenbus_scanf(XBT_NIL, node, "state", "%d", &value);

	if (n != 1)
		return n < 0 ? n : -EINVAL;
	*state = value;
	return 0;
}

/* Is it there? Closing may be dom0's, and is not to be written over but by Closed. */
static bool state_is_reached(enum xenbus_state now, enum xenbus_state wanted)
{
	return now == wanted || (now >= XenbusStateClosing && now > wanted);
}

/**
 * vmc_xenbus_switch_state() - write the state of our end until it is there
 * @dev: the device
 * @state: the state
 *
 * Gives up after some tries. dev->state is not what has not been written then, and the
 * broker finds the device stuck.
 *
 * Context: process, may sleep.
 */
void vmc_xenbus_switch_state(struct xenbus_device *dev, enum xenbus_state state)
{
	enum xenbus_state now;
	int i, err;

	for (i = 0; i < SWITCH_TRIES; i++) {
		if (i)
			msleep(SWITCH_MS);
		xenbus_switch_state(dev, state);
		err = vmc_xenbus_read_state(dev->nodename, &now);
		if (err == -ENOENT || (!err && state_is_reached(now, state)))
			return;
		dev->state = err ? XenbusStateUnknown : now;
	}
}
