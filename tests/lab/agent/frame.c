// SPDX-License-Identifier: GPL-2.0-only
/* Encoding and decoding of frames. */

#include <string.h>

#include "frame.h"

size_t outbuf_space(struct outbuf *out)
{
	if (out->head == out->tail) {
		out->head = 0;
		out->tail = 0;
	} else if (out->head > sizeof(out->data) / 2) {
		memmove(out->data, out->data + out->head, out->tail - out->head);
		out->tail -= out->head;
		out->head = 0;
	}
	return sizeof(out->data) - out->tail;
}

/* A cut frame may be in flight: the delimiter that opens the next one ends it. */
void outbuf_reset(struct outbuf *out)
{
	out->head = 0;
	out->tail = 0;
}

static uint8_t *encode(uint8_t *p, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = data[i];

		if (c == FRAME_END || c == FRAME_ESC) {
			*p++ = FRAME_ESC;
			c ^= FRAME_XOR;
		}
		*p++ = c;
	}
	return p;
}

/* False when there is no room: the caller keeps the frame and tries again later. */
bool outbuf_put(struct outbuf *out, uint32_t session, uint8_t type, const void *data, size_t len)
{
	uint8_t head[FRAME_HEAD] = { session, session >> 8, session >> 16, session >> 24, type };
	uint8_t *p;

	if (len > FRAME_DATA || outbuf_space(out) < 2 * (FRAME_HEAD + len) + 2)
		return false;
	p = out->data + out->tail;
	*p++ = FRAME_END;
	p = encode(p, head, sizeof(head));
	p = encode(p, data, len);
	*p++ = FRAME_END;
	out->tail = p - out->data;
	return true;
}

static void frame_done(struct decoder *dec, frame_fn fn, void *arg)
{
	if (dec->len >= FRAME_HEAD && !dec->overlong)
		fn(arg, frame_u32(dec->body), dec->body[4], dec->body + FRAME_HEAD,
		   dec->len - FRAME_HEAD);
	dec->len = 0;
	dec->escaped = false;
	dec->overlong = false;
}

void decoder_feed(struct decoder *dec, const uint8_t *data, size_t len, frame_fn fn, void *arg)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = data[i];

		if (c == FRAME_END) {
			frame_done(dec, fn, arg);
			continue;
		}
		if (c == FRAME_ESC) {
			dec->escaped = true;
			continue;
		}
		if (dec->escaped) {
			c ^= FRAME_XOR;
			dec->escaped = false;
		}
		if (dec->len < sizeof(dec->body))
			dec->body[dec->len++] = c;
		else
			dec->overlong = true;
	}
}

uint32_t frame_u32(const uint8_t *data)
{
	return data[0] | data[1] << 8 | data[2] << 16 | (uint32_t)data[3] << 24;
}
