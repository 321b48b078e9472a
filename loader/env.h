/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What this machine must have: one table, for "check" and for the verbs that need it.
 */
#ifndef VMC_ENV_H
#define VMC_ENV_H

#include <stdbool.h>
#include <stddef.h>

/* Who needs a thing; a verb passes its own bit to env_require(). */
#define ENV_ATTACH   0x1  /* the fast path in a guest */
#define ENV_XENSTORE 0x2  /* attach, but for --static */
#define ENV_CGROUP   0x10 /* attach, but for --cgroup */
#define ENV_BROKER   0x4  /* dom0 */
#define ENV_NOTE     0x8  /* worth knowing, nothing fails without it */

struct env_check {
	const char *name;
	unsigned int need;
	/* 0 when it is there, -errno when it is missing; what was found goes to @detail. */
	int (*probe)(char *detail, size_t len);
	const char *next; /* what to do about it */
};

extern const struct env_check env_checks[]; /* the last has no name */

int env_require(unsigned int need);
bool env_is_dom0(void);
int env_cgroup2(const char **path);

#endif
