// SPDX-License-Identifier: GPL-2.0-only
/*
 * kfuncs. sock_ops and sk_msg programs have no hook of their own for kfuncs in
 * 6.12: they are registered for every program type, and a filter lets each be
 * called from the type that it is for.
 */
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/btf_ids.h>
#include <linux/filter.h>
#include <linux/module.h>
#include <linux/skmsg.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "flow.h"
#include "kfunc.h"
#include "proto.h"

/* The full socket of a sock_ops program at a moment when it may be adopted. */
static struct sock *kfunc_established_sk(const struct bpf_sock_ops_kern *skops)
{
	if (!skops->is_fullsock || !skops->sk || !sk_fullsock(skops->sk))
		return NULL;
	if (skops->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB &&
	    skops->op != BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB)
		return NULL;
	return skops->sk;
}

/* The full TCP socket of an iterator, owned by whoever runs it. */
static struct sock *kfunc_owned_sk(struct sock_common *skc)
{
	struct sock *sk = (struct sock *)skc;

	if (!sk || !sk_fullsock(sk) || sk->sk_protocol != IPPROTO_TCP)
		return NULL;
	return sock_owned_by_user_nocheck(sk) ? sk : NULL;
}

__bpf_kfunc_start_defs();

/**
 * bpf_vmc_flow_open() - adopt the established TCP socket of a sock_ops program
 * @ctx: its context, at ACTIVE_ESTABLISHED or PASSIVE_ESTABLISHED
 * @peer: id of the channel to the other end
 *
 * To be called before the socket enters a SOCKHASH.
 *
 * Return: 0, or -errno; then the socket is as it was.
 */
__bpf_kfunc int bpf_vmc_flow_open(struct bpf_sock_ops *ctx, u32 peer)
{
	const struct bpf_sock_ops_kern *skops = (struct bpf_sock_ops_kern *)ctx;
	struct sock *sk = kfunc_established_sk(skops);

	if (!sk)
		return -EINVAL;
	return vmc_flow_open(sk, peer, skops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB);
}

/**
 * bpf_vmc_flow_close() - undo bpf_vmc_flow_open() in the same run of the program
 * @ctx: its context
 *
 * Return: 0 or -EINVAL.
 */
__bpf_kfunc int bpf_vmc_flow_close(struct bpf_sock_ops *ctx)
{
	struct sock *sk = kfunc_established_sk((struct bpf_sock_ops_kern *)ctx);

	if (!sk)
		return -EINVAL;
	vmc_proto_give_back(sk);
	return 0;
}

/**
 * bpf_vmc_sock_adopt() - adopt a TCP socket of an iterator program in mid-stream
 * @skc: the socket, which the iterator has locked ("iter/tcp" has)
 * @peer: id of the channel to the other end
 *
 * Return: 0: to be put into a SOCKHASH; 1: it is in one, with a program; or -errno:
 * the socket is as it was.
 */
__bpf_kfunc int bpf_vmc_sock_adopt(struct sock_common *skc, u32 peer)
{
	struct sock *sk = kfunc_owned_sk(skc);

	if (!sk)
		return -EINVAL;
	return vmc_flow_adopt(sk, peer) ?: vmc_proto_has_program(sk);
}

/**
 * bpf_vmc_sock_release() - undo bpf_vmc_sock_adopt() in the same run of the program
 * @skc: the socket
 *
 * A flow that has been bound stays, without a program, by TCP: to give it back may
 * sleep.
 *
 * Return: 0 or -EINVAL.
 */
__bpf_kfunc int bpf_vmc_sock_release(struct sock_common *skc)
{
	struct sock *sk = kfunc_owned_sk(skc);
	struct vmc_flow *flow = sk ? vmc_flow_of(sk) : NULL;

	if (!flow)
		return -EINVAL;
	if (vmc_flow_seal(flow))
		vmc_proto_give_back(sk);
	return 0;
}

/**
 * bpf_vmc_msg_redirect() - a sk_msg program's verdict: by the ring
 * @ctx: its context
 *
 * Return: 0, or -ENOENT if the message's socket has no bound flow.
 */
__bpf_kfunc int bpf_vmc_msg_redirect(struct sk_msg_md *ctx)
{
	const struct sk_msg *msg = (struct sk_msg *)ctx;
	struct vmc_flow *flow = msg->sk ? vmc_flow_of(msg->sk) : NULL;

	if (!flow || vmc_flow_state(flow) != VMC_FLOW_BOUND)
		return -ENOENT;
	flow->verdict_ring = true;
	return 0;
}

__bpf_kfunc_end_defs();

BTF_KFUNCS_START(kfunc_ids)
BTF_ID_FLAGS(func, bpf_vmc_flow_open)
BTF_ID_FLAGS(func, bpf_vmc_flow_close)
BTF_ID_FLAGS(func, bpf_vmc_sock_adopt, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_vmc_sock_release, KF_TRUSTED_ARGS)
BTF_ID_FLAGS(func, bpf_vmc_msg_redirect)
BTF_KFUNCS_END(kfunc_ids)

/*
 * Only asked about this module's kfuncs. That each gets the context of its own
 * program type, the verifier sees to by the argument's type.
 */
static int kfunc_filter(const struct bpf_prog *prog, u32 id)
{
	switch (prog->type) {
	case BPF_PROG_TYPE_SOCK_OPS:
	case BPF_PROG_TYPE_SK_MSG:
		return 0;
	case BPF_PROG_TYPE_TRACING:
		return prog->expected_attach_type == BPF_TRACE_ITER ? 0 : -EACCES;
	default:
		return -EACCES;
	}
}

static const struct btf_kfunc_id_set kfunc_set = {
	.owner = THIS_MODULE,
	.set = &kfunc_ids,
	.filter = kfunc_filter,
};

/* They go with the module's BTF, so there is no exit. A module has one set a hook. */
int vmc_kfuncs_init(void)
{
	return register_btf_kfunc_id_set(BPF_PROG_TYPE_UNSPEC, &kfunc_set);
}
