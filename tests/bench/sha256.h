/* SPDX-License-Identifier: GPL-2.0-only */
/* SHA-256 (FIPS 180-4), small, without a library: xfer must be one static file. */
#ifndef SHA256_H
#define SHA256_H

#include <stddef.h>
#include <stdint.h>

struct sha256 {
	uint32_t state[8];
	uint64_t len;
	uint8_t block[64];
};

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t len);
/* 64 hexadecimal digits and a zero byte. */
void sha256_final(struct sha256 *s, char hex[65]);

#endif
