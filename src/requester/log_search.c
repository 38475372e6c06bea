/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Where to begin reading: for a time, with the last logs of which it is known that everything before them is
 * older. What the server's clock said when a log was looked at and what it writes into a commit may differ
 * by a moment; hence MARGIN_NS.
 */
#include "requester/log_search.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "postgresql/walrange.h"
#include "postgresql/walwalk.h"
#include "requester/log_names.h"
#include "requester/log_stream.h"

#define MARGIN_NS (60 * NS_PER_S)

struct search {
	const struct log_chain *c;
	struct repo_reader *reader;
	const struct log_target *target;
	const struct point *only;
	struct progress *progress;
	struct walwalk *walk;
	/* What was found. */
	bool found;
	struct walwalk_record record;
	uint64_t last_commit_ns;
	/* Names: everything before `covered` was looked at; those from `until` on are another's business (0: none
	 * are). */
	uint64_t covered, until;
	unsigned n_named;
	uint64_t other_lsn; /* of the same name, before */
	char names[200]; /* of others */
};

static void
note_name(struct search *s, const char *name, uint64_t lsn, uint64_t end)
{
	size_t n = strlen(s->names);

	if (end <= s->covered)
		return;
	if (strcmp(name, s->target->name) == 0) {
		if (s->n_named++ > 0)
			s->other_lsn = s->record.lsn;
		s->record.lsn = lsn;
		s->record.end = end;
		s->found = true;
	} else if (sizeof(s->names) - n > 8) {
		(void)text_printf(s->names + n, sizeof(s->names) - n, "%s'%s'", n > 0 ? ", " : "",
				  name);
	}
}

static int
on_name(struct search *s, const struct walwalk_record *r)
{
	if (s->until != 0 && r->lsn >= s->until)
		return 1;
	if (r->kind == WALWALK_RESTORE_POINT)
		note_name(s, r->name, r->lsn, r->end);
	return 0; /* another may follow */
}

static int
on_record(void *arg, const struct walwalk_record *r)
{
	struct search *s = arg;
	bool is_end = r->kind == WALWALK_COMMIT || r->kind == WALWALK_ABORT;

	switch (s->target->kind) {
	case LOG_TARGET_TIME:
		s->found = is_end && r->time_ns > s->target->time_ns;
		break;
	case LOG_TARGET_LSN:
		s->found = r->lsn >= s->target->lsn;
		break;
	case LOG_TARGET_NAME:
		return on_name(s, r);
	case LOG_TARGET_NONE:
	case LOG_TARGET_END:
		break;
	}
	if (s->found)
		s->record = *r;
	else if (r->kind == WALWALK_COMMIT)
		s->last_commit_ns = MAX(s->last_commit_ns, r->time_ns);
	return s->found ? 1 : 0;
}

static int
on_bytes(void *arg, struct slice bytes, struct error *err)
{
	struct search *s = arg;
	char at[WALRANGE_LSN_LEN + 1];

	switch (walwalk_feed(s->walk, bytes)) {
	case WALWALK_MORE:
		return 0;
	case WALWALK_ENOUGH:
		return 1;
	case WALWALK_END:
		break;
	}
	(void)error_set(err, ERR_CORRUPT, "the logs cannot be read beyond %s",
			walrange_format_lsn(walwalk_position(s->walk), at));
	return error_hint(err, "'holdfast verify --read-data' tells whether they are damaged here; "
			       "a moment before that can be restored to with --target-lsn");
}

/* Read on from the segment of `position`, until it is found or the logs end. */
static int
read_from(struct search *s, uint64_t position, uint64_t *ret_end, struct error *err)
{
	uint64_t segment = s->c->segment_bytes;

	walwalk_free(STEAL_PTR(s->walk));
	int rc = walwalk_new(position / segment * segment, segment, on_record, s, &s->walk, err);
	if (rc == OK)
		rc = log_stream(s->c, s->reader, position / segment * segment, s->progress,
				on_bytes, s, ret_end, err);
	if (rc < 0)
		return rc;
	(void)walwalk_finish(s->walk);
	return OK;
}

static enum err
not_covered(const struct search *s, const char *what, struct error *err)
{
	char covered[240];

	(void)error_set(err, ERR_LOG_GAP, "the logs in the repository do not have %s", what);
	return error_hint(err, "can be restored to: %s",
			  log_chain_covered(s->c, covered, sizeof(covered)));
}

/* The logs with which reading begins, so that everything before them is older than the time; NULL: of none
 * is that known. Nothing is known across a gap. */
