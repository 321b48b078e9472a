/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What BPF programs, the loader and the module agree on: keys and values of the
 * maps, names of pins, and the module's kfuncs.
 */
#ifndef VMC_BPF_H
#define VMC_BPF_H

/* Directory of pins and the pins in it. */
#define VMC_PIN_DIR   "/sys/fs/bpf/vmc"
#define VMC_PIN_PEERS VMC_PIN_DIR "/peers"
#define VMC_PIN_SOCKS VMC_PIN_DIR "/socks"

/* The map of adopted sockets, by their cookies. */
#define VMC_SOCKS_MAP "vmc_socks"

/* Peers map (hash): who lives behind an address. IPv4 is stored as ::ffff:a.b.c.d. */
struct vmc_peer_key {
	__u8 addr[16];
};

/*
 * @peer: id of the channel that leads there: the peer's domid, or, from
 * VMC_PEER_LOOPBACK on, an end of the loopback transport.
 */
struct vmc_peer_value {
	__u32 peer;
};

#define VMC_PEER_LOOPBACK 0x10000
#define VMC_MAX_PEERS	  4096	/* addresses */
#define VMC_MAX_SOCKS	  65536 /* adopted sockets */

#ifdef __bpf__
/*
 * bpf_vmc_flow_open - adopt the established TCP socket of a sock_ops program
 * Give it the module's proto and a flow that may be offered to @peer, to be called
 * before the socket enters the SOCKHASH. 0, or -errno: then the socket is as it was.
 */
extern int bpf_vmc_flow_open(struct bpf_sock_ops *ctx, __u32 peer) __ksym;

/*
 * bpf_vmc_flow_close - undo bpf_vmc_flow_open() before any byte went by it
 */
extern int bpf_vmc_flow_close(struct bpf_sock_ops *ctx) __ksym;

/*
 * bpf_vmc_sock_adopt - adopt a TCP socket of an "iter/tcp" program in mid-stream
 * 0: to be put into the SOCKHASH; 1: it is in one, with a program; or -errno: the
 * socket is as it was.
 */
extern int bpf_vmc_sock_adopt(struct sock_common *skc, __u32 peer) __ksym;

/*
 * bpf_vmc_sock_release - undo bpf_vmc_sock_adopt() when it returned 0
 */
extern int bpf_vmc_sock_release(struct sock_common *skc) __ksym;

/*
 * bpf_vmc_msg_redirect - verdict of a sk_msg program: carry the message by the ring
 * Counts until the bytes of bpf_msg_apply_bytes() have passed. 0, or -errno if
 * the socket has no flow; the program returns SK_PASS either way, and the bytes
 * go by TCP when it was not called or failed.
 */
extern int bpf_vmc_msg_redirect(struct sk_msg_md *ctx) __ksym;
#endif

#endif
