// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two threads, one a side, send each other records with checked content over one
 * pair of rings, hand data pages back out of order, and sleep on an eventfd
 * whenever the ring says that they may. A doorbell that the rules lose leaves a
 * thread asleep: the wait times out and the test fails. Built with TSan, where a
 * missing barrier between the owner's write and the peer's read is a report, and
 * plain, where the timing is that of real use.
 *
 * Environment: SEED, RECORDS (records a side), DUELS (rounds).
 */
#define _GNU_SOURCE
#include <ktap.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pair.h"

#define WAIT_MS	 10000
#define MAX_HELD 64u /* returns a receiver keeps back to shuffle them */
#define MAX_DATA 256u

struct side {
	struct vmc_ring *ring;
	struct grant *mine, *peer;
	struct prng rnd;
	int bell, peer_bell;
	_Atomic bool *failed;
	u32 nr_total;

	/* Sender: segments of a page at the peer, 0 if the page is free. */
	u32 busy[MAX_DATA];
	u32 nr_busy, nr_outstanding;
	u32 sent, tx_seq;

	/* Receiver. */
	u32 held[MAX_HELD], nr_held;
	u32 received, rx_seq;

	u32 sleeps, doorbells;
};

static u32 word_at(u32 seq)
{
	return seq * 2654435761u ^ seq >> 7;
}

static void fail(struct side *s, const char *what)
{
	struct vmc_ring *r = s->ring;

	if (!atomic_exchange(s->failed, true))
		CHECK(false,
		      "%s: sent %u received %u of %u, rec_prod %u published %u peer_cons %u "
		      "rec_cons %u consumed %u ret_prod %u ret_cons %u",
		      what, s->sent, s->received, s->nr_total, r->rec_prod, r->rec_published,
		      r->peer_rec_cons, r->rec_cons, r->rec_consumed, r->ret_prod, r->ret_cons);
}

static void ring_bell(struct side *s, bool wanted)
{
	u64 one = 1;

	if (!wanted)
		return;
	s->doorbells++;
	if (write(s->peer_bell, &one, sizeof(one)) != sizeof(one))
		abort();
}

static void wait_bell(struct side *s)
{
	struct pollfd fd = { .fd = s->bell, .events = POLLIN };
	u64 count;

	s->sleeps++;
	if (poll(&fd, 1, WAIT_MS) != 1)
		fail(s, "no doorbell");
	else if (read(s->bell, &count, sizeof(count)) != sizeof(count))
		abort();
}

/* Now and then let the other thread run at an awkward moment. */
static void dither(struct side *s)
{
	u32 n = prng_below(&s->rnd, 256);

	if (n == 0)
		usleep(prng_below(&s->rnd, 50));
	else if (n < 4)
		sched_yield();
}

static u32 max_pages(const struct side *s)
{
	return s->mine->geo.nr_data;
}

static bool pop_returns(struct side *s)
{
	bool any = false;
	u32 page, nr;
	int ret;

	while ((ret = vmc_ret_pop(s->ring, &page, &nr)) > 0) {
		any = true;
		if (page >= max_pages(s) || !nr || nr > s->busy[page]) {
			fail(s, "return of what was not sent");
			break;
		}
		s->busy[page] -= nr;
		s->nr_outstanding -= nr;
		s->nr_busy -= !s->busy[page];
	}
	if (ret < 0)
		fail(s, "returns");
	return any;
}

static u32 free_page(struct side *s)
{
	u32 page = prng_below(&s->rnd, max_pages(s));

	while (s->busy[page])
		page = (page + 1) % max_pages(s);
	return page;
}

/* Fill one page with words in a few segments; false if the record has no place. */
static void add_page(struct side *s, struct vmc_record *rec, u32 segs)
{
	u32 page = free_page(s), off = 4 * prng_below(&s->rnd, 64), len = 0, i;
	u32 *data = (u32 *)s->mine->data[page];

	while (segs--) {
		struct vmc_seg *seg = &rec->seg[rec->nr_segs++];
		u32 n = 4 * (1 + prng_below(&s->rnd, 32));

		for (i = 0; i < n; i += 4)
			data[(off + i) / 4] = word_at(s->tx_seq + len + i);
		seg->page = cpu_to_le32(page);
		seg->off = cpu_to_le16((u16)off);
		seg->len = cpu_to_le16((u16)n);
		off += n;
		len += n;
		s->busy[page]++;
		s->nr_outstanding++;
	}
	s->nr_busy++;
	rec->len = cpu_to_le32(le32_to_cpu(rec->len) + len);
	s->tx_seq += len;
}

