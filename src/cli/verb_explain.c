/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast explain: a job's story, or the meaning of a code. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hresult.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/units.h"
#include "config/prose.h"
#include "requester/story.h"

enum { TEXT_MAX = 64 << 10, INDENT = 2, TIME_COLUMN = 10, CODE_COLUMN = 14 };

/* What is printed, wrapped. */
struct page {
	struct buf b;
	struct error *err;
	int r;
};

static void
put(struct page *page, const char *label, const char *text, size_t column)
{
	CLEAN(free_ptr) char *safe = NULL;
	size_t size = strlen(text) * 4 + 4;
	size_t width = strlen(label);

	if (page->r < 0 || text[0] == '\0')
		return;
	safe = malloc(size);
	if (safe == NULL) {
		page->r = error_no_memory(page->err);
		return;
	}
	printable_message(text, safe, size);
	page->r = buf_printf(&page->b, page->err, "%s%*s", label,
			     width < column ? (int)(column - width) : 0, "");
	if (page->r == OK)
		page->r = prose_wrap(&page->b, safe, MAX(column, width), column, page->err);
}

static void
put_line(struct page *page, const char *text)
{
	if (page->r == OK)
		page->r = buf_printf(&page->b, page->err, "%s\n", text);
}

/* Sentences of the tables have neither capital nor full stop. */
static void
put_sentence(struct page *page, const char *label, const char *text, size_t column)
{
	char sentence[1024];
	size_t n;

	if (text == NULL || text[0] == '\0')
		return;
	(void)text_printf(sentence, sizeof(sentence), "%s", text);
	sentence[0] = (char)toupper((unsigned char)sentence[0]);
	n = strlen(sentence);
	if (sentence[n - 1] != '.' && n + 1 < sizeof(sentence))
		memcpy(sentence + n, ".", 2);
	put(page, label, sentence, column);
}

static int
finish(struct page *page)
{
	if (page->r == OK)
		out_bytes(buf_slice(&page->b));
	buf_done(&page->b);
	return page->r;
}

/* A job's story --------------------------------------------------------------------------------- */

static json_t *
story_json(const struct story *s)
{
	json_t *lines = json_array();
	json_t *j;

	for (size_t i = 0; i < s->n_lines; i++)
		(void)json_array_append_new(
			lines,
			json_pack("{s:I, s:s, s:o}", "time_ns", (json_int_t)s->lines[i].time_ns,
				  "level", event_level_name(s->lines[i].level), "text",
				  json_bytes(s->lines[i].text, strlen(s->lines[i].text))));
	j = json_pack("{s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "type", "story", "job",
		      s->job, "ending", story_ending_name(s->ending), "start_ns",
		      (json_int_t)s->start_ns, "end_ns", (json_int_t)s->end_ns, "headline",
		      json_bytes(s->headline, strlen(s->headline)), "lines", lines, "cause",
		      json_bytes(s->cause, strlen(s->cause)), "advice",
		      json_bytes(s->advice, strlen(s->advice)));
	if (j != NULL && s->setting[0] != '\0')
		(void)json_object_set_new(j, "setting",
					  json_pack("{s:s, s:s, s:s}", "name", s->setting, "value",
						    s->now, "proposed", s->proposed));
	return j;
}

/* The agent of a job of which only this side's events are here; "" if there is none. */
static const char *
agent_unheard(const struct event_list *events)
{
	const char *agent = "";

	for (size_t i = 0; i < events->n; i++) {
		const struct event *e = &events->items[i];

		if (e->id == EVENT_SNAPSHOT_PREPARING)
			return "";
		if (e->id == EVENT_BACKUP_STARTED &&
		    json_is_string(json_object_get(e->fields, "agent")))
			agent = json_string_value(json_object_get(e->fields, "agent"));
	}
	return agent;
}

