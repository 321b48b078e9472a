# SPDX-License-Identifier: GPL-2.0-only
# Programs for the guests, static: they run whatever libraries a guest has.

BENCH_CFLAGS := -std=gnu2x -O2 -g -Wall -Wextra -Werror -static

tests: build/tests/bench/xfer

build/tests/bench/xfer: tests/bench/xfer.c tests/bench/sha256.c tests/bench/sha256.h
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_CFLAGS) -o $@ $(filter %.c,$^) -pthread
