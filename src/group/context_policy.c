/* SPDX-License-Identifier: Apache-2.0 */

/* Decisions only; who carries them out is context_link.c. */
#include "group/context_policy.h"

#include "base/clock.h"

/* A walsender speaks at least that often while it has something to send. */
#define COPIER_SILENT_NS (10 * NS_PER_S)
/* From one try to open it again to the next. */
#define REOPEN_NS (NS_PER_S)

void
context_policy_init(struct context_policy *p, const struct group *g, uint64_t now_ns)
{
	*p = (struct context_policy){
		.heartbeat_ns = g->heartbeat_ns,
		.answer_ns = g->heartbeat_timeout_ns,
		.lease_ns = g->context_lease_ns,
		.phase = CONTEXT_PHASE_HELD,
		.due_ns = now_ns + g->heartbeat_ns,
		.sign_ns = now_ns,
	};
}

bool
context_policy_is_expired(const struct context_policy *p, uint64_t now_ns)
{
	return p->phase != CONTEXT_PHASE_OVER && now_ns >= p->sign_ns &&
	       now_ns - p->sign_ns >= p->lease_ns;
}

enum context_step
context_policy_next(const struct context_policy *p, uint64_t now_ns)
{
	if (context_policy_is_expired(p, now_ns))
		return CONTEXT_STEP_GIVE_UP;
	if (p->phase == CONTEXT_PHASE_OVER || now_ns < p->due_ns)
		return CONTEXT_STEP_WAIT;
	return p->phase == CONTEXT_PHASE_HELD ? CONTEXT_STEP_BEAT : CONTEXT_STEP_REOPEN;
}

bool
context_policy_may_return(enum err code)
{
	switch (code) {
	case ERR_DB_CONNECT:
	case ERR_DB_SESSION_LOST:
	case ERR_TIMEOUT:
	case ERR_WRITER_RETRYABLE: /* a statement ran into a limit, resources were short */
	case ERR_NO_MEMORY:
		return true;
	default:
		return false;
	}
}

/* The moment of asking counts: an answer says that it was alive then, not how long it stays so. */
static void
alive(struct context_policy *p, uint64_t asked_ns)
{
	if (p->phase == CONTEXT_PHASE_AWAY)
		p->reopened++;
	p->phase = CONTEXT_PHASE_HELD;
	p->sign_ns = MAX(p->sign_ns, asked_ns);
	p->due_ns = asked_ns + p->heartbeat_ns;
}

static void
away(struct context_policy *p, uint64_t now_ns)
{
	uint64_t pause_ns = MIN(REOPEN_NS, p->heartbeat_ns);

	if (p->phase == CONTEXT_PHASE_AWAY) {
		p->due_ns = now_ns + pause_ns;
		return;
	}
	p->phase = CONTEXT_PHASE_AWAY;
	p->away_ns = now_ns;
	/* The first try at once: a reset has a new connection within milliseconds. But where something
	 * resets each new connection, too, it is one a pause, and not as many as there can be. */
	p->due_ns = p->tried_ns != 0 ? MAX(now_ns, p->tried_ns + pause_ns) : now_ns;
}

void
context_policy_answer(struct context_policy *p, uint64_t asked_ns, uint64_t now_ns, enum err code)
{
	if (p->phase == CONTEXT_PHASE_OVER)
		return;
	if (p->phase == CONTEXT_PHASE_AWAY)
		p->tried_ns = asked_ns;
	if (code == OK)
		alive(p, asked_ns);
	else if (context_policy_may_return(code))
		away(p, now_ns);
	else
		p->phase = CONTEXT_PHASE_OVER;
}

void
context_policy_hurry(struct context_policy *p, uint64_t now_ns)
{
	if (p->phase == CONTEXT_PHASE_HELD)
		p->due_ns = MIN(p->due_ns, now_ns);
}

uint64_t
context_policy_deadline(const struct context_policy *p, enum context_step step, uint64_t now_ns)
{
	/* To open is several questions, and a connection first. */
	uint64_t wait_ns = step == CONTEXT_STEP_REOPEN ? 2 * p->answer_ns : p->answer_ns;

	return MIN(now_ns + wait_ns, p->sign_ns + p->lease_ns);
}

static bool
hears(const struct watch_facts *f, uint64_t active_end)
{
	return f->receiving && !(f->silent_ns > COPIER_SILENT_NS && active_end > f->received);
}

enum passive_news
context_policy_passive(struct passive_policy *p, const struct watch_facts *f, uint64_t active_end,
		       uint64_t now_ns)
{
	bool restarted = p->known && f->started != p->started;
	bool lost = !hears(f, active_end);

	if (!f->passive)
		return PASSIVE_PROMOTED;
	if (restarted)
		return PASSIVE_RESTARTED;
	if (p->timeline != 0 && f->timeline > p->timeline)
		return PASSIVE_TIMELINE;
	p->known = true;
	p->started = f->started;
	p->timeline = MAX(p->timeline, f->timeline);
	if (lost == p->copier_lost)
		return PASSIVE_SAME;
	p->copier_lost = lost;
	if (!lost)
		return PASSIVE_COPIER_BACK;
	p->copier_lost_ns = now_ns;
	return PASSIVE_COPIER_LOST;
}
