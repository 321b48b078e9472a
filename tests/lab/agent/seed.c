// SPDX-License-Identifier: GPL-2.0-only
/* Credits the random pool at boot: an emulated machine without RDRAND would wait seconds for it. */

#include <fcntl.h>
#include <linux/random.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>

#include "labd.h"

int seed_main(void)
{
	struct {
		struct rand_pool_info info;
		struct timespec now[16];
	} seed = { .info = { .entropy_count = 256, .buf_size = sizeof(seed.now) } };
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	for (int i = 0; i < 16; i++)
		clock_gettime(i & 1 ? CLOCK_REALTIME : CLOCK_MONOTONIC, &seed.now[i]);
	if (fd < 0 || ioctl(fd, RNDADDENTROPY, &seed)) {
		perror("labd: seed");
		return 1;
	}
	return 0;
}
