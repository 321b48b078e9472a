/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's face to BPF programs; include/vmc/bpf.h is what they see of it. */
#ifndef VMC_KFUNC_H
#define VMC_KFUNC_H

#include <linux/types.h>

struct bpf_sock_ops;
struct sk_msg_md;
struct sock_common;

int vmc_kfuncs_init(void);

/* Called by programs only. */
int bpf_vmc_flow_open(struct bpf_sock_ops *ctx, u32 peer);
int bpf_vmc_flow_close(struct bpf_sock_ops *ctx);
int bpf_vmc_sock_adopt(struct sock_common *skc, u32 peer);
int bpf_vmc_sock_release(struct sock_common *skc);
int bpf_vmc_msg_redirect(struct sk_msg_md *ctx);

#endif
