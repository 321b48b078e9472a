// SPDX-License-Identifier: GPL-2.0-only
/*
 * Declarative options: a verb's table serves getopt_long() and --help alike.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loader.h"
#include "log.h"

#define OPTS_MAX 16

static const struct opt global_opts[] = {
	{ "json", 'j', NULL, "print JSON, errors too" },
	{ "verbose", 'v', NULL, "say more; twice: libbpf's messages too" },
	{ "quiet", 'q', NULL, "say errors only" },
	{ "help", 'h', NULL, "print this text" },
	{ "version", 'V', NULL, "print the version" },
	{},
};

static size_t opts_add(const struct opt *from, struct option *longs, size_t n, char *shorts)
{
	for (; from && from->name && n < OPTS_MAX - 1; from++, n++) {
		longs[n] = (struct option){ from->name, from->arg ? required_argument : no_argument,
					    NULL, from->val };
		if (from->val < 128) {
			*(shorts += strlen(shorts)) = (char)from->val;
			strcpy(shorts + 1, from->arg ? ":" : "");
		}
	}
	return n;
}

static int opts_global(const struct verb *verb, int c)
{
	switch (c) {
	case 'j':
		log_json = true;
		return 0;
	case 'v':
		log_louder();
		return 0;
	case 'q':
		log_quiet();
		return 0;
	case 'h':
		if (!verb)
			return 'h';
		opts_help(verb);
		return OPTS_DONE;
	case 'V':
		puts("vmc-loader " VMC_VERSION);
		return OPTS_DONE;
	default:
		return c;
	}
}

/**
 * opts_next - the next option of a verb; global options are served within
 * @verb: the verb, or NULL before the verb is known: then only global options are
 *	allowed, parsing ends at the first argument, and 'h' is returned for --help
 * @argc: count of @argv
 * @argv: argv[0] is skipped
 *
 * Return: the option's val with its argument in optarg, or an OPTS_* value.
 */
int opts_next(const struct verb *verb, int argc, char **argv)
{
	struct option longs[OPTS_MAX] = {};
	char shorts[2 * OPTS_MAX + 2];
	size_t n;
	int c;

	strcpy(shorts, verb ? ":" : "+:");
	n = opts_add(global_opts, longs, 0, shorts);
	if (verb)
		opts_add(verb->opts, longs, n, shorts);
	opterr = 0;
	do {
		int at = optind ? optind : 1;

		c = getopt_long(argc, argv, shorts, longs, NULL);
		if (c == -1)
			return OPTS_END;
		if (c == '?' || c == ':') {
			const char *bad = argv[optind > at ? optind - 1 : at];

			fail(VMC_USAGE, "see --help", "option '%s' %s", bad,
			     c == ':' ? "lacks its argument" : "is unknown");
			return OPTS_ERROR;
		}
		c = opts_global(verb, c);
	} while (!c);
	return c;
}

/**
 * opts_status - exit status that goes with an OPTS_ERROR or OPTS_DONE
 * @end: what opts_next() returned
 *
 * Return: an enum vmc_exit
 */
int opts_status(int end)
{
	return end == OPTS_DONE ? VMC_OK : VMC_USAGE;
}

/**
 * opts_unexpected - refuse an argument
 * @arg: the argument
 *
 * Return: VMC_USAGE
 */
int opts_unexpected(const char *arg)
{
	return fail(VMC_USAGE, "see --help", "argument '%s' is not expected", arg);
}

static void opts_print(const struct opt *o)
{
	char left[40];

	for (; o && o->name; o++) {
		int n = snprintf(left, sizeof(left), o->val < 128 ? "-%c, " : "    ", o->val);

		snprintf(left + n, sizeof(left) - (size_t)n, "--%s%s%s", o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");
		printf("  %-24s %s\n", left, o->help);
	}
}

/**
 * opts_help - print the help of a verb on stdout
 * @verb: the verb
 */
void opts_help(const struct verb *verb)
{
	printf("Usage: vmc-loader %s [OPTION]...%s%s\n%s.\n\nOptions:\n", verb->name,
	       verb->args ? " " : "", verb->args ? verb->args : "", verb->summary);
	opts_print(verb->opts);
	puts("\nOptions of every verb:");
	opts_print(global_opts);
	puts("\nSee vmc-loader(8).");
}

/**
 * opts_help_global - print the help of the program on stdout
 * @verbs: its verbs, NULL-terminated
 */
void opts_help_global(const struct verb *const *verbs)
{
	puts("Usage: vmc-loader [OPTION]... VERB [OPTION]...\n"
	     "Shared-memory fast path for TCP between the VMs of a Xen host.\n\nVerbs:");
	for (; *verbs; verbs++)
		printf("  %-24s %s\n", (*verbs)->name, (*verbs)->summary);
	puts("\nOptions of every verb:");
	opts_print(global_opts);
	puts("\n'vmc-loader VERB --help' has the options of a verb. See vmc-loader(8).");
}
