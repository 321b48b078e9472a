// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unit tests of the loader: addresses, the policy file, and what a policy permits.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ktap.h"

#include "addr.h"
#include "domain.h"
#include "policy.h"
#include "xs.h"

static bool formats_as(const char *text, const char *want)
{
	struct vmc_peer_key key;
	char got[ADDR_STRLEN];

	if (addr_parse(text, &key))
		return !want;
	addr_format(&key, got);
	return want && !strcmp(got, want);
}

static void test_addr_parse(void)
{
	CHECK(formats_as("10.0.0.1", "10.0.0.1"));
	CHECK(formats_as("::ffff:10.0.0.1", "10.0.0.1"));
	CHECK(formats_as("2001:DB8:0:0::1", "2001:db8::1"));
	CHECK(formats_as("fe80::216:3eff:fe00:1", "fe80::216:3eff:fe00:1"));
	CHECK(formats_as("", NULL));
	CHECK(formats_as("10.0.0", NULL));
	CHECK(formats_as("10.0.0.1/24", NULL));
	CHECK(formats_as("10.0.0.256", NULL));
	CHECK(formats_as("010.0.0.1", NULL));
	CHECK(formats_as(" 10.0.0.1", NULL));
	CHECK(formats_as("fe80::1%eth0", NULL));
	CHECK(formats_as("a.b.c.d", NULL));
}

static bool is_host(const char *text)
{
	struct vmc_peer_key key;

	return !addr_parse(text, &key) && addr_is_host(&key);
}

static void test_addr_is_host(void)
{
	CHECK(is_host("10.0.0.1"));
	CHECK(is_host("223.255.255.254"));
	CHECK(is_host("2001:db8::1"));
	CHECK(is_host("fe80::1"));
	CHECK(!is_host("0.0.0.0"));
	CHECK(!is_host("127.0.0.1"));
	CHECK(!is_host("224.0.0.1"));
	CHECK(!is_host("255.255.255.255"));
	CHECK(!is_host("::"));
	CHECK(!is_host("::1"));
	CHECK(!is_host("ff02::1"));
}

static bool set_is(const char *text, const char *want, size_t want_bad)
{
	struct addr_set set = {};
	size_t nr_bad = 0;
	bool same = !addr_set_parse(&set, text, &nr_bad);
	char *got = addr_set_format(&set);

	same = same && !strcmp(got, want) && nr_bad == want_bad;
	if (!same)
		printf("# '%s' became '%s', %zu bad\n", text, got, nr_bad);
	free(got);
	addr_set_free(&set);
	return same;
}

static void test_addr_set(void)
{
	char long_word[5000];

	memset(long_word, '1', sizeof(long_word) - 1);
	long_word[sizeof(long_word) - 1] = '\0';
	CHECK(set_is("", "", 0));
	CHECK(set_is(" \n\t ", "", 0));
	CHECK(set_is("10.0.0.2 10.0.0.1", "10.0.0.1 10.0.0.2", 0));
	CHECK(set_is("10.0.0.1,10.0.0.1\n::ffff:10.0.0.1", "10.0.0.1", 0));
	CHECK(set_is("10.0.0.1 2001:db8::1", "10.0.0.1 2001:db8::1", 0) ||
	      set_is("10.0.0.1 2001:db8::1", "2001:db8::1 10.0.0.1", 0));
	CHECK(set_is("nonsense 10.0.0.1 127.0.0.1", "10.0.0.1", 2));
	CHECK(set_is(long_word, "", 1));
}

static void test_store_number(void)
{
	CHECK(store_number("0") == 0);
	CHECK(store_number("32751") == 32751);
	CHECK(store_number(NULL) == -ENOENT);
	CHECK(store_number("") == -EINVAL);
	CHECK(store_number("-1") == -EINVAL);
	CHECK(store_number(" 1") == -EINVAL);
	CHECK(store_number("1x") == -EINVAL);
	CHECK(store_number("99999999999") == -EINVAL);
}

/* Parses a text; *line is where it was refused, 0 if it wasn't. */
static struct policy parse(const char *text, int *line)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	struct policy_error error;
	struct policy policy;

	policy_init(&policy);
	*line = policy_parse(&policy, file, &error) ? error.line : 0;
	fclose(file);
	return policy;
}

static int refused_at(const char *text)
{
	struct policy policy;
	int line;

	policy = parse(text, &line);
	policy_free(&policy);
	return line;
}

