/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two sides of a queue in one process. Each side's pages lie between guard pages
 * and are mapped twice, as between two guests: writable for their owner, and
 * read-only for the other side, who crashes if it writes or reads past them.
 */
#ifndef PAIR_H
#define PAIR_H

#include <vmc/ring.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define TSAN
#endif
#endif

struct geometry {
	u32 nr_records, nr_returns, nr_data;
	u32 start; /* first value of every index */
};

/* What one side grants: as its owner sees it, and as the peer does. */
struct grant {
	struct vmc_head *head;
	struct vmc_record **records;
	__le32 **returns;
	u8 **data;
	const struct vmc_head *ro_head;
	const struct vmc_record **ro_records;
	const __le32 **ro_returns;
	const u8 **ro_data;
	struct geometry geo;
	void *map[2];
	size_t map_len;
};

struct pair {
	struct grant grant[2];
	struct vmc_ring ring[2]; /* private view of side 0 and 1 */
};

struct pair *pair_alloc(const struct geometry *a, const struct geometry *b);
void pair_free(struct pair *p);
/* Indexes to their start, as after a new connection. */
void pair_reset(struct pair *p);

/* Reproducible random numbers (xorshift64*). */
struct prng {
	u64 state;
};

static inline u32 prng_next(struct prng *p)
{
	p->state ^= p->state >> 12;
	p->state ^= p->state << 25;
	p->state ^= p->state >> 27;
	return (u32)((p->state * 0x2545f4914f6cdd1dULL) >> 32);
}

static inline u32 prng_below(struct prng *p, u32 n)
{
	return (u32)(((u64)prng_next(p) * n) >> 32);
}

/* Seed: the environment's SEED, or the clock; printed, so that a run can be repeated. */
u64 seed_get(void);
/* The environment's number NAME, or DEF. */
u64 env_number(const char *name, u64 def);

#endif
