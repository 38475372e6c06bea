/* SPDX-License-Identifier: Apache-2.0 */

/*
 * For LD_PRELOAD: while the file HF_CLOCKSTEP_FILE exists the wall clock is a day ahead, for every process
 * that has this library. CLOCK_BOOTTIME and CLOCK_MONOTONIC are what they are, as when an administrator or
 * a time server sets the clock.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { STEP_S = 24 * 3600 };

static time_t
step(void)
{
	const char *file = getenv("HF_CLOCKSTEP_FILE");

	return file != NULL && access(file, F_OK) == 0 ? STEP_S : 0;
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int (*real)(clockid_t, struct timespec *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	int rc = real(clock, ts);
	if (rc == 0 && clock == CLOCK_REALTIME)
		ts->tv_sec += step();
	return rc;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	int rc = clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return rc;
}

time_t
time(time_t *ret)
{
	struct timespec ts = {0};

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	if (ret != NULL)
		*ret = ts.tv_sec;
	return ts.tv_sec;
}
