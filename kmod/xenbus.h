/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the transport "xen" share. */
#ifndef VMC_XENBUS_H
#define VMC_XENBUS_H

struct attribute_group;
struct bus_type;
struct device;
struct vmc_chan;

/* xenbus.c */
struct vmc_chan *vmc_xenbus_chan(struct device *dev);

/* xenbus_attr.c */
extern const struct attribute_group *vmc_xenbus_attr_groups[];

/* xenbus_renew.c */
void vmc_xenbus_renew(const struct bus_type *bus, const char *path);

#endif
