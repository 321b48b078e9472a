// SPDX-License-Identifier: GPL-2.0-only
/*
 * The transport "loopback": a channel between two ends in one kernel, so that
 * rings, workers and flows run without a hypervisor, between two network
 * namespaces. End 0 is the peer of end 1 and the other way round: a socket whose
 * remote address leads to peer VMC_PEER_LOOPBACK + n uses the end that faces n.
 */
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>

#include "../include/vmc/bpf.h"
#include "chan.h"
#include "queue.h"
#include "stats.h"
#include "transport.h"

static struct vmc_chan *ends[2];
static DEFINE_MUTEX(loopback_mutex);
static bool is_tried, is_connected, is_stopped;

static struct vmc_chan *loopback_other(const struct vmc_chan *chan)
{
	return ends[chan == ends[0]];
}

/* The peer sees our pages themselves. */
static int loopback_map(struct vmc_queue *q, const struct vmc_queue *other)
{
	u32 i;
	int err;

	err = vmc_half_init(&q->peer, other->own.nr_records, other->own.nr_returns,
			    other->own.nr_data);
	if (err)
		return err;
	q->peer.head = other->own.head;
	for (i = 0; i < q->peer.nr_pages; i++)
		q->peer.pages[i] = other->own.pages[i];
	vmc_half_point(&q->peer);
	return 0;
}

static void loopback_free(struct vmc_queue *q)
{
	vmc_half_exit(&q->peer);
	vmc_half_free_pages(&q->own);
	vmc_half_exit(&q->own);
}

static int loopback_alloc(struct vmc_queue *q)
{
	int err = vmc_half_init_own(&q->own);

	return err ?: vmc_half_alloc_pages(&q->own);
}

static int loopback_setup(void)
{
	u16 nr_queues = vmc_max_queues();
	int i, end, err;

	for (end = 0; end < 2; end++) {
		err = vmc_chan_set_queues(ends[end], nr_queues);
		for (i = 0; !err && i < nr_queues; i++)
			err = loopback_alloc(&ends[end]->queues[i]);
		if (err)
			return err;
	}
	for (end = 0; end < 2; end++) {
		for (i = 0; i < nr_queues; i++) {
			struct vmc_queue *q = &ends[end]->queues[i];

			err = loopback_map(q, &ends[!end]->queues[i]) ?: vmc_queue_setup(q);
			if (err)
				return err;
		}
	}
	return 0;
}

static void loopback_connect(struct vmc_chan *chan)
{
	mutex_lock(&loopback_mutex);
	if (!is_tried && !is_stopped) {
		is_tried = true;
		is_connected = !loopback_setup();
	}
	if (is_connected && vmc_chan_state(ends[0]) != VMC_CHAN_CONNECTED && !is_stopped) {
		vmc_chan_connected(ends[0]);
		vmc_chan_connected(ends[1]);
	}
	mutex_unlock(&loopback_mutex);
}

/* Both ends are ours: that is a bug, and the channel stays as it is. */
static void loopback_fail(struct vmc_chan *chan)
{
	WARN_ON_ONCE(1);
}

static void loopback_notify(struct vmc_queue *q)
{
	struct vmc_chan *other = loopback_other(q->chan);

	vmc_stat_inc(rx_doorbells);
	vmc_queue_kick(&other->queues[q->index]);
}

static void loopback_poll_done(struct vmc_queue *q, u32 progress)
{
}

static const struct vmc_transport loopback_transport = {
	.name = "loopback",
	.connect = loopback_connect,
	.fail = loopback_fail,
	.notify = loopback_notify,
	.poll_done = loopback_poll_done,
};

int vmc_loopback_init(void)
{
	int end, err;

	for (end = 0; end < 2; end++) {
		ends[end] = vmc_chan_alloc(VMC_PEER_LOOPBACK + !end, &loopback_transport, NULL);
		err = ends[end] ? vmc_chan_register(ends[end]) : -ENOMEM;
		if (err)
			goto err;
	}
	return 0;
err:
	vmc_loopback_exit();
	return err;
}

void vmc_loopback_exit(void)
{
	int end, i;

	mutex_lock(&loopback_mutex);
	is_stopped = true;
	mutex_unlock(&loopback_mutex);
	for (end = 0; end < 2; end++)
		if (ends[end])
			vmc_chan_stop(ends[end]);
	for (end = 0; end < 2; end++)
		if (ends[end])
			vmc_chan_finish(ends[end]);
	for (end = 0; end < 2; end++) {
		if (!ends[end])
			continue;
		flush_work(&ends[end]->connect_work);
		for (i = 0; i < ends[end]->nr_queues; i++)
			loopback_free(&ends[end]->queues[i]);
		vmc_chan_put(ends[end]);
		ends[end] = NULL;
	}
}
