// SPDX-License-Identifier: GPL-2.0-only
/*
 * Verified connections, both directions at once, for a long time: writes and reads of
 * random sizes with pauses, every byte compared at the receiver. Tells how long
 * a receiver had to wait at most.
 *
 *   duplex listen PORT
 *   duplex [-n BYTES] [-c CONNECTIONS] [-l LENGTH] [-t SECONDS] [-S SEED]
 *          [-k] [-p ODDS] [-g MS] [-r RATE] connect ADDRESS PORT
 *
 * BYTES in all, by one connection, or one sixteenth by one that stays and the others by
 * CONNECTIONS - 1 at a time, which carry up to LENGTH a direction each and are opened
 * anew. -t: by connections that stay until their time is over. -k: keepalive that gives
 * up after some 10 s, as does data that isn't acknowledged for so long. -p: a pause of
 * up to 20 ms behind one write or read of ODDS (1024). -g: report waits from MS on (100).
 * -r: who sends pauses after each write, for RATE bytes a second at most, in writes of up
 * to half of that; each end has its own. SIGTERM ends the time of -t; the listener takes
 * what comes until then.
 *
 * Each end prints, CONN and WAY (client's view: up, down) being the same at both:
 *   conn CONN tx BYTES rx BYTES RESULT     "ok", or what failed
 *   gap CONN WAY MS at BYTE since SECONDS  a receiver waited; wall clock
 *   wrong CONN WAY byte BYTE: ...
 *   progress BYTES                         the client, each second
 *   total tx BYTES rx BYTES conns N failed N worst MS seconds SECONDS
 * Exit status of the client: 0 if nothing failed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BLOCK	  (1u << 20) /* bytes of content before it is shifted */
#define WORDS	  (BLOCK / sizeof(uint64_t))
#define MAX_WRITE (1u << 20)
#define MAX_READ  (1u << 18)
#define UNBOUNDED UINT64_MAX
#define MAGIC	  0x78656c707564ull
#define PAUSE_MS  20
#define GIVE_UP_S 10

/* What a client says first, outside the contents. */
struct hello {
	uint64_t magic, conn, seed, up, down;
};

struct conn {
	int fd;
	bool is_client;
	struct hello hello;
	uint64_t tx, rx;
	atomic_bool has_failed, is_ended; /* by the other end */
	bool has_broken_pipe;		  /* the sender; read when it has ended */
	char result[96];
	pthread_mutex_t lock; /* of result */
};

/* The contents: a table of random words, seen from a place that moves with each block. */
static uint64_t table[2 * WORDS];

static struct {
	uint64_t total, length, seed, rate;
	unsigned int conns, seconds, pause_odds;
	double gap;
	bool keepalive;
	const char *address, *port;
} opt = { .total = 1 << 30,
	  .length = 16 << 20,
	  .seed = 1,
	  .conns = 1,
	  .pause_odds = 1024,
	  .gap = 0.1 };

static atomic_ullong sum_tx, sum_rx, sum_left, next_conn;
static atomic_uint sum_conns, sum_failed, worst_ms;
static double began;
static volatile double deadline;

static void die(const char *what)
{
	fprintf(stderr, "duplex: %s: %s\n", what, strerror(errno));
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

/* splitmix64's last steps */
static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static void table_fill(void)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	size_t i;

	for (i = 0; i < WORDS; i++)
		table[i] = table[i + WORDS] = xorshift(&state);
}

/* Where the bytes from @off on stand; as far as the end of their block. */
static const uint8_t *content(const struct conn *c, bool is_up, uint64_t off)
{
	uint64_t start = mix(c->hello.seed * 2 + is_up) + off / BLOCK * 7919;

	return (const uint8_t *)&table[start % WORDS] + off % BLOCK;
}

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 1 to @limit, each order of magnitude as likely as the others. */
static size_t next_size(uint64_t *state, size_t limit)
{
	uint64_t n = xorshift(state);
	size_t size = 1 + (n >> 8) % (1ull << n % 21);

	return size < limit ? size : limit;
}

static void maybe_pause(uint64_t *state)
{
	uint64_t n = xorshift(state);

	if (!(n % opt.pause_odds))
		usleep((useconds_t)(1 + (n >> 32) % (PAUSE_MS * 1000)));
}

