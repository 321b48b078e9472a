/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to people (stderr, the journal or syslog) and JSON to programs (stdout).
 */
#ifndef VMC_LOG_H
#define VMC_LOG_H

#include <stdbool.h>
#include <syslog.h>

struct json_object;

extern bool log_json; /* --json was given */

void log_louder(void);
void log_quiet(void);
bool log_shows(int level);
void log_to_syslog(void);

void say(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int fail(int status, const char *next, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void log_print_json(struct json_object *obj);

#endif