static const struct log_piece *
begin_at(const struct log_chain *c, uint64_t time_ns)
{
	const struct log_piece *best = NULL;

	for (size_t i = 0; i < c->n_pieces; i++) {
		const struct log_piece *p = &c->pieces[i];

		if (p->from_time_ns != 0 && p->from_time_ns + MARGIN_NS <= time_ns &&
		    log_chain_piece(c, p->from - 1) != NULL)
			best = p;
	}
	return best;
}

/* Without such logs: those after the newest backup that is old enough. */
static const struct log_piece *
begin_after_base(const struct search *s, uint64_t time_ns)
{
	const struct log_chain *c = s->c;
	const struct log_piece *best = NULL;

	for (size_t i = 0; i < c->n_bases; i++) {
		const struct log_base *b = &c->bases[i];
		const struct log_piece *p = log_chain_piece(c, b->held);

		if (p != NULL && b->stop_time_ns != 0 && b->stop_time_ns <= time_ns &&
		    (s->only == NULL || s->only == b->point))
			best = p;
	}
	return best;
}

static uint64_t
newest_time(const struct log_chain *c)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < c->n_pieces; i++)
		newest = MAX(newest, c->pieces[i].to_time_ns);
	return newest;
}

/* Before the record that was found, or at the end of the logs if there was none. */
static void
stop_before(const struct search *s, uint64_t end, struct log_stop *stop)
{
	stop->at_end = !s->found;
	stop->lsn = s->found ? s->record.lsn : end;
	stop->need.end = s->found ? s->record.end : end;
	stop->need.latest = stop->lsn;
}

/* 1: found, or known to be the end; 0: not from here. */
static int
try_time(struct search *s, const struct log_piece *p, struct log_stop *stop, struct error *err)
{
	uint64_t end;

	if (p == NULL)
		return 0;
	int rc = read_from(s, p->from, &end, err);
	if (rc < 0)
		return rc;
	/* Nothing came later: good if they looked later. */
	if (!s->found && log_chain_reach_time(s->c, p->from) < s->target->time_ns)
		return 0;
	stop_before(s, end, stop);
	return 1;
}

/* How far the logs lead from the newest backup before that time; false: there is none. */
static bool
missing_from(const struct search *s, uint64_t time_ns, char at[WALRANGE_LSN_LEN + 1])
{
	const struct log_base *best = NULL;

	for (size_t i = 0; i < s->c->n_bases; i++) {
		const struct log_base *b = &s->c->bases[i];

		if (b->stop_time_ns <= time_ns && (s->only == NULL || s->only == b->point))
			best = b;
	}
	if (best == NULL)
		return false;
	walrange_format_lsn(log_chain_reach(s->c, best->held), at);
	return true;
}

static int
find_time(struct search *s, struct log_stop *stop, struct error *err)
{
	uint64_t time_ns = s->target->time_ns;
	char text[32], at[WALRANGE_LSN_LEN + 1], what[200];
	int rc = 0;

	if (time_ns <= newest_time(s->c))
		rc = try_time(s, begin_at(s->c, time_ns), stop, err);
	if (rc == 0 && time_ns <= newest_time(s->c)) {
		stop->need.before_ns = time_ns;
		rc = try_time(s, begin_after_base(s, time_ns), stop, err);
	}
	if (rc != 0)
		return rc < 0 ? rc : OK;
	/* Later logs are there, but none of the backups leads to them. */
	if (time_ns <= newest_time(s->c) && missing_from(s, time_ns, at))
		(void)text_printf(
			what, sizeof(what),
			"everything until %s: they are missing from %s on, and no backup was "
			"made behind that",
			clock_format_utc(time_ns, text), at);
	else
		(void)text_printf(what, sizeof(what), "everything until %s",
				  clock_format_utc(time_ns, text));
	return not_covered(s, what, err);
}

static int
find_lsn(struct search *s, struct log_stop *stop, struct error *err)
{
	uint64_t lsn = s->target->lsn, end;
	char text[WALRANGE_LSN_LEN + 1], what[64];

	(void)text_printf(what, sizeof(what), "everything before %s",
			  walrange_format_lsn(lsn, text));
	if (lsn == 0 || log_chain_piece(s->c, lsn - 1) == NULL)
		return not_covered(s, what, err);
	int rc = read_from(s, lsn - 1, &end, err);
	if (rc < 0)
		return rc;
	if (end < lsn && !s->found)
		return not_covered(s, what, err);
	stop_before(s, end, stop);
	stop->lsn = stop->need.latest = lsn;
	return OK;
}

/* The names in logs of which they were not written down, up to `until`. It begins early enough for a record that only
 * ends in them. */
