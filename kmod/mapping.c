// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peer's half, mapped read-only. XenStore has the reference of its head page, which
 * names the directory pages, and these name all others (grant.c).
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <xen/grant_table.h>

#include "../include/vmc/ring.h"
#include "half.h"
#include "mapping.h"

struct vmc_mapping {
	struct gntab_unmap_queue_data unmap;
	u32 nr_pages;
	u32 nr_mapped;
	struct page **pages;		    /* head, directory, others */
	struct gnttab_unmap_grant_ref *ops; /* of the first nr_mapped pages */
};

static void mapping_free(struct vmc_mapping *m)
{
	if (m->pages)
		gnttab_free_pages(m->nr_pages, m->pages);
	kvfree(m->pages);
	kvfree(m->ops);
	kfree(m);
}

static struct vmc_mapping *mapping_alloc(u32 nr_pages)
{
	struct vmc_mapping *m = kzalloc(sizeof(*m), GFP_KERNEL);

	if (!m)
		return NULL;
	m->nr_pages = nr_pages;
	m->pages = kvcalloc(nr_pages, sizeof(*m->pages), GFP_KERNEL);
	m->ops = kvcalloc(nr_pages, sizeof(*m->ops), GFP_KERNEL);
	if (!m->pages || !m->ops || gnttab_alloc_pages(nr_pages, m->pages)) {
		kvfree(m->pages);
		kvfree(m->ops);
		kfree(m);
		return NULL;
	}
	return m;
}

/* The unmapping has waited until nobody but the mapping holds a page. */
static void mapping_unmapped(int result, struct gntab_unmap_queue_data *data)
{
	struct vmc_mapping *m = container_of(data, struct vmc_mapping, unmap);

	/* Pages that Xen did not unmap must not be used again: leak them. */
	if (WARN_ON_ONCE(result))
		m->pages = NULL;
	mapping_free(m);
	module_put(THIS_MODULE);
}

/* Does not wait: user space may hold pages (splice) for as long as it likes. */
static void mapping_end(struct vmc_mapping *m)
{
	m->unmap.unmap_ops = m->ops;
	m->unmap.pages = m->pages;
	m->unmap.count = m->nr_mapped;
	m->unmap.done = mapping_unmapped;
	__module_get(THIS_MODULE);
	gnttab_unmap_refs_async(&m->unmap);
}

/* Map the next pages of @m. All or, on error, some; m->nr_mapped tells. */
static int mapping_add(struct vmc_mapping *m, domid_t domid, const grant_ref_t *refs, u32 nr)
{
	struct gnttab_map_grant_ref *ops;
	struct page **pages = m->pages + m->nr_mapped;
	u32 first = m->nr_mapped;
	u32 i;
	int err;

	ops = kvcalloc(nr, sizeof(*ops), GFP_KERNEL);
	if (!ops)
		return -ENOMEM;
	for (i = 0; i < nr; i++)
		gnttab_set_map_op(&ops[i], (unsigned long)page_address(pages[i]),
				  GNTMAP_host_map | GNTMAP_readonly, refs[i], domid);
	err = gnttab_map_refs(ops, NULL, pages, nr);
	for (i = 0; i < nr; i++) {
		struct page *page = pages[i];

		if (ops[i].status != GNTST_okay) {
			err = err ?: -EPROTO;
			continue;
		}
		/* Mapped ones first, so that they alone are unmapped. */
		swap(m->pages[m->nr_mapped], pages[i]);
		gnttab_set_unmap_op(&m->ops[m->nr_mapped++], (unsigned long)page_address(page),
				    GNTMAP_host_map | GNTMAP_readonly, ops[i].handle);
	}
	kvfree(ops);
	return err ?: (m->nr_mapped == first + nr ? 0 : -EPROTO);
}

/* The peer's head page, by itself: it says how many others there are. */
static int map_read_head(domid_t domid, grant_ref_t ref, struct vmc_head *copy)
{
	struct vmc_mapping *m = mapping_alloc(1);
	int err;

	if (!m)
		return -ENOMEM;
	err = mapping_add(m, domid, &ref, 1);
	if (!err) {
		memcpy(copy, page_address(m->pages[0]), sizeof(*copy));
		barrier_data(copy);
		err = vmc_head_check(copy);
	}
	mapping_end(m);
	return err;
}

static int map_directory(struct vmc_mapping *m, domid_t domid, const struct vmc_head *head)
{
	u32 nr_dir = le32_to_cpu(head->nr_dir);
	grant_ref_t refs[VMC_MAX_DIR_PAGES];
	u32 i;

	for (i = 0; i < nr_dir; i++)
		refs[i] = le32_to_cpu(head->dir_gref[i]);
	return mapping_add(m, domid, refs, nr_dir);
}

static int map_others(struct vmc_mapping *m, domid_t domid, u32 nr_pages)
{
	struct page **dir = m->pages + 1;
	grant_ref_t *refs;
	u32 i;
	int err;

	refs = kvcalloc(nr_pages, sizeof(*refs), GFP_KERNEL);
	if (!refs)
		return -ENOMEM;
	for (i = 0; i < nr_pages; i++) {
		const __le32 *entries = page_address(dir[i / VMC_GREFS_PER_PAGE]);

		refs[i] = le32_to_cpu(READ_ONCE(entries[i % VMC_GREFS_PER_PAGE]));
	}
	err = mapping_add(m, domid, refs, nr_pages);
	kvfree(refs);
	return err;
}

/**
 * vmc_map_half() - map the peer's half, read-only
 * @half: gets the sizes, checked, and the pages
 * @domid: the peer
 * @head_ref: reference of its head page
 * @mapping: gets what vmc_unmap_half() wants
 *
 * Context: process.
 * Return: 0; -errno, then nothing is mapped; -EPROTO: the peer's data are wrong.
 */
int vmc_map_half(struct vmc_half *half, domid_t domid, grant_ref_t head_ref,
		 struct vmc_mapping **mapping)
{
	struct vmc_mapping *m;
	struct vmc_head head;
	u32 i;
	int err;

	err = map_read_head(domid, head_ref, &head);
	if (err)
		return err;
	err = vmc_half_init(half, le32_to_cpu(head.nr_records), le32_to_cpu(head.nr_returns),
			    le32_to_cpu(head.nr_data));
	if (err)
		return err;
	err = -ENOMEM;
	m = mapping_alloc(1 + half->nr_dir + half->nr_pages);
	if (!m)
		goto err_half;
	err = mapping_add(m, domid, &head_ref, 1)    ?:
		      map_directory(m, domid, &head) ?:
						       map_others(m, domid, half->nr_pages);
	if (err)
		goto err_mapping;

	half->head = m->pages[0];
	for (i = 0; i < half->nr_pages; i++)
		half->pages[i] = m->pages[1 + half->nr_dir + i];
	vmc_half_point(half);
	*mapping = m;
	return 0;

err_mapping:
	mapping_end(m);
err_half:
	vmc_half_exit(half);
	return err;
}

/**
 * vmc_unmap_half() - unmap the peer's half as soon as nobody holds a page of it
 * @half: the half
 * @mapping: of vmc_map_half(); NULL is fine
 */
void vmc_unmap_half(struct vmc_half *half, struct vmc_mapping *mapping)
{
	if (!mapping)
		return;
	vmc_half_exit(half);
	mapping_end(mapping);
}
