// SPDX-License-Identifier: GPL-2.0-only
/*
 * The claim: addresses first, then the version, on which the broker acts. The
 * addresses count only where dom0's policy trusts claims; they are those of
 * interfaces that are, or stand on, a Xen network device.
 */
#include <dirent.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vmc/xenstore.h>

#include "addr.h"
#include "claim.h"
#include "log.h"
#include "netlink.h"

#define STRING(x)    #x
#define STRING_OF(x) STRING(x)
#define STACK_MAX    4	  /* vif below VLAN below bond below bridge */
#define CLAIM_MAX    1500 /* bytes; a node holds 2048 */

static bool is_vif(const char *ifname)
{
	char path[128], type[16] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/sys/class/net/%s/device/devtype", ifname);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(type, sizeof(type), f))
		type[0] = '\0';
	fclose(f);
	return !strcmp(type, "vif") || !strcmp(type, "vif\n");
}

/* Whether an interface is a Xen network device or stands on one. */
static bool leads_to_vif(const char *ifname, int depth)
{
	struct dirent *entry;
	char path[128];
	bool yes = is_vif(ifname);
	DIR *dir;

	if (yes || !depth)
		return yes;
	snprintf(path, sizeof(path), "/sys/class/net/%s", ifname);
	dir = opendir(path);
	while (!yes && dir && (entry = readdir(dir)))
		if (!strncmp(entry->d_name, "lower_", 6))
			yes = leads_to_vif(entry->d_name + 6, depth - 1);
	if (dir)
		closedir(dir);
	return yes;
}

static bool sockaddr_key(const struct sockaddr *sa, struct vmc_peer_key *key)
{
	char text[ADDR_STRLEN];
	const void *addr;

	if (!sa || (sa->sa_family != AF_INET && sa->sa_family != AF_INET6))
		return false;
	addr = &((const struct sockaddr_in *)sa)->sin_addr;
	if (sa->sa_family == AF_INET6)
		addr = &((const struct sockaddr_in6 *)sa)->sin6_addr;
	if (!inet_ntop(sa->sa_family, addr, text, sizeof(text)) || addr_parse(text, key))
		return false;
	return addr_is_host(key);
}

/* This guest's own addresses as text, to be freed. */
static char *own_addresses(void)
{
	struct addr_set set = {};
	struct vmc_peer_key key;
	struct ifaddrs *all;
	char *text;

	if (getifaddrs(&all))
		return NULL;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		if (!sockaddr_key(i->ifa_addr, &key) || !leads_to_vif(i->ifa_name, STACK_MAX))
			continue;
		if (addr_set_add(&set, &key))
			break;
	}
	freeifaddrs(all);
	text = addr_set_format(&set);
	addr_set_free(&set);
	if (text && strlen(text) > CLAIM_MAX) {
		text[CLAIM_MAX] = '\0';
		*strrchr(text, ' ') = '\0';
	}
	return text;
}

/**
 * claim_write - write the claim, or what has changed of it
 * @claim: what was written before; claim_free() it in the end
 * @xs: the guest's own XenStore connection
 *
 * Return: 0, or -errno
 */
int claim_write(struct claim *claim, struct xs_handle *xs)
{
	char *text = own_addresses();
	bool there = claim_is_there(xs);
	int err = 0;

	if (text && !(there && claim->addresses && !strcmp(text, claim->addresses)))
		err = store_write(xs, XBT_NULL, text, VMC_XS_CLAIM_ADDRESSES);
	free(claim->addresses);
	claim->addresses = text;
	if (!err && !there)
		err = store_write(xs, XBT_NULL, STRING_OF(VMC_PROTOCOL_VERSION),
				  VMC_XS_CLAIM_VERSION);
	return err;
}

/** claim_is_there - whether this guest's claim is in XenStore, with our version */
bool claim_is_there(struct xs_handle *xs)
{
	return store_read_int(xs, XBT_NULL, VMC_XS_CLAIM_VERSION) == VMC_PROTOCOL_VERSION;
}

/**
 * claim_remove - withdraw the claim: the broker then withdraws this guest everywhere
 * @xs: the guest's own XenStore connection
 *
 * Return: 0, or -errno
 */
int claim_remove(struct xs_handle *xs)
{
	return store_remove(xs, XBT_NULL, VMC_XS_CLAIM);
}

/** claim_free - free what claim_write() remembers */
void claim_free(struct claim *claim)
{
	free(claim->addresses);
	claim->addresses = NULL;
}

/**
 * claim_link_open - a socket that becomes readable when an address comes or goes
 *
 * Return: file descriptor, or -errno
 */
int claim_link_open(void)
{
	return netlink_listen(NETLINK_ROUTE, RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
}

/** claim_link_drain - read what claim_link_open()'s socket has; its content is no matter */
void claim_link_drain(int fd)
{
	char buf[4096];

	while (recv(fd, buf, sizeof(buf), 0) >= 0 || errno == ENOBUFS)
		;
}
