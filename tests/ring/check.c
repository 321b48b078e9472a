// SPDX-License-Identifier: GPL-2.0-only
/* Unit tests of the validators: what a peer's head page and records may say. */
#include <ktap.h>

#include "pair.h"
#include "unit.h"

#define NR_DATA 16u

void test_power_of_2(void)
{
	u32 bit;

	CHECK(!vmc_is_power_of_2(0));
	for (bit = 0; bit < 32; bit++)
		CHECK(vmc_is_power_of_2(1u << bit));
	for (bit = 1; bit < 32; bit++) {
		CHECK(!vmc_is_power_of_2((1u << bit) | 1));
		CHECK(bit == 1 || !vmc_is_power_of_2((1u << bit) - 1));
	}
}

static struct vmc_head head(u32 nr_records, u32 nr_returns, u32 nr_data)
{
	/* In 64 bits, so that a huge value can't wrap into a right directory size. */
	u64 pages = nr_records / 32ull + nr_returns / 1024ull + nr_data;
	struct vmc_head h = {
		.magic = cpu_to_le32(VMC_MAGIC),
		.nr_records = cpu_to_le32(nr_records),
		.nr_returns = cpu_to_le32(nr_returns),
		.nr_data = cpu_to_le32(nr_data),
		.nr_dir = cpu_to_le32((u32)((pages + 1023) / 1024)),
	};

	return h;
}

static int check_head(u32 nr_records, u32 nr_returns, u32 nr_data)
{
	struct vmc_head h = head(nr_records, nr_returns, nr_data);

	return vmc_head_check(&h);
}

void test_head_good(void)
{
	u32 records, returns;

	for (records = VMC_RECORDS_PER_PAGE; records <= VMC_MAX_RECORDS; records *= 2)
		for (returns = VMC_RETURNS_PER_PAGE; returns <= VMC_MAX_RETURNS; returns *= 2) {
			CHECK_EQ(check_head(records, returns, 1), 0);
			CHECK_EQ(check_head(records, returns, VMC_MAX_DATA_PAGES), 0);
		}
	/* Directory exactly full, and one page more. */
	CHECK_EQ(check_head(32, 1024, 1022), 0);
	CHECK_EQ(check_head(32, 1024, 1023), 0);
}

void test_head_bad(void)
{
	static const u32 odd[] = { 0, 1, 3, 33, 0x80000000, 0xffffffff };
	struct vmc_head h;
	size_t i;

	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		CHECK_EQ(check_head(odd[i], 1024, 4), -EPROTO);
		CHECK_EQ(check_head(32, odd[i], 4), -EPROTO);
	}
	CHECK_EQ(check_head(16, 1024, 4), -EPROTO);
	CHECK_EQ(check_head(VMC_MAX_RECORDS * 2, 1024, 4), -EPROTO);
	CHECK_EQ(check_head(32, 512, 4), -EPROTO);
	CHECK_EQ(check_head(32, VMC_MAX_RETURNS * 2, 4), -EPROTO);
	CHECK_EQ(check_head(32, 1024, 0), -EPROTO);
	CHECK_EQ(check_head(32, 1024, VMC_MAX_DATA_PAGES + 1), -EPROTO);
	CHECK_EQ(check_head(32, 1024, 0xffffffff), -EPROTO);

	h = head(32, 1024, 4);
	h.magic = cpu_to_le32(VMC_MAGIC + 1);
	CHECK_EQ(vmc_head_check(&h), -EPROTO);
	h = head(32, 1024, 4);
	h.nr_dir = 0;
	CHECK_EQ(vmc_head_check(&h), -EPROTO);
	h.nr_dir = cpu_to_le32(2);
	CHECK_EQ(vmc_head_check(&h), -EPROTO);
	h.nr_dir = cpu_to_le32(VMC_MAX_DIR_PAGES + 1);
	CHECK_EQ(vmc_head_check(&h), -EPROTO);
	h.nr_dir = cpu_to_le32(0xffffffff);
	CHECK_EQ(vmc_head_check(&h), -EPROTO);
}

static struct vmc_record data(u32 nr_segs)
{
	struct vmc_record rec = { .type = VMC_REC_DATA, .nr_segs = (u8)nr_segs };
	u32 i;

	for (i = 0; i < nr_segs; i++) {
		rec.seg[i].page = cpu_to_le32(i);
		rec.seg[i].off = cpu_to_le16((u16)(i * 7));
		rec.seg[i].len = cpu_to_le16((u16)(100 + i));
		rec.len = cpu_to_le32(le32_to_cpu(rec.len) + 100 + i);
	}
	return rec;
}

static void set_seg(struct vmc_record *rec, u32 i, u32 page, u32 off, u32 len)
{
	rec->len = cpu_to_le32(le32_to_cpu(rec->len) - le16_to_cpu(rec->seg[i].len) + len);
	rec->seg[i].page = cpu_to_le32(page);
	rec->seg[i].off = cpu_to_le16((u16)off);
	rec->seg[i].len = cpu_to_le16((u16)len);
}

