// SPDX-License-Identifier: GPL-2.0-only
/*
 * Domains: read from dom0's own nodes, but for the claim, which is the guest's word
 * and is treated as such.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <vmc/xenstore.h>

#include "domain.h"
#include "log.h"

#define VIF_PATH      "/local/domain/0/backend/vif/%u/%s/"
#define STATE_CLOSING 5 /* xenbus states from here on: the device goes */

static int vif_read(struct vif *vif, struct xs_handle *xs, unsigned int id, const char *name)
{
	size_t nr_bad = 0;
	char *text;
	int err;

	*vif = (struct vif){};
	vif->bridge = store_read(xs, XBT_NULL, VIF_PATH "bridge", id, name);
	vif->rate_limited = store_exists(xs, XBT_NULL, VIF_PATH "rate", id, name);
	text = store_read(xs, XBT_NULL, VIF_PATH "ip", id, name);
	if (!text)
		return 0;
	err = addr_set_parse(&vif->addrs, text, &nr_bad);
	if (nr_bad)
		say(LOG_WARNING, "domain %u, vif %s: ip='%s' has words that are no host's address",
		    id, name, text);
	free(text);
	return err;
}

static bool vif_is_there(struct xs_handle *xs, unsigned int id, const char *name)
{
	int state = store_read_int(xs, XBT_NULL, VIF_PATH "state", id, name);

	return state >= 0 && state < STATE_CLOSING;
}

static int read_vifs(struct domain *domain, struct xs_handle *xs)
{
	unsigned int nr;
	char **names = store_list(xs, &nr, "/local/domain/0/backend/vif/%u", domain->id);
	int err = 0;

	domain->vifs = calloc(nr + 1, sizeof(*domain->vifs));
	if (!domain->vifs)
		err = -ENOMEM;
	for (unsigned int i = 0; !err && i < nr; i++)
		if (store_number(names[i]) >= 0 && vif_is_there(xs, domain->id, names[i]))
			err = vif_read(&domain->vifs[domain->nr_vifs++], xs, domain->id, names[i]);
	free(names);
	return err;
}

static int read_claim(struct domain *domain, struct xs_handle *xs)
{
	int version =
		store_read_int(xs, XBT_NULL, "/local/domain/%u/" VMC_XS_CLAIM_VERSION, domain->id);
	char *text;
	int err;

	domain->claims = version >= 1 && version <= VMC_PROTOCOL_VERSION;
	if (!domain->claims) {
		if (version != -ENOENT)
			say(LOG_INFO, "domain %u claims a version that this broker doesn't know",
			    domain->id);
		return 0;
	}
	text = store_read(xs, XBT_NULL, "/local/domain/%u/" VMC_XS_CLAIM_ADDRESSES, domain->id);
	err = text ? addr_set_parse(&domain->claimed, text, NULL) : 0;
	free(text);
	return err;
}

/**
 * domain_read - read all there is to know of a domain
 * @domain: replaced; as it was on failure
 * @xs: connection
 * @id: its domid
 *
 * Return: 0, or -errno
 */
int domain_read(struct domain *domain, struct xs_handle *xs, unsigned int id)
{
	struct domain fresh = { .id = id };
	int err;

	fresh.name = store_read(xs, XBT_NULL, "/local/domain/%u/name", id);
	if (!fresh.name)
		fresh.name = strdup("");
	err = fresh.name ? read_vifs(&fresh, xs) : -ENOMEM;
	if (!err)
		err = read_claim(&fresh, xs);
	if (err) {
		domain_free(&fresh);
		return err;
	}
	domain_free(domain);
	*domain = fresh;
	return 0;
}

/** domain_free - free what domain_read() read */
void domain_free(struct domain *domain)
{
	for (size_t i = 0; i < domain->nr_vifs; i++) {
		free(domain->vifs[i].bridge);
		addr_set_free(&domain->vifs[i].addrs);
	}
	free(domain->vifs);
	free(domain->name);
	addr_set_free(&domain->claimed);
	*domain = (struct domain){ .id = domain->id };
}

static size_t domains_at(const struct domains *domains, unsigned int id)
{
	size_t at = 0;

	while (at < domains->nr && domains->domain[at].id < id)
		at++;
	return at;
}

/** domains_find - the domain of an id, or NULL */
struct domain *domains_find(const struct domains *domains, unsigned int id)
{
	size_t at = domains_at(domains, id);

	return at < domains->nr && domains->domain[at].id == id ? &domains->domain[at] : NULL;
}

