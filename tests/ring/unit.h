/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef UNIT_H
#define UNIT_H

/* check.c */
void test_power_of_2(void);
void test_head_good(void);
void test_head_bad(void);
void test_record_good(void);
void test_record_bad(void);
void test_record_copy(void);

#endif
