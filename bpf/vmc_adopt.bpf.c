// SPDX-License-Identifier: GPL-2.0-only
/*
 * iter/tcp: adopts the connections that were there before the fast path, or before
 * their other end became co-resident. The loader runs it in each network namespace;
 * a run more than needed does nothing.
 */
#include "vmc_maps.bpf.h"
#include "vmc_address.bpf.h"
#include <bpf/bpf_core_read.h>

#define MAX_CGROUP_DEPTH 64

/* Whose sockets, and those of the cgroups below; the loader says it. */
__u64 cgroup_id;

char LICENSE[] SEC("license") = "GPL";

static __always_inline bool addresses_read(const struct sock_common *skc, union address *local,
					   union address *remote)
{
	switch (skc->skc_family) {
	case AF_INET:
		address_map_v4(local, skc->skc_rcv_saddr);
		address_map_v4(remote, skc->skc_daddr);
		return true;
	case AF_INET6: /* a v4-mapped socket has ::ffff:a.b.c.d here */
		__builtin_memcpy(local->word, skc->skc_v6_rcv_saddr.in6_u.u6_addr32,
				 sizeof(local->word));
		__builtin_memcpy(remote->word, skc->skc_v6_daddr.in6_u.u6_addr32,
				 sizeof(remote->word));
		return true;
	default:
		return false;
	}
}

static __always_inline struct cgroup *cgroup_parent(const struct cgroup *cgrp)
{
	struct cgroup_subsys_state *self = BPF_CORE_READ(cgrp, self.parent);

	return self ? (void *)self - bpf_core_field_offset(struct cgroup, self) : NULL;
}

static __always_inline bool is_of_cgroup(const struct sock *sk)
{
	struct cgroup *cgrp = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);

	for (int i = 0; cgrp && i < MAX_CGROUP_DEPTH; i++) {
		if (BPF_CORE_READ(cgrp, kn, id) == cgroup_id)
			return true;
		cgrp = cgroup_parent(cgrp);
	}
	return false;
}

SEC("iter/tcp")
int vmc_adopt(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	union address local, remote;
	struct vmc_peer_value *value;
	__u64 cookie;

	if (!skc || skc->skc_state != TCP_ESTABLISHED || !addresses_read(skc, &local, &remote) ||
	    address_equal(&local, &remote))
		return 0;
	value = bpf_map_lookup_elem(&vmc_peers, &remote.key);
	if (!value || !is_of_cgroup((const struct sock *)skc) ||
	    bpf_vmc_sock_adopt(skc, value->peer))
		return 0;
	cookie = bpf_get_socket_cookie(skc);
	if (bpf_map_update_elem(&vmc_socks, &cookie, skc, BPF_ANY))
		bpf_vmc_sock_release(skc);
	return 0;
}
