/* SPDX-License-Identifier: GPL-2.0-only */
/* The proto of adopted sockets. */
#ifndef VMC_PROTO_H
#define VMC_PROTO_H

#include <linux/types.h>

struct msghdr;
struct sock;
struct vmc_flow;

void vmc_proto_init(void);
bool vmc_proto_is_stock(const struct sock *sk);
bool vmc_proto_is_ours(const struct sock *sk);
bool vmc_proto_has_program(const struct sock *sk);
void vmc_proto_stock_rcv(struct sock *sk, struct sk_buff *skb);
void vmc_proto_attach(struct sock *sk);
void vmc_proto_give_back(struct sock *sk);

/* sock_ops.c */
void vmc_sock_ops_init(void);
void vmc_sock_ops_attach(struct sock *sk, struct vmc_flow *flow);
void vmc_sock_ops_detach(struct sock *sk);
bool vmc_sock_ops_are_ours(const struct sock *sk);

/* sendmsg.c */
int vmc_sendmsg(struct sock *sk, struct msghdr *msg, size_t size);
bool vmc_stream_memory_free(const struct sock *sk, int wake);

#endif
