/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KTAP for test programs in C: a table of cases, checks that name their line and
 * go on, one verdict a case.
 */
#ifndef KTAP_H
#define KTAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct ktap_case {
	const char *name;
	void (*run)(void);
};

extern unsigned int ktap_failed_checks;

/* After this many complaints a case goes on in silence. */
#define KTAP_MAX_COMPLAINTS 8

#define CHECK(cond, ...)                                                         \
	do {                                                                     \
		if (!(cond) && ktap_failed_checks++ < KTAP_MAX_COMPLAINTS) {     \
			printf("# %s:%d: wrong: %s", __FILE__, __LINE__, #cond); \
			printf(" " __VA_ARGS__);                                 \
			putchar('\n');                                           \
		}                                                                \
	} while (0)

#define CHECK_EQ(got, want)                                                        \
	do {                                                                       \
		long long got_ = (long long)(got), want_ = (long long)(want);      \
		CHECK(got_ == want_, "(%s is %lld, not %lld)", #got, got_, want_); \
	} while (0)

/**
 * ktap_main() - run the cases and print KTAP
 *
 * Return: exit status of the program.
 */
int ktap_main(const struct ktap_case *cases, unsigned int nr);

#endif
