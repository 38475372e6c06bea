/* SPDX-License-Identifier: Apache-2.0 */

/* From events to facts, from facts to the ending; the words are in story_words.c. */
#include "requester/story.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "requester/story_internal.h"

/* An agent that lives answers the guard's cap within this. */
enum { ALIVE_MS = 5000 };

char *
story_clock(uint64_t wall_ns, char text[24])
{
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm t;

	if (localtime_r(&seconds, &t) == NULL || strftime(text, 24, "%H:%M:%S", &t) == 0)
		(void)text_printf(text, 24, "?");
	return text;
}

char *
story_span(uint64_t ms, char text[32])
{
	uint64_t s = (ms + 500) / 1000;

	if (ms < 1000)
		(void)text_printf(text, 32, "%" PRIu64 " ms", ms);
	else if (ms < 10000)
		(void)text_printf(text, 32, "%" PRIu64 ".%" PRIu64 " s", ms / 1000,
				  ms % 1000 / 100);
	else if (s < 120)
		(void)text_printf(text, 32, "%" PRIu64 " s", s);
	else if (s < 7200 && s % 60 == 0)
		(void)text_printf(text, 32, "%" PRIu64 " min", s / 60);
	else if (s < 7200)
		(void)text_printf(text, 32, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else
		(void)text_printf(text, 32, "%" PRIu64 " h %" PRIu64 " min", s / 3600,
				  s % 3600 / 60);
	return text;
}

static const struct event **
place_of(struct story_facts *f, unsigned id)
{
	switch (id) {
	case EVENT_BACKUP_STARTED:
		return &f->started;
	case EVENT_SNAPSHOT_CREATED:
		return &f->created;
	case EVENT_SNAPSHOT_TIMEOUT:
		return &f->timeout;
	case EVENT_KEEP_GIVEN_UP:
		return &f->given_up;
	case EVENT_FREEZE_BEGUN:
		return &f->freeze_begun;
	case EVENT_FREEZE_LIMIT:
		return &f->freeze_limit;
	case EVENT_THAWED_BY_GUARD:
		return &f->thawed_by_guard;
	case EVENT_WRITER_HUNG:
	case EVENT_WRITER_LATE:
		return &f->writer_hung;
	case EVENT_WRITER_FAILED:
	case EVENT_WRITER_DIED:
		return &f->writer_failed;
	case EVENT_WRITER_KILLED:
		return &f->writer_killed;
	case EVENT_AGENT_LOST:
		return &f->agent_lost;
	case EVENT_GUARD_LOST:
		return &f->guard_lost;
	case EVENT_GUARD_RECOVERED:
		return &f->guard_recovered;
	case EVENT_SPACE_RELEASED:
		return &f->no_space;
	case EVENT_SNAPSHOT_BY_HAND:
		return &f->by_hand;
	case EVENT_FOREIGN_FREEZE:
	case EVENT_FOREIGN_THAW:
		return &f->foreign;
	case EVENT_BACKUP_FINISHED:
		return &f->finished;
	case EVENT_BACKUP_WEAKER:
		return &f->weaker;
	case EVENT_BACKUP_FAILED:
		return &f->failed;
	case EVENT_BACKUP_CANCELLED:
		return &f->cancelled;
	case EVENT_KEEP_REFUSED:
	case EVENT_FINISH_REFUSED:
		return &f->refused;
	case EVENT_AGENT_UNREACHABLE:
		return &f->unreachable;
	case EVENT_REQUESTER_DISCONNECTED:
		return &f->disconnected;
	case EVENT_REQUESTER_RECONNECTED:
		return &f->reconnected;
	case EVENT_SNAPSHOT_ABORTED:
		return &f->aborted;
	default:
		return NULL;
	}
}

/* Only what is from after the last keep-alive tells why there was none: each keep-alive that arrives
 * wipes out the troubles before it. */
static void
forget_troubles(struct story_facts *f)
{
	if (f->timeout != NULL)
		return;
	f->unreachable = f->disconnected = f->reconnected = NULL;
}

static void
note_keep(const struct event *e, struct story_facts *f)
{
	if (f->last_keep_ns != 0 && e->time_ns > f->last_keep_ns)
		f->longest_gap_ms = MAX(f->longest_gap_ms,
					(e->time_ns - f->last_keep_ns) / NS_PER_MS);
	f->last_keep_ns = e->time_ns;
	f->n_keeps++;
	forget_troubles(f);
}

/* Did the requester show up with this? */
static bool
is_sign_of_requester(unsigned id)
{
	return id == EVENT_KEEP_REFUSED || id == EVENT_FINISH_REFUSED ||
	       id == EVENT_REQUESTER_RECONNECTED || id == EVENT_AGENT_REACHED_AGAIN;
}

void
story_facts(const struct event_list *events, struct story_facts *ret)
{
	struct story_facts f = {0};

	for (size_t i = 0; i < events->n; i++) {
		const struct event *e = &events->items[i];
		const struct event **place = place_of(&f, e->id);

		/* A try that was repeated is no ending: what it failed of is in the timeline. */
		if (e->id == EVENT_BACKUP_RETRY)
			f = (struct story_facts){.started = f.started, .ttl_ms = f.ttl_ms};
		if (place != NULL && *place == NULL)
			*place = e;
		if (event_number(e, "ttl_s") != 0)
			f.ttl_ms = event_number(e, "ttl_s") * 1000;
		if (e->id == EVENT_KEEP_RECEIVED || e->id == EVENT_KEEP_LATE)
			note_keep(e, &f);
		if (e->id == EVENT_SNAPSHOT_TIMEOUT && f.expired_ns == 0)
			f.expired_ns = e->time_ns;
		if (f.expired_ns != 0 && f.heard_again_ns == 0 && is_sign_of_requester(e->id))
			f.heard_again_ns = e->time_ns;
	}
	/* The guest's own count is better than what is left of the log. */
	if (f.timeout != NULL && event_has(f.timeout, "last_keep_ms"))
		f.last_keep_ns = f.timeout->time_ns -
				 event_number(f.timeout, "last_keep_ms") * NS_PER_MS;
	*ret = f;
}

/* Is there a word of the agent about the freeze within reason after the guard ended it? */
static bool
agent_answered(const struct story_facts *f, const struct event_list *events)
{
	for (size_t i = 0; i < events->n; i++) {
		const struct event *e = &events->items[i];

		if (e->time_ns < f->freeze_limit->time_ns ||
		    e->time_ns > f->freeze_limit->time_ns + ALIVE_MS * NS_PER_MS)
			continue;
		if (e->id == EVENT_BACKUP_FAILED || e->id == EVENT_SNAPSHOT_FAILED ||
		    e->id == EVENT_WRITER_HUNG || e->id == EVENT_WRITER_LATE)
			return true;
	}
	return false;
}

static enum story_ending
expired_ending(const struct story_facts *f)
{
	if (f->unreachable != NULL || f->given_up != NULL)
		return STORY_NETWORK;
	if (f->heard_again_ns == 0)
		return STORY_REQUESTER_GONE;
	return f->disconnected != NULL ? STORY_NETWORK : STORY_STANDSTILL;
}

enum story_ending
story_facts_ending(const struct story_facts *f, const struct event_list *events)
{
	if (f->finished != NULL)
		return f->weaker != NULL ? STORY_WEAKER : STORY_GOOD;
	/* How the lease ended goes before what followed from it. */
	if (f->expired_ns != 0)
		return expired_ending(f);
	if (f->no_space != NULL)
		return STORY_NO_SPACE;
	if (f->by_hand != NULL)
		return STORY_BY_HAND;
	if (f->foreign != NULL)
		return STORY_FOREIGN;
	if (f->writer_hung != NULL)
		return STORY_WRITER_HUNG;
	if (f->freeze_limit != NULL)
		return agent_answered(f, events) ? STORY_FREEZE_LIMIT : STORY_AGENT_HUNG;
	if (f->agent_lost != NULL)
		return STORY_AGENT_LOST;
	if (f->writer_failed != NULL)
		return STORY_WRITER_FAILED;
	if (f->given_up != NULL)
		return STORY_NETWORK;
	if (f->cancelled != NULL)
		return STORY_CANCELLED;
	if (f->guard_lost != NULL && (f->failed != NULL || f->refused != NULL))
		return STORY_GUARD_LOST;
	if (f->failed != NULL)
		return STORY_FAILED;
	return STORY_UNFINISHED;
}

int
story_tell(const struct event_list *events, struct story *ret, struct error *err)
{
	struct story s = {0};
	struct story_facts f;

	if (events->n == 0)
		return error_set(err, ERR_NOT_FOUND, "there are no events of this job");
	story_facts(events, &f);
	(void)text_printf(s.job, sizeof(s.job), "%s", events->items[0].job);
	s.start_ns = events->items[0].time_ns;
	s.end_ns = events->items[events->n - 1].time_ns;
	s.ending = story_facts_ending(&f, events);
	story_words(&f, &s);
	if (story_timeline(events, &f, &s, err) < 0) {
		story_done(&s);
		return err->code;
	}
	*ret = s;
	return OK;
}

void
story_done(struct story *s)
{
	free(s->lines);
	*s = (struct story){0};
}

const char *
story_ending_name(enum story_ending ending)
{
	static const char *const names[] = {
		[STORY_UNFINISHED] = "unfinished",
		[STORY_GOOD] = "good",
		[STORY_WEAKER] = "weaker",
		[STORY_NETWORK] = "network",
		[STORY_STANDSTILL] = "standstill",
		[STORY_REQUESTER_GONE] = "requester-gone",
		[STORY_FREEZE_LIMIT] = "freeze-limit",
		[STORY_AGENT_HUNG] = "agent-hung",
		[STORY_WRITER_HUNG] = "writer-hung",
		[STORY_WRITER_FAILED] = "writer-failed",
		[STORY_AGENT_LOST] = "agent-lost",
		[STORY_GUARD_LOST] = "guard-lost",
		[STORY_NO_SPACE] = "no-space",
		[STORY_BY_HAND] = "by-hand",
		[STORY_FOREIGN] = "foreign",
		[STORY_CANCELLED] = "cancelled",
		[STORY_FAILED] = "failed",
	};

	return names[ending];
}
