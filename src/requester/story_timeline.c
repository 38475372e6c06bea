/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The events of a job as lines for people: the event's own sentence, then its values in words. Many
 * keep-alives are one line, but the last of them stands alone: it is what everything hangs on.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/hresult.h"
#include "base/text.h"
#include "requester/story_internal.h"

/* What a value is called, and how it is written. */
enum kind { TEXT, SECONDS, MILLISECONDS, BYTES, ID, CODE, UNPROVEN };

static const struct {
	const char *name;
	enum kind kind;
	const char *before, *after;
} phrases[] = {
	{"host", TEXT, "host ", ""},
	{"group", TEXT, "group ", ""},
	{"copy", TEXT, "copy ", ""},
	{"active", TEXT, "active: ", ""},
	{"role", TEXT, "now ", ""},
	{"timeline", TEXT, "timeline ", ""},
	{"first", TEXT, "from ", ""},
	{"last", TEXT, "to ", ""},
	{"from", TEXT, "from ", ""},
	{"to", TEXT, "to ", ""},
	{"files", TEXT, "", " files"},
	{"took_ms", MILLISECONDS, "in ", ""},
	{"try", TEXT, "try ", ""},
	{"tries", TEXT, "of ", ""},
	{"wait_s", SECONDS, "again in ", ""},
	{"why", TEXT, "", ""},
	{"paths", TEXT, "", ""},
	{"writer", TEXT, "", ""},
	{"writers", TEXT, "writers: ", ""},
	{"provider", TEXT, "by ", ""},
	{"step", TEXT, "at ", ""},
	{"state", TEXT, "", ""},
	{"source", TEXT, "", ""},
	{"place", TEXT, "", ""},
	{"exposed", TEXT, "at ", ""},
	{"peer", TEXT, "", ""},
	{"agent", TEXT, "", ""},
	{"user", TEXT, "", ""},
	{"ttl_s", SECONDS, "snapshot_timeout ", ""},
	{"freeze_limit_s", SECONDS, "freeze_limit ", ""},
	{"limit_ms", MILLISECONDS, "limit ", ""},
	{"frozen_ms", MILLISECONDS, "stood still for ", ""},
	{"away_ms", MILLISECONDS, "after ", ""},
	{"since_ms", MILLISECONDS, "", " after the last"},
	{"left_ms", MILLISECONDS, "", " of the time to live left"},
	{"ended_ms", MILLISECONDS, "it had ended ", " before"},
	{"moved_ms", MILLISECONDS, "in ", ""},
	{"bytes", BYTES, "", ""},
	{"free_bytes", BYTES, "", " free"},
	{"floor_bytes", BYTES, "floor ", ""},
	{"point", ID, "restore point ", ""},
	{"consistency", TEXT, "consistency ", ""},
	{"wanted", TEXT, "asked for ", ""},
	{"proven", UNPROVEN, "not one moment", ""},
	{"count", TEXT, "", ""},
	{"held", TEXT, "held: ", ""},
	{"ended", TEXT, "ended: ", ""},
	{"code", CODE, "", ""},
	{"cause", TEXT, "", ""},
	{"error", TEXT, "", ""},
};

static char *
bytes_text(uint64_t n, char text[32])
{
	static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
	size_t unit = 0;
	uint64_t tenths = n * 10;

	if (n > UINT64_MAX / 10)
		tenths = UINT64_MAX;
	for (; tenths >= 10240 && unit + 1 < ARRAY_SIZE(units); unit++)
		tenths /= 1024;
	if (unit == 0)
		(void)text_printf(text, 32, "%" PRIu64 " bytes", n);
	else
		(void)text_printf(text, 32, "%" PRIu64 ".%" PRIu64 " %s", tenths / 10, tenths % 10,
				  units[unit]);
	return text;
}

/* "LEASE_ENDED, 0x800401fd - CO_E_OBJNOTCONNECTED" */
static void
code_text(const char *name, char *text, size_t size)
{
	char hresult[HRESULT_TEXT_MAX];
	enum err code;

	(void)text_printf(text, size, "%s", name);
	for (size_t i = 0; (code = error_code_at(i)) != OK; i++)
		if (strcmp(error_name(code), name) == 0 && error_hresult(code) != 0)
			(void)text_printf(text, size, "%s, %s", name,
					  hresult_text(error_hresult(code), hresult));
}

