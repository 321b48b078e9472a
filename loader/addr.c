// SPDX-License-Identifier: GPL-2.0-only
/*
 * Addresses: parsed and printed again before anybody relies on them.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"

static const __u8 v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool addr_is_v4(const struct vmc_peer_key *key)
{
	return !memcmp(key->addr, v4_prefix, sizeof(v4_prefix));
}

/**
 * addr_parse - one IPv4 or IPv6 address, without prefix length, port or zone
 * @text: the address
 * @key: where it goes, IPv4 mapped
 *
 * Return: 0, or -EINVAL
 */
int addr_parse(const char *text, struct vmc_peer_key *key)
{
	if (inet_pton(AF_INET, text, key->addr + 12) == 1) {
		memcpy(key->addr, v4_prefix, sizeof(v4_prefix));
		return 0;
	}
	return inet_pton(AF_INET6, text, key->addr) == 1 ? 0 : -EINVAL;
}

/** addr_is_unicast - whether a connection can have this address at its other end */
bool addr_is_unicast(const struct vmc_peer_key *key)
{
	static const struct vmc_peer_key any;

	if (addr_is_v4(key)) /* neither 0/8 nor multicast, reserved, broadcast */
		return key->addr[12] != 0 && key->addr[12] < 224;
	return memcmp(key, &any, sizeof(any)) && key->addr[0] != 0xff;
}

/** addr_is_host - whether it is unicast and can belong to another host */
bool addr_is_host(const struct vmc_peer_key *key)
{
	static const struct vmc_peer_key loopback = { .addr = { [15] = 1 } };

	if (addr_is_v4(key) && key->addr[12] == 127)
		return false;
	return addr_is_unicast(key) && memcmp(key, &loopback, sizeof(loopback));
}

/**
 * addr_format - print an address in its canonical form
 * @key: the address; a mapped IPv4 address is printed as IPv4
 * @text: where it goes
 */
void addr_format(const struct vmc_peer_key *key, char text[ADDR_STRLEN])
{
	if (addr_is_v4(key))
		inet_ntop(AF_INET, key->addr + 12, text, ADDR_STRLEN);
	else
		inet_ntop(AF_INET6, key->addr, text, ADDR_STRLEN);
}

/** addr_compare - order of keys, for qsort() and bsearch() */
int addr_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct vmc_peer_key));
}

/**
 * addr_set_add - add an address; none is there twice
 * @set: the set
 * @key: the address
 *
 * Return: 0, or -ENOMEM
 */
int addr_set_add(struct addr_set *set, const struct vmc_peer_key *key)
{
	struct vmc_peer_key *keys;
	size_t at = 0;

	while (at < set->nr && addr_compare(&set->keys[at], key) < 0)
		at++;
	if (at < set->nr && !addr_compare(&set->keys[at], key))
		return 0;
	keys = realloc(set->keys, (set->nr + 1) * sizeof(*keys));
	if (!keys)
		return -ENOMEM;
	memmove(keys + at + 1, keys + at, (set->nr - at) * sizeof(*keys));
	keys[at] = *key;
	set->keys = keys;
	set->nr++;
	return 0;
}

/**
 * addr_set_parse - add the host addresses of a text
 * @set: the set
 * @text: addresses, separated by white space or commas
 * @nr_bad: incremented for each word that is none; may be NULL
 *
 * Return: 0, or -ENOMEM
 */
int addr_set_parse(struct addr_set *set, const char *text, size_t *nr_bad)
{
	static const char separators[] = " \t\r\n,";
	struct vmc_peer_key key;
	char word[ADDR_STRLEN];
	int err;

	while (*(text += strspn(text, separators))) {
		size_t len = strcspn(text, separators);

		if (len < sizeof(word)) {
			memcpy(word, text, len);
			word[len] = '\0';
		}
		text += len;
		if (len >= sizeof(word) || addr_parse(word, &key) || !addr_is_host(&key)) {
			if (nr_bad)
				++*nr_bad;
			continue;
		}
		err = addr_set_add(set, &key);
		if (err)
			return err;
	}
	return 0;
}

/** addr_set_has - whether an address is in a set */
bool addr_set_has(const struct addr_set *set, const struct vmc_peer_key *key)
{
	return set->nr && bsearch(key, set->keys, set->nr, sizeof(*key), addr_compare);
}

/** addr_set_equal - whether two sets hold the same addresses */
bool addr_set_equal(const struct addr_set *a, const struct addr_set *b)
{
	return a->nr == b->nr && (!a->nr || !memcmp(a->keys, b->keys, a->nr * sizeof(*a->keys)));
}

/**
 * addr_set_format - print a set
 * @set: the set
 *
 * Return: canonical addresses separated by spaces, to be freed; NULL without memory
 */
char *addr_set_format(const struct addr_set *set)
{
	char *text = calloc(set->nr + 1, ADDR_STRLEN + 1), *at = text;

	for (size_t i = 0; text && i < set->nr; i++) {
		if (i)
			*at++ = ' ';
		addr_format(&set->keys[i], at);
		at += strlen(at);
	}
	return text;
}

/** addr_set_free - empty a set */
void addr_set_free(struct addr_set *set)
{
	free(set->keys);
	*set = (struct addr_set){};
}
