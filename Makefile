# SPDX-License-Identifier: GPL-2.0-only
# The one door. What compiles is in mk/build.mk, which runs where the reference
# platform's tools are: here on a Debian 13 that has them, else in the chroot that
# tests/lab/toolchain makes under build/.

MAKEFLAGS += --no-print-directory
V ?= 0
NATIVE ?= $(shell tests/lib/native && echo 1)
TOOL := $(if $(filter 1,$(NATIVE)),,tests/lab/toolchain run)
INNER = +$(if $(filter 1,$(V)),,@)$(TOOL) make -f mk/build.mk V=$(V)
PREFIX ?= /usr

.DEFAULT_GOAL := all
.PHONY: all kmod bpf loader man tests lab toolchain demo check check-long check-debug check-kernel \
	lint bench format install install-broker install-dkms clean distclean help

## build
all: toolchain		# the module, the BPF programs, the loader (default)
	$(INNER) all

kmod bpf loader man tests: toolchain
	$(INNER) $@

toolchain:
	@$(if $(TOOL),tests/lab/toolchain build)

lab:			# the Xen host in the emulator: packages and snapshot, once
	@tests/lab/lab build

## use
demo: all tests lab	# two guests, netfront against vmc: table, JSON and chart
	@tests/bench/demo

bench: all tests lab	# the same with more rounds
	@tests/bench/demo --rounds 9 --name bench

## judge
check: all tests lab	# the tests; ONLY="ring loader" for some groups
	@tests/run $(ONLY)

check-long: all tests lab	# switching, faults, migration, at length; SWITCH_BYTES=N: another size
	@tests/run long

check-debug: all tests lab	# the TCP tests on a kernel with KASAN and lockdep; ONLY= too
	@tests/lab/debug-kernel build
	+@tests/lab/toolchain run make -f mk/build.mk V=$(V) \
		KDIR="$$(tests/lab/debug-kernel kdir)" KMOD_OUT=build/debug/kmod kmod debug-tests
	@tests/run --debug $(ONLY)

check-kernel: all tests lab	# the kernel's own selftests, without and with vmc compared
	@tests/kernel/build
	@tests/run kernel

lint: toolchain		# W=1, sparse, checkpatch, clang-format, shellcheck, ...
	@tests/run lint

format: toolchain	# let clang-format rewrite the C files
	@$(TOOL) tests/lint/format --write

## install
# On this machine itself, never in the chroot: it compiles nothing.
install:		# into DESTDIR; needs "make" before it
	@make -f mk/build.mk V=$(V) install DESTDIR='$(abspath $(DESTDIR))' PREFIX=$(PREFIX)

install-broker:		# for dom0: the same without the module
	@make -f mk/build.mk V=$(V) install-broker DESTDIR='$(abspath $(DESTDIR))' PREFIX=$(PREFIX)

install-dkms:		# the module's source for DKMS instead of the built module
	@make -f mk/build.mk V=$(V) install-dkms DESTDIR='$(abspath $(DESTDIR))' PREFIX=$(PREFIX)

clean:			# what "make" built; keeps the toolchain and the lab
	rm -rf build/kmod build/bpf build/loader build/man build/include build/tests \
		build/results build/lint/kmod build/debug build/kernel-selftests

distclean: clean	# everything under build/
	@tests/lab/lab down >/dev/null 2>&1 || true
	rm -rf build

help:			# this list
	@sed -n -E -e 's/^## (.*)/\n\1:/p' \
		-e 's/^([a-z-]+):[^#]*# (.*)/  make \1\t\2/p' Makefile | expand -t 24
	@printf '\nV=1 shows the commands. DESTDIR= PREFIX= for install, KDIR= for the module.\n'
