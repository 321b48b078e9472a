/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames between `lab exec` and an agent. HDLC-like: a delimiter can't occur inside a frame, so that
 * both ends find the next frame again whatever was cut off before it. A frame carries the number of its
 * session; frames of another session are stale and dropped.
 */
#ifndef LAB_FRAME_H
#define LAB_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_END    0x7e
#define FRAME_ESC    0x7d
#define FRAME_XOR    0x20

#define FRAME_HEAD   5	   /* session (4, little-endian), type (1) */
#define FRAME_DATA   16384 /* payload at most */
#define FRAME_BODY   (FRAME_HEAD + FRAME_DATA)
#define FRAME_WIRE   (2 * FRAME_BODY + 2) /* encoded at worst */

/* What `lab exec` sends */
#define FRAME_OPEN   'O' /* host NUL argv[0] NUL argv[1] NUL ... */
#define FRAME_STDIN  'I'
#define FRAME_EOF    'E'
#define FRAME_KILL   'K'
/* What the agent sends */
#define FRAME_STDOUT '1'
#define FRAME_STDERR '2'
#define FRAME_WINDOW 'W' /* u32: bytes of stdin consumed */
#define FRAME_EXIT   'X' /* u32: exit status, 128 + signal */
#define FRAME_FAIL   'F' /* text: why there is no command */

#define STDIN_WINDOW (256 * 1024) /* unconsumed stdin at most */

/*
 * Bytes on their way to a link. A whole window of stdin fits, however much of it must be escaped: a guest
 * that takes nothing can't keep a relay from hearing of the next session.
 */
struct outbuf {
	size_t head, tail;
	uint8_t data[20 * FRAME_WIRE];
};

struct decoder {
	bool escaped, overlong;
	size_t len;
	uint8_t body[FRAME_BODY];
};

typedef void (*frame_fn)(void *arg, uint32_t session, uint8_t type, const uint8_t *data,
			 size_t len);

size_t outbuf_space(struct outbuf *out);
bool outbuf_put(struct outbuf *out, uint32_t session, uint8_t type, const void *data, size_t len);
void outbuf_reset(struct outbuf *out);

void decoder_feed(struct decoder *dec, const uint8_t *data, size_t len, frame_fn fn, void *arg);

uint32_t frame_u32(const uint8_t *data);

#endif
