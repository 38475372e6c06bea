/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The event log, both ways: a line from a file (or an agent's answer) is an event or is passed over, and an
 * event that was read can be shown; fields that another process worded, with bytes of anybody's choice
 * in them, become a line that reads back.
 */
#include <string.h>

#include "base/event_list.h"
#include "base/eventlog.h"
#include "base/eventlog_entry.h"
#include "base/eventlog_read.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool what)
{
	if (!what)
		abort();
}

static void
read_line(struct slice line)
{
	static const struct eventlog_filter one = {.job = "{7d0e", .level = LOG_LEVEL_WARN};
	CLEAN(json_done) json_t *j = NULL, *shown = NULL;
	CLEAN(event_done) struct event e = {0};
	CLEAN(event_done) struct event again = {0};
	struct error err = ERROR_INIT;
	char scratch[24];

	if (json_parse(line, "event", &j, &err) < 0 || event_from_json(j, &e, &err) < 0)
		return;
	(void)eventlog_read_wanted(&one, &e);
	(void)event_number(&e, "ttl_s");
	need(strlen(event_field(&e, "error", scratch)) <= line.n * 6 + sizeof(scratch));
	shown = event_to_json(&e);
	need(shown != NULL && event_from_json(shown, &again, &err) == OK);
	need(again.id == e.id && again.time_ns == e.time_ns && again.level == e.level &&
	     strcmp(again.job, e.job) == 0 && json_equal(again.fields, e.fields));
}

static void
write_line(const uint8_t *data, size_t size)
{
	enum { AFTER = 1 };
	static const char program[] = "holdfast-guard";
	struct eventlog_entry entry;
	char fields[EVENTLOG_FIELDS_MAX + 64], text[EVENTLOG_LINE_MAX], people[EVENTLOG_FIELDS_MAX];
	CLEAN(json_done) json_t *j = NULL;
	CLEAN(event_done) struct event e = {0};
	struct error err = ERROR_INIT;
	size_t n = MIN(size - AFTER, sizeof(fields) - 1);

	memcpy(fields, data + AFTER, n);
	fields[n] = '\0';
	eventlog_entry_take(&entry, UINT64_C(1700000000123456789),
			    (enum event_id)event_at(data[0] % 32), n > 40 ? fields + n - 40 : NULL,
			    fields);
	n = eventlog_entry_line(&entry, program, text, sizeof(text));
	need(n > 0 && n <= sizeof(text) && text[n - 1] == '\n' &&
	     memchr(text, '\n', n - 1) == NULL);
	need(json_parse(SLICE(text, n - 1), "event", &j, &err) == OK &&
	     event_from_json(j, &e, &err) == OK);
	need(e.id == (unsigned)entry.id && strcmp(e.program, program) == 0);
	need(strlen(eventlog_entry_fields(&entry, people)) < sizeof(people));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_line(SLICE(data, size));
	if (size > 0)
		write_line(data, size);
	return 0;
}
