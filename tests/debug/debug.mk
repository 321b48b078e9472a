# SPDX-License-Identifier: GPL-2.0-only
# make check-debug: what it needs beside the module, for the same kernel.

PROVOKE_OUT := build/debug/provoke

debug-tests: $(PROVOKE_OUT)/provoke.ko

$(PROVOKE_OUT)/provoke.ko: tests/debug/provoke/provoke.c tests/debug/provoke/Kbuild $(KDIR)/.config
	$(Q)mkdir -p $(@D) && cp tests/debug/provoke/* $(@D)/
	$(Q)$(MAKE) -C '$(KDIR)' M='$(CURDIR)/$(@D)' V=$(KMOD_V) modules
	$(Q)strip --strip-debug $@
	@touch $@
