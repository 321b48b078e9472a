// SPDX-License-Identifier: GPL-2.0-only
/* Two sides of a queue in one process, between guard pages. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "pair.h"

static void *must(void *p)
{
	if (!p || p == MAP_FAILED) {
		perror("pair");
		exit(2);
	}
	return p;
}

static u32 nr_pages(const struct geometry *g)
{
	return 1 + g->nr_records / VMC_RECORDS_PER_PAGE + g->nr_returns / VMC_RETURNS_PER_PAGE +
	       g->nr_data;
}

/* Every second page of the range is a page of the file, the others are guards. */
static u8 *map_guarded(int fd, u32 nr, int prot, size_t *len)
{
	u8 *base;
	u32 i;

	*len = (2 * (size_t)nr + 1) * VMC_PAGE_SIZE;
	base = must(mmap(NULL, *len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	for (i = 0; i < nr; i++)
		must(mmap(base + (2 * (size_t)i + 1) * VMC_PAGE_SIZE, VMC_PAGE_SIZE, prot,
			  MAP_SHARED | MAP_FIXED, fd, (off_t)i * VMC_PAGE_SIZE));
	return base + VMC_PAGE_SIZE;
}

static void *page_array(u8 **page, u32 nr)
{
	void **array = must(calloc(nr, sizeof(*array)));
	u32 i;

	for (i = 0; i < nr; i++, *page += 2 * (size_t)VMC_PAGE_SIZE)
		array[i] = *page;
	return array;
}

static void grant_alloc(struct grant *g, const struct geometry *geo)
{
	u32 nr = nr_pages(geo);
	u32 nr_rec = geo->nr_records / VMC_RECORDS_PER_PAGE;
	u32 nr_ret = geo->nr_returns / VMC_RETURNS_PER_PAGE;
	int fd = memfd_create("vmc", 0);
	u8 *rw, *ro;

	g->geo = *geo;
	if (fd < 0 || ftruncate(fd, (off_t)nr * VMC_PAGE_SIZE))
		must(NULL);
	rw = map_guarded(fd, nr, PROT_READ | PROT_WRITE, &g->map_len);
	g->map[0] = rw - VMC_PAGE_SIZE;
	/* TSan knows memory by its address: it needs one mapping for both sides. */
	ro = rw;
#ifndef TSAN
	ro = map_guarded(fd, nr, PROT_READ, &g->map_len);
	g->map[1] = ro - VMC_PAGE_SIZE;
#endif
	close(fd);

	g->head = (void *)rw;
	g->ro_head = (void *)ro;
	rw += 2 * (size_t)VMC_PAGE_SIZE;
	ro += 2 * (size_t)VMC_PAGE_SIZE;
	g->records = page_array(&rw, nr_rec);
	g->returns = page_array(&rw, nr_ret);
	g->data = page_array(&rw, geo->nr_data);
	g->ro_records = page_array(&ro, nr_rec);
	g->ro_returns = page_array(&ro, nr_ret);
	g->ro_data = page_array(&ro, geo->nr_data);
}

static void grant_free(struct grant *g)
{
	munmap(g->map[0], g->map_len);
	if (g->map[1])
		munmap(g->map[1], g->map_len);
	free(g->records);
	free(g->returns);
	free(g->data);
	free(g->ro_records);
	free(g->ro_returns);
	free(g->ro_data);
}

static void head_reset(struct vmc_head *head, const struct geometry *geo)
{
	__le32 start = cpu_to_le32(geo->start);

	memset(head, 0, sizeof(*head));
	head->magic = cpu_to_le32(VMC_MAGIC);
	head->nr_records = cpu_to_le32(geo->nr_records);
	head->nr_returns = cpu_to_le32(geo->nr_returns);
	head->nr_data = cpu_to_le32(geo->nr_data);
	head->nr_dir =
		cpu_to_le32((nr_pages(geo) - 1 + VMC_GREFS_PER_PAGE - 1) / VMC_GREFS_PER_PAGE);
	head->rec_prod = start;
	head->ret_prod = start;
	head->rec_cons = start;
	head->rec_event = start;
	head->cons_event = start;
	head->ret_event = start;
}

static void ring_reset(struct vmc_ring *r, const struct grant *mine, const struct grant *peer)
{
	u32 start = mine->geo.start;

	*r = (struct vmc_ring){
		.head = mine->head,
		.records = mine->records,
		.returns = mine->returns,
		.peer_head = peer->ro_head,
		.peer_records = peer->ro_records,
		.peer_returns = peer->ro_returns,
		.nr_records = mine->geo.nr_records,
		.nr_returns = mine->geo.nr_returns,
		.peer_nr_records = peer->geo.nr_records,
		.peer_nr_returns = peer->geo.nr_returns,
		.peer_nr_data = peer->geo.nr_data,
		.rec_prod = start,
		.rec_published = start,
		.peer_rec_cons = start,
		.rec_cons = start,
		.rec_consumed = start,
		.ret_prod = start,
		.ret_published = start,
		.ret_cons = start,
	};
}

void pair_reset(struct pair *p)
{
	int i;

	for (i = 0; i < 2; i++)
		head_reset(p->grant[i].head, &p->grant[i].geo);
	for (i = 0; i < 2; i++)
		ring_reset(&p->ring[i], &p->grant[i], &p->grant[!i]);
}

struct pair *pair_alloc(const struct geometry *a, const struct geometry *b)
{
	struct pair *p = must(calloc(1, sizeof(*p)));

	grant_alloc(&p->grant[0], a);
	grant_alloc(&p->grant[1], b);
	pair_reset(p);
	return p;
}

void pair_free(struct pair *p)
{
	grant_free(&p->grant[0]);
	grant_free(&p->grant[1]);
	free(p);
}

u64 env_number(const char *name, u64 def)
{
	const char *s = getenv(name);

	return s && *s ? strtoull(s, NULL, 0) : def;
}

u64 seed_get(void)
{
	struct timespec now;
	u64 seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = env_number("SEED", (u64)now.tv_sec * 1000000007u ^ (u64)now.tv_nsec);
	if (!seed)
		seed = 1;
	printf("# SEED=%llu\n", (unsigned long long)seed);
	return seed;
}
