// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of the ring's indexes, events and slots; see check.c for the validators. */
#include <ktap.h>

#include "pair.h"
#include "unit.h"

#define NR_RECORDS 32u
#define NR_RETURNS 1024u
#define NR_DATA	   8u

/* Every index test runs in the middle of the range and across the wrap. */
static const u32 starts[] = { 0, 1000, 0u - 5, 0u - NR_RECORDS, 0u - NR_RETURNS, 0x7ffffff0 };

static void for_each_start(void (*test)(struct vmc_ring *a, struct vmc_ring *b))
{
	size_t i;

	for (i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct geometry geo = { NR_RECORDS, NR_RETURNS, NR_DATA, starts[i] };
		struct pair *p = pair_alloc(&geo, &geo);

		test(&p->ring[0], &p->ring[1]);
		pair_free(p);
	}
}

static void fill(struct vmc_ring *r, u32 seq)
{
	struct vmc_record *rec = vmc_rec_next(r);

	memset(rec, 0, sizeof(*rec));
	rec->type = VMC_REC_DATA;
	rec->nr_segs = 1;
	rec->flow = cpu_to_le32(7);
	rec->seq = cpu_to_le32(seq);
	rec->len = cpu_to_le32(100);
	rec->seg[0].page = cpu_to_le32(seq % NR_DATA);
	rec->seg[0].len = cpu_to_le16(100);
}

static void records_in_order(struct vmc_ring *a, struct vmc_ring *b)
{
	struct vmc_record rec;
	u32 sent = 0, seen = 0, n;

	/* Batches of uneven size, so that each slot and each phase of the wrap is met. */
	for (n = 1; n <= NR_RECORDS; n++) {
		u32 i;

		CHECK_EQ(vmc_rec_room(a), NR_RECORDS);
		for (i = 0; i < n; i++)
			fill(a, sent++);
		CHECK_EQ(vmc_rec_peek(b, &rec), 0);
		vmc_rec_publish(a);
		CHECK_EQ(vmc_rec_room(a), NR_RECORDS - n);
		for (i = 0; i < n; i++) {
			CHECK_EQ(vmc_rec_peek(b, &rec), 1);
			CHECK_EQ(le32_to_cpu(rec.seq), seen);
			CHECK_EQ(le32_to_cpu(rec.seg[0].page), seen % NR_DATA);
			seen++;
			vmc_rec_consume(b);
		}
		CHECK_EQ(vmc_rec_peek(b, &rec), 0);
		CHECK_EQ(vmc_rec_room(a), NR_RECORDS - n);
		vmc_rec_consumed(b);
	}
	CHECK_EQ(seen, sent);
}

static void peek_does_not_consume(struct vmc_ring *a, struct vmc_ring *b)
{
	struct vmc_record rec;

	fill(a, 1);
	fill(a, 2);
	vmc_rec_publish(a);
	CHECK_EQ(vmc_rec_peek(b, &rec), 1);
	CHECK_EQ(vmc_rec_peek(b, &rec), 1);
	CHECK_EQ(le32_to_cpu(rec.seq), 1);
	vmc_rec_consume(b);
	CHECK_EQ(vmc_rec_peek(b, &rec), 1);
	CHECK_EQ(le32_to_cpu(rec.seq), 2);
}

static void full_ring(struct vmc_ring *a, struct vmc_ring *b)
{
	struct vmc_record rec;
	u32 i;

	for (i = 0; i < NR_RECORDS; i++) {
		CHECK_EQ(vmc_rec_room(a), NR_RECORDS - i);
		fill(a, i);
	}
	CHECK_EQ(vmc_rec_room(a), 0);
	vmc_rec_publish(a);
	CHECK_EQ(vmc_rec_room(a), 0);
	for (i = 0; i < NR_RECORDS; i++) {
		CHECK_EQ(vmc_rec_peek(b, &rec), 1);
		CHECK_EQ(le32_to_cpu(rec.seq), i);
		vmc_rec_consume(b);
	}
	/* Read, but not given back. */
	CHECK_EQ(vmc_rec_room(a), 0);
	vmc_rec_consumed(b);
	CHECK_EQ(vmc_rec_room(a), NR_RECORDS);
}

