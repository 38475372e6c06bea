/* SPDX-License-Identifier: Apache-2.0 */

/* Jobs, found in the event log; events on the screen. */
#include "cli/joblog.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/guest.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/units.h"
#include "config/prose.h"
#include "config/value.h"
#include "requester/guest_remote.h"

/* Events of the host that belong to no job count as part of it this long after its last. */
#define AROUND_NS (5 * NS_PER_S)

enum { TEXT_COLUMN = 40, LINE_MAX_BYTES = 16 << 10 };

const char *
joblog_dir(const struct cli *cli)
{
	return settings_text(cli->settings, OPTION_AGENT_STATE_DIR);
}

enum { LOAD_AT_ONCE = 1000, LOAD_MAX = 100 };

/* An agent gives its events in pieces. */
int
joblog_fetch(struct guest *guest, uint64_t after_ns, struct event_list *list, struct error *err)
{
	uint64_t after = after_ns;

	for (int round = 0; round < LOAD_MAX; round++) {
		CLEAN(json_done) json_t *reply = NULL;
		json_t *events, *j;
		size_t i;

		if (guest_remote_call(guest, "ListEvents",
				      json_pack("{s:I, s:i}", "After", (json_int_t)after, "Limit",
						LOAD_AT_ONCE),
				      &reply, err) < 0 ||
		    json_get_arr(reply, "Events", &events, err) < 0 ||
		    json_get_u64(reply, "Next", &after, err) < 0)
			return err->code;
		json_array_foreach(events, i, j)
		{
			struct event e;

			if (event_from_json(j, &e, err) < 0 || event_list_add(list, &e, err) < 0)
				return err->code;
		}
		if (json_array_size(events) < LOAD_AT_ONCE)
			break;
	}
	return OK;
}

static int
load_remote(struct cli *cli, struct event_list *list, struct error *err)
{
	CLEAN(guest_closep) struct guest *guest = NULL;

	if (guest_open_remote(cli, &guest, err) < 0)
		return err->code;
	return joblog_fetch(guest, 0, list, err);
}

/* An agent on this host may write the very log that was read. */
bool
joblog_is_same(const struct event *a, const struct event *b)
{
	return a->time_ns == b->time_ns && a->id == b->id && a->pid == b->pid &&
	       strcmp(a->program, b->program) == 0;
}

static void
drop_doubles(struct event_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++) {
		if (n > 0 && joblog_is_same(&list->items[n - 1], &list->items[i]))
			event_done(&list->items[i]);
		else
			list->items[n++] = list->items[i];
	}
	list->n = n;
}

int
joblog_load(struct cli *cli, bool both, struct event_list *ret, struct error *err)
{
	static const struct eventlog_filter everything;
	CLEAN(event_list_done) struct event_list list = {0};
	bool remote = guest_is_remote(cli);

	if ((!remote || both) && eventlog_read(joblog_dir(cli), &everything, &list, err) < 0)
		return err->code;
	if (remote && load_remote(cli, &list, err) < 0)
		return err->code;
	event_list_sort(&list);
	drop_doubles(&list);
	*ret = list;
	list = (struct event_list){0};
	return OK;
}

static const char *
without_brace(const char *id)
{
	return id[0] == '{' ? id + 1 : id;
}

static bool
begins_so(const char *id, const char *prefix)
{
	return strncasecmp(without_brace(id), prefix, strlen(prefix)) == 0;
}

int
joblog_find(const struct event_list *events, const char *name, char job[64], struct error *err)
{
	const char *prefix = without_brace(name);
	bool latest = strcmp(name, "latest") == 0;
	const char *found = NULL;

	/* A whole id, brace and all, is as good as its beginning. */
	char text[64];
	(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(prefix, "}"), prefix);
	if (text[0] == '\0')
		return 0;
	for (size_t i = events->n; i-- > 0;) {
		const struct event *e = &events->items[i];

		if (e->job[0] == '\0')
			continue;
		if (!latest && !begins_so(e->job, text) && !begins_so(e->set, text))
			continue;
		if (found != NULL && strcmp(found, e->job) != 0) {
			error_set(err, ERR_AMBIGUOUS, "more than one job begins with '%s'", name);
			return error_hint(err, "give more characters of its id");
		}
		found = e->job;
		if (latest)
			break;
	}
	if (found == NULL)
		return 0;
	memcpy(job, found, 64);
	return 1;
}

/* The host's own troubles (a guard that was lost, say) tell part of the story of the job of the time. */
static bool
is_trouble_of(const struct event *e, uint64_t start_ns, uint64_t end_ns)
{
	return e->job[0] == '\0' && e->level <= LOG_LEVEL_WARN && e->time_ns >= start_ns &&
	       e->time_ns <= end_ns + AROUND_NS;
}

