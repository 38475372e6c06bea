/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The clocks, and their replacement for tests. The fake is read on every call from any thread, hence
 * atomics; a test sets it before it starts threads, so the three values need no lock.
 */
#include "base/clock.h"

#include <assert.h>
#include <limits.h>
#include <stdatomic.h>
#include <time.h>

static atomic_bool fake_on;
static _Atomic uint64_t fake_boot_ns;
static _Atomic uint64_t fake_wall_ns;

static uint64_t
read_clock(clockid_t id)
{
	struct timespec t;

	/* Fails only for a clock that the kernel does not have; all three are older than we are. */
	int rc = clock_gettime(id, &t);
	assert(rc == 0);
	(void)rc;
	return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

uint64_t
clock_boot_ns(void)
{
	if (atomic_load(&fake_on))
		return atomic_load(&fake_boot_ns);
	return read_clock(CLOCK_BOOTTIME);
}

uint64_t
clock_wall_ns(void)
{
	if (atomic_load(&fake_on))
		return atomic_load(&fake_wall_ns);
	return read_clock(CLOCK_REALTIME);
}

uint64_t
clock_cpu_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int
clock_left_ms(uint64_t deadline_ns)
{
	if (deadline_ns == UINT64_MAX)
		return -1;

	uint64_t now = clock_boot_ns();
	if (deadline_ns <= now)
		return 0;
	/* Rounded up: a wait that ends early would be repeated with 0 ms, spinning. */
	uint64_t left_ms = (deadline_ns - now - 1) / NS_PER_MS + 1;
	return left_ms < INT_MAX ? (int)left_ms : INT_MAX;
}

void
clock_fake_set(uint64_t boot_ns, uint64_t wall_ns)
{
	atomic_store(&fake_boot_ns, boot_ns);
	atomic_store(&fake_wall_ns, wall_ns);
	atomic_store(&fake_on, true);
}

void
clock_fake_advance(uint64_t ns)
{
	atomic_fetch_add(&fake_boot_ns, ns);
	atomic_fetch_add(&fake_wall_ns, ns);
}

void
clock_fake_off(void)
{
	atomic_store(&fake_on, false);
}

char *
clock_format_utc(uint64_t wall_ns, char text[32])
{
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm t;

	/* 64 bits of nanoseconds end in the year 2554: neither call can fail. */
	struct tm *known = gmtime_r(&seconds, &t);
	assert(known != NULL);
	(void)known;
	size_t n = strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &t);
	assert(n > 0);
	(void)n;
	return text;
}
