// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocation of one side's pages of a queue. How the other side gets to see them
 * is the transport's business.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "half.h"

/**
 * vmc_half_init() - set the sizes and allocate the arrays, without any page
 * @half: the half
 * @nr_records: slots of its record ring
 * @nr_returns: entries of its return ring
 * @nr_data: data pages
 *
 * Return: 0 or -ENOMEM.
 */
int vmc_half_init(struct vmc_half *half, u32 nr_records, u32 nr_returns, u32 nr_data)
{
	u32 nr_rec = nr_records / VMC_RECORDS_PER_PAGE;
	u32 nr_ret = nr_returns / VMC_RETURNS_PER_PAGE;

	half->nr_records = nr_records;
	half->nr_returns = nr_returns;
	half->nr_data = nr_data;
	half->nr_pages = nr_rec + nr_ret + nr_data;
	half->nr_dir = DIV_ROUND_UP(half->nr_pages, VMC_GREFS_PER_PAGE);
	half->dir = kcalloc(half->nr_dir, sizeof(*half->dir), GFP_KERNEL);
	half->pages = kvcalloc(half->nr_pages, sizeof(*half->pages), GFP_KERNEL);
	half->records = kcalloc(nr_rec, sizeof(*half->records), GFP_KERNEL);
	half->returns = kcalloc(nr_ret, sizeof(*half->returns), GFP_KERNEL);
	if (!half->dir || !half->pages || !half->records || !half->returns) {
		vmc_half_exit(half);
		return -ENOMEM;
	}
	half->data = half->pages + nr_rec + nr_ret;
	return 0;
}

/**
 * vmc_half_point() - let the arrays point to the pages, all of which are there
 * @half: the half
 */
void vmc_half_point(struct vmc_half *half)
{
	u32 nr_rec = half->nr_records / VMC_RECORDS_PER_PAGE;
	u32 nr_ret = half->nr_returns / VMC_RETURNS_PER_PAGE;
	u32 i;

	for (i = 0; i < nr_rec; i++)
		half->records[i] = page_address(half->pages[i]);
	for (i = 0; i < nr_ret; i++)
		half->returns[i] = page_address(half->pages[nr_rec + i]);
}

/**
 * vmc_half_alloc_pages() - allocate the pages of this side and fill the head
 * @half: the half
 *
 * Zeroed, since the peer is going to see them whole.
 *
 * Return: 0 or -ENOMEM; then vmc_half_free_pages() has been called.
 */
int vmc_half_alloc_pages(struct vmc_half *half)
{
	const gfp_t gfp = GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN;
	struct vmc_head *head;
	u32 i;

	half->head = alloc_page(gfp);
	if (!half->head)
		goto err;
	for (i = 0; i < half->nr_dir; i++) {
		half->dir[i] = alloc_page(gfp);
		if (!half->dir[i])
			goto err;
	}
	for (i = 0; i < half->nr_pages; i++) {
		half->pages[i] = alloc_page(gfp);
		if (!half->pages[i])
			goto err;
		if (!(i % 256))
			cond_resched();
	}
	vmc_half_point(half);

	head = page_address(half->head);
	head->magic = cpu_to_le32(VMC_MAGIC);
	head->nr_records = cpu_to_le32(half->nr_records);
	head->nr_returns = cpu_to_le32(half->nr_returns);
	head->nr_data = cpu_to_le32(half->nr_data);
	head->nr_dir = cpu_to_le32(half->nr_dir);
	return 0;
err:
	vmc_half_free_pages(half);
	return -ENOMEM;
}

static void half_put_page(struct page **page)
{
	if (*page)
		put_page(*page);
	*page = NULL;
}

/**
 * vmc_half_free_pages() - drop this side's references to its pages
 * @half: the half
 */
void vmc_half_free_pages(struct vmc_half *half)
{
	u32 i;

	half_put_page(&half->head);
	for (i = 0; i < half->nr_dir; i++)
		half_put_page(&half->dir[i]);
	for (i = 0; i < half->nr_pages; i++)
		half_put_page(&half->pages[i]);
}

/**
 * vmc_half_exit() - free the arrays; the pages are gone already
 * @half: the half
 */
void vmc_half_exit(struct vmc_half *half)
{
	kfree(half->dir);
	kvfree(half->pages);
	kfree(half->records);
	kfree(half->returns);
	memset(half, 0, sizeof(*half));
}
