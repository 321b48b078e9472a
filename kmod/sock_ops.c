// SPDX-License-Identifier: GPL-2.0-only
/*
 * The proto_ops of adopted sockets: TCP's own, but for splice. Pages that splice puts
 * into a pipe go anywhere from there, to a disk or another network card, whose
 * drivers would grant them to another domain: Xen refuses that for pages that are
 * another guest's. So a socket that is spliced from gets copies.
 *
 * Until its operations are ours, a socket gets copies, too: one that was not accepted
 * yet has no struct socket, and a thread may be asleep in TCP's own splice. So they become
 * ours when somebody receives by other means.
 */
#include <linux/net.h>
#include <net/net_namespace.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "flow.h"
#include "proto.h"
#include "rx.h"

static struct proto_ops vmc_ops[2]; /* [is_v6] */
static const struct proto_ops *stock_ops[2];

static bool ops_is_v6(const struct sock *sk)
{
	return sk->sk_family == AF_INET6;
}

static ssize_t vmc_splice_read(struct socket *sock, loff_t *ppos, struct pipe_inode_info *pipe,
			       size_t len, unsigned int flags)
{
	struct sock *sk = sock->sk;
	struct vmc_flow *flow;
	ssize_t ret;

	lock_sock(sk);
	flow = vmc_flow_of(sk);
	if (flow) {
		/* The module stays as long as we are in it. */
		vmc_flow_get(flow);
		vmc_rx_want_copies(flow);
	}
	release_sock(sk);
	ret = stock_ops[ops_is_v6(sk)]->splice_read(sock, ppos, pipe, len, flags);
	if (flow)
		vmc_flow_put(flow);
	return ret;
}

/**
 * vmc_sock_ops_attach() - the socket of a flow gets our operations, and pages
 * @sk: the socket
 * @flow: its flow
 *
 * Context: socket locked.
 */
void vmc_sock_ops_attach(struct sock *sk, struct vmc_flow *flow)
{
	struct socket *sock = sk->sk_socket;
	bool is_v6 = ops_is_v6(sk);

	if (!sock || !stock_ops[is_v6] || READ_ONCE(sock->ops) != stock_ops[is_v6])
		return;
	WRITE_ONCE(sock->ops, &vmc_ops[is_v6]);
	WRITE_ONCE(flow->wants_copies, false);
}

/**
 * vmc_sock_ops_detach() - the socket gets its own operations back
 * @sk: the socket
 *
 * Context: socket locked.
 */
void vmc_sock_ops_detach(struct sock *sk)
{
	bool is_v6 = ops_is_v6(sk);

	if (vmc_sock_ops_are_ours(sk))
		WRITE_ONCE(sk->sk_socket->ops, stock_ops[is_v6]);
}

/* Context: socket locked, or in a call of its proto. */
bool vmc_sock_ops_are_ours(const struct sock *sk)
{
	return sk->sk_socket && READ_ONCE(sk->sk_socket->ops) == &vmc_ops[ops_is_v6(sk)];
}

/* IPv6's operations are not exported: a socket shows them. */
static void ops_build(int family, bool is_v6)
{
	struct socket *sock;

	if (sock_create_kern(&init_net, family, SOCK_STREAM, IPPROTO_TCP, &sock))
		return;
	stock_ops[is_v6] = sock->ops;
	vmc_ops[is_v6] = *sock->ops;
	vmc_ops[is_v6].splice_read = vmc_splice_read;
	sock_release(sock);
}

void vmc_sock_ops_init(void)
{
	ops_build(AF_INET, false);
	ops_build(AF_INET6, true);
}
