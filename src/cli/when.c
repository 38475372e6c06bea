/* SPDX-License-Identifier: Apache-2.0 */

/* Date and time by strptime(3), the rest by hand: it knows neither fractions nor which zone. */
#include "cli/when.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

/* ".123456" as nanoseconds; up to nine digits. */
static const char *
take_fraction(const char *p, uint64_t *ret_ns)
{
	uint64_t unit = NS_PER_S / 10;

	*ret_ns = 0;
	if (*p != '.')
		return p;
	if (p[1] < '0' || p[1] > '9')
		return NULL;
	for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10) {
		if (unit == 0)
			return NULL;
		*ret_ns += (uint64_t)(*p - '0') * unit;
	}
	return p;
}

static bool
two_digits(const char *p, long max, long *ret)
{
	if (p[0] < '0' || p[0] > '9' || p[1] < '0' || p[1] > '9')
		return false;
	*ret = (p[0] - '0') * 10 + (p[1] - '0');
	return *ret <= max;
}

/* "Z", "+01", "+0130", "+01:30", nothing. */
static bool
take_zone(const char *p, bool *ret_local, long *ret_offset_s)
{
	long hours, minutes = 0;

	while (*p == ' ')
		p++;
	*ret_local = *p == '\0';
	*ret_offset_s = 0;
	if (*p == '\0' || strcmp(p, "Z") == 0 || strcmp(p, "UTC") == 0)
		return true;
	if ((*p != '+' && *p != '-') || !two_digits(p + 1, 15, &hours))
		return false;
	const char *rest = p + 3;
	if (*rest == ':')
		rest++;
	if (*rest != '\0' && (!two_digits(rest, 59, &minutes) || rest[2] != '\0'))
		return false;
	*ret_offset_s = (*p == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	return true;
}

static bool
parse(const char *text, const char *form, uint64_t *ret_ns)
{
	struct tm tm = {.tm_isdst = -1};
	const char *p = strptime(text, form, &tm);
	uint64_t fraction_ns;
	bool local;
	long offset_s;

	if (p == NULL || (p = take_fraction(p, &fraction_ns)) == NULL ||
	    !take_zone(p, &local, &offset_s))
		return false;
	if (fraction_ns > 0 && strstr(form, "%S") == NULL)
		return false;
	if (!local)
		tm.tm_isdst = 0;
	time_t t = local ? mktime(&tm) : timegm(&tm) - offset_s;
	if (t < 0)
		return false;
	*ret_ns = (uint64_t)t * NS_PER_S + fraction_ns;
	return true;
}

int
when_parse(const char *text, uint64_t *ret_ns, struct error *err)
{
	static const char *const forms[] = {
		"%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M",
		"%Y-%m-%dT%H:%M",    "%Y-%m-%d",
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (parse(text, forms[i], ret_ns))
			return OK;
	(void)error_set(err, ERR_USAGE, "'%s' is no moment", text);
	return error_hint(err, "as in '2026-11-22 14:25:06.5+01:00'; without an offset it is local "
			       "time");
}
