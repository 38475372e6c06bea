/* SPDX-License-Identifier: Apache-2.0 */

/* Formatting of amounts, in whole-number arithmetic. */
#include "cli/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

char *
units_bytes(uint64_t bytes, char text[UNITS_MAX])
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	uint64_t whole = bytes;
	uint64_t rest = 0;
	size_t u = 0;

	while (whole >= 1024 && u + 1 < ARRAY_SIZE(names)) {
		rest = whole % 1024;
		whole /= 1024;
		u++;
	}
	/* Three figures, rounded down: "1.99 GiB" is less than 2. */
	if (u == 0)
		(void)snprintf(text, UNITS_MAX, "%" PRIu64 " B", whole);
	else if (whole < 10)
		(void)snprintf(text, UNITS_MAX, "%" PRIu64 ".%02" PRIu64 " %s", whole,
			       rest * 100 / 1024, names[u]);
	else if (whole < 100)
		(void)snprintf(text, UNITS_MAX, "%" PRIu64 ".%" PRIu64 " %s", whole,
			       rest * 10 / 1024, names[u]);
	else
		(void)snprintf(text, UNITS_MAX, "%" PRIu64 " %s", whole, names[u]);
	return text;
}

char *
units_rate(uint64_t bytes, uint64_t ns, char text[UNITS_MAX])
{
	__uint128_t rate = ns > 0 ? (__uint128_t)bytes * NS_PER_S / ns : 0;

	units_bytes(rate > UINT64_MAX ? UINT64_MAX : (uint64_t)rate, text);
	size_t n = strlen(text);
	(void)snprintf(text + n, UNITS_MAX - n, "/s");
	return text;
}

char *
units_clock(uint64_t seconds, char text[UNITS_MAX])
{
	uint64_t h = seconds / 3600;
	uint64_t m = seconds / 60 % 60;

	if (h > 0)
		(void)snprintf(text, UNITS_MAX, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, h, m,
			       seconds % 60);
	else
		(void)snprintf(text, UNITS_MAX, "%" PRIu64 ":%02" PRIu64, m, seconds % 60);
	return text;
}

char *
units_elapsed(uint64_t ns, char text[UNITS_MAX])
{
	uint64_t ms = ns / NS_PER_MS;

	if (ms < 10000)
		(void)snprintf(text, UNITS_MAX, "%" PRIu64 ".%02" PRIu64 " s", ms / 1000,
			       ms % 1000 / 10);
	else if (ms < 60000)
		(void)snprintf(text, UNITS_MAX, "%" PRIu64 ".%" PRIu64 " s", ms / 1000,
			       ms % 1000 / 100);
	else
		units_clock(ms / 1000, text);
	return text;
}

char *
units_count(uint64_t n, char text[UNITS_MAX])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	size_t used = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

char *
units_of(uint64_t n, const char *what, char text[UNITS_MAX])
{
	units_count(n, text);
	size_t used = strlen(text);
	(void)snprintf(text + used, UNITS_MAX - used, " %s%s", what, n == 1 ? "" : "s");
	return text;
}

char *
units_time(uint64_t wall_ns, char text[UNITS_MAX])
{
	time_t t = (time_t)(wall_ns / NS_PER_S);
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(text, UNITS_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(text, UNITS_MAX, "?");
	return text;
}