/* `agent`: the one to ask for more, or "". */
static int
story_text(const struct story *s, const char *agent, struct error *err)
{
	struct page page = {.b = BUF_INIT(TEXT_MAX * 16), .err = err, .r = OK};
	char start[UNITS_MAX], end[24], head[640];

	(void)text_printf(head, sizeof(head), "Job %s, %s to %s", s->job,
			  units_time(s->start_ns, start), story_clock(s->end_ns, end));
	put_line(&page, head);
	put(&page, "", s->headline, 0);
	put_line(&page, "\nWhat happened:");
	for (size_t i = 0; i < s->n_lines; i++) {
		char time[24], label[40];
		enum log_level level = s->lines[i].level;

		(void)text_printf(label, sizeof(label), "%*s%s %s", INDENT, "",
				  story_clock(s->lines[i].time_ns, time),
				  level == LOG_LEVEL_ERROR  ? "! "
				  : level == LOG_LEVEL_WARN ? "* "
							    : "  ");
		put(&page, label, s->lines[i].text, INDENT + TIME_COLUMN + 1);
	}
	if (s->cause[0] != '\0')
		put_line(&page, "\nWhy:");
	put(&page, "  ", s->cause, INDENT);
	if (s->advice[0] != '\0')
		put_line(&page, "\nWhat to do:");
	put(&page, "  ", s->advice, INDENT);
	if (s->proposed[0] != '\0') {
		(void)text_printf(head, sizeof(head), "\n  %s = %s    (was %s)",
				  strchr(s->setting, '.') + 1, s->proposed,
				  s->now[0] != '\0' ? s->now : "not known");
		put_line(&page, head);
	}
	if (agent[0] != '\0') {
		char safe[512];

		put_line(&page, "\nThe protected host knows more:");
		(void)text_printf(head, sizeof(head), "  holdfast explain %.8s --agent %s",
				  s->job[0] == '{' ? s->job + 1 : s->job,
				  printable_message(agent, safe, sizeof(safe)));
		put_line(&page, head);
	}
	return finish(&page);
}

/* 1 told, 0 there is no such job. */
static int
explain_job(struct cli *cli, const char *name, struct error *err)
{
	CLEAN(event_list_done) struct event_list events = {0};
	CLEAN(event_list_done) struct event_list mine = {0};
	CLEAN(story_done) struct story story = {0};
	char job[64];
	int r;

	if (joblog_load(cli, true, &events, err) < 0)
		return err->code;
	r = joblog_find(&events, name, job, err);
	if (r <= 0)
		return r;
	if (joblog_select(&events, job, &mine, err) < 0 || story_tell(&mine, &story, err) < 0)
		return err->code;
	(void)text_printf(story.job, sizeof(story.job), "%s", job);
	if (cli->json) {
		out_json(story_json(&story));
		return 1;
	}
	r = story_text(&story, agent_unheard(&mine), err);
	return r == OK ? 1 : r;
}

/* A code ---------------------------------------------------------------------------------------- */

static void
error_page(struct page *page, enum err code)
{
	struct error e;
	char head[160], hresult[HRESULT_TEXT_MAX];

	error_set(&e, code, "%s", "");
	(void)text_printf(head, sizeof(head), "%s: error %d of Holdfast, exit code %d",
			  error_name(code), -(int)code, error_exit_code(code));
	put_line(page, head);
	put_sentence(page, "  meaning", error_sentence(code), CODE_COLUMN);
	if (error_hresult(code) != 0)
		put(page, "  VSS", hresult_text(error_hresult(code), hresult), CODE_COLUMN);
	put_sentence(page, "  what to do", e.hint, CODE_COLUMN);
	put(page, "  retry", error_retryable(code) ? "Worth repeating as it is." : "Not as it is.",
	    CODE_COLUMN);
}

static json_t *
error_json(enum err code)
{
	struct error e;
	json_t *j;

	error_set(&e, code, "%s", "");
	j = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:b, s:i}", "type", "explanation", "kind",
		      "error", "name", error_name(code), "number", -(int)code, "meaning",
		      error_sentence(code), "advice", e.hint, "retryable",
		      error_retryable(code) ? 1 : 0, "exit_code", error_exit_code(code));
	return j;
}

/* Which of our errors come with this code of VSS. */
static void
ours_with(uint32_t hresult, char *text, size_t size)
{
	enum err code;

	text[0] = '\0';
	for (size_t i = 0; (code = error_code_at(i)) != OK; i++) {
		size_t n = strlen(text);

		if (error_hresult(code) == hresult && size - n > 8)
			(void)text_printf(text + n, size - n, "%s%s", n > 0 ? ", " : "",
					  error_name(code));
	}
}

