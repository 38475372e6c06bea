/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The one place that asks what time it is. Deadlines are points on the boot clock (CLOCK_BOOTTIME:
 * suspend counts, steps of the wall clock do not); the wall clock is only for what people read.
 * Tests may replace both.
 */
#ifndef HF_BASE_CLOCK_H
#define HF_BASE_CLOCK_H

#include <stdbool.h>

#include "base/base.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

uint64_t clock_boot_ns(void);
uint64_t clock_wall_ns(void); /* since 1970-01-01 UTC */
uint64_t clock_cpu_ns(void); /* CPU time of the calling thread; never faked */

/* Milliseconds left until a boot-clock deadline, rounded up, 0 if past, clamped to INT_MAX: fit for
 * poll(2). UINT64_MAX is "no deadline" and gives -1. */
int clock_left_ms(uint64_t deadline_ns);

/* For tests: freeze both clocks at the given values; advance them; go back to the real ones. */
void clock_fake_set(uint64_t boot_ns, uint64_t wall_ns);
void clock_fake_advance(uint64_t ns);
void clock_fake_off(void);

/* "2026-11-22T21:06:28Z" into a buffer of at least 32 bytes; returns it. */
char *clock_format_utc(uint64_t wall_ns, char text[32]);

#endif