__attribute__((format(printf, 2, 3))) static void conn_fail(struct conn *c, const char *format, ...)
{
	va_list args;

	pthread_mutex_lock(&c->lock);
	if (!atomic_exchange(&c->has_failed, true)) {
		va_start(args, format);
		vsnprintf(c->result, sizeof(c->result), format, args);
		va_end(args);
	}
	pthread_mutex_unlock(&c->lock);
}

static const char *way(const struct conn *c, bool is_tx)
{
	return c->is_client == is_tx ? "up" : "down";
}

/*
 * Sending.
 */

static uint64_t send_limit(const struct conn *c)
{
	return c->is_client ? c->hello.up : c->hello.down;
}

static size_t write_limit(void)
{
	return opt.rate && opt.rate / 2 < MAX_WRITE ? opt.rate / 2 : MAX_WRITE;
}

/* Half a second at most: see write_limit(). */
static void keep_rate(size_t sent)
{
	if (opt.rate)
		usleep((useconds_t)(sent * 1000000 / opt.rate));
}

/* Without a bound the client ends with its time, and the listener when the client has. */
static bool send_is_over(struct conn *c)
{
	if (c->tx == send_limit(c) || atomic_load(&c->has_failed))
		return true;
	if (send_limit(c) != UNBOUNDED)
		return false;
	return c->is_client ? now(CLOCK_MONOTONIC) > deadline : atomic_load(&c->is_ended);
}

static void *conn_send(void *arg)
{
	struct conn *c = arg;
	uint64_t state = mix(c->hello.seed * 4 + 1 + c->is_client) | 1;

	while (!send_is_over(c)) {
		size_t room = BLOCK - c->tx % BLOCK;
		uint64_t left = send_limit(c) - c->tx;
		size_t size = next_size(&state, write_limit());
		ssize_t sent;

		if (size > room)
			size = room;
		if (size > left)
			size = left;
		sent = send(c->fd, content(c, c->is_client, c->tx), size, MSG_NOSIGNAL);
		if (sent < 0) {
			c->has_broken_pipe = errno == EPIPE;
			if (!c->has_broken_pipe)
				conn_fail(c, "send: %s", strerror(errno));
			shutdown(c->fd, SHUT_RD);
			break;
		}
		c->tx += (uint64_t)sent;
		atomic_fetch_add(&sum_tx, (uint64_t)sent);
		maybe_pause(&state);
		keep_rate((size_t)sent);
	}
	shutdown(c->fd, SHUT_WR);
	return NULL;
}

/*
 * Receiving.
 */

/* Says what is wrong, and where in the contents it would be right: more than "wrong". */
static void conn_wrong(struct conn *c, const uint8_t *got, const uint8_t *want, size_t len)
{
	const uint8_t *found;
	size_t i;

	for (i = 0; got[i] == want[i]; i++)
		;
	conn_fail(c, "wrong bytes");
	printf("wrong %" PRIu64 " %s byte %" PRIu64 ": %02x, not %02x, %zu more compared",
	       c->hello.conn, way(c, false), c->rx + i, got[i], want[i], len - i);
	if (len - i >= 8) {
		found = memmem(table, sizeof(table), got + i, len - i < 64 ? len - i : 64);
		if (found)
			printf("; right %td bytes on", found - (want + i));
	}
	printf("\n");
}

static void note_wait(struct conn *c, double since)
{
	double waited = now(CLOCK_REALTIME) - since;
	unsigned int ms = waited < 0 ? 0 : (unsigned int)(waited * 1000);
	unsigned int worst = atomic_load(&worst_ms);

	while (ms > worst && !atomic_compare_exchange_weak(&worst_ms, &worst, ms))
		;
	if (waited >= opt.gap)
		printf("gap %" PRIu64 " %s %u at %" PRIu64 " since %.3f\n", c->hello.conn,
		       way(c, false), ms, c->rx, since);
}

