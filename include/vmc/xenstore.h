/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XenStore keys of vmc, shared by the module (xenbus handshake), the guest's
 * loader and dom0's broker. docs/protocol.md has owner and permissions of each.
 */
#ifndef VMC_XENSTORE_H
#define VMC_XENSTORE_H

/* Version of everything in docs/protocol.md, the same for both peers. */
#define VMC_PROTOCOL_VERSION   1

/*
 * Discovery. A guest announces itself below its own "data", which it may write;
 * dom0 publishes below "vmc", which dom0 owns and only that guest may read:
 *   data/vmc/version                  the guest runs an attached vmc-loader
 *   data/vmc/addresses                claimed addresses, only for policy "trust-claims"
 *   vmc/peer/<domid>/addresses        space-separated IPv4 and IPv6 addresses
 *   vmc/peer/<domid>/name             the peer's name, for people
 */
#define VMC_XS_CLAIM	       "data/vmc"
#define VMC_XS_CLAIM_VERSION   "data/vmc/version"
#define VMC_XS_CLAIM_ADDRESSES "data/vmc/addresses"
#define VMC_XS_PEERS	       "vmc/peer"
#define VMC_XS_PEER_ADDRESSES  "addresses"
#define VMC_XS_PEER_NAME       "name"

/*
 * The split device of a pair of guests. The guest with the lower domid holds
 * the frontend, device/vmc/<peer>; the other backend/vmc/<peer>/0.
 */
#define VMC_XS_DEVICE	       "vmc"
#define VMC_XS_VERSION	       "protocol-version"	/* backend: highest; frontend: chosen */
#define VMC_XS_MAX_QUEUES      "multi-queue-max-queues" /* backend */
#define VMC_XS_NUM_QUEUES      "multi-queue-num-queues" /* frontend */
#define VMC_XS_RING_REF	       "ring-ref"		/* both, below queue-<n>/: head page */
#define VMC_XS_EVTCHN	       "event-channel"		/* frontend, below queue-<n>/ */

#endif