void test_record_good(void)
{
	struct vmc_record rec;
	u32 n, type;

	for (n = 1; n <= VMC_MAX_SEGS; n++) {
		rec = data(n);
		CHECK_EQ(vmc_record_check(&rec, NR_DATA), 0);
	}
	for (n = 1; n <= VMC_DATA_FLAGS; n++) {
		rec = data(0);
		rec.flags = (u8)n;
		CHECK_EQ(vmc_record_check(&rec, NR_DATA), 0);
	}
	rec = data(1);
	set_seg(&rec, 0, NR_DATA - 1, 0, VMC_PAGE_SIZE);
	CHECK_EQ(vmc_record_check(&rec, NR_DATA), 0);
	set_seg(&rec, 0, 0, VMC_PAGE_SIZE - 1, 1);
	CHECK_EQ(vmc_record_check(&rec, NR_DATA), 0);
	for (type = VMC_REC_OPEN; type <= VMC_REC_WINDOW; type++) {
		struct vmc_record ctl = { .type = (u8)type };

		memset(ctl.raw, 0xff, sizeof(ctl.raw));
		CHECK_EQ(vmc_record_check(&ctl, NR_DATA), 0);
	}
}

static void refuse(const struct vmc_record *rec, const char *what)
{
	CHECK(vmc_record_check(rec, NR_DATA) == -EPROTO, "(%s was accepted)", what);
}

/* One bad segment in any place is enough. */
static void refuse_seg(u32 page, u32 off, u32 len, const char *what)
{
	u32 n, i;

	for (n = 1; n <= VMC_MAX_SEGS; n++)
		for (i = 0; i < n; i++) {
			struct vmc_record rec = data(n);

			set_seg(&rec, i, page, off, len);
			refuse(&rec, what);
		}
}

void test_record_bad(void)
{
	struct vmc_record rec;
	u32 i;

	for (i = 0; i < 256; i++) {
		rec = data(1);
		rec.type = (u8)i;
		if (i != VMC_REC_DATA)
			refuse(&rec, "type with the fields of data");
		rec = (struct vmc_record){ .type = (u8)i };
		if (i < VMC_REC_OPEN || i > VMC_REC_WINDOW)
			refuse(&rec, "unknown type");
		rec = data(1);
		rec.flags = (u8)i;
		if (i)
			refuse(&rec, "flag together with bytes");
		rec = data(0);
		rec.flags = (u8)i;
		if (i & ~VMC_DATA_FLAGS)
			refuse(&rec, "unknown flag");
		rec = data(1);
		rec.nr_segs = (u8)i;
		if (i != 1)
			refuse(&rec, "wrong number of segments");
		rec = data(1);
		rec.reserved = (u8)i;
		if (i)
			refuse(&rec, "reserved byte");
	}
	rec = data(0);
	refuse(&rec, "neither bytes nor flag");
	rec.flags = VMC_DATA_FIN;
	rec.len = cpu_to_le32(1);
	refuse(&rec, "length without segments");
	rec = data(3);
	rec.len = cpu_to_le32(le32_to_cpu(rec.len) + 1);
	refuse(&rec, "length above the sum");
	rec.len = cpu_to_le32(le32_to_cpu(rec.len) - 2);
	refuse(&rec, "length below the sum");

	refuse_seg(NR_DATA, 0, 1, "page behind the last");
	refuse_seg(0xffffffff, 0, 1, "page -1");
	refuse_seg(0, 0, 0, "empty segment");
	refuse_seg(0, 0, VMC_PAGE_SIZE + 1, "segment longer than its page");
	refuse_seg(0, 1, VMC_PAGE_SIZE, "segment over the end of its page");
	refuse_seg(0, VMC_PAGE_SIZE, 1, "segment behind its page");
	refuse_seg(0, 0xffff, 1, "sum over 16 bits");
	refuse_seg(0, 0xffff, 0xffff, "largest values");

	for (i = VMC_REC_OPEN; i <= VMC_REC_WINDOW; i++) {
		rec = (struct vmc_record){ .type = (u8)i, .flags = VMC_DATA_FIN };
		refuse(&rec, "flag on a control record");
		rec = (struct vmc_record){ .type = (u8)i, .nr_segs = 1 };
		refuse(&rec, "segment on a control record");
		rec = (struct vmc_record){ .type = (u8)i, .len = cpu_to_le32(1) };
		refuse(&rec, "length on a control record");
	}
}

void test_record_copy(void)
{
	struct geometry geo = { 32, 1024, NR_DATA, 0 };
	struct pair *p = pair_alloc(&geo, &geo);
	struct vmc_record *slot, got;
	u32 n, i;

	for (n = 1; n <= VMC_MAX_SEGS; n++) {
		slot = vmc_rec_next(&p->ring[0]);
		memset(slot, 0xee, sizeof(*slot));
		*slot = data(n);
		vmc_rec_publish(&p->ring[0]);
		memset(&got, 0xaa, sizeof(got));
		CHECK_EQ(vmc_rec_peek(&p->ring[1], &got), 1);
		CHECK(!memcmp(&got, slot,
			      offsetof(struct vmc_record, seg) + n * sizeof(got.seg[0])));
		for (i = n * sizeof(got.seg[0]); i < sizeof(got.raw); i++)
			CHECK_EQ(got.raw[i], 0xaa);
		vmc_rec_consume(&p->ring[1]);
	}
	/* A control record comes whole. */
	slot = vmc_rec_next(&p->ring[0]);
	*slot = (struct vmc_record){ .type = VMC_REC_OPEN };
	for (i = 0; i < sizeof(slot->raw); i++)
		slot->raw[i] = (u8)i;
	vmc_rec_publish(&p->ring[0]);
	CHECK_EQ(vmc_rec_peek(&p->ring[1], &got), 1);
	CHECK(!memcmp(&got, slot, sizeof(got)));
	pair_free(p);
}
