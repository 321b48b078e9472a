/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VMC_TCP_SEQ_H
#define VMC_TCP_SEQ_H

#include <net/tcp.h>

/* Nothing is unsent or unacknowledged. */
static inline bool tcp_seq_is_drained(const struct tcp_sock *tp)
{
	return READ_ONCE(tp->write_seq) == READ_ONCE(tp->snd_una);
}

/*
 * The sender of a connection that is drained goes to @seq. Socket lock held; poll and
 * the kernel's statistics look without.
 */
static inline void tcp_seq_set_sent(struct tcp_sock *tp, u32 seq)
{
	WRITE_ONCE(tp->write_seq, seq);
	WRITE_ONCE(tp->snd_nxt, seq);
	tp->pushed_seq = seq;
	tp->snd_sml = seq;
	tp->high_seq = seq;
	tp->snd_up = seq; /* not in urgent mode: tcp_urg_mode() */
	WRITE_ONCE(tp->snd_una, seq);
}

#endif
