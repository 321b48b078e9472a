// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's selftests talk to themselves, 127.0.0.1 to 127.0.0.1, and vmc leaves a
 * connection between one address and itself alone. These programs give the side that
 * connects another address of the loopback device, unless it chose one, so that the
 * tests' connections are adopted. They are attached with and without vmc.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define AF_INET	 2 /* of the libc's headers, which are not for BPF */
#define AF_INET6 10

char LICENSE[] SEC("license") = "GPL";

#define SERVER_V4 bpf_htonl(0x7f000001) /* 127.0.0.1 */
#define CLIENT_V4 bpf_htonl(0x7f000002) /* 127.0.0.2 */
#define V4_MAPPED bpf_htonl(0x0000ffff)

static __always_inline bool is_loopback_v4(__u32 addr)
{
	return !addr || addr == SERVER_V4;
}

static __always_inline bool is_v6(const __u32 *addr, __u32 word0, __u32 word2, __u32 word3)
{
	return addr[0] == word0 && !addr[1] && addr[2] == word2 && addr[3] == word3;
}

static __always_inline bool bind_v6(struct bpf_sock_addr *ctx, __u32 word0, __u32 word2,
				    __u32 word3)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6 };

	from.sin6_addr.s6_addr32[0] = word0;
	from.sin6_addr.s6_addr32[2] = word2;
	from.sin6_addr.s6_addr32[3] = word3;
	return !bpf_bind(ctx, (struct sockaddr *)&from, sizeof(from));
}

SEC("cgroup/connect4")
int connect_v4(struct bpf_sock_addr *ctx)
{
	struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = CLIENT_V4 };

	if (ctx->protocol == IPPROTO_TCP && is_loopback_v4(ctx->user_ip4) &&
	    !bpf_bind(ctx, (struct sockaddr *)&from, sizeof(from)))
		ctx->user_ip4 = SERVER_V4;
	return 1;
}

SEC("cgroup/connect6")
int connect_v6(struct bpf_sock_addr *ctx)
{
	const __u32 to[4] = { ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2],
			      ctx->user_ip6[3] };

	if (ctx->protocol != IPPROTO_TCP)
		return 1;
	if (is_v6(to, 0, V4_MAPPED, SERVER_V4) || is_v6(to, 0, V4_MAPPED, 0)) {
		if (bind_v6(ctx, 0, V4_MAPPED, CLIENT_V4))
			ctx->user_ip6[3] = SERVER_V4;
	} else if (is_v6(to, 0, 0, bpf_htonl(1)) || is_v6(to, 0, 0, 0)) {
		if (bind_v6(ctx, bpf_htonl(0xfd090000), 0, bpf_htonl(0x7f02))) /* fd09::7f02 */
			ctx->user_ip6[3] = bpf_htonl(1);
	}
	return 1;
}
