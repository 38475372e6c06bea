/* SPDX-License-Identifier: Apache-2.0 */

/* The list of events, as Markdown. */
#include "config/events_doc.h"

#include <string.h>

#include "base/event.h"

static int
fields_markdown(struct buf *b, const char *fields, struct error *err)
{
	int r = OK;

	while (r == OK && *fields != '\0') {
		size_t n = strcspn(fields, " ");

		r = buf_printf(b, err, "`%.*s`%s", (int)n, fields, fields[n] == ' ' ? " " : "");
		fields += n + (fields[n] == ' ');
	}
	return r;
}

int
events_doc_markdown(struct buf *b, struct error *err)
{
	unsigned id;
	int r = buf_printf(
		b, err,
		"# Events\n"
		"\n"
		"<!-- Made by \"holdfast help --write-docs\" from src/base/events.def; do not edit. -->\n"
		"\n"
		"What Holdfast keeps in its event log. `holdfast events` shows it, `holdfast explain JOB`\n"
		"tells the story of one job from it, `holdfast explain NUMBER` explains one event. Numbers\n"
		"are stable: a monitoring system may rely on them.\n"
		"\n"
		"The log is `events.jsonl` in the state folder (`agent.state_dir`), a JSON object a line, of\n"
		"the form that [json.md](json.md) describes. At 4 MiB it is renamed to `events.jsonl.1`, and what\n"
		"had that name is gone. Where systemd's journal runs, each event goes there, too, with\n"
		"`HOLDFAST_EVENT=` its number and `HOLDFAST_JOB=` the job: `journalctl HOLDFAST_EVENT=2101`.\n"
		"\n"
		"Values that end in `_ms` and `_s` are durations, `error` is a message and `code` the name of\n"
		"an error (see [errors.md](errors.md)). Any event may also have `job` and `set`.\n"
		"\n"
		"| number | name | level | text | values | meaning |\n"
		"| --- | --- | --- | --- | --- | --- |\n");

	for (size_t i = 0; r == OK && (id = event_at(i)) != 0; i++) {
		r = buf_printf(b, err, "| %u | %s | %s | %s | ", id, event_name(id),
			       event_level_name(event_level(id)), event_text(id));
		if (r == OK)
			r = fields_markdown(b, event_fields(id), err);
		if (r == OK)
			r = buf_printf(b, err, " | %s |\n", event_meaning(id));
	}
	return r;
}
