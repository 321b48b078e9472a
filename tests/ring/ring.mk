# SPDX-License-Identifier: GPL-2.0-only
# The ring's code in user space, from the header that the kernel compiles.

RING_OUT := build/tests/ring
RING_CFLAGS := -std=gnu2x -g -O2 -Wall -Wextra -Werror -Iinclude -Itests/lib
RING_COMMON := tests/ring/pair.c tests/lib/ktap.c
RING_DEPS := $(RING_COMMON) $(wildcard tests/ring/*.h tests/lib/*.h include/vmc/*.h)
RING_PROGRAMS := $(addprefix $(RING_OUT)/,unit hostile stress stress-tsan)
RING_ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all

tests: $(RING_PROGRAMS)

$(RING_OUT)/unit: tests/ring/unit.c tests/ring/check.c
$(RING_OUT)/unit: RING_EXTRA := $(RING_ASAN)
$(RING_OUT)/hostile: tests/ring/hostile.c
$(RING_OUT)/hostile: RING_EXTRA := $(RING_ASAN)
$(RING_OUT)/stress: tests/ring/stress.c
$(RING_OUT)/stress-tsan: tests/ring/stress.c
$(RING_OUT)/stress-tsan: RING_EXTRA := -fsanitize=thread

$(RING_PROGRAMS): $(RING_DEPS) tests/ring/ring.mk
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(RING_CFLAGS) $(RING_EXTRA) -o $@ $(filter %.c,$^) -pthread
