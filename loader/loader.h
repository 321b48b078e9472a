/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What main.c and the verbs share: exit statuses, verbs and their options.
 */
#ifndef VMC_LOADER_H
#define VMC_LOADER_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#ifndef VMC_VERSION
#define VMC_VERSION "0.1"
#endif

/* Exit statuses; vmc-loader(8) lists them. */
enum vmc_exit {
	VMC_OK = 0,
	VMC_FAILURE = 1,
	VMC_USAGE = 2,
	VMC_ENVIRON = 3,  /* module, BTF, Xen, XenStore, privileges ... are missing */
	VMC_BUSY = 4,	  /* another attach, or another broker, is running */
	VMC_DETACHED = 5, /* nothing is attached */
};

/* An option of a verb; the last of an array has no name. */
struct opt {
	const char *name; /* long name without dashes */
	int val;	  /* what opts_next() returns for it; a letter is its short name */
	const char *arg;  /* name of its argument, or NULL */
	const char *help;
};

struct verb {
	const char *name;
	const char *args; /* positional arguments for the usage line, or NULL */
	const char *summary;
	const struct opt *opts;
	/* Returns an enum vmc_exit; argv[0] is the verb. */
	int (*run)(const struct verb *verb, int argc, char **argv);
};

extern const struct verb verb_attach, verb_detach, verb_status, verb_broker, verb_check;

/* opts.c: special returns of opts_next(), below any option's val */
#define OPTS_END   (-1) /* no more options; optind is the first argument */
#define OPTS_ERROR (-2) /* said so already: return VMC_USAGE */
#define OPTS_DONE  (-3) /* --help or --version was served: return VMC_OK */

int opts_next(const struct verb *verb, int argc, char **argv);
int opts_status(int end);
int opts_unexpected(const char *arg);
void opts_help(const struct verb *verb);
void opts_help_global(const struct verb *const *verbs);

#endif
