// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets that were given back, until they are closed. Threads may be asleep in a call
 * of such a socket that has come by way of our proto, and its flow, which held the
 * module, is gone. And somebody is about to make the socket his own, so it is not
 * adopted again.
 *
 * Not the socket's destructor, which a socket that listens hands on to those that it
 * accepts. So we look for what was closed every now and then. (Some are closed at once:
 * with SO_LINGER 0, TCP's close disconnects.)
 */
#include <linux/hashtable.h>
#include <linux/module.h>
#include <linux/workqueue.h>
#include <net/sock.h>

#include "chan.h"
#include "giveback.h"

#define SCAN_INTERVAL HZ

/* Holds a reference to the socket, and to the module. */
struct given_back {
	struct hlist_node node;
	struct list_head closed; /* when it is */
	struct rcu_head rcu;
	struct sock *sk;
};

static DEFINE_HASHTABLE(sockets, 12);
static DEFINE_SPINLOCK(sockets_lock); /* who writes; readers are under RCU */

static void scan(struct work_struct *work);
static DECLARE_DELAYED_WORK(scan_work, scan);

/* All calls of a socket have ended when it is closed. */
static void find_closed(struct hlist_head *bucket, struct list_head *closed)
{
	struct given_back *given;
	struct hlist_node *next;

	spin_lock_bh(&sockets_lock);
	hlist_for_each_entry_safe(given, next, bucket, node) {
		if (sock_flag(given->sk, SOCK_DEAD)) {
			hash_del_rcu(&given->node);
			list_add(&given->closed, closed);
		}
	}
	spin_unlock_bh(&sockets_lock);
}

static void forget(struct given_back *given)
{
	sock_put(given->sk);
	kfree_rcu(given, rcu);
	module_put(THIS_MODULE);
}

static void scan(struct work_struct *work)
{
	struct given_back *given, *next;
	LIST_HEAD(closed);
	unsigned int i;

	for (i = 0; i < HASH_SIZE(sockets); i++) {
		if (hlist_empty(&sockets[i]))
			continue;
		find_closed(&sockets[i], &closed);
		cond_resched();
	}
	list_for_each_entry_safe(given, next, &closed, closed) {
		forget(given);
		cond_resched();
	}
	if (!hash_empty(sockets))
		queue_delayed_work(vmc_wq, &scan_work, SCAN_INTERVAL);
}

/**
 * vmc_was_given_back() - is the socket somebody else's?
 * @sk: the socket
 *
 * Context: any but hardirq.
 */
bool vmc_was_given_back(const struct sock *sk)
{
	struct given_back *given;
	bool is_found = false;

	rcu_read_lock();
	hash_for_each_possible_rcu(sockets, given, node, (unsigned long)sk)
		is_found |= given->sk == sk;
	rcu_read_unlock();
	return is_found;
}

/**
 * vmc_remember_given_back() - the module stays until the socket is closed
 * @sk: the socket, which is given back
 *
 * Context: socket locked.
 */
void vmc_remember_given_back(struct sock *sk)
{
	struct given_back *given;

	if (vmc_was_given_back(sk))
		return;
	__module_get(THIS_MODULE);
	given = kmalloc(sizeof(*given), GFP_ATOMIC | __GFP_NOWARN);
	/* Without memory it stays for good. */
	if (!given)
		return;
	sock_hold(sk);
	given->sk = sk;
	spin_lock_bh(&sockets_lock);
	hash_add_rcu(sockets, &given->node, (unsigned long)sk);
	spin_unlock_bh(&sockets_lock);
	queue_delayed_work(vmc_wq, &scan_work, SCAN_INTERVAL);
}

/* There is none left: each held the module. */
void vmc_given_back_exit(void)
{
	cancel_delayed_work_sync(&scan_work);
}
