/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the transport "xen" share. */
#ifndef VMC_XENBUS_H
#define VMC_XENBUS_H

#include <linux/string.h>
#include <xen/xenbus.h>

struct attribute_group;
struct bus_type;
struct device;
struct vmc_chan;

static inline bool vmc_xenbus_is_frontend(const struct xenbus_device *dev)
{
	return strstarts(dev->nodename, "device/");
}

/* xenbus.c */
struct vmc_chan *vmc_xenbus_chan(struct device *dev);

/* xenbus_attr.c */
extern const struct attribute_group *vmc_xenbus_attr_groups[];

/* xenbus_state.c */
int vmc_xenbus_read_state(const char *node, enum xenbus_state *state);
void vmc_xenbus_switch_state(struct xenbus_device *dev, enum xenbus_state state);

/* xenbus_renew.c */
void vmc_xenbus_renew(const struct bus_type *bus, const char *path);

#endif