static void
hresult_page(struct page *page, uint32_t code)
{
	char text[HRESULT_TEXT_MAX], ours[256];

	put_line(page, hresult_text(code, text));
	put_sentence(page, "  meaning", hresult_meaning(code), CODE_COLUMN);
	put_sentence(page, "  what to do", hresult_advice(code), CODE_COLUMN);
	put(page, "  retry",
	    hresult_retryable(code)
		    ? "Worth repeating as a whole; Microsoft advises to wait ten minutes, and at "
		      "most three times."
		    : "Not before the cause is found.",
	    CODE_COLUMN);
	ours_with(code, ours, sizeof(ours));
	put(page, "  reported by", ours, CODE_COLUMN);
}

static json_t *
hresult_json(uint32_t code)
{
	char number[16];

	(void)text_printf(number, sizeof(number), "0x%08" PRIx32, code);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:b}", "type", "explanation", "kind",
			 "hresult", "name", hresult_name(code), "hresult", number, "meaning",
			 hresult_meaning(code), "advice", hresult_advice(code), "retryable",
			 hresult_retryable(code) ? 1 : 0);
}

static void
event_page(struct page *page, unsigned id)
{
	char head[160];

	(void)text_printf(head, sizeof(head), "Event %u, %s (%s)", id, event_name(id),
			  event_level_name(event_level(id)));
	put_line(page, head);
	put(page, "  text", event_text(id), CODE_COLUMN);
	put(page, "  meaning", event_meaning(id), CODE_COLUMN);
	put(page, "  values", event_fields(id), CODE_COLUMN);
}

static json_t *
event_json(unsigned id)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:s}", "type", "explanation", "kind",
			 "event", "name", event_name(id), "number", (int)id, "level",
			 event_level_name(event_level(id)), "text", event_text(id), "meaning",
			 event_meaning(id));
}

/* What a code may be: at most one of them is set. */
struct code {
	enum err error;
	uint32_t hresult;
	unsigned event;
};

static enum err
error_find(const char *name)
{
	enum err code;

	if (strncasecmp(name, "ERR_", 4) == 0)
		name += 4;
	for (size_t i = 0; (code = error_code_at(i)) != OK; i++)
		if (strcasecmp(error_name(code), name) == 0)
			return code;
	return OK;
}

static enum err
error_numbered(long long number)
{
	enum err code;

	for (size_t i = 0; (code = error_code_at(i)) != OK; i++)
		if (-(long long)code == number)
			return code;
	return OK;
}

static bool
code_find(const char *text, struct code *ret)
{
	struct code c = {0};
	long long number;
	char *end;

	errno = 0;
	number = strtoll(text, &end, 0);
	if (end != text && *end == '\0' && errno == 0) {
		/* HRESULTs are also written as signed decimal numbers. */
		uint32_t hresult = number >= INT32_MIN && number <= UINT32_MAX ? (uint32_t)number
									       : 0;

		if (hresult_name(hresult) != NULL)
			c.hresult = hresult;
		else if (number > 0 && number <= UINT32_MAX && event_name((unsigned)number) != NULL)
			c.event = (unsigned)number;
		else
			c.error = error_numbered(number);
	} else {
		c.error = error_find(text);
		if (c.error == OK)
			c.hresult = hresult_find(text);
		if (c.error == OK && c.hresult == 0)
			c.event = event_find(text);
	}
	*ret = c;
	return c.error != OK || c.hresult != 0 || c.event != 0;
}

static int
explain_code(const struct cli *cli, const struct code *c, struct error *err)
{
	struct page page = {.b = BUF_INIT(TEXT_MAX), .err = err, .r = OK};

	if (cli->json) {
		out_json(c->error != OK    ? error_json(c->error)
			 : c->hresult != 0 ? hresult_json(c->hresult)
					   : event_json(c->event));
		return OK;
	}
	if (c->error != OK)
		error_page(&page, c->error);
	else if (c->hresult != 0)
		hresult_page(&page, c->hresult);
	else
		event_page(&page, c->event);
	return finish(&page);
}

int
verb_explain(struct cli *cli, struct error *err)
{
	const char *name = cli->inv->operands[0];
	struct code code;
	int r;

	if (code_find(name, &code))
		return explain_code(cli, &code, err);
	r = explain_job(cli, name, err);
	if (r != 0)
		return r < 0 ? r : OK;
	error_set(err, ERR_NOT_FOUND, "'%s' is neither a known code nor a job in the event log",
		  name);
	return error_hint(err,
			  "'holdfast events' shows what is in the log in '%s'; a backup prints "
			  "its job when it begins",
			  joblog_dir(cli));
}
