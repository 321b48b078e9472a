// SPDX-License-Identifier: GPL-2.0-only
/* SHA-256 (FIPS 180-4). */
#include <stdio.h>
#include <string.h>

#include "sha256.h"

static const uint32_t k[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static inline uint32_t ror(uint32_t v, int n)
{
	return v >> n | v << (32 - n);
}

static void compress(uint32_t *state, const uint8_t *p)
{
	uint32_t w[64], s[8];
	int i;

	for (i = 0; i < 16; i++, p += 4)
		w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
	for (; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] +
		       (ror(w[i - 15], 7) ^ ror(w[i - 15], 18) ^ w[i - 15] >> 3) +
		       (ror(w[i - 2], 17) ^ ror(w[i - 2], 19) ^ w[i - 2] >> 10);
	memcpy(s, state, sizeof(s));
#define ROUND(a, b, c, d, e, f, g, h, i)                                              \
	do {                                                                          \
		uint32_t t_ = s[h] + (ror(s[e], 6) ^ ror(s[e], 11) ^ ror(s[e], 25)) + \
			      (s[g] ^ (s[e] & (s[f] ^ s[g]))) + k[i] + w[i];          \
		s[d] += t_;                                                           \
		s[h] = t_ + (ror(s[a], 2) ^ ror(s[a], 13) ^ ror(s[a], 22)) +          \
		       ((s[a] & s[b]) | (s[c] & (s[a] | s[b])));                      \
	} while (0)
	for (i = 0; i < 64; i += 8) {
		ROUND(0, 1, 2, 3, 4, 5, 6, 7, i);
		ROUND(7, 0, 1, 2, 3, 4, 5, 6, i + 1);
		ROUND(6, 7, 0, 1, 2, 3, 4, 5, i + 2);
		ROUND(5, 6, 7, 0, 1, 2, 3, 4, i + 3);
		ROUND(4, 5, 6, 7, 0, 1, 2, 3, i + 4);
		ROUND(3, 4, 5, 6, 7, 0, 1, 2, i + 5);
		ROUND(2, 3, 4, 5, 6, 7, 0, 1, i + 6);
		ROUND(1, 2, 3, 4, 5, 6, 7, 0, i + 7);
	}
#undef ROUND
	for (i = 0; i < 8; i++)
		state[i] += s[i];
}

void sha256_init(struct sha256 *s)
{
	static const uint32_t start[8] = { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
					   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 };

	memcpy(s->state, start, sizeof(start));
	s->len = 0;
}

void sha256_update(struct sha256 *s, const void *data, size_t len)
{
	size_t used = s->len % 64, n;
	const uint8_t *p = data;

	s->len += len;
	if (used) {
		n = len < 64 - used ? len : 64 - used;
		memcpy(s->block + used, p, n);
		if (used + n < 64)
			return;
		compress(s->state, s->block);
		p += n;
		len -= n;
	}
	for (; len >= 64; p += 64, len -= 64)
		compress(s->state, p);
	memcpy(s->block, p, len);
}

void sha256_final(struct sha256 *s, char hex[65])
{
	static const uint8_t pad[64] = { 0x80 };
	uint64_t bits = s->len * 8;
	uint8_t end[8];
	int i;

	sha256_update(s, pad, 1 + (64 + 55 - s->len % 64) % 64);
	for (i = 0; i < 8; i++)
		end[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_update(s, end, sizeof(end));
	for (i = 0; i < 8; i++)
		sprintf(hex + 8 * (size_t)i, "%08x", s->state[i]);
}
