// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages: one line each on stderr, with a priority for the journal when stderr
 * leads there; to syslog once a daemon has left its terminal.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <json-c/json.h>

#include "log.h"

bool log_json;
static int log_level = LOG_NOTICE;
static bool log_syslog;

/** log_louder - show one more level of messages */
void log_louder(void)
{
	log_level = log_level < LOG_INFO ? LOG_INFO : LOG_DEBUG;
}

/** log_quiet - show errors only */
void log_quiet(void)
{
	log_level = LOG_ERR;
}

/**
 * log_shows - whether messages of a level are shown
 * @level: LOG_ERR to LOG_DEBUG
 */
bool log_shows(int level)
{
	return level <= log_level;
}

/** log_to_syslog - from now on messages go to syslog, for a daemon without stderr */
void log_to_syslog(void)
{
	openlog("vmc-loader", LOG_PID, LOG_DAEMON);
	log_syslog = true;
}

static void log_line(int level, const char *text)
{
	if (log_syslog)
		syslog(level, "%s", text);
	else if (getenv("JOURNAL_STREAM"))
		fprintf(stderr, "<%d>%s\n", level, text);
	else
		fprintf(stderr, "vmc-loader: %s\n", text);
}

/**
 * say - a message to people
 * @level: LOG_ERR to LOG_DEBUG
 * @fmt: one line, no newline
 */
void say(int level, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	if (!log_shows(level))
		return;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	log_line(level, text);
}

/**
 * log_print_json - print an object on stdout
 * @obj: the object; its reference is consumed
 */
void log_print_json(struct json_object *obj)
{
	puts(json_object_to_json_string_ext(obj, JSON_C_TO_STRING_PRETTY |
							 JSON_C_TO_STRING_NOSLASHESCAPE));
	fflush(stdout);
	json_object_put(obj);
}

/**
 * fail - the one message of a failure, as a line or as JSON
 * @status: exit status that goes with it
 * @next: what the user can do next, or NULL
 * @fmt: what is wrong
 *
 * Return: @status
 */
int fail(int status, const char *next, const char *fmt, ...)
{
	struct json_object *obj, *error;
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!log_json || log_syslog) {
		say(LOG_ERR, "%s%s%s", text, next ? "; " : "", next ? next : "");
		return status;
	}
	error = json_object_new_object();
	json_object_object_add(error, "status", json_object_new_int(status));
	json_object_object_add(error, "what", json_object_new_string(text));
	if (next)
		json_object_object_add(error, "next", json_object_new_string(next));
	obj = json_object_new_object();
	json_object_object_add(obj, "error", error);
	log_print_json(obj);
	return status;
}
