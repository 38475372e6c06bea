/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Look at the copies, look into the repository, decide, verify what the decision relies on, and only then
 * move the slot. Verifying may take hours, in which a copy is built anew or another one promoted: so the copies
 * are looked at again after it, and what they need then counts, too.
 */
#include "requester/truncation.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/eventlog.h"
#include "base/text.h"
#include "requester/backup_type.h"
#include "requester/log_check.h"
#include "requester/truncation_stored.h"

enum { LOOK_S = 10, MOVE_S = 10 };

struct run {
	const struct truncation_order *order;
	const struct group *group;
	struct point_list points;
	struct group_view view;
	struct truncation_stored stored;
	struct truncation result;
	char problem[256]; /* the first one that verifying found */
};

static void
run_done(struct run *run)
{
	truncation_stored_done(&run->stored);
	group_view_done(&run->view);
	point_list_done(&run->points);
}

static void
note(const struct run *run, const char *text)
{
	if (run->order->note != NULL)
		run->order->note(run->order->note_arg, text);
}

static const struct group_member *
active_of(const struct run *run)
{
	return run->view.active < run->view.n ? &run->view.members[run->view.active] : NULL;
}

/* ---- what lets go -------------------------------------------------------------------------------- */

/* Does the backup that this is for let go of logs at all? */
static int
check_type(struct run *run, bool *ret_truncates, struct error *err)
{
	CLEAN(point_freep) struct point *p = NULL;
	enum backup_type type = 0;

	*ret_truncates = true;
	if (run->order->point == NULL)
		return OK;
	if (point_read(run->order->repo, run->order->point, &p, err) < 0)
		return err->code;
	*ret_truncates = backup_type_of(p, &type) && backup_type_truncates(type);
	return OK;
}

static const struct copy_slot *
own_slot(const struct group *g, const struct copy_facts *f)
{
	for (size_t i = 0; g->slot != NULL && i < f->n_slots; i++)
		if (!f->slots[i].temporary && strcmp(f->slots[i].name, g->slot) == 0)
			return &f->slots[i];
	return NULL;
}

static int
look(struct run *run, struct error *err)
{
	const struct group_member *active;
	struct truncation_of of = {.group = run->group};
	const struct copy_slot *slot;

	if (group_look(run->group, clock_boot_ns() + LOOK_S * NS_PER_S, &run->view, err) < 0)
		return err->code;
	active = active_of(run);
	if (active != NULL) {
		slot = own_slot(run->group, &active->facts);
		of.identity = active->facts.identity;
		of.timeline = active->facts.timeline;
		of.before = slot != NULL && !slot->lost ? slot->position : 0;
		if (point_list_read(run->order->repo, &run->points, err) < 0 ||
		    truncation_stored_find(&of, &run->points, &run->stored, err) < 0)
			return err->code;
	}
	return truncate_decide(&run->view, &run->stored.what, &run->result.plan, err);
}

_Static_assert((int)GROUP_VERIFY_STRUCTURE == (int)VERIFY_STRUCTURE &&
		       (int)GROUP_VERIFY_STORED == (int)VERIFY_STORED &&
		       (int)GROUP_VERIFY_DATA == (int)VERIFY_DATA,
	       "the same depths");

/* ---- verifying ------------------------------------------------------------------------------------ */

static void
take_problem(void *arg, const char *object, const char *message)
{
	struct run *run = arg;

	if (run->problem[0] == 0)
		(void)text_printf(run->problem, sizeof(run->problem), "%s: %s", object, message);
}

static int
not_whole(const struct run *run, const struct point *p, struct error *err)
{
	error_set(err, ERR_CORRUPT, "restore point %.8s is not whole: %s", p->id_text,
		  run->problem);
	return error_hint(err, "no logs were let go of; see 'holdfast verify', and make a full "
			       "backup");
}

/* Logs may be stored without a fault, and not be those that they are said to be. */
static int
verify_logs(struct run *run, const struct point *p, struct error *err)
{
	const struct log_check check = {
		.repo = run->order->repo,
		.only = p,
		.read = run->group->verify != GROUP_VERIFY_STRUCTURE,
		.problem = take_problem,
		.problem_arg = run,
	};
	uint64_t problems = 0;

	if (log_check_run(&check, &problems, err) < 0)
		return error_prefix(err, "verify restore point %.8s", p->id_text);
	return problems == 0 ? OK : not_whole(run, p, err);
}