static void nothing_to_publish(struct vmc_ring *a, struct vmc_ring *b)
{
	CHECK(!vmc_rec_publish(a));
	CHECK(!vmc_ret_publish(a));
	CHECK(!vmc_rec_consumed(b));
}

/* Doorbell only for the record behind the armed index, and once. */
static void record_doorbell(struct vmc_ring *a, struct vmc_ring *b)
{
	struct vmc_record rec;

	CHECK(!vmc_rec_arm(b));
	fill(a, 1);
	CHECK(vmc_rec_publish(a), "(armed)");
	fill(a, 2);
	CHECK(!vmc_rec_publish(a), "(not armed again)");
	CHECK(vmc_rec_arm(b), "(there is a record already)");
	vmc_rec_peek(b, &rec);
	vmc_rec_consume(b);
	vmc_rec_peek(b, &rec);
	vmc_rec_consume(b);
	fill(a, 3);
	CHECK(!vmc_rec_publish(a), "(armed at an older index)");
	vmc_rec_peek(b, &rec);
	vmc_rec_consume(b);
	CHECK(!vmc_rec_arm(b));
	fill(a, 4);
	fill(a, 5);
	CHECK(vmc_rec_publish(a), "(the event lies within the batch)");
}

static void drain(struct vmc_ring *r, u32 nr)
{
	struct vmc_record rec;

	while (nr--) {
		CHECK_EQ(vmc_rec_peek(r, &rec), 1);
		vmc_rec_consume(r);
	}
}

static void room_doorbell(struct vmc_ring *a, struct vmc_ring *b)
{
	u32 i;

	vmc_rec_consumed(b);
	for (i = 0; i < NR_RECORDS; i++)
		fill(a, i);
	vmc_rec_publish(a);
	CHECK_EQ(vmc_rec_room_arm(a), 0);
	drain(b, NR_RECORDS / 2);
	CHECK(!vmc_rec_consumed(b), "(half of it is not yet past the event)");
	CHECK_EQ(vmc_rec_room(a), NR_RECORDS / 2);
	drain(b, 1);
	CHECK(vmc_rec_consumed(b));
	drain(b, 1);
	CHECK(!vmc_rec_consumed(b), "(not armed again)");

	/* Room that came before the arming is reported, not slept over. */
	drain(b, 1);
	CHECK(!vmc_rec_consumed(b));
	CHECK_EQ(vmc_rec_room_arm(a), NR_RECORDS / 2 + 3);
}

static void returns_in_order(struct vmc_ring *a, struct vmc_ring *b)
{
	u32 page = 0, segs = 0, pushed = 0, popped = 0, n;

	for (n = 1; n < NR_RETURNS; n += 61) {
		u32 i;

		for (i = 0; i < n; i++, pushed++)
			vmc_ret_push(b, pushed & VMC_RETURN_PAGE_MASK,
				     pushed & VMC_RETURN_MAX_SEGS);
		CHECK_EQ(vmc_ret_pop(a, &page, &segs), 0);
		vmc_ret_publish(b);
		for (i = 0; i < n; i++, popped++) {
			CHECK_EQ(vmc_ret_pop(a, &page, &segs), 1);
			CHECK_EQ(page, popped & VMC_RETURN_PAGE_MASK);
			CHECK_EQ(segs, popped & VMC_RETURN_MAX_SEGS);
		}
		CHECK_EQ(vmc_ret_pop(a, &page, &segs), 0);
	}
}

static void return_extremes(struct vmc_ring *a, struct vmc_ring *b)
{
	u32 page = 0, segs = 0, i;

	for (i = 0; i < NR_RETURNS; i++)
		vmc_ret_push(b, VMC_RETURN_PAGE_MASK, VMC_RETURN_MAX_SEGS);
	vmc_ret_publish(b);
	for (i = 0; i < NR_RETURNS; i++) {
		CHECK_EQ(vmc_ret_pop(a, &page, &segs), 1);
		CHECK_EQ(page, VMC_RETURN_PAGE_MASK);
		CHECK_EQ(segs, VMC_RETURN_MAX_SEGS);
	}
	CHECK_EQ(vmc_ret_pop(a, &page, &segs), 0);
	CHECK(VMC_MAX_DATA_PAGES - 1 <= VMC_RETURN_PAGE_MASK);
}

