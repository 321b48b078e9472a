// SPDX-License-Identifier: GPL-2.0-only
/*
 * The policy file: sections, "key = value" lines, comments. Whatever isn't understood
 * is an error: a policy that is half read must not be half applied.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "policy.h"

#define LINE_MAX_LEN 4096
#define NAME_CHARS   "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-+"

enum section { SECTION_NONE, SECTION_DEFAULT, SECTION_GROUP };

struct parser {
	struct policy *policy;
	struct policy_error *error;
	enum section section;
	bool has_default;
	bool has_members; /* of the group being read */
};

/** policy_init - the policy that holds without a file */
void policy_init(struct policy *policy)
{
	*policy = (struct policy){ .same_bridge = true };
}

static int refuse(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int refuse(struct parser *p, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(p->error->text, sizeof(p->error->text), fmt, args);
	va_end(args);
	return -EINVAL;
}

static char *strip(char *text)
{
	char *end;

	while (isspace((unsigned char)*text))
		text++;
	end = text + strlen(text);
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return text;
}

static int parse_bool(struct parser *p, const char *key, const char *value, bool *to)
{
	if (strcmp(value, "yes") && strcmp(value, "no"))
		return refuse(p, "%s is yes or no, not '%s'", key, value);
	*to = !strcmp(value, "yes");
	return 0;
}

static int parse_default(struct parser *p, const char *key, const char *value)
{
	struct policy *policy = p->policy;

	if (!strcmp(key, "same-bridge"))
		return parse_bool(p, key, value, &policy->same_bridge);
	if (!strcmp(key, "allow-rate-limited"))
		return parse_bool(p, key, value, &policy->allow_rate_limited);
	if (!strcmp(key, "trust-claims"))
		return parse_bool(p, key, value, &policy->trust_claims);
	return refuse(p, "[default] has no key '%s'", key);
}

static bool is_name(const char *text)
{
	return *text && !text[strspn(text, NAME_CHARS)];
}

static int add_member(struct parser *p, struct policy_group *group, const char *name)
{
	char **members;

	if (!is_name(name))
		return refuse(p, "'%s' is not a domain's name", name);
	members = realloc(group->members, (group->nr_members + 1) * sizeof(*members));
	if (!members)
		return -ENOMEM;
	group->members = members;
	members[group->nr_members] = strdup(name);
	return members[group->nr_members] ? (group->nr_members++, 0) : -ENOMEM;
}

static int parse_group(struct parser *p, const char *key, char *value)
{
	struct policy_group *group = &p->policy->groups[p->policy->nr_groups - 1];
	char *rest = value, *name;
	int err = 0;

	if (strcmp(key, "members"))
		return refuse(p, "[group %s] has no key '%s'", group->name, key);
	if (p->has_members)
		return refuse(p, "[group %s] has members already", group->name);
	p->has_members = true;
	while (!err && (name = strsep(&rest, ",")))
		err = add_member(p, group, strip(name));
	return err;
}

static int open_group(struct parser *p, const char *name)
{
	struct policy *policy = p->policy;
	struct policy_group *groups;

	if (!is_name(name))
		return refuse(p, "'%s' is not a group's name", name);
	for (size_t i = 0; i < policy->nr_groups; i++)
		if (!strcmp(policy->groups[i].name, name))
			return refuse(p, "group '%s' is there twice", name);
	groups = realloc(policy->groups, (policy->nr_groups + 1) * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	policy->groups = groups;
	groups[policy->nr_groups] = (struct policy_group){ .name = strdup(name) };
	if (!groups[policy->nr_groups].name)
		return -ENOMEM;
	policy->nr_groups++;
	p->section = SECTION_GROUP;
	p->has_members = false;
	return 0;
}

static int parse_section(struct parser *p, char *line)
{
	char *end = strchr(line, ']');

	if (!end || end[1])
		return refuse(p, "a section ends with ']'");
	*end = '\0';
	line = strip(line + 1);
	if (!strcmp(line, "default")) {
		if (p->has_default)
			return refuse(p, "[default] is there twice");
		p->has_default = true;
		p->section = SECTION_DEFAULT;
		return 0;
	}
	if (!strncmp(line, "group", 5) && isspace((unsigned char)line[5]))
		return open_group(p, strip(line + 5));
	return refuse(p, "there is no section '%s'", line);
}

static int parse_line(struct parser *p, char *line)
{
	char *value;

	line = strip(line);
	if (!*line || *line == '#' || *line == ';')
		return 0;
	if (*line == '[')
		return parse_section(p, line);
	value = strchr(line, '=');
	if (!value)
		return refuse(p, "'%s' is neither a section nor key = value", line);
	*value++ = '\0';
	line = strip(line);
	value = strip(value);
	switch (p->section) {
	case SECTION_DEFAULT:
		return parse_default(p, line, value);
	case SECTION_GROUP:
		return parse_group(p, line, value);
	default:
		return refuse(p, "'%s' stands before the first section", line);
	}
}

/**
 * policy_parse - read a policy
 * @policy: where it goes, from policy_init(); policy_free() it also on failure
 * @file: text
 * @error: which line was refused and why, on -EINVAL
 *
 * Return: 0, -EINVAL, -ENOMEM, -EIO
 */
int policy_parse(struct policy *policy, FILE *file, struct policy_error *error)
{
	struct parser p = { .policy = policy, .error = error };
	char line[LINE_MAX_LEN];
	int err = 0;

	*error = (struct policy_error){};
	while (!err && fgets(line, sizeof(line), file)) {
		error->line++;
		if (strlen(line) == sizeof(line) - 1 && !feof(file))
			return refuse(&p, "the line is too long");
		err = parse_line(&p, line);
	}
	return err ? err : ferror(file) ? -EIO : 0;
}

/**
 * policy_load - read a policy file
 * @policy: replaced on success, as it was on failure
 * @path: the file
 * @error: what was wrong with it
 *
 * Return: 0, -EINVAL, or another -errno
 */
int policy_load(struct policy *policy, const char *path, struct policy_error *error)
{
	FILE *file = fopen(path, "re");
	struct policy fresh;
	int err;

	*error = (struct policy_error){};
	if (!file) {
		err = -errno;
		goto fail;
	}
	policy_init(&fresh);
	err = policy_parse(&fresh, file, error);
	fclose(file);
	if (!err) {
		policy_free(policy);
		*policy = fresh;
		return 0;
	}
	policy_free(&fresh);
fail:
	if (!error->text[0])
		snprintf(error->text, sizeof(error->text), "%s", strerror(-err));
	return err;
}

static bool group_has(const struct policy_group *group, const char *name)
{
	for (size_t i = 0; i < group->nr_members; i++)
		if (!strcmp(group->members[i], name))
			return true;
	return false;
}

/** policy_same_group - whether a group has two domains, by name, as members */
bool policy_same_group(const struct policy *policy, const char *a, const char *b)
{
	for (size_t i = 0; i < policy->nr_groups; i++)
		if (group_has(&policy->groups[i], a) && group_has(&policy->groups[i], b))
			return true;
	return false;
}

/** policy_free - free what a policy holds */
void policy_free(struct policy *policy)
{
	for (size_t i = 0; i < policy->nr_groups; i++) {
		struct policy_group *group = &policy->groups[i];

		for (size_t j = 0; j < group->nr_members; j++)
			free(group->members[j]);
		free(group->members);
		free(group->name);
	}
	free(policy->groups);
	policy_init(policy);
}
