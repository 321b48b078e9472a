/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What dom0 knows of a domain, and what the policy makes of two of them.
 */
#ifndef VMC_DOMAIN_H
#define VMC_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "policy.h"
#include "xs.h"

struct vif {
	char *bridge; /* NULL when it is on none */
	bool rate_limited;
	struct addr_set addrs; /* from dom0's "ip" */
};

struct domain {
	unsigned int id;
	char *name;
	bool claims;		 /* it announced a version that we know */
	struct addr_set claimed; /* addresses it says it has */
	struct vif *vifs;
	size_t nr_vifs;
};

/* Domains by id. */
struct domains {
	struct domain *domain;
	size_t nr;
};

int domain_read(struct domain *domain, struct xs_handle *xs, unsigned int id);
void domain_free(struct domain *domain);

struct domain *domains_find(const struct domains *domains, unsigned int id);
struct domain *domains_add(struct domains *domains, unsigned int id);
void domains_drop(struct domains *domains, unsigned int id);
void domains_free(struct domains *domains);

bool domains_permitted(const struct policy *policy, const struct domain *a, const struct domain *b);
int domains_visible(const struct policy *policy, const struct domains *domains,
		    const struct domain *viewer, const struct domain *peer, struct addr_set *addrs);

#endif