int
joblog_select(struct event_list *events, const char *job, struct event_list *ret, struct error *err)
{
	CLEAN(event_list_done) struct event_list list = {0};
	uint64_t start_ns = 0, end_ns = 0;

	for (size_t i = 0; i < events->n; i++) {
		if (strcmp(events->items[i].job, job) != 0)
			continue;
		if (start_ns == 0)
			start_ns = events->items[i].time_ns;
		end_ns = events->items[i].time_ns;
	}
	for (size_t i = 0; i < events->n; i++) {
		struct event *e = &events->items[i];

		if (strcmp(e->job, job) != 0 && !is_trouble_of(e, start_ns, end_ns))
			continue;
		if (event_list_add(&list, e, err) < 0)
			return err->code;
		e->fields = NULL;
	}
	*ret = list;
	list = (struct event_list){0};
	return OK;
}

int
joblog_since(const char *text, uint64_t *ret_ns, struct error *err)
{
	static const char *const forms[] = {
		"%Y-%m-%d",       "%Y-%m-%d %H:%M",    "%Y-%m-%d %H:%M:%S",
		"%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S",
	};
	struct error ignored;
	uint64_t seconds;

	if (value_parse_duration(text, &seconds, &ignored) == OK) {
		uint64_t now = clock_wall_ns();

		*ret_ns = seconds < now / NS_PER_S ? now - seconds * NS_PER_S : 0;
		return OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		struct tm tm = {.tm_isdst = -1};
		const char *end = strptime(text, forms[i], &tm);
		time_t t = end != NULL && *end == '\0' ? mktime(&tm) : -1;

		if (t >= 0) {
			*ret_ns = (uint64_t)t * NS_PER_S;
			return OK;
		}
	}
	error_set(err, ERR_USAGE, "'%s' is no time", text);
	return error_hint(err, "give how long ago, as '2h', or when, as '2026-11-22 14:25'");
}

static const char *
level_text(enum log_level level)
{
	switch (level) {
	case LOG_LEVEL_ERROR:
		return "ERROR";
	case LOG_LEVEL_WARN:
		return "WARN ";
	default:
		return "INFO ";
	}
}

static int
put_fields(struct buf *b, const struct event *e, struct error *err)
{
	const char *name;
	json_t *value;

	json_object_foreach(e->fields, name, value)
	{
		char scratch[24];
		const char *text = event_field(e, name, scratch);

		if (buf_printf(b, err, " %s=", name) < 0 ||
		    printable_name(b, SLICE(text, strlen(text)), err) < 0)
			return err->code;
	}
	return OK;
}

/* 2026-11-22 14:45:07 ERROR 2101 7d0e54e2 Snapshot timeout occurred. ttl_s=1200 */
static int
print_text(const struct event *e, struct error *err)
{
	CLEAN(buf_done) struct buf head = BUF_INIT(LINE_MAX_BYTES);
	CLEAN(buf_done) struct buf text = BUF_INIT(LINE_MAX_BYTES);
	CLEAN(buf_done) struct buf line = BUF_INIT(LINE_MAX_BYTES);
	const char *known = event_text(e->id);
	char when[UNITS_MAX];

	if (buf_printf(&text, err, "%s", known != NULL ? known : e->name) < 0 ||
	    put_fields(&text, e, err) < 0 || buf_u8(&text, 0, err) < 0 ||
	    buf_printf(&head, err, "%.8s", without_brace(e->job)) < 0 ||
	    buf_printf(&line, err, "%s %s %4u ", units_time(e->time_ns, when), level_text(e->level),
		       e->id) < 0 ||
	    printable_name(&line, buf_slice(&head), err) < 0 ||
	    prose_blanks(&line, line.n < TEXT_COLUMN ? TEXT_COLUMN - line.n : 1, err) < 0 ||
	    prose_wrap(&line, (const char *)text.p, TEXT_COLUMN, TEXT_COLUMN, err) < 0)
		return err->code;
	out_bytes(buf_slice(&line));
	return OK;
}

int
joblog_print(const struct cli *cli, const struct event *e, struct error *err)
{
	json_t *j, *all;

	if (!cli->json)
		return print_text(e, err);
	j = event_to_json(e);
	all = json_pack("{s:s}", "type", "event");
	if (j == NULL || all == NULL || json_object_update(all, j) < 0) {
		json_decref(all);
		all = NULL;
	}
	json_decref(j);
	out_json(all);
	return OK;
}
