/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dom0's policy: which domains may share memory. vmc-broker.conf(5) is its manual.
 */
#ifndef VMC_POLICY_H
#define VMC_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define POLICY_PATH "/etc/vmc/broker.conf"

struct policy_group {
	char *name;
	char **members; /* names of domains */
	size_t nr_members;
};

struct policy {
	bool same_bridge;	 /* vifs on one bridge make a pair permitted */
	bool allow_rate_limited; /* vifs with "rate" count as the others */
	bool trust_claims;	 /* addresses that guests claim are published */
	struct policy_group *groups;
	size_t nr_groups;
};

/* Where and why a policy file was refused. */
struct policy_error {
	int line; /* 0: the file as a whole */
	char text[128];
};

void policy_init(struct policy *policy);
int policy_parse(struct policy *policy, FILE *file, struct policy_error *error);
int policy_load(struct policy *policy, const char *path, struct policy_error *error);
bool policy_same_group(const struct policy *policy, const char *a, const char *b);
void policy_free(struct policy *policy);

#endif
