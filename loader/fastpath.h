/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fast path as the kernel holds it: maps and links of the BPF programs, pinned
 * under VMC_PIN_DIR so that they outlive the loader.
 */
#ifndef VMC_FASTPATH_H
#define VMC_FASTPATH_H

#include <stdbool.h>

#include <linux/types.h>

#include <vmc/bpf.h>

#define FASTPATH_PIN_SOCKOPS VMC_PIN_DIR "/link_sockops"
#define FASTPATH_PIN_SKMSG   VMC_PIN_DIR "/link_skmsg"

struct vmc_bpf;

struct fastpath {
	struct vmc_bpf *skel;
	int peers_fd;	   /* map vmc_peers, the skeleton's */
	bool was_attached; /* this run took over an earlier one's pins */
};

bool fastpath_is_attached(void);
int fastpath_attach(struct fastpath *fp, const char *cgroup);
void fastpath_close(struct fastpath *fp);
void fastpath_undo(struct fastpath *fp);
int fastpath_remove(void);
int fastpath_open_peers(void);
int fastpath_iter_link(const struct fastpath *fp);

#endif
