/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The recipe of a group's backup. try_once() tells one try from top to bottom, the steps are above it in their
 * order; group_backup_run() repeats it. What a try must undo is held by struct attempt.
 */
#include "requester/group_backup.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/eventlog.h"
#include "base/text.h"
#include "group/choose.h"
#include "group/context.h"
#include "requester/group_blame.h"
#include "requester/group_record.h"
#include "requester/truncation.h"

/* For all copies to say how they are. */
#define LOOK_NS (10 * NS_PER_S)
/* Whoever waits for another backup looks that often, and not for ever. */
#define BUSY_LOOK_NS (2 * NS_PER_S)
#define BUSY_WAIT_NS (24 * 3600 * NS_PER_S)

/* All tries. */
struct course {
	struct repo *repo;
	const struct group_backup_order *order;
	enum backup_type type;
	char host[LOG_HOST_MAX];
	struct choose_history history;
	unsigned tries;
	uint64_t busy_until_ns; /* 0: nobody has been waited for */
	char busy_said[sizeof(((struct error *)0)->msg)];
};

/* One of them. */
struct attempt {
	struct course *course;
	struct group_view view;
	struct choice choice;
	struct group_facts facts;
	struct guest *guest;
	struct context *context;
	bool passive_at_fault; /* its context says so */
	_Atomic bool group_at_fault; /* logs, context, roles: nothing of the copy's host */
	bool copying; /* the copy's host is at work: what fails is likely its */
};

/* For people --------------------------------------------------------------------------------- */

static void note(const struct course *c, const char *format, ...) PRINTF_LIKE(2, 3);

static void
note(const struct course *c, const char *format, ...)
{
	char text[1024];
	va_list ap;

	if (c->order->note == NULL)
		return;
	va_start(ap, format);
	(void)text_vprintf(text, sizeof(text), format, ap);
	va_end(ap);
	c->order->note(c->order->note_arg, text);
}

static void phase(const struct course *c, const char *format, ...) PRINTF_LIKE(2, 3);

static void
phase(const struct course *c, const char *format, ...)
{
	char text[160];
	va_list ap;

	if (c->order->job.phase == NULL)
		return;
	va_start(ap, format);
	(void)text_vprintf(text, sizeof(text), format, ap);
	va_end(ap);
	c->order->job.phase(c->order->job.phase_arg, text);
}

/* The wish to stop. */
static const _Atomic bool *
stop_flag(const struct course *c)
{
	return &c->order->job.mover.progress->cancelled;
}

/* Which copy ------------------------------------------------------------------------------------ */

static void
attempt_done(struct attempt *a)
{
	guest_closep(&a->guest);
	context_close(a->context);
	group_view_done(&a->view);
}

static int
look(struct attempt *a, struct error *err)
{
	struct course *c = a->course;

	phase(c, "looking at the copies of %s", c->order->group->name);
	if (group_look_while(c->order->group, clock_boot_ns() + LOOK_NS, stop_flag(c), &a->view,
			     err) < 0)
		return err->code;
	group_judge(&a->view);
	if (a->view.active == SIZE_MAX)
		return group_no_active(&a->view, err);
	return OK;
}

static void
take_facts(struct attempt *a)
{
	const struct group_member *m = &a->view.members[a->choice.member];
	struct group_facts *f = &a->facts;

	*f = (struct group_facts){
		.group = a->course->order->group,
		.copy = m->copy,
		.active = a->view.members[a->view.active].copy,
		.role = m->facts.role,
		.why = a->choice.why,
	};
	(void)text_printf(f->identity, sizeof(f->identity), "%s", m->facts.identity);
}

static bool
is_blamed(const struct choose_history *h, const char *copy)
{
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->copies[i].copy, copy) == 0)
			return true;
	return false;
}

/*
 * The best copy whose agent answers. One whose agent does not has failed in this job; as long as there is one
 * left that has not, that one is as good as the first.
 */
