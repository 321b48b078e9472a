// SPDX-License-Identifier: GPL-2.0-only
/*
 * A peer who writes whatever it likes into its own pages, before and while we
 * read them. Our side must never touch memory outside the rings (guard pages,
 * ASan), compute with undefined results (UBSan), or take as good what a second,
 * independent check calls bad. The single-threaded cases repeat exactly from
 * their SEED.
 *
 * Environment: SEED, STEPS (operations a case).
 */
#include <ktap.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "pair.h"

static u64 seed;

struct attack {
	struct grant *own;
	const struct vmc_ring *victim;
	struct prng rnd;
	_Atomic bool stop;
};

/* Mostly values near those that would be right: far ones are refused too easily. */
static u32 evil_index(struct prng *rnd, u32 near, u32 size)
{
	switch (prng_below(rnd, 8)) {
	case 0:
		return prng_next(rnd);
	case 1:
		return near + size;
	case 2:
		return near + size + 1;
	case 3:
		return near - 1;
	case 4:
		return near + 0x80000000;
	default:
		return near + prng_below(rnd, size + 2);
	}
}

static u32 evil_number(struct prng *rnd, u32 limit)
{
	switch (prng_below(rnd, 6)) {
	case 0:
		return prng_next(rnd);
	case 1:
		return limit;
	case 2:
		return limit - 1;
	case 3:
		return limit + 1;
	default:
		return prng_below(rnd, limit ? limit : 1);
	}
}

/* The scribbler races with our reads on purpose: single relaxed stores. */
static void put8(u8 *p, u32 v)
{
	__atomic_store_n(p, (u8)v, __ATOMIC_RELAXED);
}

static void put16(__le16 *p, u32 v)
{
	__atomic_store_n(p, htole16((u16)v), __ATOMIC_RELAXED);
}

static void put32(__le32 *p, u32 v)
{
	__atomic_store_n(p, htole32(v), __ATOMIC_RELAXED);
}

static void scribble_record(struct attack *a, struct vmc_record *rec)
{
	struct prng *rnd = &a->rnd;
	u32 i, sum = 0, segs = prng_below(rnd, VMC_MAX_SEGS + 1);

	for (i = 0; i < segs; i++) {
		u32 off = prng_below(rnd, VMC_PAGE_SIZE),
		    len = 1 + prng_below(rnd, VMC_PAGE_SIZE - off);

		sum += len;
		put32(&rec->seg[i].page, prng_below(rnd, a->own->geo.nr_data));
		put16(&rec->seg[i].off, off);
		put16(&rec->seg[i].len, len);
	}
	put8(&rec->type, prng_below(rnd, 10) ? VMC_REC_DATA : prng_below(rnd, 9));
	put8(&rec->flags, !segs);
	put8(&rec->nr_segs, segs);
	put8(&rec->reserved, 0);
	put32(&rec->len, sum);

	/* Half of them are right; the others get one wrong field. */
	i = prng_below(rnd, VMC_MAX_SEGS);
	switch (prng_below(rnd, 16)) {
	case 0:
		put8(&rec->type, prng_next(rnd));
		break;
	case 1:
		put8(&rec->flags, prng_next(rnd));
		break;
	case 2:
		put8(&rec->nr_segs, evil_number(rnd, VMC_MAX_SEGS));
		break;
	case 3:
		put8(&rec->reserved, prng_next(rnd));
		break;
	case 4:
		put32(&rec->len, evil_number(rnd, sum));
		break;
	case 5:
		put32(&rec->seg[i].page, evil_number(rnd, a->own->geo.nr_data));
		break;
	case 6:
		put16(&rec->seg[i].off, evil_number(rnd, VMC_PAGE_SIZE));
		break;
	case 7:
		put16(&rec->seg[i].len, evil_number(rnd, VMC_PAGE_SIZE));
		break;
	}
}

