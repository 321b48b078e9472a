// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verified transfer over one TCP connection, in one or both directions: a
 * pseudo-random stream in writes and reads of random sizes. The receiver compares
 * every byte, and both ends print the SHA-256 of what they saw.
 *
 *   xfer [-s BYTES] [-r BYTES] [-S SEED] [-c CHUNK] [-h] listen PORT
 *   xfer [-s BYTES] [-r BYTES] [-S SEED] [-c CHUNK] [-h] connect ADDRESS PORT
 *
 * -s: bytes to send, -r: bytes to expect; SEED: same at both ends; CHUNK: largest
 * single write or read; -h: with nothing to send, say so at once (FIN) and not at
 * the end. Exit status 0 if all came, right and in order.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "sha256.h"

#define MAX_CHUNK (1u << 20)

/* One direction. */
struct stream {
	int fd;
	uint64_t want;	/* bytes */
	uint64_t start; /* of the generator of the content */
	uint64_t state;
	uint64_t sizes; /* of the generator of the sizes */
	uint32_t chunk;
	uint64_t done;
	bool failed, half_close;
};

static void die(const char *what)
{
	fprintf(stderr, "xfer: %s: %s\n", what, strerror(errno));
	exit(2);
}

static uint64_t xorshift(uint64_t *state)
{
	uint64_t x = *state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

/* The content in blocks of the largest chunk, so that any size can be cut out. */
static void generate(uint64_t *state, uint64_t *block)
{
	size_t i;

	for (i = 0; i < MAX_CHUNK / sizeof(*block); i++)
		block[i] = xorshift(state);
}

/* Mostly large pieces; now and then some of few bytes. */
static size_t next_size(struct stream *s, size_t limit)
{
	uint64_t n = xorshift(&s->sizes);
	size_t size = 1 + (n >> 8) % (n % 16 ? s->chunk : 100);

	return size < limit ? size : limit;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void *send_stream(void *arg)
{
	struct stream *s = arg;
	uint8_t *block = malloc(MAX_CHUNK);
	double begin = now();
	struct sha256 sum;
	char hex[65];

	if (!block)
		die("malloc");
	sha256_init(&sum);
	while (s->done < s->want) {
		size_t off = s->done % MAX_CHUNK, n = MAX_CHUNK - off;
		ssize_t sent;

		if (!off)
			generate(&s->state, (uint64_t *)block);
		if (n > s->want - s->done)
			n = s->want - s->done;
		sent = send(s->fd, block + off, next_size(s, n), MSG_NOSIGNAL);
		if (sent < 0) {
			fprintf(stderr, "xfer: send at %llu: %s\n", (unsigned long long)s->done,
				strerror(errno));
			s->failed = true;
			break;
		}
		sha256_update(&sum, block + off, (size_t)sent);
		s->done += (uint64_t)sent;
	}
	if (s->want || s->half_close)
		shutdown(s->fd, SHUT_WR);
	sha256_final(&sum, hex);
	printf("sent %llu %s %.3f\n", (unsigned long long)s->done, hex, now() - begin);
	free(block);
	return NULL;
}

/* Do the wrong bytes belong elsewhere in the stream? Says more about a bug than "wrong". */
static void explain(const struct stream *s, const uint8_t *wrong, size_t len)
{
	uint64_t state = s->start, off;
	uint8_t *block = malloc(MAX_CHUNK), *found;

	if (len > 64)
		len = 64;
	for (off = 0; block && len >= 8 && off < s->want; off += MAX_CHUNK) {
		generate(&state, (uint64_t *)block);
		found = memmem(block, MAX_CHUNK, wrong, len);
		if (found) {
			fprintf(stderr, "xfer: it is what belongs at byte %llu\n",
				(unsigned long long)(off + (uint64_t)(found - block)));
			break;
		}
	}
	free(block);
}

static bool compare(struct stream *s, const uint8_t *got, const uint8_t *want, size_t len)
{
	size_t i;

	if (!memcmp(got, want, len))
		return true;
	for (i = 0; got[i] == want[i]; i++)
		;
	fprintf(stderr, "xfer: byte %llu is %02x, not %02x\n", (unsigned long long)(s->done + i),
		got[i], want[i]);
	explain(s, got + i, len - i);
	s->failed = true;
	return false;
}

static void *receive_stream(void *arg)
{
	struct stream *s = arg;
	uint8_t *block = malloc(MAX_CHUNK), *buf = malloc(MAX_CHUNK);
	double begin = now();
	struct sha256 sum;
	char hex[65];

	if (!block || !buf)
		die("malloc");
	sha256_init(&sum);
	for (;;) {
		size_t off = s->done % MAX_CHUNK;
		ssize_t got = recv(s->fd, buf, next_size(s, MAX_CHUNK - off), 0);

		if (got < 0) {
			fprintf(stderr, "xfer: recv at %llu: %s\n", (unsigned long long)s->done,
				strerror(errno));
			s->failed = true;
		}
		if (got <= 0)
			break;
		if (!off)
			generate(&s->state, (uint64_t *)block);
		sha256_update(&sum, buf, (size_t)got);
		if (!compare(s, buf, block + off, (size_t)got))
			break;
		s->done += (uint64_t)got;
	}
	if (s->done != s->want) {
		fprintf(stderr, "xfer: the stream ended after %llu of %llu bytes\n",
			(unsigned long long)s->done, (unsigned long long)s->want);
		s->failed = true;
	}
	sha256_final(&sum, hex);
	printf("received %llu %s %.3f\n", (unsigned long long)s->done, hex, now() - begin);
	free(block);
	free(buf);
	return NULL;
}

static int listen_on(const char *port)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6,
				     .sin6_port = htons((uint16_t)atoi(port)) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1, zero = 0, conn;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 1))
		die("listen");
	fprintf(stderr, "xfer: listening\n");
	conn = accept(fd, NULL, NULL);
	if (conn < 0)
		die("accept");
	close(fd);
	return conn;
}

