# SPDX-License-Identifier: GPL-2.0-only
# The long tests' program for the guests, static as those of tests/bench.

tests: build/tests/long/duplex

build/tests/long/duplex: tests/long/duplex.c
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(BENCH_CFLAGS) -o $@ $< -pthread
