// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our half of a queue, granted to the peer read-only, page by page. The head page, whose
 * reference goes by XenStore, names the directory pages, and these name all others.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <xen/grant_table.h>
#include <xen/page.h>

#include "chan.h"
#include "grant.h"
#include "half.h"

static int grant_page(domid_t domid, struct page *page, grant_ref_t *ref)
{
	int ret = gnttab_grant_foreign_access(domid, xen_page_to_gfn(page), 1);

	if (ret < 0)
		return ret;
	*ref = ret;
	return 0;
}

static int grants_alloc(struct vmc_grants *grants, const struct vmc_half *half)
{
	u32 i;

	grants->head = INVALID_GRANT_REF;
	grants->dir = kcalloc(half->nr_dir, sizeof(*grants->dir), GFP_KERNEL);
	grants->pages = kvcalloc(half->nr_pages, sizeof(*grants->pages), GFP_KERNEL);
	if (!grants->dir || !grants->pages) {
		kfree(grants->dir);
		kvfree(grants->pages);
		grants->dir = NULL;
		grants->pages = NULL;
		return -ENOMEM;
	}
	for (i = 0; i < half->nr_dir; i++)
		grants->dir[i] = INVALID_GRANT_REF;
	for (i = 0; i < half->nr_pages; i++)
		grants->pages[i] = INVALID_GRANT_REF;
	return 0;
}

static int grant_pages(struct vmc_half *half, domid_t domid, struct vmc_grants *grants)
{
	struct vmc_head *head = page_address(half->head);
	u32 i;
	int err;

	for (i = 0; i < half->nr_pages; i++) {
		__le32 *dir = page_address(half->dir[i / VMC_GREFS_PER_PAGE]);

		err = grant_page(domid, half->pages[i], &grants->pages[i]);
		if (err)
			return err;
		dir[i % VMC_GREFS_PER_PAGE] = cpu_to_le32(grants->pages[i]);
	}
	for (i = 0; i < half->nr_dir; i++) {
		err = grant_page(domid, half->dir[i], &grants->dir[i]);
		if (err)
			return err;
		head->dir_gref[i] = cpu_to_le32(grants->dir[i]);
	}
	return grant_page(domid, half->head, &grants->head);
}

/**
 * vmc_grant_half() - grant our half to the peer, read-only
 * @half: with pages
 * @domid: the peer
 * @grants: gets the references
 *
 * Context: process.
 * Return: 0; -errno: vmc_grant_end() is due.
 */
int vmc_grant_half(struct vmc_half *half, domid_t domid, struct vmc_grants *grants)
{
	int err = grants_alloc(grants, half);

	if (err)
		return err;
	err = grant_pages(half, domid, grants);
	if (err)
		pr_warn("no grants left for the channel to domain %u: raise gnttab_max_frames\n",
			domid);
	return err;
}

/*
 * The end. A peer may still map what we revoke: it crashed or reboots, and Xen has yet to
 * take its mappings away; or a program of its holds our pages. Such pages must not be used
 * again before. The kernel could wait for that, but frees ten pages a second. So we keep
 * them and try again; to the kernel go those that are left when the module ends, or when
 * there is no memory.
 */

#define LATE_INTERVAL HZ

struct late_half {
	struct list_head node;
	struct vmc_half half;
	struct vmc_grants grants;
};

static LIST_HEAD(late_halves);
static DEFINE_MUTEX(late_lock);

static void end_late(struct work_struct *work);
static DECLARE_DELAYED_WORK(late_work, end_late);

/* Return: is the page off our hands? */
typedef bool (*end_grant_fn)(grant_ref_t ref, struct page *page);

static bool leave_to_kernel(grant_ref_t ref, struct page *page)
{
	gnttab_end_foreign_access(ref, page);
	return true;
}

static bool try_end_grant(grant_ref_t ref, struct page *page)
{
	if (!gnttab_try_end_foreign_access(ref))
		return false;
	put_page(page);
	return true;
}

static bool end_page(struct page **page, grant_ref_t *ref, end_grant_fn end)
{
	if (*ref == INVALID_GRANT_REF)
		return true;
	if (!end(*ref, *page))
		return false;
	*ref = INVALID_GRANT_REF;
	*page = NULL;
	return true;
}

/* Return: are all granted pages off our hands? */
static bool end_pages(struct vmc_half *half, struct vmc_grants *grants, end_grant_fn end)
{
	bool is_all = end_page(&half->head, &grants->head, end);
	u32 i;

	for (i = 0; i < half->nr_dir; i++)
		is_all &= end_page(&half->dir[i], &grants->dir[i], end);
	for (i = 0; i < half->nr_pages; i++) {
		is_all &= end_page(&half->pages[i], &grants->pages[i], end);
		if (!(i % 256))
			cond_resched();
	}
	return is_all;
}

/* Free the pages that were never granted, and the arrays. */
static void free_rest(struct vmc_half *half, struct vmc_grants *grants)
{
	kfree(grants->dir);
	kvfree(grants->pages);
	grants->dir = NULL;
	grants->pages = NULL;
	vmc_half_free_pages(half);
	vmc_half_exit(half);
}

static void end_late_halves(end_grant_fn end)
{
	struct late_half *l, *next;

	mutex_lock(&late_lock);
	list_for_each_entry_safe(l, next, &late_halves, node) {
		if (!end_pages(&l->half, &l->grants, end))
			continue;
		list_del(&l->node);
		free_rest(&l->half, &l->grants);
		kfree(l);
	}
	if (!list_empty(&late_halves))
		queue_delayed_work(vmc_wq, &late_work, LATE_INTERVAL);
	mutex_unlock(&late_lock);
}

static void end_late(struct work_struct *work)
{
	end_late_halves(try_end_grant);
}

/* Return: false without memory. */
static bool keep_late(const struct vmc_half *half, const struct vmc_grants *grants)
{
	struct late_half *l = kmalloc(sizeof(*l), GFP_KERNEL);

	if (!l)
		return false;
	l->half = *half;
	l->grants = *grants;
	mutex_lock(&late_lock);
	list_add(&l->node, &late_halves);
	queue_delayed_work(vmc_wq, &late_work, LATE_INTERVAL);
	mutex_unlock(&late_lock);
	return true;
}

/**
 * vmc_grant_end() - end all grants of our half; free its pages and arrays
 * @half: the half, granted, in part, or not at all
 * @grants: its grants
 *
 * What the peer still maps is freed when it no longer does. Context: process.
 */
void vmc_grant_end(struct vmc_half *half, struct vmc_grants *grants)
{
	if (grants->pages && !end_pages(half, grants, try_end_grant)) {
		if (keep_late(half, grants)) {
			memset(half, 0, sizeof(*half));
			memset(grants, 0, sizeof(*grants));
			return;
		}
		end_pages(half, grants, leave_to_kernel);
	}
	free_rest(half, grants);
}

/**
 * vmc_grants_exit() - the module ends: leave to the kernel what peers still map
 *
 * Context: process; nobody calls vmc_grant_end() any more.
 */
void vmc_grants_exit(void)
{
	end_late_halves(leave_to_kernel);
	cancel_delayed_work_sync(&late_work);
}
