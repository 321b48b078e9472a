// SPDX-License-Identifier: GPL-2.0-only
/*
 * The netdev vmc0. It carries no packets yet: it hosts the NAPI instances of all
 * queues, so that threaded NAPI and busy polling are configured as for any NIC,
 * and shows the module's counters through ethtool.
 */
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/netdevice.h>

#include "netdev.h"
#include "stats.h"

struct net_device *vmc_netdev;

static int netdev_get_sset_count(struct net_device *dev, int sset)
{
	return sset == ETH_SS_STATS ? VMC_NR_STATS : -EOPNOTSUPP;
}

static void netdev_get_strings(struct net_device *dev, u32 sset, u8 *data)
{
	int i;

	if (sset != ETH_SS_STATS)
		return;
	for (i = 0; i < VMC_NR_STATS; i++)
		ethtool_puts(&data, vmc_stat_names[i]);
}

static void netdev_get_stats(struct net_device *dev, struct ethtool_stats *stats, u64 *data)
{
	vmc_stats_sum(data);
}

static void netdev_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, KBUILD_MODNAME, sizeof(info->driver));
	strscpy(info->version, THIS_MODULE->version ?: "", sizeof(info->version));
}

static const struct ethtool_ops netdev_ethtool_ops = {
	.get_drvinfo = netdev_get_drvinfo,
	.get_sset_count = netdev_get_sset_count,
	.get_strings = netdev_get_strings,
	.get_ethtool_stats = netdev_get_stats,
};

/* No packet plane yet: what is routed here is dropped and counted. */
static netdev_tx_t netdev_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_core_stats_tx_dropped_inc(dev);
	kfree_skb(skb);
	return NETDEV_TX_OK;
}

static const struct net_device_ops netdev_ops = {
	.ndo_start_xmit = netdev_xmit,
};

static void netdev_setup(struct net_device *dev)
{
	dev->netdev_ops = &netdev_ops;
	dev->ethtool_ops = &netdev_ethtool_ops;
	dev->type = ARPHRD_NONE;
	dev->flags = IFF_NOARP | IFF_POINTOPOINT;
	dev->mtu = ETH_DATA_LEN;
	dev->features = NETIF_F_HW_CSUM;
}

int vmc_netdev_init(void)
{
	int err;

	vmc_netdev = alloc_netdev(0, "vmc0", NET_NAME_PREDICTABLE, netdev_setup);
	if (!vmc_netdev)
		return -ENOMEM;
	err = register_netdev(vmc_netdev);
	if (err)
		free_netdev(vmc_netdev);
	return err;
}

/* All queues are gone. */
void vmc_netdev_exit(void)
{
	unregister_netdev(vmc_netdev);
	free_netdev(vmc_netdev);
}
