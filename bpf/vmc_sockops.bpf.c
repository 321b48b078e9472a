// SPDX-License-Identifier: GPL-2.0-only
/*
 * sockops: adopts a TCP connection, at its establishment, when vmc_peers says that
 * its other end is co-resident. Every other socket is left as it was.
 */
#include "vmc_maps.bpf.h"
#include "vmc_address.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/*
 * The context is rewritten field by field by the verifier, so each word is a
 * load of its own: no loops, no pointers into it.
 */
static __always_inline bool addresses_read(struct bpf_sock_ops *ctx, union address *local,
					   union address *remote)
{
	switch (ctx->family) {
	case AF_INET:
		address_map_v4(local, ctx->local_ip4);
		address_map_v4(remote, ctx->remote_ip4);
		return true;
	case AF_INET6: /* a v4-mapped socket already shows ::ffff:a.b.c.d here */
		local->word[0] = ctx->local_ip6[0];
		local->word[1] = ctx->local_ip6[1];
		local->word[2] = ctx->local_ip6[2];
		local->word[3] = ctx->local_ip6[3];
		remote->word[0] = ctx->remote_ip6[0];
		remote->word[1] = ctx->remote_ip6[1];
		remote->word[2] = ctx->remote_ip6[2];
		remote->word[3] = ctx->remote_ip6[3];
		return true;
	default:
		return false;
	}
}

static __always_inline void adopt(struct bpf_sock_ops *ctx)
{
	union address local, remote;
	struct vmc_peer_value *value;
	__u64 cookie;

	if (!addresses_read(ctx, &local, &remote) || address_equal(&local, &remote))
		return;
	value = bpf_map_lookup_elem(&vmc_peers, &remote.key);
	if (!value)
		return;
	if (bpf_vmc_flow_open(ctx, value->peer))
		return;
	cookie = bpf_get_socket_cookie(ctx);
	if (bpf_sock_hash_update(ctx, &vmc_socks, &cookie, BPF_ANY))
		bpf_vmc_flow_close(ctx);
}

SEC("sockops")
int vmc_sockops(struct bpf_sock_ops *ctx)
{
	switch (ctx->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
	case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
		adopt(ctx);
	}
	return 1;
}
