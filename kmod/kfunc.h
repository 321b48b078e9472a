/* SPDX-License-Identifier: GPL-2.0-only */
/* The module's face to BPF programs; include/vmc/bpf.h is what they see of it. */
#ifndef VMC_KFUNC_H
#define VMC_KFUNC_H

int vmc_kfuncs_init(void);

#endif
