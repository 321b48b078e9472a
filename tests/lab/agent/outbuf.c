// SPDX-License-Identifier: GPL-2.0-only
/* Frames on their way out. */

#include "labd.h"

/* Bytes written, or LINK_CLOSED. */
ssize_t outbuf_flush(struct outbuf *out, struct link *link)
{
	ssize_t n, sum = 0;

	while (out->head < out->tail) {
		n = link_write(link, out->data + out->head, out->tail - out->head);
		if (n < 0)
			return LINK_CLOSED;
		if (!n)
			break;
		out->head += n;
		sum += n;
	}
	return sum;
}