/**
 * domains_add - add a domain that isn't there; pointers to others become stale
 *
 * Return: the domain, all zero but for its id; NULL without memory
 */
struct domain *domains_add(struct domains *domains, unsigned int id)
{
	size_t at = domains_at(domains, id);
	struct domain *domain;

	domain = realloc(domains->domain, (domains->nr + 1) * sizeof(*domain));
	if (!domain)
		return NULL;
	domains->domain = domain;
	memmove(domain + at + 1, domain + at, (domains->nr - at) * sizeof(*domain));
	domains->nr++;
	domain[at] = (struct domain){ .id = id };
	return &domain[at];
}

/** domains_drop - forget a domain, if it is there */
void domains_drop(struct domains *domains, unsigned int id)
{
	struct domain *domain = domains_find(domains, id);
	size_t at;

	if (!domain)
		return;
	domain_free(domain);
	at = (size_t)(domain - domains->domain);
	domains->nr--;
	memmove(domain, domain + 1, (domains->nr - at) * sizeof(*domain));
}

/** domains_free - forget all domains */
void domains_free(struct domains *domains)
{
	for (size_t i = 0; i < domains->nr; i++)
		domain_free(&domains->domain[i]);
	free(domains->domain);
	*domains = (struct domains){};
}

/*
 * Whether a domain may be reached by way of a bridge (any, if NULL): it has a vif
 * there, and none whose rate the fast path would get around.
 */
static bool domain_usable_on(const struct policy *policy, const struct domain *d,
			     const char *bridge)
{
	bool usable = false;

	for (size_t i = 0; i < d->nr_vifs; i++) {
		const struct vif *vif = &d->vifs[i];

		if (bridge && (!vif->bridge || strcmp(vif->bridge, bridge)))
			continue;
		if (vif->rate_limited && !policy->allow_rate_limited)
			return false;
		usable = true;
	}
	return usable;
}

static bool permitted_by_group(const struct policy *policy, const struct domain *a,
			       const struct domain *b)
{
	return policy_same_group(policy, a->name, b->name) && domain_usable_on(policy, a, NULL) &&
	       domain_usable_on(policy, b, NULL);
}

static bool permitted_by_bridge(const struct policy *policy, const struct domain *a,
				const struct domain *b, const char *bridge)
{
	return policy->same_bridge && bridge && domain_usable_on(policy, a, bridge) &&
	       domain_usable_on(policy, b, bridge);
}

/** domains_permitted - whether two domains claim, and the policy permits them a channel */
bool domains_permitted(const struct policy *policy, const struct domain *a, const struct domain *b)
{
	if (!a->claims || !b->claims || a->id == b->id)
		return false;
	if (permitted_by_group(policy, a, b))
		return true;
	for (size_t i = 0; i < a->nr_vifs; i++)
		if (permitted_by_bridge(policy, a, b, a->vifs[i].bridge))
			return true;
	return false;
}

/* An address that dom0 gave to another domain isn't a claim's to take. */
static bool is_anothers(const struct domains *domains, const struct domain *claimant,
			const struct vmc_peer_key *key)
{
	for (size_t i = 0; i < domains->nr; i++) {
		const struct domain *d = &domains->domain[i];

		for (size_t j = 0; d->id != claimant->id && j < d->nr_vifs; j++)
			if (addr_set_has(&d->vifs[j].addrs, key))
				return true;
	}
	return false;
}

/**
 * domains_visible - the addresses of a domain that another, permitted one may see
 * @policy: says by which way they are permitted, and whether claims count
 * @domains: all of them
 * @viewer: who will see them
 * @peer: whose they are
 * @addrs: where they are added
 *
 * Return: 0, or -ENOMEM
 */
int domains_visible(const struct policy *policy, const struct domains *domains,
		    const struct domain *viewer, const struct domain *peer, struct addr_set *addrs)
{
	bool all = permitted_by_group(policy, viewer, peer);
	int err = 0;

	for (size_t i = 0; i < peer->nr_vifs; i++) {
		const struct vif *vif = &peer->vifs[i];

		if (!all && !permitted_by_bridge(policy, viewer, peer, vif->bridge))
			continue;
		for (size_t j = 0; !err && j < vif->addrs.nr; j++)
			err = addr_set_add(addrs, &vif->addrs.keys[j]);
	}
	if (!policy->trust_claims)
		return err;
	for (size_t i = 0; !err && i < peer->claimed.nr; i++)
		if (!is_anothers(domains, peer, &peer->claimed.keys[i]))
			err = addr_set_add(addrs, &peer->claimed.keys[i]);
	return err;
}
