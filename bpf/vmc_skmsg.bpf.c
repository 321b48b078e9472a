// SPDX-License-Identifier: GPL-2.0-only
/*
 * sk_msg: the verdict on what an adopted socket sends. Always SK_PASS: whether the
 * bytes take the ring is the kfunc's doing, and TCP carries them when it declines.
 */
#include "vmc_maps.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* One verdict serves this many bytes. */
#define VERDICT_BYTES 0x40000000

SEC("sk_msg")
int vmc_skmsg(struct sk_msg_md *ctx)
{
	if (!bpf_vmc_msg_redirect(ctx))
		bpf_msg_apply_bytes(ctx, VERDICT_BYTES);
	return SK_PASS;
}
