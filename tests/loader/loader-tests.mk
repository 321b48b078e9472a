# SPDX-License-Identifier: GPL-2.0-only
# The loader's tests. Included by mk/build.mk after loader/loader.mk.
#
#   tests         builds build/tests/loader/unit
#   loader-check  runs all that needs no lab; test_attach.sh as root

LTEST_OUT := build/tests/loader
LTEST_OBJS := $(addprefix $(LTEST_OUT)/,unit.o ktap.o) \
	$(addprefix $(LOADER_OUT)/,addr.o policy.o domain.o xs.o log.o)

.PHONY: loader-check
tests: $(LTEST_OUT)/unit

$(LTEST_OUT):
	$(loader_q)mkdir -p $@

$(LTEST_OUT)/unit.o: tests/loader/unit.c | $(LTEST_OUT)
$(LTEST_OUT)/ktap.o: tests/lib/ktap.c | $(LTEST_OUT)
$(LTEST_OUT)/unit.o $(LTEST_OUT)/ktap.o:
	@$(loader_say) CC $@
	$(loader_q)$(CC) -O2 -g $(LOADER_CFLAGS) -Itests/lib $(CFLAGS) -c $< -o $@

$(LTEST_OUT)/unit: $(LTEST_OBJS)
	@$(loader_say) LD $@
	$(loader_q)$(CC) $(CFLAGS) $(LDFLAGS) $^ $(LOADER_LDLIBS) -o $@

loader-check: loader $(LTEST_OUT)/unit
	$(loader_q)$(LTEST_OUT)/unit
	$(loader_q)tests/loader/test_help.sh
	$(loader_q)tests/loader/test_attach.sh

-include $(LTEST_OUT)/unit.d $(LTEST_OUT)/ktap.d