static int connect_to(const char *address, const char *port)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)atoi(port)) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	int fd;

	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		die(address);
	fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	if (connect(fd, is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof(v4) : sizeof(v6)))
		die("connect");
	return fd;
}

int main(int argc, char **argv)
{
	struct stream tx = { .chunk = 1 << 16 }, rx;
	uint64_t seed = 1, expect = 0;
	pthread_t sender;
	bool listens;
	int opt;

	while ((opt = getopt(argc, argv, "s:r:S:c:h")) != -1) {
		uint64_t n = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (opt == 's')
			tx.want = n;
		else if (opt == 'r')
			expect = n;
		else if (opt == 'S')
			seed = n;
		else if (opt == 'h')
			tx.half_close = true;
		else if (opt == 'c' && n && n <= MAX_CHUNK)
			tx.chunk = (uint32_t)n;
		else
			return 2;
	}
	argv += optind;
	listens = argc - optind == 2 && !strcmp(argv[0], "listen");
	if (!listens && (argc - optind != 3 || strcmp(argv[0], "connect"))) {
		fprintf(stderr, "usage: xfer [-s BYTES] [-r BYTES] [-S SEED] [-c CHUNK] [-h] "
				"listen PORT | connect ADDRESS PORT\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	tx.fd = listens ? listen_on(argv[1]) : connect_to(argv[1], argv[2]);
	tx.sizes = (seed * 2 + listens) * 0x9e3779b97f4a7c15 | 1;
	rx = tx;
	rx.want = expect;
	rx.sizes = ~tx.sizes | 1;
	/* Each direction has its own content. */
	tx.state = (seed * 2 + listens) * 0xd1342543de82ef95 | 1;
	rx.state = (seed * 2 + !listens) * 0xd1342543de82ef95 | 1;

	rx.start = rx.state;

	if (pthread_create(&sender, NULL, send_stream, &tx))
		die("thread");
	receive_stream(&rx);
	pthread_join(sender, NULL);
	close(tx.fd);
	return tx.failed || rx.failed;
}