static int
verify_point(struct run *run, const struct point *p, struct error *err)
{
	struct verify_stats stats = {0};
	struct verify_options options = {
		.level = (enum verify_level)(run->group->verify != 0 ? run->group->verify
								     : GROUP_VERIFY_STORED),
		.only = p,
		.cancelled = run->order->cancelled,
		.problem = take_problem,
		.problem_arg = run,
	};
	char text[96];

	(void)snprintf(text, sizeof(text), "verifying restore point %.8s", p->id_text);
	note(run, text);
	int r = verify_repository(run->order->repo, &options, &stats, err);
	if (r < 0 && run->problem[0] != 0) {
		(void)not_whole(run, p, err);
		err->code = (enum err)r;
		return r;
	}
	if (r < 0)
		return error_prefix(err, "verify restore point %.8s", p->id_text);
	return verify_logs(run, p, err);
}

static int
verify_relied_on(struct run *run, struct error *err)
{
	for (size_t i = 0; i < run->points.n; i++) {
		const struct point *p = run->points.points[i];

		if (truncation_stored_relies(&run->stored, &run->result.plan, p) &&
		    verify_point(run, p, err) < 0)
			return err->code;
	}
	return OK;
}

/* What was decided holds as far as it still would be. */
static int
look_again(struct run *run, struct error *err)
{
	const struct copy_facts *before = &active_of(run)->facts, *now;
	CLEAN(group_view_done) struct group_view view = {0};
	struct group_view first;
	struct truncate_plan plan;

	if (group_look(run->group, clock_boot_ns() + LOOK_S * NS_PER_S, &view, err) < 0 ||
	    truncate_decide(&view, &run->stored.what, &plan, err) < 0)
		return err->code;
	now = &view.members[view.active].facts;
	if (now->timeline != before->timeline || strcmp(now->identity, before->identity) != 0)
		return error_set(err, ERR_GROUP_ROLE,
				 "another copy was promoted while restore points were verified");
	if (plan.end != TRUNCATE_MOVES || plan.to < run->result.plan.to)
		run->result.plan = plan;
	first = run->view;
	run->view = view;
	view = first;
	return OK;
}

/* ---- moving ---------------------------------------------------------------------------------------- */

static int
move(struct run *run, struct error *err)
{
	struct truncate_plan *plan = &run->result.plan;
	const struct group_member *active = active_of(run);
	uint64_t before;
	int r;

	r = run->group->engine->truncate(run->group, active->copy, plan->to,
					 clock_boot_ns() + MOVE_S * NS_PER_S, &before, err);
	if (r == ERR_BUSY) {
		/* A log copier that began since the look. */
		plan->end = TRUNCATE_BY_COPIER;
		plan->to = plan->before;
		return OK;
	}
	if (r < 0)
		return r;
	run->result.moved = true;
	return OK;
}

static void
tell(const struct run *run, enum err code, const char *cause)
{
	const struct truncation_order *o = run->order;
	const struct truncate_plan *plan = &run->result.plan;
	const struct group_member *active = active_of(run);
	char from[ENGINE_POSITION_MAX] = "", to[ENGINE_POSITION_MAX];
	const char *copy = active != NULL ? active->copy->name : "-";

	if (run->result.moved) {
		if (plan->before != 0)
			(void)run->group->engine->position_text(plan->before, from);
		eventlog_add(o->events, EVENT_LOGS_TRUNCATED, o->job,
			     "group=%s active=%s%s%s to=%s", run->group->name, copy,
			     from[0] != '\0' ? " from=" : "", from,
			     run->group->engine->position_text(plan->to, to));
		return;
	}
	if (code == OK && plan->end == TRUNCATE_BLOCKED)
		copy = plan->marks[plan->blocker].name;
	eventlog_add(o->events, EVENT_LOGS_NOT_TRUNCATED, o->job, "group=%s copy=%s cause=%s",
		     run->group->name, copy, cause);
}

/* ---- the recipe ------------------------------------------------------------------------------------- */

static int
recipe(struct run *run, struct error *err)
{
	struct truncate_plan *plan = &run->result.plan;
	bool truncates = true;

	if (check_type(run, &truncates, err) < 0)
		return err->code;
	if (!truncates) {
		plan->end = TRUNCATE_NEVER;
		plan->blocker = SIZE_MAX;
		return OK;
	}
	if (look(run, err) < 0)
		return err->code;
	if (run->order->explain || plan->end != TRUNCATE_MOVES)
		return OK;
	if (verify_relied_on(run, err) < 0 || look_again(run, err) < 0)
		return err->code;
	return plan->end == TRUNCATE_MOVES ? move(run, err) : OK;
}

int
truncation_run(const struct truncation_order *order, struct truncation *ret, struct error *err)
{
	CLEAN(run_done) struct run run = {.order = order, .group = order->group};
	int r = recipe(&run, err);

	if (r == OK)
		(void)truncate_sentence(&run.result.plan, run.group, run.result.moved,
					run.result.said);
	if (!order->explain)
		tell(&run, r, r == OK ? run.result.said : err->msg);
	if (r < 0)
		return r;
	*ret = run.result;
	return OK;
}
