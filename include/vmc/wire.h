/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What lies in the pages that two guests share: the head page, records and
 * returns. docs/protocol.md is the text of it. Every page is written by the side
 * that granted it and only read by the other.
 */
#ifndef VMC_WIRE_H
#define VMC_WIRE_H

#include "arch.h"

#define VMC_PAGE_SIZE	   4096u
#define VMC_MAGIC	   0x31636d76u /* "vmc1" */

#define VMC_MAX_RECORDS	   4096u  /* slots of a record ring */
#define VMC_MAX_RETURNS	   32768u /* entries of a return ring */
#define VMC_MAX_DATA_PAGES 8192u
#define VMC_MAX_DIR_PAGES  16u
#define VMC_GREFS_PER_PAGE (VMC_PAGE_SIZE / sizeof(__le32))

#define VMC_MAX_SEGS	   14u

enum vmc_record_type {
	VMC_REC_DATA = 1,    /* bytes of a flow, or a flag in its sequence */
	VMC_REC_OPEN = 2,    /* offer of a flow, with the proof */
	VMC_REC_ACCEPT = 3,  /* answer: bound; proof of the other side */
	VMC_REC_REJECT = 4,  /* answer: no such connection here */
	VMC_REC_CLOSE = 5,   /* sender takes no more records of this flow */
	VMC_REC_ACKREQ = 6,  /* "acknowledge by TCP as soon as you are at seq" */
	VMC_REC_STOP = 7,    /* "send bytes of this flow by TCP from now on, and say so" */
	VMC_REC_STOPPED = 8, /* answer: no byte of this flow comes by the ring any more */
	VMC_REC_WINDOW = 9,  /* "let so many bytes of this flow wait for my program" */
};

/* Flags of VMC_REC_DATA; a record has either one of them or bytes. */
#define VMC_DATA_FIN   0x01 /* the stream ends at seq */
#define VMC_DATA_RST   0x02 /* the connection is reset at seq */
#define VMC_DATA_FLAGS (VMC_DATA_FIN | VMC_DATA_RST)

/* Bytes of one data page. */
struct vmc_seg {
	__le32 page; /* index in the sender's data pages */
	__le16 off;
	__le16 len; /* > 0, off + len <= VMC_PAGE_SIZE */
};

/* A TCP connection as its two ends know it; addresses as in struct in6_addr. */
struct vmc_tuple {
	u8 saddr[16]; /* of the record's sender */
	u8 daddr[16];
	__be16 sport;
	__be16 dport;
};

struct vmc_record {
	u8 type; /* enum vmc_record_type */
	u8 flags;
	u8 nr_segs;
	u8 reserved;
	__le32 flow; /* the receiver's handle; 0 in OPEN */
	__le32 seq;  /* TCP sequence number of the first byte */
	__le32 len;  /* sum of seg[].len */
	union {
		struct vmc_seg seg[VMC_MAX_SEGS];
		struct { /* OPEN, ACCEPT */
			__le64 proof;
			__le32 handle; /* the sender's */
			struct vmc_tuple tuple;
		} open;
		__le32 window; /* WINDOW: bytes; U32_MAX: any number */
		u8 raw[112];
	};
};

/* Entry of the return ring: a data page of the receiver of this entry, and how
 * many of its segments nobody uses any more.
 */
#define VMC_RETURN_SEGS_SHIFT 20
#define VMC_RETURN_PAGE_MASK  ((1u << VMC_RETURN_SEGS_SHIFT) - 1)
#define VMC_RETURN_MAX_SEGS   ((1u << (32 - VMC_RETURN_SEGS_SHIFT)) - 1)

/*
 * First page of what a side grants for a queue. Indexes run freely modulo 2^32.
 * Cache lines are grouped by who reads them when.
 */
struct vmc_head {
	/* Constant once the queue is connected. */
	__le32 magic;
	__le32 nr_records; /* slots, a power of two */
	__le32 nr_returns; /* entries, a power of two */
	__le32 nr_data;	   /* data pages */
	__le32 nr_dir;	   /* directory pages */
	__le32 dir_gref[VMC_MAX_DIR_PAGES];
	u8 pad0[44];

	__le32 rec_prod; /* records that I published */
	u8 pad1[60];

	__le32 ret_prod; /* returns that I published */
	u8 pad2[60];

	__le32 rec_cons;  /* records of yours that I am done with */
	__le32 rec_event; /* ring me when your rec_prod passes this */
	u8 pad3[56];

	__le32 cons_event; /* ring me when your rec_cons passes this */
	__le32 ret_event;  /* ring me when your ret_prod passes this */
	u8 pad4[56];
};

static_assert(sizeof(struct vmc_seg) == 8);
static_assert(sizeof(struct vmc_tuple) == 36);
static_assert(sizeof(struct vmc_record) == 128);
static_assert(offsetof(struct vmc_record, seg) == 16);
static_assert(offsetof(struct vmc_record, open.handle) == 24);
static_assert(offsetof(struct vmc_record, open.tuple) == 28);
static_assert(offsetof(struct vmc_head, dir_gref) == 20);
static_assert(offsetof(struct vmc_head, rec_prod) == 128);
static_assert(offsetof(struct vmc_head, ret_prod) == 192);
static_assert(offsetof(struct vmc_head, rec_cons) == 256);
static_assert(offsetof(struct vmc_head, cons_event) == 320);
static_assert(sizeof(struct vmc_head) == 384);

#define VMC_RECORDS_PER_PAGE (VMC_PAGE_SIZE / sizeof(struct vmc_record))
#define VMC_RETURNS_PER_PAGE (VMC_PAGE_SIZE / sizeof(__le32))

#endif