static void return_doorbell(struct vmc_ring *a, struct vmc_ring *b)
{
	u32 page = 0, segs = 0;

	CHECK(!vmc_ret_arm(a, 3));
	vmc_ret_push(b, 1, 1);
	vmc_ret_push(b, 2, 1);
	CHECK(!vmc_ret_publish(b), "(two of three)");
	vmc_ret_push(b, 3, 1);
	CHECK(vmc_ret_publish(b), "(the third)");
	vmc_ret_push(b, 4, 1);
	CHECK(!vmc_ret_publish(b), "(not armed again)");
	CHECK(vmc_ret_arm(a, 4), "(four are there)");
	CHECK(!vmc_ret_arm(a, 5));
	CHECK_EQ(vmc_ret_pop(a, &page, &segs), 1);
	CHECK(!vmc_ret_arm(a, 4), "(one of them was popped)");
	vmc_ret_push(b, 5, 1);
	vmc_ret_push(b, 6, 1);
	CHECK(vmc_ret_publish(b), "(the event lies within the batch)");
}

static void set(const __le32 *shared, u32 value)
{
	*(__le32 *)shared = cpu_to_le32(value);
}

/* A peer that publishes impossible indexes. */
static void bad_rec_prod(struct vmc_ring *a, struct vmc_ring *b)
{
	struct vmc_record rec;
	u32 start = b->rec_cons, i;

	/* Good records in every slot: only the index is wrong. */
	for (i = 0; i < NR_RECORDS; i++)
		fill(a, i);
	a->rec_prod = start;
	set(&a->head->rec_prod, start - 1);
	CHECK_EQ(vmc_rec_peek(b, &rec), -EPROTO);
	set(&a->head->rec_prod, start + NR_RECORDS + 1);
	CHECK_EQ(vmc_rec_peek(b, &rec), -EPROTO);
	set(&a->head->rec_prod, start + 0x80000000);
	CHECK_EQ(vmc_rec_peek(b, &rec), -EPROTO);
	CHECK(vmc_rec_arm(b), "(an impossible index must not put the consumer to sleep)");

	/* Records that were read but not given back count, too. */
	set(&a->head->rec_prod, start);
	fill(a, 1);
	vmc_rec_publish(a);
	drain(b, 1);
	set(&a->head->rec_prod, start + NR_RECORDS + 1);
	CHECK_EQ(vmc_rec_peek(b, &rec), -EPROTO);
	vmc_rec_consumed(b);
	CHECK_EQ(vmc_rec_peek(b, &rec), 1);
}

static void bad_rec_cons(struct vmc_ring *a, struct vmc_ring *b)
{
	u32 start = a->rec_prod, i;

	for (i = 0; i < 10; i++)
		fill(a, i);
	set(&b->head->rec_cons, start + 1);
	CHECK_EQ(vmc_rec_room(a), -EPROTO); /* not published yet */
	vmc_rec_publish(a);
	CHECK_EQ(vmc_rec_room(a), NR_RECORDS - 9);
	set(&b->head->rec_cons, start);
	CHECK_EQ(vmc_rec_room(a), -EPROTO); /* backwards */
	CHECK_EQ(vmc_rec_room_arm(a), -EPROTO);
	set(&b->head->rec_cons, start + 11);
	CHECK_EQ(vmc_rec_room(a), -EPROTO);
	set(&b->head->rec_cons, start + 10);
	CHECK_EQ(vmc_rec_room(a), NR_RECORDS);
}