static void conn_receive(struct conn *c)
{
	uint64_t state = mix(c->hello.seed * 4 + 3 + c->is_client) | 1;
	uint64_t limit = c->is_client ? c->hello.down : c->hello.up;
	uint8_t *buf = malloc(MAX_READ);

	if (!buf)
		die("malloc");
	for (;;) {
		size_t room = BLOCK - c->rx % BLOCK;
		size_t size = next_size(&state, MAX_READ);
		const uint8_t *want = content(c, !c->is_client, c->rx);
		double since = now(CLOCK_REALTIME);
		ssize_t got = recv(c->fd, buf, size < room ? size : room, 0);

		note_wait(c, since);
		if (got < 0)
			conn_fail(c, "recv: %s", strerror(errno));
		if (got <= 0)
			break;
		if (memcmp(buf, want, (size_t)got)) {
			conn_wrong(c, buf, want, (size_t)got);
			break;
		}
		c->rx += (uint64_t)got;
		atomic_fetch_add(&sum_rx, (uint64_t)got);
		maybe_pause(&state);
	}
	if (limit != UNBOUNDED && c->rx != limit)
		conn_fail(c, "ended after %" PRIu64 " of %" PRIu64 " bytes", c->rx, limit);
	atomic_store(&c->is_ended, true);
	if (atomic_load(&c->has_failed))
		shutdown(c->fd, SHUT_RDWR);
	free(buf);
}

/*
 * A connection.
 */

static bool conn_run(struct conn *c)
{
	pthread_t sender;

	pthread_mutex_init(&c->lock, NULL);
	snprintf(c->result, sizeof(c->result), "ok");
	if (pthread_create(&sender, NULL, conn_send, c))
		die("thread");
	conn_receive(c);
	pthread_join(sender, NULL);
	/* Only now: recv() has taken the error that is the reason, if there is one. */
	if (c->has_broken_pipe)
		conn_fail(c, "send: %s", strerror(EPIPE));
	close(c->fd);
	printf("conn %" PRIu64 " tx %" PRIu64 " rx %" PRIu64 " %s\n", c->hello.conn, c->tx, c->rx,
	       c->result);
	atomic_fetch_add(&sum_conns, 1);
	atomic_fetch_add(&sum_failed, c->has_failed);
	return !c->has_failed;
}

static void set_keepalive(int fd)
{
	int on = 1, idle = 2, interval = 2, count = (GIVE_UP_S - idle) / interval;
	unsigned int ms = GIVE_UP_S * 1000;

	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

/*
 * The client.
 */

static int client_connect(void)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)atoi(opt.port)) };
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)atoi(opt.port)) };
	bool is_v4 = inet_pton(AF_INET, opt.address, &v4.sin_addr) == 1;
	int fd;

	if (!is_v4 && inet_pton(AF_INET6, opt.address, &v6.sin6_addr) != 1)
		die(opt.address);
	fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0);
	if (fd < 0)
		die("socket");
	if (opt.keepalive)
		set_keepalive(fd);
	if (connect(fd, is_v4 ? (void *)&v4 : (void *)&v6, is_v4 ? sizeof(v4) : sizeof(v6))) {
		close(fd);
		return -1;
	}
	return fd;
}

static bool client_run(uint64_t up, uint64_t down)
{
	uint64_t id = atomic_fetch_add(&next_conn, 1);
	struct conn c = {
		.is_client = true,
		.hello = { MAGIC, id, mix(opt.seed) ^ mix(id), up, down },
	};

	c.fd = client_connect();
	if (c.fd < 0 || send(c.fd, &c.hello, sizeof(c.hello), MSG_NOSIGNAL) != sizeof(c.hello)) {
		printf("conn %" PRIu64 " tx 0 rx 0 connect: %s\n", c.hello.conn, strerror(errno));
		atomic_fetch_add(&sum_conns, 1);
		atomic_fetch_add(&sum_failed, 1);
		if (c.fd >= 0)
			close(c.fd);
		return false;
	}
	return conn_run(&c);
}

/* Take up to @most of the bytes that are left for the many. */
static uint64_t client_take(uint64_t most)
{
	unsigned long long left = atomic_load(&sum_left), n;

	do {
		n = left < most ? left : most;
	} while (!atomic_compare_exchange_weak(&sum_left, &left, left - n));
	return n;
}

static void *client_many(void *arg)
{
	uint64_t state = mix(opt.seed * 8 + (uintptr_t)arg) | 1, up, down;

	if (opt.seconds) {
		client_run(UNBOUNDED, UNBOUNDED);
		return NULL;
	}
	do {
		/* Any order of magnitude up to the length. */
		up = client_take(opt.length >> xorshift(&state) % 20);
		down = client_take(opt.length >> xorshift(&state) % 20);
	} while ((up || down) && client_run(up, down));
	return NULL;
}

static void *client_one(void *arg)
{
	uint64_t n = *(uint64_t *)arg;

	client_run(n, n);
	return NULL;
}

