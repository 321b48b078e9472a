/* SPDX-License-Identifier: GPL-2.0-only */
/* Why something is TCP's. Counters and tracepoints call the reasons the same. */
#ifndef VMC_REASON_H
#define VMC_REASON_H

/* docs/operations.md explains each. */
#define VMC_REASONS(X)                                                             \
	/* a socket is not adopted */                                              \
	X(REFUSED_OWNED, refused_owned) /* sk_user_data, or the proto, is taken */ \
	X(REFUSED_ULP, refused_ulp)                                                \
	X(REFUSED_GIVEN_BACK, refused_given_back)                                  \
	X(REFUSED_KERNEL, refused_kernel)                                          \
	X(REFUSED_MPTCP, refused_mptcp)                                            \
	X(REFUSED_REPAIR, refused_repair)                                          \
	X(REFUSED_FASTOPEN, refused_fastopen)                                      \
	X(REFUSED_MD5, refused_md5)                                                \
	X(REFUSED_AO, refused_ao)                                                  \
	X(REFUSED_HISTORY, refused_history) /* flow_recover_start() */             \
	/* a flow is CLOSED */                                                     \
	X(SOCKET_GONE, flow_socket_gone)                                           \
	X(REJECTED, flow_rejected)                                                 \
	X(PEER_CLOSED, flow_peer_closed)                                           \
	X(CHAN_CLOSED, flow_channel_closed)                                        \
	X(PEER_STOPPED, flow_peer_stopped)                                         \
	X(GIVEN_BACK, flow_given_back)                                             \
	/* bytes of an adopted socket are sent by TCP */                           \
	X(SEND_STATE, send_state) /* not ESTABLISHED, nor CLOSE_WAIT */            \
	X(SEND_FLAGS, send_flags)                                                  \
	X(SEND_TIMESTAMP, send_timestamp)                                          \
	X(SEND_ZEROCOPY, send_zerocopy)                                            \
	X(SEND_PACED, send_paced)                                                  \
	X(SEND_UNBOUND, send_unbound) /* not yet, or the flow is CLOSED */         \
	X(SEND_PROGRAM, send_program) /* there is none */                          \
	X(SEND_VERDICT, send_verdict) /* the program's */                          \
	X(SEND_STALLED, send_stalled)                                              \
	X(SEND_STARVED, send_starved)

enum vmc_reason {
#define X(reason, name) VMC_REASON_##reason,
	VMC_REASONS(X)
#undef X
		VMC_NR_REASONS,
	VMC_REASON_NONE = VMC_NR_REASONS,
};

#endif