static int
choose(struct attempt *a, struct error *err)
{
	struct course *c = a->course;
	const struct group_backup_order *o = c->order;

	for (;;) {
		if (choose_copy(&a->view, &c->history, &a->choice, err) < 0)
			return err->code;
		take_facts(a);
		bool again = !is_blamed(&c->history, a->facts.copy->name);

		phase(c, "connecting to the agent of %s", a->facts.copy->name);
		if (o->open_guest(o->open_arg, a->facts.copy->agent, 0, &a->guest, err) == OK)
			break;
		(void)error_prefix(err, "copy '%s'", a->facts.copy->name);
		if (!again || err->code == ERR_CANCELLED || err->code == ERR_NO_MEMORY)
			return err->code;
		retry_blame(&c->history, a->facts.copy->name);
		note(c, "%s", err->msg);
	}
	eventlog_add(o->events, EVENT_GROUP_CHOSEN, o->job.order.job,
		     "group=%s copy=%s active=%s why=%s", o->group->name, a->facts.copy->name,
		     a->facts.active->name, a->choice.why);
	note(c, "Copy '%s' of group '%s' is backed up; the active one is '%s'. %s",
	     a->facts.copy->name, o->group->name, a->facts.active->name, a->choice.why);
	return OK;
}

/* Logs and context ------------------------------------------------------------------------------ */

static int
ask_range(struct attempt *a, struct error *err)
{
	struct course *c = a->course;
	const struct group *g = c->order->group;
	struct log_range *r = &a->facts.range;

	phase(c, "asking %s for its logs", a->facts.active->name);
	if (g->engine->log_range(g, a->facts.active, g->query_log_range_timeout_ns, stop_flag(c), r,
				 err) < 0)
		return err->code;
	eventlog_add(c->order->events, EVENT_LOG_RANGE_KNOWN, c->order->job.order.job,
		     "active=%s first=%s last=%s files=%" PRIu64 " took_ms=%" PRIu64,
		     a->facts.active->name, r->oldest_name, r->end_name, r->n_files,
		     r->took_ns / NS_PER_MS);
	return OK;
}

static void
context_note(void *arg, const char *text)
{
	const struct course *c = arg;

	note(c, "%s", text);
}

static int
open_context(struct attempt *a, struct error *err)
{
	struct course *c = a->course;
	const struct context_order order = {
		.group = c->order->group,
		.active = a->facts.active,
		.passive = a->facts.copy,
		.holder = c->order->holder,
		.events = c->order->events,
		.job = c->order->job.order.job,
		.note = context_note,
		.note_arg = c,
		.stop = stop_flag(c),
		.passive_at_fault = &a->passive_at_fault,
	};

	phase(c, "opening the backup context on %s", a->facts.active->name);
	return context_open(&order, &a->facts.range, &a->context, err);
}

/* The copy ---------------------------------------------------------------------------------------- */

static int
watch_check(void *arg, struct error *err)
{
	struct attempt *a = arg;

	if (context_check(a->context, err) == OK)
		return OK;
	atomic_store(&a->group_at_fault, true);
	return err->code;
}

/* A channel that is lost at this very moment may come back, within the lease. */
static int
watch_prove(void *arg, const json_t *roots, json_t *record, struct error *err)
{
	struct attempt *a = arg;
	struct group_facts *f = &a->facts;

	if (context_prove(a->context, clock_boot_ns() + f->group->context_lease_ns, err) < 0)
		return err->code;
	context_state(a->context, &f->context);
	f->now_ns = clock_boot_ns();
	if (group_record_check(f, roots, err) < 0)
		return err->code;
	return group_record_add(f, record, err);
}

/* A promotion, say, its writer may have seen before the context did. */
static int
watch_explain(void *arg, const struct error *failure, struct error *err)
{
	const struct attempt *a = arg;

	if (!retry_blames_copy(failure))
		return OK;
	return context_look(a->context, clock_boot_ns() + a->facts.group->heartbeat_timeout_ns,
			    err);
}

