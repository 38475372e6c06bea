/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The log range query: a listing of pg_wal, which takes its time where there are many files or the server
 * is busy. The limit is kept here: the server's own statement_timeout does not cover a dead link, and
 * is only there so that nothing goes on in the server after we have left.
 *
 * What takes longer than the limit has failed. If the server is alive it is waited for a while longer
 * nevertheless, so that the one who reads the message knows which limit would have been enough.
 */
#include "group/postgresql/range.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "group/postgresql/target.h"
#include "postgresql/walrange.h"

enum {
	STOP_LOOK_MS = 100,
	PROBE_S = 3,
	MEASURE_MIN_S = 3,
	MEASURE_MAX_S = 120,
	FILES_MAX_DIGITS = 12
};

/* Files after the current one are recycled ones, that wait for their use. Numbers first, since the
 * files before a promotion have a lower timeline, and belong to it all the same. */
static const char range_sql[] =
	"SELECT f.lsn, f.name, c.redo_lsn, i.bytes_per_wal_segment, o.n, o.oldest"
	" FROM (SELECT l AS lsn, pg_walfile_name(l) AS name"
	" FROM pg_current_wal_flush_lsn() l) f,"
	" pg_control_checkpoint() c, pg_control_init() i,"
	" LATERAL (SELECT count(*) AS n,"
	" min((substr(d.name, 9) || substr(d.name, 1, 8)) COLLATE \"C\") AS oldest"
	" FROM pg_ls_waldir() d WHERE d.name ~ '^[0-9A-F]{24}$'"
	" AND substr(d.name, 1, 8) COLLATE \"C\" <= substr(f.name, 1, 8)"
	" AND substr(d.name, 9) COLLATE \"C\" <= substr(f.name, 9)) o";

static bool
parse_number(const char *text, int base, size_t digits, uint64_t *ret)
{
	const char *allowed = base == 16 ? "0123456789ABCDEF" : "0123456789";
	size_t n = strlen(text);

	if (n == 0 || n > digits || strspn(text, allowed) != n)
		return false;
	*ret = strtoull(text, NULL, base);
	return true;
}

/* Part of a file's name, `n` hexadecimal digits. */
static bool
parse_part(const char *name, size_t at, size_t n, uint64_t *ret)
{
	char part[WALRANGE_NAME_LEN + 1];

	(void)snprintf(part, sizeof(part), "%.*s", (int)n, name + at);
	return parse_number(part, 16, n, ret);
}

int
range_read(const struct range_answer *a, struct log_range *ret, struct error *err)
{
	uint64_t timeline, high, low;
	struct log_range r = {0};

	if (strlen(a->end_name) != WALRANGE_NAME_LEN || strlen(a->oldest) != WALRANGE_NAME_LEN ||
	    !walrange_parse_lsn(a->end, &r.end) || !walrange_parse_lsn(a->required, &r.required) ||
	    !parse_number(a->segment_bytes, 10, FILES_MAX_DIGITS, &r.segment_bytes) ||
	    !parse_number(a->files, 10, FILES_MAX_DIGITS, &r.n_files) ||
	    !parse_part(a->end_name, 0, 8, &timeline) || !parse_part(a->oldest, 0, 8, &high) ||
	    !parse_part(a->oldest, 8, 8, &low) || r.segment_bytes < 1 << 20 ||
	    r.segment_bytes > 1 << 30 || (r.segment_bytes & (r.segment_bytes - 1)) != 0 ||
	    low >= (UINT64_C(1) << 32) / r.segment_bytes || timeline == 0)
		return error_set(err, ERR_PROTOCOL, "its log range makes no sense");
	r.timeline = (uint32_t)timeline;
	r.oldest = (high << 32) + low * r.segment_bytes;
	(void)snprintf(r.end_name, sizeof(r.end_name), "%s", a->end_name);
	(void)snprintf(r.oldest_name, sizeof(r.oldest_name), "%.8s%.16s", a->oldest + 16,
		       a->oldest);
	if (r.oldest > r.required || r.required > r.end)
		return error_set(err, ERR_PROTOCOL,
				 "its log range makes no sense: from %s, needed from %s, up to %s",
				 r.oldest_name, a->required, a->end);
	*ret = r;
	return OK;
}

uint64_t
range_enough_s(uint64_t took_ns)
{
	return (took_ns + took_ns / 2) / NS_PER_S + 1;
}

