// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sharing out the data pages of a queue's sending side.
 *
 * A flow may take a page while it holds fewer than are free (the dynamic
 * threshold of shared-memory switches, Choudhury and Hahne 1998): alone it gets
 * half of the pool, n busy flows get 1/(n+1) each, and one whose receiver does
 * not read can never take it all. Nor may it hold more than the receive buffer
 * that its reader has asked for.
 *
 * Small messages of a flow share its current page, as long as that page has
 * segments outstanding; so an idle flow holds nothing.
 */
#include <linux/minmax.h>
#include <linux/mm.h>

#include "flow.h"
#include "pool.h"
#include "queue.h"
#include "tx.h"

#define POOL_NONE      U32_MAX
#define POOL_MIN_PAGES 4 /* a flow may hold so many as long as there are any */

int vmc_pool_init(struct vmc_pool *pool, u32 nr_pages, u32 max_segs)
{
	u32 i;

	pool->pages = kvcalloc(nr_pages, sizeof(*pool->pages), GFP_KERNEL);
	if (!pool->pages)
		return -ENOMEM;
	for (i = 0; i < nr_pages; i++)
		pool->pages[i].next = i + 1 < nr_pages ? i + 1 : POOL_NONE;
	pool->nr_pages = nr_pages;
	pool->nr_free = nr_pages;
	pool->first_free = 0;
	pool->segs = 0;
	pool->max_segs = max_segs;
	return 0;
}

static void pool_free(struct vmc_pool *pool, u32 page)
{
	struct vmc_pool_page *p = &pool->pages[page];

	if (p->flow) {
		p->flow->tx_pages--;
		WRITE_ONCE(p->flow->tx_returned, p->flow->tx_returned + 1);
	}
	p->flow = NULL;
	p->next = pool->first_free;
	pool->first_free = page;
	WRITE_ONCE(pool->nr_free, pool->nr_free + 1);
}

/* The queue is dead: what the peer has not returned, it never will. */
void vmc_pool_exit(struct vmc_pool *pool)
{
	u32 i;

	for (i = 0; i < pool->nr_pages; i++)
		if (pool->pages[i].segs)
			pool_free(pool, i);
	kvfree(pool->pages);
	memset(pool, 0, sizeof(*pool));
}

static bool pool_may_take(const struct vmc_pool *pool, const struct vmc_flow *flow)
{
	u32 nr_free = READ_ONCE(pool->nr_free);
	u32 held = READ_ONCE(flow->tx_pages);

	return nr_free &&
	       (held < min(nr_free, READ_ONCE(flow->max_pages)) || held < POOL_MIN_PAGES);
}

/**
 * vmc_pool_has_room() - would __vmc_pool_take() give anything?
 * @pool: the pool
 * @flow: the flow
 *
 * Context: any; the answer is a hint unless tx_lock is held.
 */
bool vmc_pool_has_room(const struct vmc_pool *pool, const struct vmc_flow *flow)
{
	if (READ_ONCE(pool->segs) + VMC_MAX_SEGS > pool->max_segs)
		return false;
	return pool_may_take(pool, flow);
}

static u32 pool_take_page(struct vmc_pool *pool, struct vmc_flow *flow)
{
	u32 page = pool->first_free;
	struct vmc_pool_page *p = &pool->pages[page];

	pool->first_free = p->next;
	WRITE_ONCE(pool->nr_free, pool->nr_free - 1);
	p->flow = flow;
	p->segs = 0;
	flow->tx_pages++;
	/* Was it the current page before it came back? It starts anew. */
	if (flow->cur_page == page)
		flow->cur_page = POOL_NONE;
	return page;
}

static void pool_add_seg(struct vmc_pool *pool, struct vmc_tx *tx, u32 page, u32 off, u32 len)
{
	struct vmc_tx_seg *seg = &tx->seg[tx->nr_segs++];

	seg->page = page;
	seg->off = off;
	seg->len = len;
	tx->len += len;
	pool->pages[page].segs++;
	WRITE_ONCE(pool->segs, pool->segs + 1);
}

/* Bytes left in the flow's current page, if it still is the flow's. */
static u32 pool_current_room(const struct vmc_pool *pool, const struct vmc_flow *flow)
{
	if (flow->cur_page >= pool->nr_pages || pool->pages[flow->cur_page].flow != flow)
		return 0;
	return VMC_PAGE_SIZE - flow->cur_off;
}

/**
 * __vmc_pool_take() - reserve space for up to @want bytes, one record at most
 * @pool: the pool
 * @flow: the flow
 * @want: bytes wished for, at least 1
 * @tx: empty; gets the segments, at least one if vmc_pool_has_room()
 *
 * Context: tx_lock held.
 */
void __vmc_pool_take(struct vmc_pool *pool, struct vmc_flow *flow, size_t want, struct vmc_tx *tx)
{
	u32 room = pool_current_room(pool, flow);
	u32 len;

	/* Whole pages for what fills pages; the rest of a page for what fits in it. */
	if (room && want <= room) {
		pool_add_seg(pool, tx, flow->cur_page, flow->cur_off, want);
		flow->cur_off = ALIGN(flow->cur_off + want, SMP_CACHE_BYTES);
		return;
	}
	while (want && tx->nr_segs < VMC_MAX_SEGS && pool_may_take(pool, flow)) {
		u32 page = pool_take_page(pool, flow);

		len = min_t(size_t, want, VMC_PAGE_SIZE);
		pool_add_seg(pool, tx, page, 0, len);
		want -= len;
		if (len < VMC_PAGE_SIZE) {
			flow->cur_page = page;
			flow->cur_off = ALIGN(len, SMP_CACHE_BYTES);
		}
	}
}

/**
 * __vmc_pool_disown() - the flow goes; its pages stay with the peer until it returns them
 * @pool: the pool
 * @flow: the flow
 *
 * Context: tx_lock held.
 */
void __vmc_pool_disown(struct vmc_pool *pool, struct vmc_flow *flow)
{
	u32 i;

	for (i = 0; flow->tx_pages && i < pool->nr_pages; i++) {
		if (pool->pages[i].flow != flow)
			continue;
		pool->pages[i].flow = NULL;
		flow->tx_pages--;
	}
}

/**
 * __vmc_pool_return() - segments of a page came back
 * @pool: the pool
 * @page: as the peer says
 * @nr_segs: as the peer says
 *
 * Context: tx_lock held.
 * Return: 0, or -EPROTO if these were not outstanding.
 */
int __vmc_pool_return(struct vmc_pool *pool, u32 page, u32 nr_segs)
{
	struct vmc_pool_page *p;

	if (page >= pool->nr_pages)
		return -EPROTO;
	p = &pool->pages[page];
	if (!nr_segs || nr_segs > p->segs)
		return -EPROTO;
	p->segs -= nr_segs;
	WRITE_ONCE(pool->segs, pool->segs - nr_segs);
	if (!p->segs)
		pool_free(pool, page);
	return 0;
}