static int
copy(struct attempt *a, struct backup_result *ret, struct error *err)
{
	struct course *c = a->course;
	const char *const writers[] = {c->order->group->engine->writer};
	const struct backup_watch watch = {watch_check, watch_prove, watch_explain, a};
	struct backup_job job = c->order->job;

	job.guest = a->guest;
	job.host = c->host;
	job.watch = &watch;
	job.order.writers = writers;
	job.order.n_writers = ARRAY_SIZE(writers);
	a->copying = true;
	return backup_run(c->repo, &job, ret, err);
}

/* Who asks the agent for the same job again finds the try before still there, until its lease ends. */
static int
still_there(struct attempt *a, struct error *err)
{
	if (err->code != ERR_EXISTS || a->course->tries < 2)
		return err->code;
	err->code = ERR_BUSY;
	(void)error_hint(err, "the agent lets go of the try before by itself, when its lease ends");
	return err->code;
}

/* The logs ---------------------------------------------------------------------------------------- */

/* The restore point is stored: whatever becomes of the logs now, the backup is good. */
static void
truncate_logs(struct course *c, struct group_backup_result *r)
{
	struct truncation t = {0};
	const struct truncation_order order = {
		.repo = c->repo,
		.group = c->order->group,
		.point = c->type == BACKUP_LOG ? &r->logs.id : &r->backup.id,
		.events = c->order->events,
		.job = c->order->job.order.job,
		.cancelled = &c->order->job.mover.progress->cancelled,
	};

	if (!backup_type_truncates(c->type))
		return;
	phase(c, "verifying the restore point, to let go of logs");
	if (truncation_run(&order, &t, &r->truncation) == OK)
		(void)text_printf(r->truncated, sizeof(r->truncated), "%s", t.said);
}

/* Tries ------------------------------------------------------------------------------------------- */

/* Steps that wait for long end by themselves when they are to stop; the next one need not begin. */
static int
check_cancelled(const struct course *c, struct error *err)
{
	if (atomic_load(stop_flag(c)))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	return OK;
}

/* While the copy's host is at work it hears what is lost from the abort; else, or if that was too early, now. */
static void
tell_chosen(struct attempt *a, const struct error *why)
{
	if (!a->copying || atomic_load(&a->group_at_fault))
		group_blame_chosen(a->course->order, a->guest, a->facts.identity, why);
}

/* An agent that does not answer cannot be told. */
static void
tell_unchosen(const struct attempt *a, const struct error *why)
{
	if (why->code == ERR_GROUP_NO_COPY || why->code == ERR_GROUP_BUSY)
		group_blame_all(a->course->order, &a->view, why);
}

/* Before the context is closed, which is open until then. */
static void
tell_stored(const struct course *c, struct group_backup_result *r)
{
	r->tries = c->tries;
	if (c->order->stored != NULL)
		c->order->stored(c->order->note_arg, r);
}

static int
try_once(struct course *c, struct group_backup_result *ret, struct error *err)
{
	CLEAN(attempt_done) struct attempt a = {.course = c};
	int r;

	if (look(&a, err) < 0 || check_cancelled(c, err) < 0 || choose(&a, err) < 0 ||
	    check_cancelled(c, err) < 0) {
		tell_unchosen(&a, err);
		return err->code;
	}
	r = ask_range(&a, err);
	if (r == OK)
		r = check_cancelled(c, err);
	if (r == OK)
		r = open_context(&a, err);
	if (r == OK)
		r = copy(&a, &ret->backup, err);
	if (r < 0) {
		if ((a.copying && retry_blames_copy(err)) || a.passive_at_fault)
			retry_blame(&c->history, a.facts.copy->name);
		tell_chosen(&a, err);
		return still_there(&a, err);
	}
	(void)text_printf(ret->copy, sizeof(ret->copy), "%s", a.facts.copy->name);
	(void)text_printf(ret->active, sizeof(ret->active), "%s", a.facts.active->name);
	ret->passive = a.facts.role == COPY_ROLE_PASSIVE;
	ret->reopened = a.facts.context.reopened;
	tell_stored(c, ret);
	return OK;
}