/* One asking. */
struct ask {
	const struct group *group;
	const struct group_copy *active;
	uint64_t start_ns, limit_ns;
	const _Atomic bool *stop;
};

static uint64_t
passed_ns(const struct ask *a)
{
	return clock_boot_ns() - a->start_ns;
}

static struct pgconn_limit
limit_at(const struct ask *a, uint64_t deadline_ns)
{
	return (struct pgconn_limit){
		.deadline_ns = deadline_ns, .requester_fd = -1, .stop = a->stop, .no_cancel = true};
}

/* Does the server answer anybody else? */
static bool
is_alive(const struct ask *a)
{
	CLEAN(pgconn_closep) struct pgconn *c = NULL;
	struct pgconn_limit limit = limit_at(a, clock_boot_ns() + PROBE_S * NS_PER_S);
	struct target t;

	target_of(a->group, a->active, "holdfast probe", &t);
	return pgconn_open(&t.pg, &limit, &c, NULL) == OK &&
	       pgconn_query(c, &limit, "SELECT 1", 0, NULL, NULL, NULL) == OK;
}

static bool
is_stopped(const struct ask *a)
{
	return a->stop != NULL && atomic_load(a->stop);
}

/* 1 the answer is here, 0 not by the deadline. */
static int
wait_until(const struct ask *a, struct pgconn *c, uint64_t deadline_ns, PGresult **ret,
	   struct error *err)
{
	for (;;) {
		int rc = pgconn_take(c, ret, err);
		struct pollfd p = {.fd = pgconn_fd(c), .events = POLLIN};
		if (rc != 0)
			return rc;
		if (is_stopped(a)) {
			pgconn_stop(c);
			return error_set(err, ERR_CANCELLED, "stopped on request");
		}
		if (clock_boot_ns() >= deadline_ns)
			return 0;
		if (poll(&p, 1, MIN(clock_left_ms(deadline_ns), STOP_LOOK_MS)) < 0 &&
		    errno != EINTR)
			return error_sys(err, ERR_IO, "wait for the server");
	}
}

static void
format_s(uint64_t ns, char text[24])
{
	(void)snprintf(text, 24, "%" PRIu64 ".%" PRIu64 " s", ns / NS_PER_S,
		       ns % NS_PER_S / (100 * NS_PER_MS));
}

/* It took too long: what would have been enough? */
static int
too_late(const struct ask *a, bool answered, struct error *err)
{
	char took[24], limit[24];
	uint64_t passed = passed_ns(a);

	format_s(passed, took);
	format_s(a->limit_ns, limit);
	if (!answered) {
		(void)error_set(err, ERR_GROUP_LOG_RANGE,
				"%s did not name its logs within query_log_range_timeout (%s), nor "
				"within %s",
				a->active->name, limit, took);
		return error_hint(err,
				  "set query_log_range_timeout in [group.%s] to %" PRIu64
				  "s or more, or look at what keeps %s busy",
				  a->group->name, MAX(range_enough_s(2 * passed), UINT64_C(120)),
				  a->active->name);
	}
	(void)error_set(err, ERR_GROUP_LOG_RANGE,
			"%s took %s to name its logs, longer than query_log_range_timeout (%s); "
			"%" PRIu64 " s would have been enough",
			a->active->name, took, limit, range_enough_s(passed));
	return error_hint(err,
			  "set query_log_range_timeout in [group.%s] to %" PRIu64
			  "s, or look at what keeps %s busy",
			  a->group->name, range_enough_s(passed), a->active->name);
}

static int
link_dead(const struct ask *a, struct error *err)
{
	char took[24];

	format_s(passed_ns(a), took);
	(void)error_set(err, ERR_GROUP_LOG_RANGE,
			"%s did not name its logs within %s, and does not answer at all any more",
			a->active->name, took);
	return error_hint(err,
			  "look at the network between here and %s, and at its server; a longer "
			  "query_log_range_timeout would not have helped",
			  a->active->name);
}

