/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The few primitives that the ring needs, for the kernel and for user space:
 * single reads and writes of shared memory, ordering between two VMs, and the
 * wire's byte order.
 */
#ifndef VMC_ARCH_H
#define VMC_ARCH_H

#ifdef __KERNEL__

#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <asm/barrier.h>
#include <asm/byteorder.h>

/* The virt_ barriers order against the other VM's CPUs also on a UP kernel. */
#define vmc_mb()		virt_mb()
#define vmc_load(p)		le32_to_cpu(READ_ONCE(*(p)))
/* ring.h says at each use what it pairs with. */
#define vmc_load_acquire(p)	le32_to_cpu(virt_load_acquire(p))
#define vmc_store(p, v)		WRITE_ONCE(*(p), cpu_to_le32(v))
/* As above. */
#define vmc_store_release(p, v) virt_store_release(p, cpu_to_le32(v))
/* After a memcpy() out of shared memory: the compiler may not read there again. */
#define vmc_copied(p)		barrier_data(p)

#else

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

#define vmc_mb()		__atomic_thread_fence(__ATOMIC_SEQ_CST)
#define vmc_load(p)		le32toh(__atomic_load_n(p, __ATOMIC_RELAXED))
#define vmc_load_acquire(p)	le32toh(__atomic_load_n(p, __ATOMIC_ACQUIRE))
#define vmc_store(p, v)		__atomic_store_n(p, htole32(v), __ATOMIC_RELAXED)
#define vmc_store_release(p, v) __atomic_store_n(p, htole32(v), __ATOMIC_RELEASE)
#define vmc_copied(p)		__asm__ volatile("" : : "r"(p) : "memory")

#define le16_to_cpu(v)		le16toh(v)
#define le32_to_cpu(v)		le32toh(v)
#define le64_to_cpu(v)		le64toh(v)
#define cpu_to_le16(v)		htole16(v)
#define cpu_to_le32(v)		htole32(v)
#define cpu_to_le64(v)		htole64(v)

#endif

#endif
