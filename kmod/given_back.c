// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets that were given back, until they are closed. Threads may be asleep in a call
 * of such a socket that has come by way of our proto, and its flow, which held the
 * module, is gone. And somebody is about to make the socket his own, so it is not
 * adopted again.
 *
 * Not the socket's destructor, which a socket that listens hands on to those that it
 * accepts. So we look for what was closed every now and then.
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
	struct rcu_head rcu;
	struct sock *sk;
};

static DEFINE_HASHTABLE(sockets, 8);
static DEFINE_SPINLOCK(sockets_lock); /* who writes; readers are under RCU */

static void scan(struct work_struct *work);
static DECLARE_DELAYED_WORK(scan_work, scan);

static void __forget(struct given_back *given)
{
	hash_del_rcu(&given->node);
	sock_put(given->sk);
	kfree_rcu(given, rcu);
	module_put(THIS_MODULE);
}

/* All calls of a socket have ended when it is closed. */
static void scan(struct work_struct *work)
{
	struct given_back *given;
	struct hlist_node *next;
	unsigned int bucket;

	spin_lock_bh(&sockets_lock);
	hash_for_each_safe(sockets, bucket, next, given, node)
		if (sock_flag(given->sk, SOCK_DEAD))
			__forget(given);
	if (!hash_empty(sockets))
		queue_delayed_work(vmc_wq, &scan_work, SCAN_INTERVAL);
	spin_unlock_bh(&sockets_lock);
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
	queue_delayed_work(vmc_wq, &scan_work, SCAN_INTERVAL);
	spin_unlock_bh(&sockets_lock);
}

/* There is none left: each held the module. */
void vmc_given_back_exit(void)
{
	cancel_delayed_work_sync(&scan_work);
}
