# SPDX-License-Identifier: GPL-2.0-only
# What compiles, for the tools of the reference platform; the top Makefile runs it.
#
#   KDIR      kernel build tree for the module; default: the running kernel's if
#             its headers are here, else the newest 6.12 headers
#   V=1       show the commands

Q := $(if $(filter 1,$(V)),,@)
say = @$(if $(filter 1,$(V)),:,printf '  %-8s %s\n' $(1) $(2))

CC := gcc
CLANG := $(shell command -v clang-19 || echo clang)
RUNNING := /lib/modules/$(shell uname -r)/build
KDIR ?= $(if $(wildcard $(RUNNING)/.config),$(RUNNING),$(lastword \
	$(sort $(wildcard /usr/src/linux-headers-6.12*-amd64))))
VERSION ?= $(shell sed -n 's/^MODULE_VERSION("\(.*\)");/\1/p' kmod/main.c)

.PHONY: all kmod tests debug-tests install install-dkms
.DEFAULT_GOAL := all
all: kmod bpf loader man
tests:

include mk/kmod.mk
-include bpf/bpf.mk loader/loader.mk
include tests/ring/ring.mk
-include tests/bench/bench.mk tests/loader/loader-tests.mk tests/long/long.mk tests/debug/debug.mk

ifneq ($(wildcard bpf/bpf.mk),)
loader: bpf
endif

include mk/install.mk
