// SPDX-License-Identifier: GPL-2.0-only
/*
 * check: what this machine lacks, and what to do about it.
 */
#include <getopt.h>
#include <stdio.h>

#include <json-c/json.h>

#include "env.h"
#include "loader.h"
#include "log.h"

static void print_check(const struct env_check *c, const char *state, const char *detail)
{
	printf("%-12s %-8s %s", c->name, state, detail);
	if (*state == 'm' || *state == 'n')
		printf("; %s", c->next);
	putchar('\n');
}

static void add_check(struct json_object *list, const struct env_check *c, const char *state,
		      const char *detail)
{
	struct json_object *obj = json_object_new_object();

	json_object_object_add(obj, "check", json_object_new_string(c->name));
	json_object_object_add(obj, "state", json_object_new_string(state));
	json_object_object_add(obj, "detail", json_object_new_string(detail));
	if (*state == 'm' || *state == 'n')
		json_object_object_add(obj, "next", json_object_new_string(c->next));
	json_object_array_add(list, obj);
}

static int run_check(const struct verb *verb, int argc, char **argv)
{
	struct json_object *list, *obj;
	int c, status = VMC_OK;
	unsigned int need;

	c = opts_next(verb, argc, argv);
	if (c != OPTS_END)
		return opts_status(c);
	if (optind < argc)
		return opts_unexpected(argv[optind]);
	need = env_is_dom0() ? ENV_BROKER : ENV_ATTACH | ENV_XENSTORE | ENV_CGROUP;
	list = json_object_new_array();
	for (const struct env_check *e = env_checks; e->name; e++) {
		char detail[512] = "";
		const char *state = "ok";

		if (!(e->need & need))
			continue;
		if (e->probe(detail, sizeof(detail)))
			state = e->need & ENV_NOTE ? "note" : "missing";
		if (*state == 'm')
			status = VMC_ENVIRON;
		if (log_json)
			add_check(list, e, state, detail);
		else
			print_check(e, state, detail);
	}
	if (!log_json) {
		json_object_put(list);
		return status;
	}
	obj = json_object_new_object();
	json_object_object_add(obj, "ok", json_object_new_boolean(status == VMC_OK));
	json_object_object_add(obj, "role",
			       json_object_new_string(need == ENV_BROKER ? "dom0" : "guest"));
	json_object_object_add(obj, "checks", list);
	log_print_json(obj);
	return status;
}

const struct verb verb_check = {
	.name = "check",
	.summary = "Say what this machine lacks, and what to do about it",
	.run = run_check,
};
