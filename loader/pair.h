/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What XenStore holds for a pair of domains: each one's view of the other, and their
 * xenbus device. Of two domains, 0 is the one with the lower domid (the frontend).
 */
#ifndef VMC_PAIR_H
#define VMC_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "xs.h"

enum pair_device {
	DEVICE_NONE,
	DEVICE_THERE,
	DEVICE_CLOSING, /* asked to close, until its deadline */
	DEVICE_RESTING, /* removed; the guests shall see that before it comes again */
};

#define PAIR_NO_DEADLINE INT64_MAX

struct pair {
	unsigned int id[2];
	char *addresses[2]; /* of the other, published to this one; NULL: nothing is */
	char *name[2];
	enum pair_device device;
	bool settled;	  /* a device that is there: both ends are where they may stay */
	int64_t since;	  /* when that became so, CLOCK_MONOTONIC ms */
	int64_t deadline; /* for pair_step(), CLOCK_MONOTONIC ms; PAIR_NO_DEADLINE */
	int64_t rest;	  /* from removal on, ms */
	int nr_short;	  /* devices of short life, one behind the other */
	int nr_stuck;	  /* devices that were stuck, one behind the other */
};

/* Pairs by ids. */
struct pairs {
	struct pair *pair;
	size_t nr;
};

struct pair *pairs_find(const struct pairs *pairs, unsigned int lo, unsigned int hi);
struct pair *pairs_get(struct pairs *pairs, unsigned int lo, unsigned int hi);
void pairs_drop_empty(struct pairs *pairs);
void pairs_free(struct pairs *pairs);
int pairs_load(struct pairs *pairs, struct xs_handle *xs, unsigned int domid);

int pair_open(struct pair *pair, struct xs_handle *xs);
int pair_publish(struct pair *pair, struct xs_handle *xs, int to, const char *name,
		 const char *addresses);
int pair_withdraw(struct pair *pair, struct xs_handle *xs);
int pair_close(struct pair *pair, struct xs_handle *xs);
int pair_step(struct pair *pair, struct xs_handle *xs, bool gone);

int64_t pair_now(void);

#endif
