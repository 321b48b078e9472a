// SPDX-License-Identifier: GPL-2.0-only
/*
 * status: what is attached, who the peers are, what the channels have carried.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <json-c/json.h>

#include <vmc/xenstore.h>

#include "daemon.h"
#include "ethtool.h"
#include "fastpath.h"
#include "loader.h"
#include "log.h"
#include "peers.h"
#include "xs.h"

#define NETDEV "vmc0"

/* Directories of xenbus devices, and how ours are called there. */
static const struct {
	const char *dir, *role;
} buses[] = {
	{ "/sys/bus/xen/devices", "frontend" },
	{ "/sys/bus/xen-backend/devices", "backend" },
};

static const char *const channel_attrs[] = { "state", "queues", "flows", "tx_bytes", "rx_bytes" };

#define NR_ATTRS (sizeof(channel_attrs) / sizeof(*channel_attrs))

/* First line of a file as a JSON number or string; NULL when it can't be read. */
static struct json_object *read_value(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[128], *end;
	long long n;

	if (!f)
		return NULL;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	line[strcspn(line, "\n")] = '\0';
	n = strtoll(line, &end, 10);
	return *line && !*end ? json_object_new_int64(n) : json_object_new_string(line);
}

static void add_channels(struct json_object *list, const char *dir, const char *role)
{
	struct dirent *entry;
	DIR *d = opendir(dir);

	while (d && (entry = readdir(d))) {
		struct json_object *obj;

		if (strncmp(entry->d_name, "vmc-", 4))
			continue;
		obj = json_object_new_object();
		json_object_object_add(obj, "peer", json_object_new_int(atoi(entry->d_name + 4)));
		json_object_object_add(obj, "role", json_object_new_string(role));
		for (size_t i = 0; i < NR_ATTRS; i++) {
			char path[512];

			snprintf(path, sizeof(path), "%s/%.255s/vmc/%s", dir, entry->d_name,
				 channel_attrs[i]);
			json_object_object_add(obj, channel_attrs[i], read_value(path));
		}
		json_object_array_add(list, obj);
	}
	if (d)
		closedir(d);
}

static struct json_object *channels(void)
{
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < sizeof(buses) / sizeof(*buses); i++)
		add_channels(list, buses[i].dir, buses[i].role);
	return list;
}

/* The object of a peer in a list, made if it isn't there. */
static struct json_object *peer_of(struct json_object *list, __u32 id, struct xs_handle *xs)
{
	struct json_object *obj;
	char *name;

	for (size_t i = 0; i < json_object_array_length(list); i++) {
		obj = json_object_array_get_idx(list, i);
		if (json_object_get_int64(json_object_object_get(obj, "peer")) == id)
			return obj;
	}
	obj = json_object_new_object();
	json_object_object_add(obj, "peer", json_object_new_int64(id));
	name = NULL;
	if (xs && id < VMC_PEER_LOOPBACK)
		name = store_read(xs, XBT_NULL, VMC_XS_PEERS "/%u/" VMC_XS_PEER_NAME, id);
	json_object_object_add(obj, "name", name ? json_object_new_string(name) : NULL);
	json_object_object_add(obj, "addresses", json_object_new_array());
	free(name);
	json_object_array_add(list, obj);
	return obj;
}

/* Peers as the map has them: that is what counts. */
static struct json_object *peers(void)
{
	struct json_object *list = json_object_new_array(), *obj;
	int fd = fastpath_open_peers();
	char text[ADDR_STRLEN];
	struct xs_handle *xs;
	struct peers table;

	if (fd < 0)
		return list;
	xs = xs_open(0);
	if (!peers_init(&table, fd))
		for (size_t i = 0; i < table.nr_entries; i++) {
			obj = peer_of(list, table.entry[i].id, xs);
			addr_format(&table.entry[i].key, text);
			json_object_array_add(json_object_object_get(obj, "addresses"),
					      json_object_new_string(text));
		}
	peers_free(&table);
	xs_close(xs);
	close(fd);
	return list;
}

static struct json_object *counters(void)
{
	struct json_object *obj = json_object_new_object();
	struct ethtool_counter *counter;
	int nr = ethtool_counters(NETDEV, &counter);

