// SPDX-License-Identifier: GPL-2.0-only
/*
 * XenStore: errors become -errno, paths are formatted, transactions retried.
 */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "xs.h"

#define TRANSACT_TRIES 64

#define PATH_OF(fmt, path)                                 \
	do {                                               \
		va_list args_;                             \
		va_start(args_, fmt);                      \
		vsnprintf(path, sizeof(path), fmt, args_); \
		va_end(args_);                             \
	} while (0)

/**
 * store_read - a node's value
 * @xs: connection
 * @t: transaction, or XBT_NULL
 * @fmt: path
 *
 * Return: the value, to be freed; NULL with errno when it can't be read
 */
char *store_read(struct xs_handle *xs, xs_transaction_t t, const char *fmt, ...)
{
	char path[STORE_PATH_MAX];
	unsigned int len;

	PATH_OF(fmt, path);
	return xs_read(xs, t, path, &len);
}

/**
 * store_number - a number as XenStore holds it: decimal, nothing else around it
 * @text: the number, or NULL
 *
 * Return: the number, -ENOENT for NULL, -EINVAL
 */
int store_number(const char *text)
{
	char *end;
	long n;

	if (!text)
		return -ENOENT;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || *end || n > INT_MAX)
		return -EINVAL;
	return (int)n;
}

/**
 * store_read_int - a node's value as a number
 *
 * Arguments are store_read()'s.
 * Return: the number, -ENOENT or another -errno when unreadable, -EINVAL if it is none
 */
int store_read_int(struct xs_handle *xs, xs_transaction_t t, const char *fmt, ...)
{
	char path[STORE_PATH_MAX];
	unsigned int len;
	char *text;
	int n;

	PATH_OF(fmt, path);
	text = xs_read(xs, t, path, &len);
	n = text ? store_number(text) : -errno;
	free(text);
	return n;
}

/**
 * store_list - names of a node's children
 * @xs: connection
 * @nr: their count, 0 when there is no such node
 * @fmt: path
 *
 * Return: one allocation with all of them, to be freed; NULL when there are none
 */
char **store_list(struct xs_handle *xs, unsigned int *nr, const char *fmt, ...)
{
	char path[STORE_PATH_MAX];
	char **names;

	PATH_OF(fmt, path);
	*nr = 0;
	names = xs_directory(xs, XBT_NULL, path, nr);
	if (!names)
		*nr = 0;
	return names;
}

/** store_exists - whether a node is there and readable; arguments are store_read()'s */
bool store_exists(struct xs_handle *xs, xs_transaction_t t, const char *fmt, ...)
{
	char path[STORE_PATH_MAX];
	unsigned int len;
	void *value;

	PATH_OF(fmt, path);
	value = xs_read(xs, t, path, &len);
	free(value);
	return value;
}

/**
 * store_write - write a node; one that is created inherits its parent's permissions
 * @xs: connection
 * @t: transaction, or XBT_NULL
 * @value: its new value
 * @fmt: path
 *
 * Return: 0, or -errno
 */
int store_write(struct xs_handle *xs, xs_transaction_t t, const char *value, const char *fmt, ...)
{
	char path[STORE_PATH_MAX];

	PATH_OF(fmt, path);
	return xs_write(xs, t, path, value, (unsigned int)strlen(value)) ? 0 : -errno;
}

/**
 * store_mkdir - create a directory, or take it, for an owner and one reader
 * @xs: connection
 * @t: transaction: nobody may see the directory before its permissions
 * @owner: domid that owns it
 * @reader: domid that may read it; every other one may not
 * @fmt: path
 *
 * Return: 0, or -errno
 */
int store_mkdir(struct xs_handle *xs, xs_transaction_t t, unsigned int owner, unsigned int reader,
		const char *fmt, ...)
{
	struct xs_permissions perms[] = {
		{ .id = owner, .perms = XS_PERM_NONE },
		{ .id = reader, .perms = XS_PERM_READ },
	};
	char path[STORE_PATH_MAX];

	PATH_OF(fmt, path);
	if (!xs_mkdir(xs, t, path) || !xs_set_permissions(xs, t, path, perms, 2))
		return -errno;
	return 0;
}

/**
 * store_remove - remove a node and all below it
 *
 * Arguments are store_read()'s.
 * Return: 0, also when it was not there, or -errno
 */
int store_remove(struct xs_handle *xs, xs_transaction_t t, const char *fmt, ...)
{
	char path[STORE_PATH_MAX];

	PATH_OF(fmt, path);
	return xs_rm(xs, t, path) || errno == ENOENT ? 0 : -errno;
}

/**
 * store_transact - make a change in one transaction, again while others interfere
 * @xs: connection
 * @change: makes the change; must be repeatable. Its negative return abandons
 *	the transaction, 1 too, without being an error: nothing was to be done
 * @ctx: for @change
 *
 * Return: what @change returned, or -errno: -EBUSY when others interfered each time, as
 * a guest that keeps writing its own nodes can
 */
int store_transact(struct xs_handle *xs,
		   int (*change)(struct xs_handle *xs, xs_transaction_t t, void *ctx), void *ctx)
{
	for (int tries = 0; tries < TRANSACT_TRIES; tries++) {
		xs_transaction_t t = xs_transaction_start(xs);
		int ret;

		if (t == XBT_NULL)
			return -errno;
		ret = change(xs, t, ctx);
		if (xs_transaction_end(xs, t, ret != 0))
			return ret;
		if (errno != EAGAIN)
			return ret ? ret : -errno;
	}
	return -EBUSY;
}

/**
 * store_next_event - the next pending watch event
 * @xs: connection
 * @event: XS_WATCH_PATH and XS_WATCH_TOKEN of it, one allocation, to be freed
 *
 * Return: 0, -EAGAIN when none is pending, or -errno when the connection is lost
 */
int store_next_event(struct xs_handle *xs, char ***event)
{
	*event = xs_check_watch(xs);
	return *event ? 0 : -errno;
}