static bool may_send(const struct side *s)
{
	return s->sent < s->nr_total && s->nr_busy < max_pages(s) &&
	       s->nr_outstanding + VMC_MAX_SEGS <= s->ring->peer_nr_returns;
}

static bool send_records(struct side *s)
{
	int room = vmc_rec_room(s->ring);
	bool any = false;

	if (room < 0)
		fail(s, "room");
	for (; room > 0 && may_send(s); room--, s->sent++) {
		struct vmc_record *rec = vmc_rec_next(s->ring);
		u32 pages = 1 + prng_below(&s->rnd, 3);

		*rec = (struct vmc_record){ .type = VMC_REC_DATA, .seq = cpu_to_le32(s->tx_seq) };
		while (pages-- && s->nr_busy < max_pages(s))
			add_page(s, rec, 1 + prng_below(&s->rnd, 4));
		any = true;
		if (!prng_below(&s->rnd, 3))
			ring_bell(s, vmc_rec_publish(s->ring));
		dither(s);
	}
	ring_bell(s, vmc_rec_publish(s->ring));
	return any;
}

static void flush_returns(struct side *s)
{
	while (s->nr_held) {
		u32 i = prng_below(&s->rnd, s->nr_held);
		u32 page = s->held[i], nr = 0;

		/* Several segments of one page may come back as one entry. */
		for (i = 0; i < s->nr_held;) {
			if (s->held[i] == page && (!nr || prng_below(&s->rnd, 2))) {
				s->held[i] = s->held[--s->nr_held];
				nr++;
			} else {
				i++;
			}
		}
		vmc_ret_push(s->ring, page, nr);
	}
	ring_bell(s, vmc_ret_publish(s->ring));
}

static void check_record(struct side *s, const struct vmc_record *rec)
{
	u32 i, j;

	if (le32_to_cpu(rec->seq) != s->rx_seq)
		fail(s, "sequence");
	for (i = 0; i < rec->nr_segs; i++) {
		u32 page = le32_to_cpu(rec->seg[i].page), len = le16_to_cpu(rec->seg[i].len);
		const u32 *data =
			(const u32 *)(s->peer->ro_data[page] + le16_to_cpu(rec->seg[i].off));

		for (j = 0; j < len; j += 4)
			if (data[j / 4] != word_at(s->rx_seq + j)) {
				fail(s, "content");
				return;
			}
		s->rx_seq += len;
		if (s->nr_held == MAX_HELD)
			flush_returns(s);
		s->held[s->nr_held++] = page;
	}
	s->received++;
}

static bool receive_records(struct side *s)
{
	struct vmc_record rec;
	bool any = false;
	int ret;

	while ((ret = vmc_rec_peek(s->ring, &rec)) > 0) {
		check_record(s, &rec);
		vmc_rec_consume(s->ring);
		any = true;
		if (!prng_below(&s->rnd, 8))
			ring_bell(s, vmc_rec_consumed(s->ring));
		dither(s);
	}
	if (ret < 0)
		fail(s, "record");
	ring_bell(s, vmc_rec_consumed(s->ring));
	flush_returns(s);
	return any;
}

/* May the side sleep? Arms whatever would wake it. */
static bool arm(struct side *s)
{
	bool ready = vmc_rec_arm(s->ring);

	if (s->sent < s->nr_total && may_send(s))
		ready |= vmc_rec_room_arm(s->ring) != 0;
	else if (s->nr_busy)
		/* As many as must come: an entry may stand for several segments of a page. */
		ready |= vmc_ret_arm(s->ring, 1 + prng_below(&s->rnd, s->nr_busy));
	return ready;
}