static void scribble(struct attack *a)
{
	const struct geometry *g = &a->own->geo;
	struct vmc_head *head = a->own->head;
	const struct vmc_ring *v = a->victim;
	struct prng *rnd = &a->rnd;
	u32 i;

	/* The constant part, too: nobody may look at it again. */
	switch (prng_below(rnd, 12)) {
	case 0:
		put32(&head->rec_prod,
		      evil_index(rnd, __atomic_load_n(&v->rec_cons, __ATOMIC_RELAXED),
				 g->nr_records));
		break;
	case 1:
		put32(&head->ret_prod,
		      evil_index(rnd, __atomic_load_n(&v->ret_cons, __ATOMIC_RELAXED),
				 g->nr_returns));
		break;
	case 2:
		i = __atomic_load_n(&v->peer_rec_cons, __ATOMIC_RELAXED);
		put32(&head->rec_cons, evil_index(rnd, i, v->nr_records));
		break;
	case 3:
		put32(&head->rec_event, prng_next(rnd));
		put32(&head->cons_event, prng_next(rnd));
		put32(&head->ret_event, prng_next(rnd));
		break;
	case 4:
		put32(&head->nr_records, prng_next(rnd));
		put32(&head->nr_returns, prng_next(rnd));
		put32(&head->nr_data, prng_next(rnd));
		put32(&head->magic, prng_next(rnd));
		break;
	case 5:
		i = prng_below(rnd, g->nr_returns);
		put32(&a->own->returns[i / VMC_RETURNS_PER_PAGE][i % VMC_RETURNS_PER_PAGE],
		      prng_next(rnd));
		break;
	default:
		/* The slot that comes next is the interesting one. */
		i = __atomic_load_n(&v->rec_cons, __ATOMIC_RELAXED) + prng_below(rnd, 2);
		i &= g->nr_records - 1;
		scribble_record(
			a, &a->own->records[i / VMC_RECORDS_PER_PAGE][i % VMC_RECORDS_PER_PAGE]);
	}
}

/* Written from docs/protocol.md's rules, not from the header's code. */
static bool record_is_good(const struct vmc_record *rec, u32 nr_data)
{
	u64 sum = 0;
	int i;

	if (rec->reserved != 0)
		return false;
	switch (rec->type) {
	case VMC_REC_DATA:
		break;
	case VMC_REC_OPEN:
	case VMC_REC_ACCEPT:
	case VMC_REC_REJECT:
	case VMC_REC_CLOSE:
	case VMC_REC_ACKREQ:
	case VMC_REC_STOP:
	case VMC_REC_STOPPED:
	case VMC_REC_WINDOW:
		return rec->flags == 0 && rec->nr_segs == 0 && rec->len == 0;
	default:
		return false;
	}
	if (rec->flags > (VMC_DATA_FIN | VMC_DATA_RST) || rec->nr_segs > 14)
		return false;
	for (i = 0; i < rec->nr_segs; i++) {
		u64 off = le16_to_cpu(rec->seg[i].off), len = le16_to_cpu(rec->seg[i].len);

		if (le32_to_cpu(rec->seg[i].page) >= nr_data || len == 0 || off + len > 4096)
			return false;
		sum += len;
	}
	return sum == le32_to_cpu(rec->len) && (sum != 0) != (rec->flags != 0);
}

/* Read what the record points to, as the receiver would: a guard page ends it if it lies. */
static u32 read_data(const struct vmc_record *rec, const struct grant *peer)
{
	u32 i, j, sum = 0;

	if (rec->type != VMC_REC_DATA)
		return 0;
	for (i = 0; i < rec->nr_segs; i++) {
		const u8 *p =
			peer->ro_data[le32_to_cpu(rec->seg[i].page)] + le16_to_cpu(rec->seg[i].off);
		u32 len = le16_to_cpu(rec->seg[i].len);

		for (j = 0; j < len; j += 509)
			sum += p[j];
		sum += p[len - 1];
	}
	return sum;
}

struct tally {
	u32 good, refused, sent, returned;
};