static int
try_logs(struct course *c, struct group_backup_result *ret, struct error *err)
{
	const struct backup_job *job = &c->order->job;
	const struct log_backup_order order = {
		.repo = c->repo,
		.group = c->order->group,
		.state_dir = c->order->state_dir,
		.write = job->write,
		.n_tags = job->n_tags,
		.tags = job->tags,
		.events = c->order->events,
		.job = job->order.job,
		.say = job->phase,
		.say_arg = job->phase_arg,
		.cancelled = &job->mover.progress->cancelled,
	};

	if (log_backup_run(&order, &ret->logs, err) < 0)
		return err->code;
	(void)text_printf(ret->active, sizeof(ret->active), "%s", ret->logs.active);
	tell_stored(c, ret);
	return OK;
}

/* Another backup of the group is running: 1 it may be over now, 0 nobody wants to wait. */
static int
wait_for_other(struct course *c, const struct error *busy, struct error *err)
{
	const struct group_backup_order *o = c->order;

	if (!o->wait)
		return 0;
	if (c->busy_until_ns == 0)
		c->busy_until_ns = clock_boot_ns() + BUSY_WAIT_NS;
	if (clock_boot_ns() >= c->busy_until_ns)
		return 0;
	if (strcmp(c->busy_said, busy->msg) != 0)
		note(c, "Waiting: %s", busy->msg);
	(void)text_printf(c->busy_said, sizeof(c->busy_said), "%s", busy->msg);
	phase(c, "waiting for another backup of %s", o->group->name);
	return retry_wait(BUSY_LOOK_NS, o->job.mover.progress, NULL, NULL, err) < 0 ? err->code : 1;
}

/* Whoever comes second is told so at once; but what is in the way of a later try may be the one before. */
static bool
is_final(const struct course *c, const struct error *failure)
{
	return !retry_again(&c->order->retry, c->tries, failure) ||
	       (failure->code == ERR_GROUP_BUSY && c->tries == 1);
}

static void
say_left(void *arg, uint64_t left_ns)
{
	const struct course *c = arg;

	phase(c, "next try in %" PRIu64 " s", (left_ns + NS_PER_S - 1) / NS_PER_S);
}

static int
wait_for_next(struct course *c, const struct error *failure, struct error *err)
{
	const struct group_backup_order *o = c->order;

	eventlog_add(o->events, EVENT_BACKUP_RETRY, o->job.order.job,
		     "try=%u tries=%u wait_s=%" PRIu64 " code=%s error=%s", c->tries,
		     o->retry.tries, o->retry.wait_ns / NS_PER_S, error_name(failure->code),
		     failure->msg);
	note(c, "Try %u of %u failed: %s. The next one begins in %" PRIu64 " s.", c->tries,
	     o->retry.tries, failure->msg, o->retry.wait_ns / NS_PER_S);
	return retry_wait(o->retry.wait_ns, o->job.mover.progress, say_left, c, err);
}

int
group_backup_run(struct repo *repo, const struct group_backup_order *order,
		 struct group_backup_result *ret, struct error *err)
{
	struct course c = {.repo = repo, .order = order, .tries = 1};
	struct group_backup_result result = {0};

	c.type = order->job.type != 0 ? order->job.type : BACKUP_FULL;
	result.type = c.type;
	if (backup_type_check(c.type, true, err) < 0)
		return err->code;
	(void)log_host(order->group->name, c.host);
	for (;;) {
		struct error failure = ERROR_INIT;
		int r = c.type == BACKUP_LOG ? try_logs(&c, &result, &failure)
					     : try_once(&c, &result, &failure);

		if (r == OK)
			break;
		if (r == ERR_GROUP_BUSY) {
			int waited = wait_for_other(&c, &failure, err);

			if (waited < 0)
				return waited;
			if (waited > 0)
				continue;
		}
		if (is_final(&c, &failure)) {
			*err = failure;
			return r;
		}
		if (wait_for_next(&c, &failure, err) < 0)
			return err->code;
		retry_reset(order->job.mover.progress);
		c.tries++;
	}
	truncate_logs(&c, &result);
	*ret = result;
	return OK;
}
