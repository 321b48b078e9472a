/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Netlink sockets that say that something has happened.
 */
#ifndef VMC_NETLINK_H
#define VMC_NETLINK_H

int netlink_listen(int protocol, unsigned int groups);

#endif