static void test_policy_good(void)
{
	struct policy p;
	int line;

	p = parse("# comment\n; comment\n\n[default]\nsame-bridge = no\n"
		  " allow-rate-limited=yes \ntrust-claims\t=\tyes\n"
		  "[group a-b]\nmembers = x, y.z ,w\n[ group  c ]\nmembers=x",
		  &line);
	CHECK(line == 0);
	CHECK(!p.same_bridge && p.allow_rate_limited && p.trust_claims);
	CHECK(p.nr_groups == 2 && p.groups[0].nr_members == 3);
	CHECK(!strcmp(p.groups[0].name, "a-b") && !strcmp(p.groups[1].name, "c"));
	CHECK(policy_same_group(&p, "x", "y.z") && policy_same_group(&p, "w", "x"));
	CHECK(!policy_same_group(&p, "x", "nobody"));
	policy_free(&p);
	CHECK(p.same_bridge && !p.nr_groups);
}

static void test_policy_bad(void)
{
	CHECK(refused_at("same-bridge=yes\n") == 1);
	CHECK(refused_at("[default]\nsame-bridge=maybe\n") == 2);
	CHECK(refused_at("[default]\nsame-bridge\n") == 2);
	CHECK(refused_at("[default]\nsame-brigde=no\n") == 2);
	CHECK(refused_at("[default]\nmembers=a\n") == 2);
	CHECK(refused_at("\n[defaults]\n") == 2);
	CHECK(refused_at("[default\n") == 1);
	CHECK(refused_at("[default] x\n") == 1);
	CHECK(refused_at("[default]\n[default]\n") == 2);
	CHECK(refused_at("[group]\n") == 1);
	CHECK(refused_at("[group a/b]\n") == 1);
	CHECK(refused_at("[group a]\n[group a]\n") == 2);
	CHECK(refused_at("[group a]\nmembers=\n") == 2);
	CHECK(refused_at("[group a]\nmembers=a,,b\n") == 2);
	CHECK(refused_at("[group a]\nmembers=a b\n") == 2);
	CHECK(refused_at("[group a]\nmembers=a\nmembers=b\n") == 3);
	CHECK(refused_at("[group a]\nsame-bridge=no\n") == 2);
}

static void test_policy_long_line(void)
{
	char *text = malloc(10001);
	int line;

	memset(text, '#', 10000);
	text[10000] = '\0';
	line = refused_at(text);
	free(text);
	CHECK(line == 1);
}

/* A domain that claims, with vifs given as "bridge address" or "bridge address rate". */
static void add_domain(struct domains *all, unsigned int id, const char *name, ...)
{
	struct domain *d = domains_add(all, id);
	const char *vif;
	va_list args;

	d->name = strdup(name);
	d->claims = true;
	d->vifs = calloc(4, sizeof(*d->vifs));
	va_start(args, name);
	while ((vif = va_arg(args, const char *))) {
		struct vif *v = &d->vifs[d->nr_vifs++];
		char bridge[16], addr[ADDR_STRLEN], rate[8];
		int n = sscanf(vif, "%15s %45s %7s", bridge, addr, rate);

		v->bridge = strdup(bridge);
		v->rate_limited = n == 3;
		if (n > 1)
			addr_set_parse(&v->addrs, addr, NULL);
	}
	va_end(args);
}

static bool permitted(const struct policy *p, const struct domains *all, unsigned int a,
		      unsigned int b)
{
	bool ab = domains_permitted(p, domains_find(all, a), domains_find(all, b));

	if (ab != domains_permitted(p, domains_find(all, b), domains_find(all, a)))
		printf("# %u and %u: not the same both ways\n", a, b);
	return ab;
}

static bool sees(const struct policy *p, const struct domains *all, unsigned int a, unsigned int b,
		 const char *want)
{
	struct addr_set set = {};
	bool same;
	char *got;

	domains_visible(p, all, domains_find(all, a), domains_find(all, b), &set);
	got = addr_set_format(&set);
	same = !strcmp(got, want);
	if (!same)
		printf("# %u sees of %u '%s', not '%s'\n", a, b, got, want);
	free(got);
	addr_set_free(&set);
	return same;
}

