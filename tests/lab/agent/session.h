/* SPDX-License-Identifier: GPL-2.0-only */
/* One command: its process, its pipes, and the frames that they turn into. */
#ifndef LAB_SESSION_H
#define LAB_SESSION_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "frame.h"

struct session {
	uint32_t id; /* 0: none */
	pid_t pid;
	int pidfd;	  /* -1 once the command has ended */
	int in, out, err; /* our ends of its pipes, -1 when closed */
	uint32_t status;
	bool eof;	   /* no more stdin will come */
	uint32_t consumed; /* stdin bytes not yet reported */
	size_t after;	   /* output bytes read since its end */
	size_t in_head, in_tail;
	uint8_t in_data[STDIN_WINDOW];
};

#define SESSION_FDS 4

void session_open(struct session *s, uint32_t id, const uint8_t *data, size_t len,
		  struct outbuf *out);
void session_frame(struct session *s, uint8_t type, const uint8_t *data, size_t len);
bool session_step(struct session *s, struct outbuf *out);
int session_fds(struct session *s, struct pollfd *fds, bool out_has_room);
void session_kill(struct session *s);
/* The program behind descriptors 3 and 4: reads until both end. */
void drain_forever(void);

#endif
