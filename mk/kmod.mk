# SPDX-License-Identifier: GPL-2.0-only
# The module. Kbuild leaves its objects beside the sources, so build/kmod holds
# links to kmod/*: the tree stays clean, and a path in an error message opens the
# real file. Included by mk/build.mk.

# Another kernel's module goes to another KMOD_OUT, whose last part is "kmod" too.
KMOD_OUT ?= build/kmod
KMOD_SRCS := $(wildcard kmod/*.[ch]) kmod/Kbuild $(wildcard include/vmc/*.h)
KMOD_V := $(if $(filter 1,$(V)),1,0)
# What is in $(1)/kmod afterwards is what is in kmod/, no stale link of a removed file.
link_kmod = mkdir -p $(1)/kmod && find $(1)/kmod -maxdepth 1 -type l -delete && \
	ln -sfn '$(CURDIR)/include' $(1)/include && \
	for f in kmod/*; do ln -s "$(CURDIR)/$$f" $(1)/kmod/; done

kmod: $(KMOD_OUT)/vmc.ko

# The debug information, 8 MB of it, goes to vmc.ko.debug (addr2line, gdb).
# Without BTF the module loads, but BPF programs don't find its kfuncs.
$(KMOD_OUT)/vmc.ko: $(KMOD_SRCS) $(KDIR)/.config
	@[ -e '$(KDIR)/Makefile' ] || { echo 'make: no kernel headers at "$(KDIR)":' \
		'install linux-headers-amd64 or set KDIR=' >&2; exit 1; }
	$(Q)$(call link_kmod,$(KMOD_OUT:/kmod=))
	$(Q)$(MAKE) -C '$(KDIR)' M='$(CURDIR)/$(KMOD_OUT)' V=$(KMOD_V) modules
	$(Q)readelf -SW $@ | grep -qw .BTF || { rm -f $@; echo 'make: vmc.ko has no BTF: it needs' \
		'pahole and a vmlinux in $(KDIR)' >&2; exit 1; }
	$(Q)! readelf -SW $@ | grep -qw .debug_info || { cp $@ $@.debug && strip --strip-debug $@; }
	@touch $@

$(KDIR)/.config:

# make lint: everything compiled anew, elsewhere, with all warnings and sparse.
.PHONY: kmod-lint
kmod-lint:
	$(Q)rm -rf build/lint/kmod && $(call link_kmod,build/lint)
	$(Q)$(MAKE) -C '$(KDIR)' M='$(CURDIR)/build/lint/kmod' W=1 C=2 \
		CF=-Wsparse-error KCFLAGS=-Werror modules