	for (int i = 0; i < nr; i++)
		json_object_object_add(obj, counter[i].name,
				       json_object_new_uint64(counter[i].value));
	free(counter);
	return obj;
}

static struct json_object *gather(bool attached)
{
	struct json_object *obj = json_object_new_object();
	pid_t pid = 0;
	bool running = daemon_lock_probe(DAEMON_ATTACH_LOCK, &pid) == 1;

	json_object_object_add(obj, "attached", json_object_new_boolean(attached));
	json_object_object_add(obj, "daemon", running ? json_object_new_int(pid) : NULL);
	json_object_object_add(obj, "module", read_value("/sys/module/vmc/version"));
	json_object_object_add(obj, "peers", peers());
	json_object_object_add(obj, "channels", channels());
	json_object_object_add(obj, "counters", counters());
	return obj;
}

static const char *text_of(struct json_object *obj, const char *key)
{
	struct json_object *value = json_object_object_get(obj, key);

	return value ? json_object_get_string(value) : "-";
}

static void print_peers(struct json_object *list)
{
	size_t nr = json_object_array_length(list);

	if (nr)
		printf("\n%-8s %-20s %s\n", "PEER", "NAME", "ADDRESSES");
	for (size_t i = 0; i < nr; i++) {
		struct json_object *obj = json_object_array_get_idx(list, i);
		struct json_object *addrs = json_object_object_get(obj, "addresses");

		printf("%-8s %-20s", text_of(obj, "peer"), text_of(obj, "name"));
		for (size_t j = 0; j < json_object_array_length(addrs); j++)
			printf(" %s", json_object_get_string(json_object_array_get_idx(addrs, j)));
		putchar('\n');
	}
}

static void print_channels(struct json_object *list)
{
	size_t nr = json_object_array_length(list);

	if (nr)
		printf("\n%-8s %-9s %-14s %7s %7s %16s %16s\n", "CHANNEL", "ROLE", "STATE",
		       "QUEUES", "FLOWS", "TX BYTES", "RX BYTES");
	for (size_t i = 0; i < nr; i++) {
		struct json_object *obj = json_object_array_get_idx(list, i);

		printf("%-8s %-9s %-14s %7s %7s %16s %16s\n", text_of(obj, "peer"),
		       text_of(obj, "role"), text_of(obj, "state"), text_of(obj, "queues"),
		       text_of(obj, "flows"), text_of(obj, "tx_bytes"), text_of(obj, "rx_bytes"));
	}
}

static void print_status(struct json_object *obj)
{
	struct json_object *list = json_object_object_get(obj, "counters");
	bool attached = json_object_get_boolean(json_object_object_get(obj, "attached"));

	printf("%-10s %s\n", "attached", attached ? "yes" : "no");
	printf("%-10s %s\n", "daemon", text_of(obj, "daemon"));
	printf("%-10s %s\n", "module", text_of(obj, "module"));
	print_peers(json_object_object_get(obj, "peers"));
	print_channels(json_object_object_get(obj, "channels"));
	if (json_object_object_length(list))
		printf("\n%-36s %20s\n", "COUNTER", "VALUE");
	json_object_object_foreach(list, name, value)
		printf("%-36s %20s\n", name, json_object_get_string(value));
}

static int run_status(const struct verb *verb, int argc, char **argv)
{
	struct json_object *obj;
	bool attached;
	int c;

	c = opts_next(verb, argc, argv);
	if (c != OPTS_END)
		return opts_status(c);
	if (optind < argc)
		return opts_unexpected(argv[optind]);
	if (geteuid())
		return fail(VMC_ENVIRON, "run it as root", "status needs privileges");
	attached = fastpath_is_attached();
	obj = gather(attached);
	if (log_json) {
		log_print_json(obj);
	} else {
		print_status(obj);
		json_object_put(obj);
	}
	return attached ? VMC_OK : VMC_DETACHED;
}

const struct verb verb_status = {
	.name = "status",
	.summary = "Say what is attached, who the peers are, what the channels have carried",
	.run = run_status,
};