static void *side_run(void *arg)
{
	struct side *s = arg;

	while (!atomic_load(s->failed)) {
		bool any = receive_records(s);

		any |= pop_returns(s);
		any |= send_records(s);
		if (any)
			continue;
		if (s->sent == s->nr_total && s->received == s->nr_total && !s->nr_outstanding)
			break;
		if (!arm(s))
			wait_bell(s);
	}
	return NULL;
}

static void stress(const struct geometry *a, const struct geometry *b)
{
	struct pair *p = pair_alloc(a, b);
	static u64 seed;
	_Atomic bool failed = false;
	struct side side[2] = { 0 };
	pthread_t thread[2];
	int bell[2], i;

	if (!seed)
		seed = seed_get();
	for (i = 0; i < 2; i++) {
		bell[i] = eventfd(0, 0);
		if (bell[i] < 0)
			abort();
	}
	for (i = 0; i < 2; i++) {
		side[i].ring = &p->ring[i];
		side[i].mine = &p->grant[i];
		side[i].peer = &p->grant[!i];
		side[i].rnd.state = seed + (u64)i + 1;
		side[i].bell = bell[i];
		side[i].peer_bell = bell[!i];
		side[i].failed = &failed;
		side[i].nr_total = (u32)env_number("RECORDS", 50000);
	}
	for (i = 0; i < 2; i++)
		pthread_create(&thread[i], NULL, side_run, &side[i]);
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < 2; i++) {
		close(bell[i]);
		CHECK_EQ(side[i].received, side[i].nr_total);
		CHECK_EQ(side[i].rx_seq, side[!i].tx_seq);
		/* A run without any sleep would have proved nothing. */
		CHECK(side[i].sleeps > 0);
		CHECK(side[i].doorbells > 0);
		printf("# side %d: %u records, %u bytes, %u sleeps, %u doorbells\n", i,
		       side[i].received, side[i].rx_seq, side[i].sleeps, side[i].doorbells);
	}
	pair_free(p);
}

static void small_ring(void)
{
	struct geometry geo = { 32, 1024, 200, 0u - 4000 };

	stress(&geo, &geo);
}

static void few_pages(void)
{
	struct geometry geo = { 256, 1024, 4, 0u - 4000 };

	stress(&geo, &geo);
}

static void unequal(void)
{
	struct geometry a = { 32, 1024, 3, 0x7fffff00 }, b = { 1024, 4096, 128, 0x7fffff00 };

	stress(&a, &b);
}

/*
 * The heart of every doorbell, by itself: one thread publishes and looks at the
 * event, the other arms the event and looks at the index, at the same moment. If
 * neither sees the other, a wake-up is lost.
 */
struct duel {
	struct pair *pair;
	bool (*first)(struct pair *p);	/* wants a doorbell rung */
	bool (*second)(struct pair *p); /* needs no doorbell */
	_Atomic u32 round;
	_Atomic u32 done;
	bool rung, stop;
};

/* Spin, that both threads move at one moment; but not for long on a busy machine. */
static void await(const _Atomic u32 *value, u32 want)
{
	u32 n = 0;

	while (atomic_load(value) != want)
		if (++n % 1024 == 0)
			sched_yield();
}

/* Now this thread is first, now the other. */
static void linger(struct prng *rnd)
{
	volatile u32 n = prng_below(rnd, 2) ? prng_below(rnd, 400) : 0;

	while (n)
		n = n - 1;
}