static int
read_names(struct search *s, const struct log_piece *p, uint64_t until, struct error *err)
{
	uint64_t at = MAX(p->from, s->covered), end;

	if (at > LOG_NAME_SPAN && log_chain_piece(s->c, at - LOG_NAME_SPAN) != NULL)
		at -= LOG_NAME_SPAN;
	s->until = until;
	return read_from(s, at, &end, err);
}

/* Those that are written down. One that begins before the point's first file, and ended only when the point before was
 * closed, is in neither list. */
static int
take_names(struct search *s, const struct log_piece *p, const struct log_names *names,
	   struct error *err)
{
	struct log_point logs;
	int rc = log_point_of(p->point, NULL, &logs, err);

	if (rc >= 0 && p->from <= s->covered && s->covered < logs.from + LOG_NAME_SPAN)
		rc = read_names(s, p, logs.from, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < names->n; i++)
		if (names->all[i].lsn >= p->from && names->all[i].end <= p->to)
			note_name(s, names->all[i].name, names->all[i].lsn, names->all[i].end);
	return OK;
}

static int
names_of(struct search *s, const struct log_piece *p, struct error *err)
{
	CLEAN(log_names_done) struct log_names names = {0};

	if (log_names_of(p->point, &names, err) < 0)
		return err->code;
	return names.known ? take_names(s, p, &names, err) : read_names(s, p, p->to, err);
}

/* All that any backup could be followed by: a name may have been given twice. */
static int
find_name(struct search *s, struct log_stop *stop, struct error *err)
{
	char a[WALRANGE_LSN_LEN + 1], b[WALRANGE_LSN_LEN + 1];

	s->covered = s->c->n_bases > 0 ? s->c->bases[0].held : 0;
	for (size_t i = 0; i < s->c->n_pieces; i++) {
		const struct log_piece *p = &s->c->pieces[i];

		if (p->to <= s->covered)
			continue;
		if (names_of(s, p, err) < 0)
			return err->code;
		s->covered = p->to;
	}
	if (!s->found) {
		(void)error_set(err, ERR_NOT_FOUND, "the logs have no restore point named '%s'",
				s->target->name);
		return error_hint(err, "those they have: %s",
				  s->names[0] != '\0' ? s->names : "none");
	}
	if (s->n_named > 1) {
		(void)error_set(err, ERR_AMBIGUOUS, "'%s' was given %u times, at %s and at %s",
				s->target->name, s->n_named, walrange_format_lsn(s->other_lsn, a),
				walrange_format_lsn(s->record.lsn, b));
		return error_hint(err, "say which: --target-lsn takes a position, and leaves out "
				       "what begins there");
	}
	stop->lsn = s->record.lsn;
	stop->inclusive = true;
	stop->need.end = stop->need.latest = s->record.end;
	return OK;
}

/* As far as the logs go from the newest backup; if they do not go beyond it, that backup alone. */
static int
find_end(struct search *s, struct log_stop *stop, struct error *err)
{
	const struct log_base *b = NULL;

	for (size_t i = 0; i < s->c->n_bases; i++)
		if (s->only == NULL || s->only == s->c->bases[i].point)
			b = &s->c->bases[i];
	if (b == NULL)
		return not_covered(s, "a backup before them", err);
	uint64_t reach = log_chain_reach(s->c, b->held);

	stop->at_end = true;
	if (reach <= b->held || reach < b->stop)
		stop->alone = b;
	stop->lsn = stop->need.end = stop->need.latest = MAX(reach, b->stop);
	return OK;
}

int
log_search(const struct log_chain *c, struct repo_reader *reader, const struct log_target *target,
	   const struct point *only, struct progress *progress, struct log_stop *ret,
	   struct error *err)
{
	struct search s = {c, reader, target, only, progress, .found = false};
	struct log_stop stop = {0};
	int rc;

	if (c->n_pieces == 0 && target->kind != LOG_TARGET_END)
		return not_covered(&s, "anything of this database", err);
	switch (target->kind) {
	case LOG_TARGET_TIME:
		rc = find_time(&s, &stop, err);
		break;
	case LOG_TARGET_LSN:
		rc = find_lsn(&s, &stop, err);
		break;
	case LOG_TARGET_NAME:
		rc = find_name(&s, &stop, err);
		break;
	default:
		rc = find_end(&s, &stop, err);
	}
	walwalk_free(s.walk);
	if (rc < 0)
		return rc;
	stop.last_commit_ns = s.last_commit_ns;
	stop.need.only = only;
	*ret = stop;
	return OK;
}
