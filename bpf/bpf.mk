# SPDX-License-Identifier: GPL-2.0-only
# BPF programs, one object a hook, linked into build/bpf/vmc.bpf.o and its skeleton
# build/bpf/vmc.skel.h. Included by mk/build.mk; goals: bpf, bpf-clean.
#
#   CLANG, BPFTOOL, VMLINUX (a BTF source: vmlinux or /sys/kernel/btf/vmlinux), BPF_EXTRA (flags), V=1

BPF_DIR := $(patsubst %/,%,$(dir $(lastword $(MAKEFILE_LIST))))
BPF_TOP := $(if $(filter .,$(BPF_DIR)),..,$(patsubst %/,%,$(dir $(BPF_DIR))))
BPF_TOP := $(if $(filter-out ./,$(BPF_TOP)),$(BPF_TOP),.)
BPF_OUT := $(BPF_TOP)/build/bpf
BPF_CLANG ?= $(shell command -v clang-19 || echo clang)
BPFTOOL ?= bpftool
# The newest installed kernel headers' BTF, else the running kernel's.
VMLINUX ?= $(lastword $(sort $(wildcard /usr/src/linux-headers-6.*-amd64/vmlinux)) \
	$(if $(wildcard /usr/src/linux-headers-6.*-amd64/vmlinux),,/sys/kernel/btf/vmlinux))

BPF_CFLAGS := -g -O2 -std=gnu11 --target=bpf -mcpu=v3 -D__TARGET_ARCH_x86 \
	-Wall -Wextra -Werror -Wno-missing-declarations -Wno-unused-parameter \
	$(BPF_EXTRA) -I$(BPF_OUT) -I$(BPF_TOP)/include -I$(BPF_DIR)
BPF_SRCS := $(wildcard $(BPF_DIR)/*.bpf.c)
BPF_OBJS := $(patsubst $(BPF_DIR)/%.bpf.c,$(BPF_OUT)/%.bpf.o,$(BPF_SRCS))

bpf_q := $(if $(filter 1,$(V)),,@)
bpf_say = $(if $(filter 1,$(V)),:,printf '  %-8s %s\n')

.PHONY: bpf bpf-clean
bpf: $(BPF_OUT)/vmc.skel.h

$(BPF_OUT):
	$(bpf_q)mkdir -p $@

$(BPF_OUT)/vmlinux.h: $(VMLINUX) | $(BPF_OUT)
	@$(bpf_say) BTF $@
	$(bpf_q)$(BPFTOOL) btf dump file $< format c >$@.tmp && mv $@.tmp $@

$(BPF_OUT)/%.bpf.o: $(BPF_DIR)/%.bpf.c $(wildcard $(BPF_DIR)/*.bpf.h) \
		$(BPF_TOP)/include/vmc/bpf.h $(BPF_OUT)/vmlinux.h | $(BPF_OUT)
	@$(bpf_say) CLANG $@
	$(bpf_q)$(BPF_CLANG) $(BPF_CFLAGS) -c $< -o $@

# "vmc.linked.o" and not "vmc.bpf.o": a file of that name would be an input, too.
$(BPF_OUT)/vmc.linked.o: $(BPF_OBJS)
	@$(bpf_say) LINK $@
	$(bpf_q)$(BPFTOOL) gen object $@ $^

$(BPF_OUT)/vmc.skel.h: $(BPF_OUT)/vmc.linked.o
	@$(bpf_say) SKEL $@
	$(bpf_q)$(BPFTOOL) gen skeleton $< name vmc_bpf >$@.tmp && mv $@.tmp $@

bpf-clean:
	$(bpf_q)rm -rf $(BPF_OUT)
