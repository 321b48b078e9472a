// SPDX-License-Identifier: GPL-2.0-only
/*
 * detach: takes the fast path away; connections go on by TCP.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include <vmc/xenstore.h>

#include "claim.h"
#include "daemon.h"
#include "fastpath.h"
#include "loader.h"
#include "log.h"
#include "xs.h"

struct detached {
	pid_t daemon; /* ended, or 0 */
	bool claim;   /* removed */
	int pins;     /* removed */
};

/* The claim goes first: nobody shall offer us new flows. */
static bool withdraw_claim(void)
{
	struct xs_handle *xs = xs_open(0);
	bool was_there;
	int err;

	if (!xs)
		return false; /* static, without XenStore */
	was_there = store_exists(xs, XBT_NULL, VMC_XS_CLAIM_VERSION);
	err = claim_remove(xs);
	xs_close(xs);
	if (err && was_there)
		say(LOG_WARNING, "can't remove the claim from XenStore: %s", strerror(-err));
	return was_there && !err;
}

static int print_detached(const struct detached *d)
{
	struct json_object *obj;

	if (log_json) {
		obj = json_object_new_object();
		json_object_object_add(obj, "ended_daemon", json_object_new_int(d->daemon));
		json_object_object_add(obj, "removed_claim", json_object_new_boolean(d->claim));
		json_object_object_add(obj, "removed_pins", json_object_new_int(d->pins));
		log_print_json(obj);
		return VMC_OK;
	}
	if (d->daemon)
		printf("ended the attach daemon, pid %d\n", d->daemon);
	if (d->claim)
		puts("removed the claim from XenStore");
	if (d->pins)
		printf("removed %d pins under " VMC_PIN_DIR "\n", d->pins);
	return VMC_OK;
}

static int run_detach(const struct verb *verb, int argc, char **argv)
{
	struct detached d = {};
	int c, lock;

	c = opts_next(verb, argc, argv);
	if (c != OPTS_END)
		return opts_status(c);
	if (optind < argc)
		return opts_unexpected(argv[optind]);
	if (geteuid())
		return fail(VMC_ENVIRON, "run it as root", "detach needs privileges");
	lock = daemon_end(DAEMON_ATTACH_LOCK, &d.daemon);
	if (lock < 0)
		return fail(VMC_FAILURE, "see 'vmc-loader status'",
			    "can't end the attach daemon: %s", strerror(-lock));
	d.claim = withdraw_claim();
	d.pins = fastpath_remove();
	unlink(DAEMON_ATTACH_LOCK);
	close(lock);
	if (d.pins < 0)
		return fail(VMC_FAILURE, "look into " VMC_PIN_DIR, "can't remove all pins: %s",
			    strerror(-d.pins));
	if (!d.daemon && !d.claim && !d.pins)
		return fail(VMC_DETACHED, "nothing to do", "nothing is attached");
	return print_detached(&d);
}

const struct verb verb_detach = {
	.name = "detach",
	.summary = "Take the fast path away; connections go on by TCP",
	.run = run_detach,
};
