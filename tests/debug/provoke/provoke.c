// SPDX-License-Identifier: GPL-2.0-only
/*
 * One mistake of each kind that the debug kernel must find, by insmod provoke.ko
 * what=KIND: a suite without reports says something only if these are reported.
 * It never stays loaded.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

static char *what = "";
module_param(what, charp, 0);

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(spin);

static void provoke_slab(void)
{
	u8 *p = kmalloc(100, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	if (p)
		READ_ONCE(p[100]);
	kfree(p);
}

static void provoke_free(void)
{
	u8 *p = kmalloc(100, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
	kfree(p);
	if (p)
		READ_ONCE(p[10]);
}

static void provoke_vmalloc(void)
{
	u8 *p = vmalloc(5000);

	OPTIMIZER_HIDE_VAR(p);
	if (p)
		READ_ONCE(p[5000]);
	vfree(p);
}

static void provoke_leak(void)
{
	void *p = kmalloc(1000, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(p);
}

static void provoke_sleep(void)
{
	spin_lock(&spin);
	msleep(20);
	spin_unlock(&spin);
}

static void provoke_bounds(void)
{
	static u8 array[4];
	int i = 5; /* the address of what is right behind the end may be taken */

	OPTIMIZER_HIDE_VAR(i);
	READ_ONCE(array[i]);
}

static void provoke_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static const struct {
	const char *name;
	void (*run)(void);
} kinds[] = {
	{ "slab", provoke_slab },   { "free", provoke_free },	{ "vmalloc", provoke_vmalloc },
	{ "leak", provoke_leak },   { "sleep", provoke_sleep }, { "bounds", provoke_bounds },
	{ "order", provoke_order },
};

static int __init provoke_init(void)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, what))
			kinds[i].run();
	return -ECANCELED;
}
module_init(provoke_init);

MODULE_DESCRIPTION("Mistakes for the checkers of the debug kernel");
MODULE_LICENSE("GPL");