/* One random operation of our side. Returns false on -EPROTO. */
static bool step(struct pair *p, struct prng *rnd, struct tally *t)
{
	struct vmc_ring *r = &p->ring[0];
	struct {
		u64 before;
		struct vmc_record rec;
		u64 after;
	} copy = { .before = 0x5a5a5a5a5a5a5a5a, .after = 0xa5a5a5a5a5a5a5a5 };
	u32 page, segs;
	int ret = 0;

	switch (prng_below(rnd, 10)) {
	case 0:
		ret = vmc_rec_room(r);
		break;
	case 1:
		ret = vmc_rec_room_arm(r);
		break;
	case 2:
		ret = vmc_rec_room(r);
		CHECK(ret <= (int)r->nr_records, "(room %d)", ret);
		for (segs = prng_below(rnd, 8); ret > 0 && segs; ret--, segs--) {
			memset(vmc_rec_next(r), 0x11, sizeof(struct vmc_record));
			t->sent++;
		}
		CHECK(r->rec_prod - r->peer_rec_cons <= r->nr_records);
		break;
	case 3:
		vmc_rec_publish(r);
		break;
	case 4:
		vmc_rec_consumed(r);
		vmc_rec_arm(r);
		break;
	case 5:
		vmc_ret_push(r, prng_below(rnd, p->grant[1].geo.nr_data), 1 + prng_below(rnd, 9));
		vmc_ret_publish(r);
		break;
	case 6:
		ret = vmc_ret_pop(r, &page, &segs);
		t->returned += ret == 1;
		vmc_ret_arm(r, 1 + prng_below(rnd, 5));
		break;
	default:
		ret = vmc_rec_peek(r, &copy.rec);
		CHECK(ret >= -EPROTO && ret <= 1);
		CHECK(copy.before == 0x5a5a5a5a5a5a5a5a && copy.after == 0xa5a5a5a5a5a5a5a5);
		if (ret == 1) {
			CHECK(record_is_good(&copy.rec, p->grant[1].geo.nr_data));
			read_data(&copy.rec, &p->grant[1]);
			vmc_rec_consume(r);
			t->good++;
		}
		CHECK(r->rec_cons - r->rec_consumed <= r->peer_nr_records);
	}
	CHECK(ret >= 0 || ret == -EPROTO);
	t->refused += ret < 0;
	return ret >= 0;
}

static struct geometry any_geometry(struct prng *rnd)
{
	struct geometry geo = {
		.nr_records = VMC_RECORDS_PER_PAGE << prng_below(rnd, 4),
		.nr_returns = VMC_RETURNS_PER_PAGE << prng_below(rnd, 3),
		.nr_data = 1 + prng_below(rnd, 20),
	};

	return geo;
}

static void report(const struct tally *t)
{
	printf("# %u records good, %u operations refused, %u records sent, %u returns\n", t->good,
	       t->refused, t->sent, t->returned);
	/* Otherwise the attack was too crude to reach what it aims at. */
	CHECK(t->good && t->refused && t->sent && t->returned);
}

static u32 nr_steps(void)
{
	return (u32)env_number("STEPS", 2000000);
}

/* Scribbles between the operations, repeatable. */
static void between_reads(bool close_on_error)
{
	struct prng rnd = { .state = seed };
	struct tally tally = { 0 };
	u32 left = nr_steps();

	while (left) {
		struct geometry mine = any_geometry(&rnd), peer = any_geometry(&rnd);
		struct pair *p;
		struct attack attack;
		u32 n = 20000;

		mine.start = prng_below(&rnd, 3) ? 0u - prng_below(&rnd, 2000) : prng_next(&rnd);
		peer.start = mine.start;
		p = pair_alloc(&mine, &peer);
		attack = (struct attack){ .own = &p->grant[1],
					  .victim = &p->ring[0],
					  .rnd = { .state = prng_next(&rnd) + 1ull } };
		for (; left && n; left--, n--) {
			u32 k = prng_below(&rnd, 4);

			while (k--)
				scribble(&attack);
			if (!step(p, &rnd, &tally) && close_on_error)
				pair_reset(p);
		}
		pair_free(p);
	}
	report(&tally);
}

static void channel_closes(void)
{
	between_reads(true);
}

/* A caller that goes on after -EPROTO gets nonsense, but never unsafe nonsense. */
static void caller_goes_on(void)
{
	between_reads(false);
}

static void *attack_run(void *arg)
{
	struct attack *a = arg;

	while (!atomic_load_explicit(&a->stop, memory_order_relaxed))
		scribble(a);
	return NULL;
}

static void during_reads(void)
{
	struct geometry mine = { 64, 1024, 8, 0u - 1000 }, peer = { 32, 1024, 8, 0u - 1000 };
	struct pair *p = pair_alloc(&mine, &peer);
	struct attack attack = { .own = &p->grant[1], .victim = &p->ring[0], .rnd = { seed + 1 } };
	struct prng rnd = { .state = seed };
	struct tally tally = { 0 };
	u32 left = nr_steps();
	pthread_t thread;

	pthread_create(&thread, NULL, attack_run, &attack);
	while (left--)
		step(p, &rnd, &tally);
	atomic_store(&attack.stop, true);
	pthread_join(thread, NULL);
	report(&tally);
	pair_free(p);
}

