/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Parsing and printing of values with units. Numbers are read digit by digit, since strtoull would
 * accept signs, spaces and a leading "0x".
 */
#include "config/value.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct unit {
	const char *name;
	uint64_t factor;
};

/* The first name of each factor is the one that is printed. */
static const struct unit size_units[] = {
	{"TiB", UINT64_C(1) << 40},
	{"GiB", UINT64_C(1) << 30},
	{"MiB", UINT64_C(1) << 20},
	{"KiB", UINT64_C(1) << 10},
	{"B", 1},
	{"T", UINT64_C(1) << 40},
	{"G", UINT64_C(1) << 30},
	{"M", UINT64_C(1) << 20},
	{"K", UINT64_C(1) << 10},
	{"TB", UINT64_C(1000000000000)},
	{"GB", UINT64_C(1000000000)},
	{"MB", UINT64_C(1000000)},
	{"kB", UINT64_C(1000)},
};

/* Largest first, as they are printed. Years are read but not printed: they are not exact. */
static const struct unit duration_units[] = {
	{"w", UINT64_C(7) * 24 * 3600},
	{"d", UINT64_C(24) * 3600},
	{"h", 3600},
	{"m", 60},
	{"s", 1},
	{"y", UINT64_C(365) * 24 * 3600},
};

enum { DURATION_PRINTED = 5 };

/* Digits at *text; false if there are none or they do not fit. */
static bool
take_digits(const char **text, uint64_t *ret)
{
	uint64_t v = 0;
	const char *p = *text;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, UINT64_C(10), &v) ||
		    __builtin_add_overflow(v, (uint64_t)(*p - '0'), &v))
			return false;
	if (p == *text)
		return false;
	*text = p;
	*ret = v;
	return true;
}

static const struct unit *
find_unit(const struct unit *units, size_t n, const char *name, size_t len)
{
	for (size_t i = 0; i < n; i++)
		if (strlen(units[i].name) == len && memcmp(units[i].name, name, len) == 0)
			return &units[i];
	return NULL;
}

int
value_parse_number(const char *text, uint64_t *ret, struct error *err)
{
	const char *p = text;
	uint64_t v;

	if (!take_digits(&p, &v) || *p != '\0')
		return error_set(err, ERR_CONFIG, "'%s' is not a whole number", text);
	*ret = v;
	return OK;
}

int
value_parse_size(const char *text, uint64_t *ret_bytes, struct error *err)
{
	const char *p = text;
	uint64_t v;

	if (!take_digits(&p, &v))
		return error_set(err, ERR_CONFIG, "'%s' is not a size, as in 128MiB", text);
	if (*p != '\0') {
		const struct unit *unit = find_unit(size_units, ARRAY_SIZE(size_units), p,
						    strlen(p));

		if (unit == NULL)
			return error_set(err, ERR_CONFIG,
					 "'%s': no such unit: B, KiB, MiB, GiB, TiB", text);
		if (__builtin_mul_overflow(v, unit->factor, &v))
			return error_set(err, ERR_CONFIG, "'%s' is too large", text);
	}
	*ret_bytes = v;
	return OK;
}

/* A sum of numbers with units. `names` are those units, for messages. */
static int
parse_duration(const char *text, const struct unit *units, size_t n_units, const char *names,
	       uint64_t *ret, struct error *err)
{
	const char *p = text;
	uint64_t total = 0;

	if (strcmp(text, "0") == 0) {
		*ret = 0;
		return OK;
	}
	do {
		uint64_t v;
		size_t len;
		const struct unit *unit;

		if (!take_digits(&p, &v))
			return error_set(err, ERR_CONFIG, "'%s' is not a duration, as in 1h30m",
					 text);
		len = strcspn(p, "0123456789");
		unit = find_unit(units, n_units, p, len);
		if (unit == NULL)
			return error_set(err, ERR_CONFIG, "'%s': give the unit: %s, as in 1h30m",
					 text, names);
		if (__builtin_mul_overflow(v, unit->factor, &v) ||
		    __builtin_add_overflow(total, v, &total))
			return error_set(err, ERR_CONFIG, "'%s' is too long", text);
		p += len;
	} while (*p != '\0');
	*ret = total;
	return OK;
}

int
value_parse_duration(const char *text, uint64_t *ret_s, struct error *err)
{
	return parse_duration(text, duration_units, ARRAY_SIZE(duration_units),
			      "s, m, h, d, w or y", ret_s, err);
}

int
value_parse_duration_ms(const char *text, uint64_t *ret_ms, struct error *err)
{
	struct unit units[ARRAY_SIZE(duration_units) + 1] = {{"ms", 1}};

	for (size_t i = 0; i < ARRAY_SIZE(duration_units); i++)
		units[i + 1] = (struct unit){duration_units[i].name,
					     duration_units[i].factor * 1000};
	return parse_duration(text, units, ARRAY_SIZE(units), "ms, s, m, h, d, w or y", ret_ms,
			      err);
}

int
value_parse_bool(const char *text, bool *ret, struct error *err)
{
	static const char *const words[][2] = {
		{"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		for (int j = 0; j < 2; j++)
			if (strcasecmp(text, words[i][j]) == 0) {
				*ret = j == 1;
				return OK;
			}
	return error_set(err, ERR_CONFIG, "'%s' is neither yes nor no", text);
}

char *
value_format_size(uint64_t bytes, char text[VALUE_TEXT_MAX])
{
	size_t i = 0;

	while (size_units[i].factor > 1 && (bytes == 0 || bytes % size_units[i].factor != 0))
		i++;
	(void)snprintf(text, VALUE_TEXT_MAX, "%" PRIu64 "%s", bytes / size_units[i].factor,
		       size_units[i].name);
	return text;
}

char *
value_format_duration(uint64_t s, char text[VALUE_TEXT_MAX])
{
	size_t n = 0;

	if (s == 0)
		(void)snprintf(text, VALUE_TEXT_MAX, "0s");
	/* Whole weeks as weeks only when nothing is left over: 90 d reads better than 12w6d. */
	for (size_t i = s % duration_units[0].factor == 0 ? 0 : 1; s > 0 && i < DURATION_PRINTED;
	     i++) {
		uint64_t v = s / duration_units[i].factor;

		if (v == 0)
			continue;
		int wrote = snprintf(text + n, VALUE_TEXT_MAX - n, "%" PRIu64 "%s", v,
				     duration_units[i].name);
		n += (size_t)wrote;
		s -= v * duration_units[i].factor;
	}
	return text;
}

char *
value_format_duration_ms(uint64_t ms, char text[VALUE_TEXT_MAX])
{
	size_t n = 0;

	text[0] = '\0';
	if (ms >= 1000 || ms == 0)
		n = strlen(value_format_duration(ms / 1000, text));
	if (ms % 1000 != 0)
		(void)snprintf(text + n, VALUE_TEXT_MAX - n, "%" PRIu64 "ms", ms % 1000);
	return text;
}
