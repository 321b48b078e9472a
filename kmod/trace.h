/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: the state of channels and flows, and why a flow is on TCP. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vmc

#if !defined(VMC_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VMC_TRACE_H

#include <linux/tracepoint.h>

#include "chan.h"
#include "flow.h"

#define VMC_TRACE_REASON(reason, name) { VMC_REASON_##reason, #name },
#define VMC_TRACE_LAST		       { VMC_REASON_NONE, "none" }

TRACE_EVENT(vmc_chan_state, TP_PROTO(u32 peer, int state), TP_ARGS(peer, state),
	    TP_STRUCT__entry(__field(u32, peer) __field(int, state)),
	    TP_fast_assign(__entry->peer = peer; __entry->state = state;),
	    TP_printk("peer=%u state=%s", __entry->peer,
		      __print_symbolic(__entry->state, { VMC_CHAN_IDLE, "idle" },
				       { VMC_CHAN_CONNECTING, "connecting" },
				       { VMC_CHAN_CONNECTED, "connected" },
				       { VMC_CHAN_CLOSED, "closed" })));

TRACE_EVENT(
	vmc_flow_state, TP_PROTO(const struct vmc_flow *flow), TP_ARGS(flow),
	TP_STRUCT__entry(__field(u32, peer) __field(u32, handle) __array(u8, saddr, 16)
				 __array(u8, daddr, 16) __field(u16, sport) __field(u16, dport)
					 __field(int, state) __field(int, reason)),
	TP_fast_assign(__entry->peer = flow->key.peer; __entry->handle = flow->handle;
		       memcpy(__entry->saddr, flow->key.tuple.saddr, 16);
		       memcpy(__entry->daddr, flow->key.tuple.daddr, 16);
		       __entry->sport = ntohs(flow->key.tuple.sport);
		       __entry->dport = ntohs(flow->key.tuple.dport); __entry->state = flow->state;
		       __entry->reason = flow->reason;),
	TP_printk("peer=%u flow=%u %pI6c:%u > %pI6c:%u state=%s reason=%s", __entry->peer,
		  __entry->handle, __entry->saddr, __entry->sport, __entry->daddr, __entry->dport,
		  __print_symbolic(__entry->state, { VMC_FLOW_OPENING, "opening" },
				   { VMC_FLOW_BOUND, "bound" }, { VMC_FLOW_CLOSED, "closed" }),
		  __print_symbolic(__entry->reason, VMC_REASONS(VMC_TRACE_REASON) VMC_TRACE_LAST)));

TRACE_EVENT(vmc_sock_refused, TP_PROTO(const struct sock *sk, u32 peer, int reason),
	    TP_ARGS(sk, peer, reason),
	    TP_STRUCT__entry(__field(u32, peer) __field(u16, sport) __field(u16, dport)
				     __field(int, reason)),
	    TP_fast_assign(__entry->peer = peer; __entry->sport = sk->sk_num;
			   __entry->dport = ntohs(sk->sk_dport); __entry->reason = reason;),
	    TP_printk("peer=%u sport=%u dport=%u reason=%s", __entry->peer, __entry->sport,
		      __entry->dport,
		      __print_symbolic(__entry->reason,
				       VMC_REASONS(VMC_TRACE_REASON) VMC_TRACE_LAST)));

TRACE_EVENT(vmc_send_tcp, TP_PROTO(const struct vmc_flow *flow, int bytes, int reason),
	    TP_ARGS(flow, bytes, reason),
	    TP_STRUCT__entry(__field(u32, peer) __field(u32, handle) __field(u16, sport)
				     __field(u16, dport) __field(int, bytes) __field(int, reason)),
	    TP_fast_assign(__entry->peer = flow->key.peer; __entry->handle = flow->handle;
			   __entry->sport = ntohs(flow->key.tuple.sport);
			   __entry->dport = ntohs(flow->key.tuple.dport); __entry->bytes = bytes;
			   __entry->reason = reason;),
	    TP_printk("peer=%u flow=%u sport=%u dport=%u bytes=%d reason=%s", __entry->peer,
		      __entry->handle, __entry->sport, __entry->dport, __entry->bytes,
		      __print_symbolic(__entry->reason,
				       VMC_REASONS(VMC_TRACE_REASON) VMC_TRACE_LAST)));

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
