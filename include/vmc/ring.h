/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations on a pair of vmc rings, one header for the kernel and for the
 * user-space tests.
 *
 * Each side owns a record ring (it produces) and a return ring (it hands the
 * peer's data pages back). A struct vmc_ring is one side's private view of all
 * four rings; its callers serialise the producing and the consuming half of
 * each ring (see the struct). The peer is hostile: an index that it publishes
 * is read once and bounded, an entry is copied and checked before it is used.
 * -EPROTO means that the peer broke the protocol and the channel must close.
 */
#ifndef VMC_RING_H
#define VMC_RING_H

#include "wire.h"

struct vmc_ring {
	struct vmc_head *head;	     /* mine, peer reads */
	struct vmc_record **records; /* mine, a pointer a page */
	__le32 **returns;	     /* mine, a pointer a page */
	const struct vmc_head *peer_head;
	const struct vmc_record *const *peer_records;
	const __le32 *const *peer_returns;

	u32 nr_records, nr_returns; /* of mine */
	u32 peer_nr_records, peer_nr_returns;
	u32 peer_nr_data;

	/* Record producer. */
	u32 rec_prod; /* next slot to fill */
	u32 rec_published;
	u32 peer_rec_cons; /* last value seen */

	/* Record consumer. */
	u32 rec_cons;	  /* next record to read */
	u32 rec_consumed; /* last value published */

	/* Return producer. */
	u32 ret_prod;
	u32 ret_published;

	/* Return consumer. */
	u32 ret_cons;
};

static inline bool vmc_is_power_of_2(u32 n)
{
	return n && !(n & (n - 1));
}

/* Has @event been passed when an index went from @old to @new? (virtio's rule) */
static inline bool vmc_event_passed(u32 event, u32 new, u32 old)
{
	return (u32)(new - event - 1) < (u32)(new - old);
}

/**
 * vmc_head_check() - validate the constant part of a peer's head page
 * @head: a private copy of it
 *
 * Return: 0 or -EPROTO.
 */
static inline int vmc_head_check(const struct vmc_head *head)
{
	u32 nr_records = le32_to_cpu(head->nr_records);
	u32 nr_returns = le32_to_cpu(head->nr_returns);
	u32 nr_data = le32_to_cpu(head->nr_data);
	u32 nr_dir = le32_to_cpu(head->nr_dir);
	u32 nr_pages;

	if (le32_to_cpu(head->magic) != VMC_MAGIC)
		return -EPROTO;
	if (!vmc_is_power_of_2(nr_records) || nr_records > VMC_MAX_RECORDS ||
	    nr_records < VMC_RECORDS_PER_PAGE)
		return -EPROTO;
	if (!vmc_is_power_of_2(nr_returns) || nr_returns > VMC_MAX_RETURNS ||
	    nr_returns < VMC_RETURNS_PER_PAGE)
		return -EPROTO;
	if (!nr_data || nr_data > VMC_MAX_DATA_PAGES)
		return -EPROTO;
	nr_pages = nr_records / VMC_RECORDS_PER_PAGE + nr_returns / VMC_RETURNS_PER_PAGE + nr_data;
	if (nr_dir > VMC_MAX_DIR_PAGES ||
	    nr_dir != (nr_pages + VMC_GREFS_PER_PAGE - 1) / VMC_GREFS_PER_PAGE)
		return -EPROTO;
	return 0;
}

/**
 * vmc_record_check() - validate a private copy of a peer's record
 * @rec: the copy
 * @nr_data: data pages of the peer
 *
 * Whether the flow exists and the sequence number fits is the caller's to find.
 *
 * Return: 0 or -EPROTO.
 */
static inline int vmc_record_check(const struct vmc_record *rec, u32 nr_data)
{
	u32 i, sum = 0;

	if (rec->type < VMC_REC_DATA || rec->type > VMC_REC_WINDOW || rec->reserved)
		return -EPROTO;
	if (rec->type != VMC_REC_DATA)
		return rec->flags || rec->nr_segs || rec->len ? -EPROTO : 0;
	if (rec->flags & ~VMC_DATA_FLAGS || rec->nr_segs > VMC_MAX_SEGS)
		return -EPROTO;
	/* A flag stands alone, at the sequence number behind all bytes. */
	if (!rec->nr_segs == !rec->flags)
		return -EPROTO;
	for (i = 0; i < rec->nr_segs; i++) {
		u32 off = le16_to_cpu(rec->seg[i].off);
		u32 len = le16_to_cpu(rec->seg[i].len);

		if (le32_to_cpu(rec->seg[i].page) >= nr_data)
			return -EPROTO;
		if (!len || off + len > VMC_PAGE_SIZE)
			return -EPROTO;
		sum += len;
	}
	return sum == le32_to_cpu(rec->len) ? 0 : -EPROTO;
}

/*
 * Record producer. Its calls are serialised by the caller.
 */

/**
 * vmc_rec_room() - free slots of my record ring
 * @r: this side of the rings
 *
 * Return: number of slots, or -EPROTO.
 */
static inline int vmc_rec_room(struct vmc_ring *r)
{
	/* Acquire: the peer has read the slots before it gave them back;
	 * pairs with the release in vmc_rec_consumed().
	 */
	u32 cons = vmc_load_acquire(&r->peer_head->rec_cons);

	if (cons - r->peer_rec_cons > r->rec_published - r->peer_rec_cons)
		return -EPROTO;
	r->peer_rec_cons = cons;
	return r->nr_records - (r->rec_prod - cons);
}

/* vmc_rec_own() - the slot of an index of my record ring */
static inline struct vmc_record *vmc_rec_own(const struct vmc_ring *r, u32 index)
{
	u32 i = index & (r->nr_records - 1);

	return &r->records[i / VMC_RECORDS_PER_PAGE][i % VMC_RECORDS_PER_PAGE];
}

/* vmc_rec_next() - the slot to fill next; there must be room. */
static inline struct vmc_record *vmc_rec_next(struct vmc_ring *r)
{
	return vmc_rec_own(r, r->rec_prod++);
}

/**
 * vmc_rec_publish() - show the filled slots to the peer
 * @r: this side of the rings
 *
 * Return: true if the peer wants a doorbell.
 */
static inline bool vmc_rec_publish(struct vmc_ring *r)
{
	u32 old = r->rec_published;

	if (old == r->rec_prod)
		return false;
	r->rec_published = r->rec_prod;
	/* Pairs with the acquire in vmc_rec_peek(). */
	vmc_store_release(&r->head->rec_prod, r->rec_prod);
	/* The peer sees the record, or I see its event index: pairs with
	 * vmc_rec_arm().
	 */
	vmc_mb();
	return vmc_event_passed(vmc_load(&r->peer_head->rec_event), r->rec_prod, old);
}

/**
 * vmc_rec_room_arm() - ask for a doorbell when the peer has consumed some more
 * @r: this side of the rings
 *
 * Return: as vmc_rec_room(), looked at again after arming.
 */
static inline int vmc_rec_room_arm(struct vmc_ring *r)
{
	vmc_store(&r->head->cons_event,
		  r->peer_rec_cons + (r->rec_published - r->peer_rec_cons) / 2);
	vmc_mb(); /* pairs with vmc_rec_consumed() */
	return vmc_rec_room(r);
}

/*
 * Record consumer.
 */

/**
 * vmc_rec_peek() - copy the next record of the peer and check it
 * @r: this side of the rings
 * @rec: where to; only the used segments are filled
 *
 * Return: 1 if there was one, 0 if not, -EPROTO.
 */
static inline int vmc_rec_peek(struct vmc_ring *r, struct vmc_record *rec)
{
	u32 prod = vmc_load_acquire(&r->peer_head->rec_prod);
	u32 i = r->rec_cons & (r->peer_nr_records - 1);
	const struct vmc_record *slot;

	if (prod == r->rec_cons)
		return 0;
	if (prod - r->rec_cons > r->peer_nr_records - (r->rec_cons - r->rec_consumed))
		return -EPROTO;
	slot = &r->peer_records[i / VMC_RECORDS_PER_PAGE][i % VMC_RECORDS_PER_PAGE];
	/* The slot stays the peer's to write: copy first, believe only the copy. */
	memcpy(rec, slot, offsetof(struct vmc_record, seg));
	vmc_copied(rec);
	if (rec->type != VMC_REC_DATA)
		memcpy(rec->raw, slot->raw, sizeof(rec->raw));
	else if (rec->nr_segs <= VMC_MAX_SEGS)
		memcpy(rec->seg, slot->seg, rec->nr_segs * sizeof(rec->seg[0]));
	vmc_copied(rec);
	return vmc_record_check(rec, r->peer_nr_data) ?: 1;
}

/* vmc_rec_consume() - step over the record that vmc_rec_peek() gave. */
static inline void vmc_rec_consume(struct vmc_ring *r)
{
	r->rec_cons++;
}

/**
 * vmc_rec_consumed() - give the consumed slots back to the peer
 * @r: this side of the rings
 *
 * Return: true if the peer wants a doorbell.
 */
static inline bool vmc_rec_consumed(struct vmc_ring *r)
{
	u32 old = r->rec_consumed;

	if (old == r->rec_cons)
		return false;
	r->rec_consumed = r->rec_cons;
	vmc_store_release(&r->head->rec_cons, r->rec_cons);
	vmc_mb(); /* pairs with vmc_rec_room_arm() */
	return vmc_event_passed(vmc_load(&r->peer_head->cons_event), r->rec_cons, old);
}

/**
 * vmc_rec_arm() - ask for a doorbell at the next record
 * @r: this side of the rings
 *
 * Return: true if there is one already.
 */
static inline bool vmc_rec_arm(struct vmc_ring *r)
{
	vmc_store(&r->head->rec_event, r->rec_cons);
	vmc_mb(); /* pairs with vmc_rec_publish() */
	return vmc_load(&r->peer_head->rec_prod) != r->rec_cons;
}

/*
 * Return producer. The ring can't overflow: a peer has at most nr_returns
 * segments outstanding, of its own interest, and an entry stands for one or more.
 */

static inline void vmc_ret_push(struct vmc_ring *r, u32 page, u32 nr_segs)
{
	u32 i = r->ret_prod++ & (r->nr_returns - 1);

	vmc_store(&r->returns[i / VMC_RETURNS_PER_PAGE][i % VMC_RETURNS_PER_PAGE],
		  page | nr_segs << VMC_RETURN_SEGS_SHIFT);
}

/**
 * vmc_ret_publish() - show the pushed returns to the peer
 * @r: this side of the rings
 *
 * Return: true if the peer wants a doorbell.
 */
static inline bool vmc_ret_publish(struct vmc_ring *r)
{
	u32 old = r->ret_published;

	if (old == r->ret_prod)
		return false;
	r->ret_published = r->ret_prod;
	vmc_store_release(&r->head->ret_prod, r->ret_prod);
	vmc_mb(); /* pairs with vmc_ret_arm() */
	return vmc_event_passed(vmc_load(&r->peer_head->ret_event), r->ret_prod, old);
}

/*
 * Return consumer.
 */

/**
 * vmc_ret_pop() - take the next return of the peer
 * @r: this side of the rings
 * @page: index of my data page
 * @nr_segs: how many of its segments came back
 *
 * Neither is checked: the owner of the data pages knows what is outstanding.
 *
 * Return: 1 if there was one, 0 if not, -EPROTO.
 */
static inline int vmc_ret_pop(struct vmc_ring *r, u32 *page, u32 *nr_segs)
{
	u32 prod = vmc_load_acquire(&r->peer_head->ret_prod);
	u32 i = r->ret_cons & (r->peer_nr_returns - 1);
	u32 entry;

	if (prod == r->ret_cons)
		return 0;
	if (prod - r->ret_cons > r->peer_nr_returns)
		return -EPROTO;
	entry = vmc_load(&r->peer_returns[i / VMC_RETURNS_PER_PAGE][i % VMC_RETURNS_PER_PAGE]);
	r->ret_cons++;
	*page = entry & VMC_RETURN_PAGE_MASK;
	*nr_segs = entry >> VMC_RETURN_SEGS_SHIFT;
	return 1;
}

/**
 * vmc_ret_arm() - ask for a doorbell after @nr more returns
 * @r: this side of the rings
 * @nr: how many
 *
 * Return: true if that many have come already.
 */
static inline bool vmc_ret_arm(struct vmc_ring *r, u32 nr)
{
	vmc_store(&r->head->ret_event, r->ret_cons + nr - 1);
	vmc_mb(); /* pairs with vmc_ret_publish() */
	return vmc_load(&r->peer_head->ret_prod) - r->ret_cons >= nr;
}

#endif