/* On one CPU the threads would take turns at fixed points; there is no duel then. */
static bool pin(int cpu)
{
	cpu_set_t set;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		return false;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return !pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

static void *duel_first(void *arg)
{
	struct duel *d = arg;
	struct prng rnd = { .state = 2 };
	u32 i;

	pin(1);
	for (i = 1; !d->stop; i++) {
		await(&d->round, i);
		linger(&rnd);
		d->rung = d->first(d->pair);
		atomic_store(&d->done, i);
	}
	return NULL;
}

static bool publish_record(struct pair *p)
{
	return vmc_rec_publish(&p->ring[0]);
}

static bool arm_record(struct pair *p)
{
	return vmc_rec_arm(&p->ring[1]);
}

static bool give_slots(struct pair *p)
{
	return vmc_rec_consumed(&p->ring[1]);
}

static bool arm_room(struct pair *p)
{
	return vmc_rec_room_arm(&p->ring[0]) > 0;
}

static bool publish_return(struct pair *p)
{
	return vmc_ret_publish(&p->ring[1]);
}

static bool arm_return(struct pair *p)
{
	return vmc_ret_arm(&p->ring[0], 1);
}

/* Before a round: everything quiet, no event armed within reach, one step prepared. */
static void prepare_record(struct pair *p)
{
	p->ring[1].rec_cons = p->ring[0].rec_published;
	vmc_rec_consumed(&p->ring[1]);
	vmc_store(&p->grant[1].head->rec_event, p->ring[0].rec_published - 1);
	vmc_rec_next(&p->ring[0]);
}

static void prepare_room(struct pair *p)
{
	u32 n = p->ring[0].nr_records;

	p->ring[1].rec_cons = p->ring[0].rec_published;
	vmc_rec_consumed(&p->ring[1]);
	vmc_rec_room(&p->ring[0]);
	while (n--)
		vmc_rec_next(&p->ring[0]);
	vmc_rec_publish(&p->ring[0]);
	vmc_store(&p->grant[0].head->cons_event, p->ring[1].rec_cons - 1);
	p->ring[1].rec_cons = p->ring[0].rec_published;
}

static void prepare_return(struct pair *p)
{
	u32 page, nr;

	while (vmc_ret_pop(&p->ring[0], &page, &nr) > 0)
		;
	vmc_store(&p->grant[0].head->ret_event, p->ring[1].ret_published - 1);
	vmc_ret_push(&p->ring[1], 0, 1);
}

static void duel(bool (*first)(struct pair *), bool (*second)(struct pair *),
		 void (*prepare)(struct pair *))
{
	struct geometry geo = { 32, 1024, 1, 0u - 1000 };
	struct duel d = { .pair = pair_alloc(&geo, &geo), .first = first, .second = second };
	u32 i, lost = 0, rung = 0, seen = 0;
	struct prng rnd = { .state = 1 };
#ifdef TSAN
	u32 nr = 20000; /* it looks for missing order, not for rare timing */
#else
	u32 nr = (u32)env_number("DUELS", 300000);
#endif
	pthread_t thread;
	cpu_set_t old;
	bool two_cpus;

	pthread_getaffinity_np(pthread_self(), sizeof(old), &old);
	two_cpus = pin(0);
	pthread_create(&thread, NULL, duel_first, &d);
	/* On until both outcomes were met often: else nothing was put to the test. */
	for (i = 1; !d.stop; i++) {
		bool saw;

		prepare(d.pair);
		d.stop = i >= nr && (!two_cpus || (rung > 100 && seen > 100) || i >= 50 * nr);
		atomic_store(&d.round, i);
		linger(&rnd);
		saw = second(d.pair);
		await(&d.done, i);
		rung += d.rung;
		seen += saw;
		lost += !d.rung && !saw;
	}
	pthread_join(thread, NULL);
	pthread_setaffinity_np(pthread_self(), sizeof(old), &old);
	printf("# %u rounds: %u rung, %u seen, %u lost\n", i - 1, rung, seen, lost);
	CHECK_EQ(lost, 0);
	CHECK(!two_cpus || (rung > 100 && seen > 100));
	pair_free(d.pair);
}

static void duel_record(void)
{
	duel(publish_record, arm_record, prepare_record);
}

static void duel_room(void)
{
	duel(give_slots, arm_room, prepare_room);
}

static void duel_return(void)
{
	duel(publish_return, arm_return, prepare_return);
}

static const struct ktap_case cases[] = {
	{ "publish against arm: no record is slept over", duel_record },
	{ "give back against arm: no room is slept over", duel_room },
	{ "publish against arm: no return is slept over", duel_return },
	{ "two threads, few slots", small_ring },
	{ "two threads, few pages", few_pages },
	{ "two threads, rings of different sizes", unequal },
};

int main(void)
{
	return ktap_main(cases, sizeof(cases) / sizeof(cases[0]));
}