/* Wait on, to know how long it takes. Fails in any case. */
static int
measure(const struct ask *a, struct pgconn *c, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *ignored = NULL;
	uint64_t more_ns = MAX(MIN(a->limit_ns, MEASURE_MAX_S * NS_PER_S),
			       MEASURE_MIN_S * NS_PER_S);
	int rc;

	if (!is_alive(a) && !is_stopped(a))
		return link_dead(a, err);
	rc = wait_until(a, c, a->start_ns + a->limit_ns + more_ns, &ignored, err);
	if (rc == ERR_CANCELLED)
		return rc;
	if (rc < 0)
		return link_dead(a, err);
	if (rc == 0)
		pgconn_give_up(c);
	return too_late(a, rc == 1, err);
}

/* Until then the statement may run in the server: somewhat longer than we wait. */
static int
set_up(const struct ask *a, struct pgconn *c, const struct pgconn_limit *limit, struct error *err)
{
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	char ms[24];
	const char *const params[] = {ms};
	int rc;

	(void)snprintf(ms, sizeof(ms), "%" PRIu64,
		       MIN(2 * a->limit_ns / NS_PER_MS + 5000, UINT64_C(86400000)));
	rc = pgconn_query(c, limit,
			  "SELECT pg_is_in_recovery(),"
			  " set_config('statement_timeout', $1, false)",
			  1, params, &r, err);
	if (rc < 0)
		return rc;
	if (PQntuples(r) != 1 || PQnfields(r) < 1 || strcmp(PQgetvalue(r, 0, 0), "f") != 0)
		return error_set(err, ERR_GROUP_ROLE, "%s is not the active copy any more",
				 a->active->name);
	return OK;
}

static int
read_result(const PGresult *r, struct log_range *ret, struct error *err)
{
	struct range_answer a;

	if (PQntuples(r) != 1 || PQnfields(r) != 6)
		return error_set(err, ERR_PROTOCOL, "its log range has no answer");
	a = (struct range_answer){
		.end = PQgetvalue(r, 0, 0),
		.end_name = PQgetvalue(r, 0, 1),
		.required = PQgetvalue(r, 0, 2),
		.segment_bytes = PQgetvalue(r, 0, 3),
		.files = PQgetvalue(r, 0, 4),
		.oldest = PQgetvalue(r, 0, 5),
	};
	return range_read(&a, ret, err);
}

/* What it failed of, in the words of the group. */
static int
ask_failed(const struct ask *a, int rc, struct error *err)
{
	if (rc == ERR_CANCELLED)
		return rc;
	/* The time was up while connecting, or with the first word. */
	if ((rc == ERR_TIMEOUT || rc == ERR_DB_CONNECT) && passed_ns(a) >= a->limit_ns)
		return is_alive(a) ? too_late(a, false, err) : link_dead(a, err);
	(void)error_prefix(err, "ask %s for its logs", a->active->name);
	if (rc == ERR_PERMISSION)
		(void)error_hint(err, "GRANT pg_monitor TO the role that [group.%s.copy.%s] names",
				 a->group->name, a->active->name);
	return target_failed(a->group, a->active, rc, err);
}

int
range_ask(const struct group *g, const struct group_copy *active, uint64_t limit_ns,
	  const _Atomic bool *stop, struct log_range *ret, struct error *err)
{
	struct ask a = {g, active, clock_boot_ns(), limit_ns, stop};
	struct pgconn_limit limit = limit_at(&a, a.start_ns + limit_ns);
	CLEAN(pgconn_closep) struct pgconn *c = NULL;
	CLEAN(pgconn_result_done) PGresult *r = NULL;
	struct error local = ERROR_INIT;
	char application[64];
	struct target t;
	int rc;

	err = err != NULL ? err : &local;
	(void)text_printf(application, sizeof(application), "holdfast log range %s", g->name);
	target_of(g, active, application, &t);
	t.pg.connect_timeout_s = (unsigned)(MIN(limit_ns, 3600 * NS_PER_S) / NS_PER_S + 1);
	rc = pgconn_open(&t.pg, &limit, &c, err);
	if (rc == OK)
		rc = set_up(&a, c, &limit, err);
	if (rc == OK)
		rc = pgconn_send(c, range_sql, 0, NULL, err);
	if (rc == OK)
		rc = wait_until(&a, c, limit.deadline_ns, &r, err);
	if (rc == 0)
		return measure(&a, c, err);
	if (rc > 0)
		rc = read_result(r, ret, err);
	if (rc < 0)
		return ask_failed(&a, rc, err);
	ret->took_ns = passed_ns(&a);
	return OK;
}