static void test_permitted_by_bridge(void)
{
	struct domains all = {};
	struct policy p;

	policy_init(&p);
	add_domain(&all, 3, "c", "br1 10.1.0.3", NULL);
	add_domain(&all, 1, "a", "br0 10.0.0.1", "br1 10.1.0.1", NULL);
	add_domain(&all, 2, "b", "br0 10.0.0.2", "br2 10.2.0.2", NULL);
	CHECK(permitted(&p, &all, 1, 2) && permitted(&p, &all, 1, 3));
	CHECK(!permitted(&p, &all, 2, 3) && !permitted(&p, &all, 1, 1));
	CHECK(sees(&p, &all, 1, 2, "10.0.0.2") && sees(&p, &all, 2, 1, "10.0.0.1"));
	CHECK(sees(&p, &all, 3, 1, "10.1.0.1") && sees(&p, &all, 2, 3, ""));
	domains_find(&all, 2)->claims = false;
	CHECK(!permitted(&p, &all, 1, 2));
	p.same_bridge = false;
	CHECK(!permitted(&p, &all, 1, 3) && sees(&p, &all, 1, 3, ""));
	domains_drop(&all, 1);
	CHECK(!domains_find(&all, 1) && domains_find(&all, 2)->id == 2 && all.nr == 2);
	domains_free(&all);
}

static void test_permitted_rate(void)
{
	struct domains all = {};
	struct policy p;

	policy_init(&p);
	add_domain(&all, 1, "a", "br0 10.0.0.1", "br1 10.1.0.1", NULL);
	add_domain(&all, 2, "b", "br0 10.0.0.2 rate", "br1 10.1.0.2", NULL);
	add_domain(&all, 3, "c", "br0 10.0.0.3 rate", NULL);
	add_domain(&all, 4, "d", "br0 10.0.0.4", "br0 10.0.0.44 rate", NULL);
	CHECK(permitted(&p, &all, 1, 2) && sees(&p, &all, 1, 2, "10.1.0.2"));
	CHECK(sees(&p, &all, 2, 1, "10.1.0.1"));
	CHECK(!permitted(&p, &all, 1, 3) && !permitted(&p, &all, 1, 4));
	p.allow_rate_limited = true;
	CHECK(permitted(&p, &all, 1, 3) && sees(&p, &all, 1, 4, "10.0.0.4 10.0.0.44"));
	CHECK(sees(&p, &all, 1, 2, "10.0.0.2 10.1.0.2"));
	domains_free(&all);
}

static void test_permitted_by_group(void)
{
	struct domains all = {};
	struct policy p;
	int line;

	p = parse("[default]\nsame-bridge=no\n[group g]\nmembers=a,b,c\n", &line);
	CHECK(!line);
	add_domain(&all, 1, "a", "br0 10.0.0.1", NULL);
	add_domain(&all, 2, "b", "br2 10.2.0.2", "br3 10.3.0.2", NULL);
	add_domain(&all, 3, "c", "br0 10.0.0.3 rate", NULL);
	add_domain(&all, 4, "d", "br0 10.0.0.4", NULL);
	CHECK(permitted(&p, &all, 1, 2) && sees(&p, &all, 1, 2, "10.2.0.2 10.3.0.2"));
	CHECK(!permitted(&p, &all, 1, 3) && !permitted(&p, &all, 1, 4));
	p.allow_rate_limited = true;
	CHECK(permitted(&p, &all, 1, 3));
	policy_free(&p);
	domains_free(&all);
}

static void test_claimed_addresses(void)
{
	struct domains all = {};
	struct policy p;

	policy_init(&p);
	add_domain(&all, 1, "a", "br0 10.0.0.1", NULL);
	add_domain(&all, 2, "b", "br0", NULL);
	addr_set_parse(&domains_find(&all, 2)->claimed, "10.0.0.2 10.0.0.1 2001:db8::2", NULL);
	CHECK(permitted(&p, &all, 1, 2) && sees(&p, &all, 1, 2, ""));
	p.trust_claims = true;
	CHECK(sees(&p, &all, 1, 2, "10.0.0.2 2001:db8::2"));
	domains_free(&all);
}

static const struct ktap_case cases[] = {
	{ "addresses are parsed and printed canonically", test_addr_parse },
	{ "host addresses are told from others", test_addr_is_host },
	{ "sets of addresses", test_addr_set },
	{ "numbers from XenStore", test_store_number },
	{ "a good policy file", test_policy_good },
	{ "bad policy files, by line", test_policy_bad },
	{ "a line that is too long", test_policy_long_line },
	{ "permitted by bridge", test_permitted_by_bridge },
	{ "rate-limited vifs", test_permitted_rate },
	{ "permitted by group", test_permitted_by_group },
	{ "claimed addresses", test_claimed_addresses },
};

int main(void)
{
	return ktap_main(cases, sizeof(cases) / sizeof(*cases));
}