/*
 * The sharpest double fetch: the number of segments of the one next record flips
 * between small and huge while it is copied. On busy CPUs the other thread may come
 * late, so it takes as many steps as it takes to see both.
 */
#define FLIP_SECONDS 30

static void *flip_run(void *arg)
{
	struct attack *a = arg;
	struct vmc_record *rec = &a->own->records[0][0];

	while (!atomic_load_explicit(&a->stop, memory_order_relaxed)) {
		put8(&rec->nr_segs, 255);
		put8(&rec->nr_segs, 1);
		put8(&rec->type, VMC_REC_OPEN);
		put8(&rec->type, VMC_REC_DATA);
	}
	return NULL;
}

static void flipping_record(void)
{
	struct geometry geo = { 32, 1024, 8, 0 };
	struct pair *p = pair_alloc(&geo, &geo);
	struct attack attack = { .own = &p->grant[1] };
	struct vmc_record rec, *slot = &p->grant[1].records[0][0];
	time_t deadline = time(NULL) + FLIP_SECONDS;
	u32 nr = nr_steps(), good = 0, bad = 0;
	pthread_t thread;

	*slot = (struct vmc_record){ .type = VMC_REC_DATA, .nr_segs = 1, .len = cpu_to_le32(5) };
	slot->seg[0].len = cpu_to_le16(5);
	vmc_store(&p->grant[1].head->rec_prod, 1);
	pthread_create(&thread, NULL, flip_run, &attack);
	for (u32 n = 0; n < nr || (!(good && bad) && time(NULL) < deadline); n++) {
		int ret = vmc_rec_peek(&p->ring[0], &rec);

		if (ret == 1) {
			CHECK(record_is_good(&rec, geo.nr_data));
			good++;
		} else {
			CHECK_EQ(ret, -EPROTO);
			bad++;
		}
	}
	atomic_store(&attack.stop, true);
	pthread_join(thread, NULL);
	printf("# %u good, %u refused\n", good, bad);
	CHECK(good && bad);
	pair_free(p);
}

static void random_heads(void)
{
	struct prng rnd = { .state = seed };
	u32 left = nr_steps(), good = 0, bad = 0;

	while (left--) {
		u64 rec = 1ull << prng_below(&rnd, 14), ret = 1ull << prng_below(&rnd, 17);
		u64 data = prng_below(&rnd, 9000), dir;
		struct vmc_head h = { .magic = cpu_to_le32(VMC_MAGIC) };
		bool want;

		if (!prng_below(&rnd, 10))
			rec = prng_next(&rnd);
		if (!prng_below(&rnd, 10))
			ret = prng_next(&rnd);
		if (!prng_below(&rnd, 10))
			data = evil_number(&rnd, VMC_MAX_DATA_PAGES);
		dir = (rec / 32 + ret / 1024 + data + 1023) / 1024;
		want = rec >= 32 && rec <= 4096 && !(rec & (rec - 1)) && ret >= 1024 &&
		       ret <= 32768 && !(ret & (ret - 1)) && data >= 1 && data <= 8192;
		if (!prng_below(&rnd, 10)) {
			u32 other = evil_number(&rnd, (u32)dir);

			want = want && other == dir;
			dir = other;
		}
		h.nr_records = cpu_to_le32((u32)rec);
		h.nr_returns = cpu_to_le32((u32)ret);
		h.nr_data = cpu_to_le32((u32)data);
		h.nr_dir = cpu_to_le32((u32)dir);
		CHECK_EQ(vmc_head_check(&h), want ? 0 : -EPROTO);
		good += want;
		bad += !want;
	}
	printf("# %u good, %u refused\n", good, bad);
	CHECK(good && bad);
}

static const struct ktap_case cases[] = {
	{ "random head pages", random_heads },
	{ "hostile pages, the channel closes at the first error", channel_closes },
	{ "hostile pages, the caller goes on after errors", caller_goes_on },
	{ "hostile pages that change while we read", during_reads },
	{ "hostile record that changes while it is copied", flipping_record },
};

int main(void)
{
	seed = seed_get();
	return ktap_main(cases, sizeof(cases) / sizeof(cases[0]));
}