static void *client_progress(void *arg)
{
	for (;;) {
		sleep(1);
		printf("progress %llu\n", sum_tx + sum_rx);
	}
	return arg;
}

static void print_total(void)
{
	printf("total tx %llu rx %llu conns %u failed %u worst %u seconds %.3f\n", sum_tx, sum_rx,
	       sum_conns, sum_failed, worst_ms, now(CLOCK_MONOTONIC) - began);
}

/* The first SIGTERM ends a client's time, if it has one; else all ends at once. */
static void *end_by_signal(void *arg)
{
	int sig;

	sigwait(arg, &sig);
	if (opt.seconds) {
		deadline = 0;
		sigwait(arg, &sig);
	}
	print_total();
	exit(1);
}

static void end_on_sigterm(void)
{
	static sigset_t set;
	pthread_t thread;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (pthread_create(&thread, NULL, end_by_signal, &set))
		die("thread");
}

static int client(void)
{
	uint64_t each = opt.total / (opt.conns > 1 ? 32 : 2);
	pthread_t progress, threads[64];
	unsigned int i;

	deadline = began + opt.seconds;
	sum_left = opt.conns > 1 ? opt.total - 2 * each : 0;
	if (pthread_create(&progress, NULL, client_progress, NULL))
		die("thread");
	for (i = 0; i < opt.conns; i++) {
		bool is_one = !i && !opt.seconds;

		if (pthread_create(&threads[i], NULL, is_one ? client_one : client_many,
				   is_one ? (void *)&each : (void *)(uintptr_t)i))
			die("thread");
	}
	for (i = 0; i < opt.conns; i++)
		pthread_join(threads[i], NULL);
	print_total();
	return sum_failed ? 1 : 0;
}

/*
 * The listener.
 */

static void *server_run(void *arg)
{
	struct conn *c = arg;

	if (recv(c->fd, &c->hello, sizeof(c->hello), MSG_WAITALL) != sizeof(c->hello) ||
	    c->hello.magic != MAGIC) {
		printf("conn ? tx 0 rx 0 hello: %s\n", strerror(errno));
		atomic_fetch_add(&sum_conns, 1);
		atomic_fetch_add(&sum_failed, 1);
		close(c->fd);
	} else {
		conn_run(c);
	}
	free(c);
	return NULL;
}

static void server_take(int fd)
{
	struct conn *c = calloc(1, sizeof(*c));
	pthread_t thread;

	if (!c)
		die("calloc");
	c->fd = fd;
	if (opt.keepalive)
		set_keepalive(fd);
	if (pthread_create(&thread, NULL, server_run, c))
		die("thread");
	pthread_detach(thread);
}

static int server(void)
{
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6,
				     .sin6_port = htons((uint16_t)atoi(opt.port)) };
	int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1, zero = 0;

	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 64))
		die("listen");
	for (;;) {
		int conn = accept(fd, NULL, NULL);

		if (conn >= 0)
			server_take(conn);
		else if (errno != EINTR && errno != ECONNABORTED)
			die("accept");
	}
	return 0;
}

int main(int argc, char **argv)
{
	bool listens;
	int o;

	while ((o = getopt(argc, argv, "n:c:l:t:S:g:p:r:k")) != -1) {
		uint64_t n = optarg ? strtoull(optarg, NULL, 0) : 0;

		if (o == 'n')
			opt.total = n;
		else if (o == 'c' && n && n <= 64)
			opt.conns = (unsigned int)n;
		else if (o == 'l')
			opt.length = n;
		else if (o == 't')
			opt.seconds = (unsigned int)n;
		else if (o == 'S')
			opt.seed = n;
		else if (o == 'g')
			opt.gap = (double)n / 1000;
		else if (o == 'p' && n)
			opt.pause_odds = (unsigned int)n;
		else if (o == 'r' && n >= 2)
			opt.rate = n;
		else if (o == 'k')
			opt.keepalive = true;
		else
			return 2;
	}
	argv += optind;
	listens = argc - optind == 2 && !strcmp(argv[0], "listen");
	if (!listens && (argc - optind != 3 || strcmp(argv[0], "connect"))) {
		fprintf(stderr, "usage: duplex [OPTION]... listen PORT | connect ADDRESS PORT\n");
		return 2;
	}
	opt.address = argv[1];
	opt.port = argv[listens ? 1 : 2];
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	table_fill();
	began = now(CLOCK_MONOTONIC);
	end_on_sigterm();
	return listens ? server() : client();
}
