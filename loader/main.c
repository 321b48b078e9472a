// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmc-loader: finds the verb and runs it.
 */
#include <getopt.h>
#include <string.h>

#include "daemon.h"
#include "loader.h"
#include "log.h"

static const struct verb *const verbs[] = { &verb_attach, &verb_detach, &verb_status,
					    &verb_check,  &verb_broker, NULL };

static const struct verb *verb_find(const char *name)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if (!strcmp((*v)->name, name))
			return *v;
	return NULL;
}

int main(int argc, char **argv)
{
	const struct verb *verb;
	int c, first;

	c = opts_next(NULL, argc, argv);
	if (c == 'h') {
		opts_help_global(verbs);
		return VMC_OK;
	}
	if (c != OPTS_END)
		return opts_status(c);
	if (optind == argc)
		return fail(VMC_USAGE, "see --help", "a verb is missing");
	verb = verb_find(argv[optind]);
	if (!verb)
		return fail(VMC_USAGE, "see --help", "verb '%s' is unknown", argv[optind]);
	first = optind;
	optind = 0; /* glibc: start anew, on other arguments */
	return daemon_exit(verb->run(verb, argc - first, argv + first));
}
