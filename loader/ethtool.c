// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counters of a network device by the ethtool ioctls.
 */
#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ethtool.h"

static int ethtool_ioctl(int fd, const char *ifname, void *cmd)
{
	struct ifreq ifr = { .ifr_data = cmd };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	return ioctl(fd, SIOCETHTOOL, &ifr) ? -errno : 0;
}

/* Names and values, which the caller frees; both were sized by the driver's count. */
static int counters_read(int fd, const char *ifname, __u32 nr, struct ethtool_gstrings *names,
			 struct ethtool_stats *stats)
{
	int err;

	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_STATS;
	names->len = nr;
	err = ethtool_ioctl(fd, ifname, names);
	if (err)
		return err;
	stats->cmd = ETHTOOL_GSTATS;
	stats->n_stats = nr;
	err = ethtool_ioctl(fd, ifname, stats);
	if (!err && (names->len != nr || stats->n_stats != nr))
		err = -EAGAIN;
	return err;
}

/**
 * ethtool_counters - read a device's counters
 * @ifname: the device
 * @counters: array of them, to be freed when the count is not negative
 *
 * Return: count of counters, or -errno
 */
int ethtool_counters(const char *ifname, struct ethtool_counter **counters)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_gstrings *names = NULL;
	struct ethtool_stats *stats = NULL;
	int err;

	*counters = NULL;
	if (fd < 0)
		return -errno;
	err = ethtool_ioctl(fd, ifname, &info);
	if (err)
		goto out;
	err = -ENOMEM;
	names = calloc(1, sizeof(*names) + (size_t)info.n_stats * ETH_GSTRING_LEN);
	stats = calloc(1, sizeof(*stats) + info.n_stats * sizeof(__u64));
	*counters = calloc(info.n_stats + 1, sizeof(**counters));
	if (!names || !stats || !*counters)
		goto out;
	err = info.n_stats ? counters_read(fd, ifname, info.n_stats, names, stats) : 0;
	for (__u32 i = 0; !err && i < info.n_stats; i++) {
		memcpy((*counters)[i].name, names->data + (size_t)i * ETH_GSTRING_LEN,
		       ETH_GSTRING_LEN);
		(*counters)[i].value = stats->data[i];
	}
out:
	if (err) {
		free(*counters);
		*counters = NULL;
	}
	free(stats);
	free(names);
	close(fd);
	return err ? err : (int)info.n_stats;
}
