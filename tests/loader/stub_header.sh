#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Prints include/vmc/bpf.h with the module's kfuncs replaced by ones that do nothing and
# succeed, so that the programs load, and the loader can be tested, without the module.
sed 's/^extern int \(bpf_vmc_[^;]*\) __ksym;/static __always_inline int \1 { return 0; }/' "$@"
