// SPDX-License-Identifier: GPL-2.0-only
/* Start and end of the module, and its parameters. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/log2.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/workqueue.h>

#include "chan.h"
#include "flow.h"
#include "giveback.h"
#include "half.h"
#include "kfunc.h"
#include "netdev.h"
#include "proto.h"
#include "rx.h"
#include "transport.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

static unsigned int data_pages = 1024;
module_param(data_pages, uint, 0444);
MODULE_PARM_DESC(data_pages,
		 "Pages a queue to send from, granted to each connected peer (64 to 8192)");

static unsigned int records = 1024;
module_param(records, uint, 0444);
MODULE_PARM_DESC(records, "Records a queue that may be under way (32 to 4096, a power of two)");

static unsigned int queues = 1;
module_param(queues, uint, 0444);
MODULE_PARM_DESC(queues, "Queues a channel, at most; the lower of both sides counts (1 to 16)");

static bool loopback;
module_param(loopback, bool, 0444);
MODULE_PARM_DESC(loopback,
		 "Make a channel between the peer ids 65536 and 65537 of this kernel, for tests");

/**
 * vmc_half_init_own() - vmc_half_init() with the sizes of the module parameters
 * @half: the half
 */
int vmc_half_init_own(struct vmc_half *half)
{
	u32 nr_data = clamp(data_pages, 64u, VMC_MAX_DATA_PAGES);
	u32 nr_records = clamp(rounddown_pow_of_two(records | 1),
			       (unsigned long)VMC_RECORDS_PER_PAGE, (unsigned long)VMC_MAX_RECORDS);
	/* Small messages share pages: room for several segments a page. */
	u32 nr_returns = min(roundup_pow_of_two(nr_data) * 4, (unsigned long)VMC_MAX_RETURNS);

	return vmc_half_init(half, nr_records, max_t(u32, nr_returns, VMC_RETURNS_PER_PAGE),
			     nr_data);
}

u16 vmc_max_queues(void)
{
	return clamp(queues, 1u, 16u);
}

struct workqueue_struct *vmc_wq;

static int __init vmc_init(void)
{
	int err;

	vmc_wq = alloc_workqueue("vmc", WQ_UNBOUND, 0);
	if (!vmc_wq)
		return -ENOMEM;

	vmc_proto_init();
	vmc_sock_ops_init();
	err = vmc_rx_init();
	if (err)
		goto err_wq;
	err = vmc_flows_init();
	if (err)
		goto err_rx;
	err = vmc_netdev_init();
	if (err)
		goto err_flows;
	err = vmc_kfuncs_init();
	if (err)
		goto err_netdev;
	if (loopback) {
		err = vmc_loopback_init();
		if (err)
			goto err_netdev;
	}
	err = vmc_xenbus_init();
	if (err)
		goto err_loopback;
	return 0;

err_loopback:
	if (loopback)
		vmc_loopback_exit();
err_netdev:
	vmc_netdev_exit();
err_flows:
	vmc_flows_exit();
err_rx:
	vmc_rx_exit();
err_wq:
	destroy_workqueue(vmc_wq);
	return err;
}

/*
 * No flow is left, since each holds a reference to the module, and no program
 * that could open one. A task may still be on its way out of a function of ours
 * that dropped the last reference: wait for these, too.
 */
static void __exit vmc_exit(void)
{
	vmc_xenbus_exit();
	if (loopback)
		vmc_loopback_exit();
	vmc_chans_exit();
	vmc_given_back_exit();
	destroy_workqueue(vmc_wq);
	vmc_netdev_exit();
	vmc_flows_exit();
	vmc_rx_exit();
	synchronize_rcu_tasks();
}

module_init(vmc_init);
module_exit(vmc_exit);

MODULE_AUTHOR("The vmc authors");
MODULE_DESCRIPTION("Shared-memory fast path for TCP between co-resident Xen guests");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
