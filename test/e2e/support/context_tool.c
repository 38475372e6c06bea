/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A backup of a group without the backup: its log range and its backup context by the line, from standard
 * input, with one line of answer each. For end-to-end tests. What happens meanwhile goes to standard error, a
 * line each: milliseconds of the boot clock, and "note TEXT" or the event's name and fields.
 *
 *	context_tool CONFIG GROUP ACTIVE PASSIVE HOLDER
 *
 *	range [LIMIT_MS]	"ok TIMELINE OLDEST REQUIRED END FILES SEGMENT_BYTES MS"
 *	open			with the last range; "ok MS"
 *	check			"ok"
 *	wait MS			check again and again, ten times a second: "ok" if all is well all the time
 *	prove MS		"ok MS"
 *	state			"ok CONNECTED REOPENED COPIER_LOST NEEDED END"
 *	close			"ok MS"
 *
 * "error NAME MS MESSAGE | HINT" otherwise; MS: how long it took. The end of the input closes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/eventlog.h"
#include "config/config_file.h"
#include "group/context.h"

static struct group *group;
static const struct group_copy *active, *passive;
static const char *holder;
static struct context *context;
static struct log_range range;
static struct eventlog *events;

static uint64_t
now_ms(void)
{
	return clock_boot_ns() / NS_PER_MS;
}

static void
note(void *arg, const char *text)
{
	(void)arg;
	(void)fprintf(stderr, "%" PRIu64 " note %s\n", now_ms(), text);
}

static void
event(void *arg, enum event_id id, const char *job, const char *fields)
{
	(void)arg;
	(void)job;
	(void)fprintf(stderr, "%" PRIu64 " %u %s %s\n", now_ms(), (unsigned)id, event_name(id),
		      fields);
}

static void
answer(uint64_t start_ms, int rc, const struct error *err, const char *text)
{
	if (rc < 0)
		(void)printf("error %s %" PRIu64 " %s | %s\n", error_name((enum err)rc),
			     now_ms() - start_ms, err->msg, err->hint);
	else
		(void)printf("ok %s%s%" PRIu64 "\n", text, text[0] != 0 ? " " : "",
			     now_ms() - start_ms);
	(void)fflush(stdout);
}

static int
ask_range(uint64_t limit_ms, char text[256], struct error *err)
{
	char oldest[ENGINE_POSITION_MAX], required[ENGINE_POSITION_MAX], end[ENGINE_POSITION_MAX];
	uint64_t limit_ns = limit_ms != 0 ? limit_ms * NS_PER_MS
					  : group->query_log_range_timeout_ns;
	int rc = group->engine->log_range(group, active, limit_ns, NULL, &range, err);

	if (rc == OK)
		(void)snprintf(text, 256, "%u %s %s %s %" PRIu64 " %" PRIu64, range.timeline,
			       group->engine->position_text(range.oldest, oldest),
			       group->engine->position_text(range.required, required),
			       group->engine->position_text(range.end, end), range.n_files,
			       range.segment_bytes);
	return rc;
}

static int
open_context(struct error *err)
{
	const struct context_order order = {
		.group = group,
		.active = active,
		.passive = passive,
		.holder = holder,
		.events = events,
		.job = "job",
		.note = note,
	};

	return context_open(&order, &range, &context, err);
}

static int
wait_ms(uint64_t ms, struct error *err)
{
	uint64_t end_ms = now_ms() + ms;
	int rc;

	while ((rc = context_check(context, err)) == OK && now_ms() < end_ms)
		(void)nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
	return rc;
}

static void
show_state(char text[256])
{
	struct context_state s;
	char needed[ENGINE_POSITION_MAX], end[ENGINE_POSITION_MAX];

	context_state(context, &s);
	(void)snprintf(text, 256, "%d %u %u %s %s", s.connected, s.reopened, s.copier_lost,
		       group->engine->position_text(s.needed, needed),
		       group->engine->position_text(s.end, end));
}

static void
obey(const char *line)
{
	char word[16] = "", text[256] = "";
	uint64_t ms = 0, start_ms = now_ms();
	struct error err = ERROR_INIT;
	int rc = OK;

	(void)sscanf(line, "%15s %" SCNu64, word, &ms);
	if (strcmp(word, "range") == 0)
		rc = ask_range(ms, text, &err);
	else if (strcmp(word, "open") == 0)
		rc = open_context(&err);
	else if (context == NULL)
		rc = error_set(&err, ERR_USAGE, "no context, or no such word: %s", word);
	else if (strcmp(word, "check") == 0)
		rc = context_check(context, &err);
	else if (strcmp(word, "wait") == 0)
		rc = wait_ms(ms, &err);
	else if (strcmp(word, "prove") == 0)
		rc = context_prove(context, clock_boot_ns() + ms * NS_PER_MS, &err);
	else if (strcmp(word, "state") == 0)
		show_state(text);
	else if (strcmp(word, "close") == 0)
		context_close(STEAL_PTR(context));
	else
		rc = error_set(&err, ERR_USAGE, "no such word: %s", word);
	answer(start_ms, rc, &err, text);
}

static int
set_up(char **argv, struct settings **settings, struct error *err)
{
	const struct eventlog_options options = {.dir = "events", .program = "test", .sink = event};
	int rc = settings_new(settings, err);

	if (rc == OK)
		rc = config_file_read(*settings, argv[1], true, err);
	if (rc >= 0)
		rc = group_find(*settings, argv[2], &group, err);
	if (rc == OK)
		rc = eventlog_open(&options, &events, err);
	if (rc < 0)
		return rc;
	active = group_copy_find(group, argv[3]);
	passive = group_copy_find(group, argv[4]);
	holder = argv[5];
	return active != NULL && passive != NULL ? OK
						 : (int)error_set(err, ERR_USAGE, "no such copy");
}

int
main(int argc, char **argv)
{
	CLEAN(settings_freep) struct settings *settings = NULL;
	struct error err = ERROR_INIT;
	char line[256];

	if (argc != 6 || set_up(argv, &settings, &err) < 0) {
		(void)fprintf(stderr, "context_tool: %s\n", argc == 6 ? err.msg : "usage");
		return 2;
	}
	(void)printf("ok\n");
	(void)fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
		obey(line);
	context_close(context);
	eventlog_close(events);
	group_free(group);
	return 0;
}