/* A value in words; false if it says nothing. */
static bool
value_text(const struct event *e, size_t i, char *text, size_t size)
{
	char scratch[24], part[32];
	const char *name = phrases[i].name;
	const char *value = event_field(e, name, scratch);
	uint64_t number = event_number(e, name);

	if (value[0] == '\0')
		return false;
	switch (phrases[i].kind) {
	case TEXT:
		(void)text_printf(text, size, "%s", value);
		return true;
	case SECONDS:
		(void)text_printf(text, size, "%" PRIu64 " s", number);
		return true;
	case MILLISECONDS:
		(void)text_printf(text, size, "%s", story_span(number, part));
		return true;
	case BYTES:
		(void)text_printf(text, size, "%s", bytes_text(number, part));
		return true;
	case ID:
		(void)text_printf(text, size, "%.8s", value);
		return true;
	case CODE:
		code_text(value, text, size);
		return true;
	case UNPROVEN:
		text[0] = '\0';
		return strcmp(value, "no") == 0;
	}
	return false;
}

static void
append(char *text, size_t size, const char *more)
{
	size_t n = strlen(text);

	if (size - n >= 8)
		(void)text_printf(text + n, size - n, "%s", more);
}

static void
event_line(const struct event *e, struct story_line *line)
{
	const char *text = event_text(e->id);
	bool open = false;

	line->time_ns = e->time_ns;
	line->level = e->level;
	(void)text_printf(line->text, sizeof(line->text), "%s", text != NULL ? text : e->name);
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++) {
		char value[400];

		/* That all is well need not be said of each line. */
		if (!value_text(e, i, value, sizeof(value)))
			continue;
		append(line->text, sizeof(line->text), open ? "; " : " (");
		append(line->text, sizeof(line->text), phrases[i].before);
		append(line->text, sizeof(line->text), value);
		append(line->text, sizeof(line->text), phrases[i].after);
		open = true;
	}
	if (open)
		append(line->text, sizeof(line->text), ")");
}

/* Several keep-alives, all but the last of the job, in one line. */
static void
keeps_line(const struct event *first, const struct event *last, size_t n, uint64_t gap_ms,
	   struct story_line *line)
{
	char from[24], to[24], gap[32];

	line->time_ns = first->time_ns;
	line->level = LOG_LEVEL_INFO;
	if (n == 1)
		(void)text_printf(line->text, sizeof(line->text), "Keep snapshot.");
	else
		(void)text_printf(line->text, sizeof(line->text),
				  "Keep snapshot: %zu keep-alives, %s to %s, at most %s apart.", n,
				  story_clock(first->time_ns, from), story_clock(last->time_ns, to),
				  story_span(gap_ms, gap));
}

static void
last_keep_line(const struct story_facts *f, const struct event *e, struct story_line *line)
{
	char until[24], span[32];

	line->time_ns = e->time_ns;
	line->level = LOG_LEVEL_INFO;
	if (f->ttl_ms == 0)
		(void)text_printf(line->text, sizeof(line->text),
				  "Keep snapshot: the last keep-alive.");
	else
		(void)text_printf(line->text, sizeof(line->text),
				  "Keep snapshot: the last keep-alive. Held for %s from now, until "
				  "%s.",
				  story_span(f->ttl_ms, span),
				  story_clock(e->time_ns + f->ttl_ms * NS_PER_MS, until));
}

static bool
is_keep(const struct event *e)
{
	return e->id == EVENT_KEEP_RECEIVED;
}

/* The number of keep-alives from i on with nothing else between them, without the job's last. */
static size_t
run_of_keeps(const struct event_list *events, size_t i, size_t last_keep, uint64_t *ret_gap_ms)
{
	size_t n = 0;
	uint64_t gap = 0;

	for (; i + n < events->n && i + n < last_keep && is_keep(&events->items[i + n]); n++)
		if (n > 0)
			gap = MAX(gap,
				  events->items[i + n].time_ns - events->items[i + n - 1].time_ns);
	*ret_gap_ms = gap / NS_PER_MS;
	return n;
}

int
story_timeline(const struct event_list *events, const struct story_facts *f, struct story *s,
	       struct error *err)
{
	size_t last_keep = events->n;

	s->lines = calloc(events->n, sizeof(*s->lines));
	if (s->lines == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < events->n; i++)
		if (is_keep(&events->items[i]))
			last_keep = i;
	for (size_t i = 0; i < events->n;) {
		const struct event *e = &events->items[i];
		struct story_line *line = &s->lines[s->n_lines++];
		uint64_t gap_ms;
		size_t n = run_of_keeps(events, i, last_keep, &gap_ms);

		if (i == last_keep) {
			last_keep_line(f, e, line);
			i++;
		} else if (n > 0) {
			keeps_line(e, &events->items[i + n - 1], n, gap_ms, line);
			i += n;
		} else {
			event_line(e, line);
			i++;
		}
	}
	return OK;
}
