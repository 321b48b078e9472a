// SPDX-License-Identifier: GPL-2.0-only
/* What "vmc-loader status" shows of a device, in its directory "vmc" in sysfs. */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "chan.h"
#include "queue.h"
#include "xenbus.h"

static ssize_t state_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", vmc_chan_state_name(vmc_chan_state(vmc_xenbus_chan(dev))));
}
static DEVICE_ATTR_RO(state);

static ssize_t queues_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", vmc_xenbus_chan(dev)->nr_queues);
}
static DEVICE_ATTR_RO(queues);

static ssize_t flows_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", READ_ONCE(vmc_xenbus_chan(dev)->nr_flows));
}
static DEVICE_ATTR_RO(flows);

static ssize_t tx_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct vmc_chan *chan = vmc_xenbus_chan(dev);
	u64 sum = 0;
	int i;

	for (i = 0; i < chan->nr_queues; i++)
		sum += READ_ONCE(chan->queues[i].tx_bytes);
	return sysfs_emit(buf, "%llu\n", sum);
}
static DEVICE_ATTR_RO(tx_bytes);

static ssize_t rx_bytes_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	const struct vmc_chan *chan = vmc_xenbus_chan(dev);
	u64 sum = 0;
	int i;

	for (i = 0; i < chan->nr_queues; i++)
		sum += READ_ONCE(chan->queues[i].rx_bytes);
	return sysfs_emit(buf, "%llu\n", sum);
}
static DEVICE_ATTR_RO(rx_bytes);

static struct attribute *attr_list[] = { &dev_attr_state.attr,	  &dev_attr_queues.attr,
					 &dev_attr_flows.attr,	  &dev_attr_tx_bytes.attr,
					 &dev_attr_rx_bytes.attr, NULL };

static const struct attribute_group attr_group = {
	.name = "vmc",
	.attrs = attr_list,
};

const struct attribute_group *vmc_xenbus_attr_groups[] = { &attr_group, NULL };
