/* SPDX-License-Identifier: GPL-2.0-only */
/* Receiving: from a record in the ring to bytes in a socket's receive queue. */
#ifndef VMC_RX_H
#define VMC_RX_H

#include <linux/types.h>

struct sk_buff;
struct sk_buff_head;
struct sock;
struct vmc_flow;
struct vmc_queue;
struct vmc_record;
struct work_struct;

/* rx_page.c: skbs whose bytes lie in the peer's pages */
int vmc_rx_init(void);
void vmc_rx_exit(void);
void vmc_rx_scan(struct work_struct *work);
void vmc_rx_charge(struct sk_buff *skb, struct sock *sk);
void vmc_rx_stamp(struct sk_buff *skb, const struct sock *sk);
struct sk_buff *vmc_rx_build_skb(struct vmc_queue *q, const struct vmc_record *rec);
void vmc_rx_return_segs(struct vmc_queue *q, const struct vmc_record *rec);
int vmc_rx_copy(struct sk_buff *skb);
void vmc_rx_want_copies(struct vmc_flow *flow);
void vmc_rx_copy_out(struct sock *sk);
void vmc_rx_copy_out_pending(struct sk_buff_head *pending);

/* rx_tcp.c: into the TCP control block */
int vmc_rx_record(struct vmc_queue *q, const struct vmc_record *rec);
void vmc_rx_before_backlog(struct vmc_flow *flow);
void vmc_rx_release_cb(struct vmc_flow *flow);
void vmc_rx_free_left_edge(struct vmc_flow *flow);

/* rx_segment.c: as if a segment had come by IP */
bool __vmc_rx_segment(struct sock *sk, struct sk_buff *data);

#endif
