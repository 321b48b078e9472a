/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XenStore: libxenstore with formatted paths and a queue of watch events.
 */
#ifndef VMC_XS_H
#define VMC_XS_H

#include <stdbool.h>

#include <xenstore.h>

#define STORE_PATH_MAX 256

/* Paths are printf formats; relative ones start at the domain's own home. */
#define STORE_FMT(n)   __attribute__((format(printf, n, (n) + 1)))

char *store_read(struct xs_handle *xs, xs_transaction_t t, const char *fmt, ...) STORE_FMT(3);
int store_read_int(struct xs_handle *xs, xs_transaction_t t, const char *fmt, ...) STORE_FMT(3);
char **store_list(struct xs_handle *xs, unsigned int *nr, const char *fmt, ...) STORE_FMT(3);
bool store_exists(struct xs_handle *xs, xs_transaction_t t, const char *fmt, ...) STORE_FMT(3);
int store_write(struct xs_handle *xs, xs_transaction_t t, const char *value, const char *fmt, ...)
	STORE_FMT(4);
int store_mkdir(struct xs_handle *xs, xs_transaction_t t, unsigned int owner, unsigned int reader,
		const char *fmt, ...) STORE_FMT(5);
int store_remove(struct xs_handle *xs, xs_transaction_t t, const char *fmt, ...) STORE_FMT(3);
int store_transact(struct xs_handle *xs,
		   int (*change)(struct xs_handle *xs, xs_transaction_t t, void *ctx), void *ctx);
int store_next_event(struct xs_handle *xs, char ***event);
int store_number(const char *text);

#endif