static void bad_ret_prod(struct vmc_ring *a, struct vmc_ring *b)
{
	u32 page = 0, segs = 0, start = a->ret_cons;

	set(&b->head->ret_prod, start - 1);
	CHECK_EQ(vmc_ret_pop(a, &page, &segs), -EPROTO);
	CHECK(vmc_ret_arm(a, 1), "(an impossible index must not put the owner to sleep)");
	set(&b->head->ret_prod, start + NR_RETURNS + 1);
	CHECK_EQ(vmc_ret_pop(a, &page, &segs), -EPROTO);
	CHECK_EQ(a->ret_cons, start);
	set(&b->head->ret_prod, start + NR_RETURNS);
	CHECK_EQ(vmc_ret_pop(a, &page, &segs), 1);
}

/* Rings of different sizes on the two sides: each index uses its own ring's mask. */
static void unequal_sizes(void)
{
	struct geometry small = { 32, 1024, 4, 0u - 40 }, large = { 128, 4096, 16, 0u - 40 };
	struct pair *p = pair_alloc(&small, &large);
	struct vmc_ring *a = &p->ring[0], *b = &p->ring[1];
	struct vmc_record rec;
	u32 i, page = 0, segs = 0;

	for (i = 0; i < 128; i++)
		fill(b, i % 4);
	vmc_rec_publish(b);
	CHECK_EQ(vmc_rec_room(b), 0);
	for (i = 0; i < 128; i++) {
		CHECK_EQ(vmc_rec_peek(a, &rec), 1);
		CHECK_EQ(le32_to_cpu(rec.seq), i % 4);
		vmc_rec_consume(a);
	}
	for (i = 0; i < 4096; i++)
		vmc_ret_push(b, i, 1);
	vmc_ret_publish(b);
	for (i = 0; i < 4096; i++) {
		CHECK_EQ(vmc_ret_pop(a, &page, &segs), 1);
		CHECK_EQ(page, i);
	}
	fill(a, 5); /* page 5 exists at b only */
	vmc_rec_publish(a);
	CHECK_EQ(vmc_rec_peek(b, &rec), -EPROTO);
	pair_free(p);
}

/* virtio's rule against its meaning, spelt out. */
static void event_rule(void)
{
	u32 old, step, event;

	for (old = 0u - 6; old != 6; old++)
		for (step = 0; step < 6; step++)
			for (event = old - 4; event != old + 10; event++) {
				bool passed = event - old < step; /* old <= event < new */

				CHECK_EQ(vmc_event_passed(event, old + step, old), passed);
			}
}

#define EACH_START(test)              \
	static void test##_each(void) \
	{                             \
		for_each_start(test); \
	}
EACH_START(records_in_order)
EACH_START(peek_does_not_consume)
EACH_START(full_ring)
EACH_START(nothing_to_publish)
EACH_START(record_doorbell)
EACH_START(room_doorbell)
EACH_START(returns_in_order)
EACH_START(return_extremes)
EACH_START(return_doorbell)
EACH_START(bad_rec_prod)
EACH_START(bad_rec_cons)
EACH_START(bad_ret_prod)

static const struct ktap_case cases[] = {
	{ "event index rule", event_rule },
	{ "records keep their order across the wrap", records_in_order_each },
	{ "peek gives the same record until consume", peek_does_not_consume_each },
	{ "a full ring has no room until slots come back", full_ring_each },
	{ "publishing nothing rings no doorbell", nothing_to_publish_each },
	{ "doorbell for records", record_doorbell_each },
	{ "doorbell for room", room_doorbell_each },
	{ "returns keep their order across the wrap", returns_in_order_each },
	{ "largest return entry", return_extremes_each },
	{ "doorbell for returns", return_doorbell_each },
	{ "impossible record index is refused", bad_rec_prod_each },
	{ "impossible consumer index is refused", bad_rec_cons_each },
	{ "impossible return index is refused", bad_ret_prod_each },
	{ "sides with rings of different sizes", unequal_sizes },
	{ "power of two", test_power_of_2 },
	{ "head page: good ones", test_head_good },
	{ "head page: every bad field is refused", test_head_bad },
	{ "record: good ones", test_record_good },
	{ "record: every bad field is refused", test_record_bad },
	{ "record: peek copies no more than the used segments", test_record_copy },
};

int main(void)
{
	return ktap_main(cases, sizeof(cases) / sizeof(cases[0]));
}
