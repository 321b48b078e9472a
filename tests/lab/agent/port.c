// SPDX-License-Identifier: GPL-2.0-only
/* Virtio-serial ports by name: without udev there is no /dev/virtio-ports. */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "labd.h"

#define PORTS "/sys/class/virtio-ports"

static bool has_name(const char *dev, const char *name)
{
	char path[300], got[64] = "";
	FILE *f;

	snprintf(path, sizeof(path), PORTS "/%s/name", dev);
	f = fopen(path, "re");
	if (!f)
		return false;
	if (!fgets(got, sizeof(got), f))
		got[0] = '\0';
	fclose(f);
	got[strcspn(got, "\n")] = '\0';
	return !strcmp(got, name);
}

/* The port's descriptor, -1 when there is none of that name. */
int port_open(const char *name)
{
	char path[300] = "";
	struct dirent *entry;
	DIR *dir = opendir(PORTS);

	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && has_name(entry->d_name, name))
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
	if (dir)
		closedir(dir);
	return *path ? open(path, O_RDWR | O_CLOEXEC) : -1;
}
