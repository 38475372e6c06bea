/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A chain of small steps: each posts a job or a record and names what comes after it. A lease may end
 * between any two of them; then the chain stops (h->ending), and undo.c waits for the jobs that are out.
 */
#include "guard/daemon/make.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/clock.h"
#include "guard/daemon/reach.h"
#include "guard/daemon/record.h"
#include "guard/daemon/say.h"

static void
refuse(struct hold *h, enum err code, const char *why)
{
	struct error e = ERROR_INIT;

	(void)error_set(&e, code, "%s", why);
	say_error_to_asker(h, &e);
}

/* ---- a source -------------------------------------------------------------------------------- */

static void
drop_last_member(struct hold *h)
{
	free(h->members[--h->n_members]);
	h->members[h->n_members] = NULL;
}

static void
prepared_is_recorded(struct hold *h, int rc, struct error *err)
{
	struct member *m = h->members[h->n_members - 1];

	if (h->ending)
		return;
	h->step = HOLD_OPEN;
	if (rc < 0)
		say_error_to_asker(h, err);
	else
		say_to_asker(h, &m->s, sizeof(m->s));
}

static void
prepared(struct job *job, void *arg)
{
	struct member *m = CONTAINER_OF(job, struct member, job);
	struct hold *h = m->hold;

	(void)arg;
	m->s = m->work;
	if (h->ending)
		return;
	if (m->rc < 0) {
		(void)error_prefix(&m->err, "prepare a snapshot of '%s'", m->s.source);
		h->step = HOLD_OPEN;
		say_error_to_asker(h, &m->err);
		/* Its provider says that nothing is left: the journal must not lead to it either. */
		m->stage = JOURNAL_GONE;
		m->dirty = true;
		if (h->journaled)
			record_hold(h, NULL);
		drop_last_member(h);
		return;
	}
	m->dirty = true;
	if (h->journaled)
		record_hold(h, prepared_is_recorded);
	else
		prepared_is_recorded(h, OK, NULL);
}

static void
run_prepare(struct job *job)
{
	struct member *m = CONTAINER_OF(job, struct member, job);

	m->err = ERROR_INIT;
	m->rc = m->ops->prepare(&m->work, m->settings, &m->err);
}

static void
intent_is_recorded(struct hold *h, int rc, struct error *err)
{
	struct member *m = h->members[h->n_members - 1];

	if (h->ending)
		return;
	if (rc < 0) {
		say_error_to_asker(h, err);
		h->step = HOLD_OPEN;
		drop_last_member(h);
		return;
	}
	m->work = m->s;
	m->job.run = run_prepare;
	m->job.done = prepared;
	jobs_post(&h->g->maker, &m->job);
}

void
make_add(struct hold *h, const struct wire_add *add)
{
	const struct provider_ops *ops = provider_find_by_name(add->provider);

	if (h->step != HOLD_OPEN) {
		refuse(h, ERR_BAD_STATE,
		       "sources are added before the freeze, one after the other");
		return;
	}
	if (ops == NULL) {
		refuse(h, ERR_NOT_FOUND, "there is no such snapshot provider");
		return;
	}
	struct member *m = guardian_add_member(h, ops);
	if (m == NULL) {
		refuse(h, ERR_LIMIT, "too many sources in one snapshot set");
		return;
	}
	memcpy(m->s.source, add->source, sizeof(m->s.source));
	h->step = HOLD_ADDING;
	h->journaled = h->journaled || strcmp(ops->name, "direct") != 0;
	m->dirty = true;
	if (h->journaled)
		record_hold(h, intent_is_recorded);
	else
		intent_is_recorded(h, OK, NULL);
}

/* ---- armed ----------------------------------------------------------------------------------- */

static int
open_file_system(struct hold *h, const char *path, struct error *err)
{
	CLEAN(fd_close) int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	uint64_t device = fd >= 0 ? reach_id(fd) : 0;

	if (device == 0)
		return error_sys(err, ERR_FREEZE, "open '%s'", path);
	for (size_t i = 0; i < h->n_armed; i++) {
		if (h->armed[i].device == device)
			return OK;
	}
	/* What is dirty now would be written while everybody waits. */
	if (syncfs(fd) < 0)
		return error_sys(err, ERR_FREEZE, "flush '%s'", path);
	h->armed[h->n_armed].device = device;
	h->armed[h->n_armed].path = path;
	h->armed[h->n_armed++].fd = STEAL_FD(fd);
	return OK;
}

static void
run_arm(struct job *job)
{
	struct hold *h = CONTAINER_OF(job, struct hold, arm);

	h->n_armed = 0;
	h->arm_rc = OK;
	h->arm_err = ERROR_INIT;
	for (size_t i = 0; h->arm_rc == OK && i < h->n_members; i++) {
		struct member *m = h->members[i];

		if (provider_freezes(m->ops, m->settings))
			h->arm_rc = open_file_system(h, m->s.source, &h->arm_err);
	}
}

static int
take_slots(struct hold *h, struct error *err)
{
	for (; h->n_armed > 0 && h->n_freezers < h->n_armed; h->n_freezers++) {
		struct freezer *f = guardian_freezer(h->g);

		if (f == NULL)
			return error_set(err, ERR_BUSY, "no more file systems can be frozen");
		f->device = h->armed[h->n_freezers].device;
		wire_text(f->path, sizeof(f->path), h->armed[h->n_freezers].path);
		freezer_open(f, STEAL_FD(h->armed[h->n_freezers].fd));
		h->freezers[h->n_freezers] = f;
	}
	return OK;
}

static void
arm_is_recorded(struct hold *h, int rc, struct error *err)
{
	struct guardian *g = h->g;
	struct error e = ERROR_INIT;

	if (h->ending)
		return;
	h->step = HOLD_OPEN;
	if (rc < 0) {
		say_error_to_asker(h, err);
	} else if (lease_freeze(&g->leases, &h->key, h->cap_ns, clock_boot_ns(), &e) < 0) {
		say_error_to_asker(h, &e);
	} else {
		h->step = HOLD_ARMED;
		say_event(g, h, EVENT_FREEZE_BEGUN, "limit_ms=%" PRIu64, h->cap_ns / NS_PER_MS);
		say_to_asker(h, NULL, 0);
	}
	/* An end that is due already is for the loop to see. */
}

static void
armed(struct job *job, void *arg)
{
	struct hold *h = CONTAINER_OF(job, struct hold, arm);

	(void)arg;
	if (h->arm_rc == OK && !h->ending)
		h->arm_rc = take_slots(h, &h->arm_err);
	for (size_t i = 0; i < h->n_armed; i++)
		fd_close(&h->armed[i].fd);
	h->n_armed = 0;
	if (h->ending)
		return;
	if (h->arm_rc < 0) {
		h->step = HOLD_OPEN;
		say_error_to_asker(h, &h->arm_err);
		return;
	}
	h->freezers_dirty = h->n_freezers > 0;
	if (h->journaled)
		record_hold(h, arm_is_recorded);
	else
		arm_is_recorded(h, OK, NULL);
}

void
make_arm(struct hold *h, uint64_t cap_ns)
{
	if (h->step != HOLD_OPEN) {
		refuse(h, ERR_BAD_STATE, "the snapshot set is not being prepared");
		return;
	}
	if (cap_ns == 0 || cap_ns > LEASE_FREEZE_MAX_NS) {
		refuse(h, ERR_LIMIT, "nothing may be frozen for so long");
		return;
	}
	for (size_t i = 0; i < h->n_freezers; i++) /* of an attempt that failed */
		freezer_close(h->freezers[i]);
	h->n_freezers = 0;
	h->step = HOLD_ARMING;
	h->cap_ns = cap_ns;
	h->arm.run = run_arm;
	h->arm.done = armed;
	jobs_post(&h->g->maker, &h->arm);
}

/* ---- the moment ------------------------------------------------------------------------------ */

static void
thaw_all(struct hold *h)
{
	h->step = HOLD_THAWING;
	for (size_t i = h->n_freezers; i > 0; i--)
		freezer_thaw(h->freezers[i - 1]);
	make_go_on(h);
}

static void create_next(struct hold *h);

static void
created(struct job *job, void *arg)
{
	struct member *m = CONTAINER_OF(job, struct member, job);
	struct hold *h = m->hold;

	(void)arg;
	m->s = m->work;
	m->stage = m->rc < 0 ? JOURNAL_INTENDED : JOURNAL_THERE;
	m->dirty = true;
	if (h->ending)
		return;
	if (m->rc < 0) {
		h->failure = m->err;
		(void)error_prefix(&h->failure, "snapshot of '%s'", m->s.source);
		thaw_all(h);
		return;
	}
	h->at++;
	create_next(h);
}

static void
run_create(struct job *job)
{
	struct member *m = CONTAINER_OF(job, struct member, job);

	m->err = ERROR_INIT;
	m->rc = m->ops->create(&m->work, m->settings, m->deadline_ns, &m->err);
}

static void
create_next(struct hold *h)
{
	const struct lease *l = lease_find(&h->g->leases, &h->key);

	if (h->at == h->n_members || l == NULL) {
		h->moment.wall_ns = clock_wall_ns();
		thaw_all(h);
		return;
	}
	struct member *m = h->members[h->at];
	m->work = m->s;
	m->deadline_ns = MIN(l->freeze_deadline_ns, l->deadline_ns);
	m->job.run = run_create;
	m->job.done = created;
	jobs_post(&h->g->maker, &m->job);
}

/* Has the file system that is being frozen come to something? */
static void
freeze_next(struct hold *h)
{
	while (h->at < h->n_freezers) {
		struct freezer *f = h->freezers[h->at];

		switch (freezer_state(f)) {
		case FREEZER_READY:
			freezer_freeze(f);
			return;
		case FREEZER_FREEZING:
			return;
		case FREEZER_FROZEN:
			h->at++;
			break;
		default:
			errno = f->freeze_errno;
			(void)error_sys(&h->failure, ERR_FREEZE, "freeze '%s'", f->path);
			if (f->freeze_errno == EBUSY) {
				(void)error_hint(&h->failure,
						 "somebody else has frozen it: another backup, or "
						 "a script; 'fsfreeze -u' lets it go");
				say_event(h->g, h, EVENT_FOREIGN_FREEZE, "source=%s", f->path);
			}
			thaw_all(h);
			return;
		}
	}
	h->step = HOLD_CREATING;
	h->at = 0;
	create_next(h);
}

static void
judge_thaws(struct hold *h)
{
	h->moment.ours = true;
	for (size_t i = 0; i < h->n_freezers; i++) {
		struct freezer *f = h->freezers[i];
		enum freezer_state state = freezer_state(f);

		h->moment.ours = h->moment.ours && state == FREEZER_THAWED;
		if (state == FREEZER_THAWED) {
			uint64_t first = h->first_frozen_ns;

			h->first_frozen_ns = first == 0 ? f->frozen_ns : MIN(first, f->frozen_ns);
			h->last_thawed_ns = MAX(h->last_thawed_ns, f->thawed_ns);
		}
		if (state == FREEZER_FOREIGN)
			say_event(h->g, h, EVENT_FOREIGN_THAW, "source=%s", f->path);
		if (state == FREEZER_THAW_FAILED)
			say_thaw_failed(h->g, h, f);
	}
	h->moment.n_frozen = (uint32_t)h->n_freezers;
	h->moment.n_snapshots = (uint32_t)h->n_members;
	h->moment.frozen_ns = h->last_thawed_ns - MIN(h->first_frozen_ns, h->last_thawed_ns);
	h->freezers_dirty = h->n_freezers > 0;
}

static void
all_thawed(struct hold *h)
{
	judge_thaws(h);
	if (h->failure.code != OK) {
		h->step = HOLD_FAILED;
		say_event(h->g, h, EVENT_SNAPSHOT_FAILED, "code=%s error=%s",
			  error_name(h->failure.code), h->failure.msg);
		say_error_to_asker(h, &h->failure);
		return;
	}
	h->step = HOLD_MADE;
	say_event(h->g, h, EVENT_SNAPSHOT_CREATED, "provider=%s members=%zu frozen_ms=%" PRIu64,
		  h->n_members > 0 ? h->members[0]->s.provider : "", h->n_members,
		  h->moment.frozen_ns / NS_PER_MS);
	say_to_asker(h, &h->moment, sizeof(h->moment));
}

static bool
thaws_are_done(struct hold *h)
{
	for (size_t i = 0; i < h->n_freezers; i++) {
		if (!freezer_settled(h->freezers[i]))
			return false;
	}
	return true;
}

void
make_moment(struct hold *h)
{
	if (h->step != HOLD_ARMED) {
		refuse(h, ERR_BAD_STATE, "the snapshot set is not armed for a freeze");
		return;
	}
	h->at = 0;
	h->failure = ERROR_INIT;
	h->moment = (struct guard_moment){.wall_ns = 0};
	h->first_frozen_ns = h->last_thawed_ns = 0;
	h->step = HOLD_QUIET;
	make_go_on(h);
}

/* ---- held, and readable ---------------------------------------------------------------------- */

/*
 * Only now is it said to be held: whoever comes after a guard that died between the two would find a freeze
 * in the journal, and end the lease. Nobody waits at a database for this. A journal that can't be written has
 * been told of (EVENT_JOURNAL_UNWRITABLE), and is no reason to drop a snapshot that there is.
 */
static void
held_is_recorded(struct hold *h, int rc, struct error *err)
{
	(void)rc;
	(void)err;
	if (!h->ending)
		say_to_asker(h, NULL, 0);
}

void
make_held(struct hold *h)
{
	struct guardian *g = h->g;
	struct error e = ERROR_INIT;

	if (h->step != HOLD_MADE) {
		refuse(h, ERR_BAD_STATE, "there is no snapshot to hold");
		return;
	}
	if (lease_thaw(&g->leases, &h->key, h->moment.ours && !h->writer_lost, clock_boot_ns(),
		       &e) < 0) {
		say_error_to_asker(h, &e);
		return;
	}
	const struct lease *l = lease_find(&g->leases, &h->key);
	h->step = HOLD_HELD;
	g->making = NULL;
	h->dirty = true;
	for (size_t i = 0; i < h->n_writers; i++)
		fd_close(&h->writers[i]);
	h->n_writers = 0;
	say_event(g, h, EVENT_FREEZE_ENDED, "frozen_ms=%" PRIu64 " proven=%s",
		  (l->held_ns - l->frozen_ns) / NS_PER_MS, l->proven ? "yes" : "no");
	say_event(g, h, EVENT_SNAPSHOT_HELD, "ttl_s=%" PRIu64, l->ttl_ns / NS_PER_S);
	/* Not before it is on its way: the file systems' slots are given back behind that. A set that
	 * leaves nothing to undo is journaled from here on, so that its lease outlives this process. */
	h->journaled = true;
	record_hold(h, held_is_recorded);
	for (size_t i = 0; i < h->n_freezers; i++)
		freezer_close(h->freezers[i]);
	h->n_freezers = 0;
}

static void expose_next(struct hold *h);

static void
exposed(struct job *job, void *arg)
{
	struct member *m = CONTAINER_OF(job, struct member, job);
	struct hold *h = m->hold;

	(void)arg;
	m->s = m->work;
	m->dirty = true;
	guardian_dirty(h);
	if (h->ending)
		return;
	if (m->rc < 0) {
		h->step = HOLD_HELD;
		h->g->n_exposing--;
		(void)error_prefix(&m->err, "make the snapshot of '%s' readable", m->s.source);
		say_error_to_asker(h, &m->err);
		return;
	}
	say_event(h->g, h, EVENT_SNAPSHOT_EXPOSED, "provider=%s source=%s exposed=%s",
		  m->s.provider, m->s.source, m->s.exposed);
	h->at++;
	expose_next(h);
}

static void
run_expose(struct job *job)
{
	struct member *m = CONTAINER_OF(job, struct member, job);

	m->err = ERROR_INIT;
	m->rc = m->ops->expose(&m->work, m->settings, &m->err);
}

static void
expose_next(struct hold *h)
{
	while (h->at < h->n_members && h->members[h->at]->s.exposed[0] != '\0')
		h->at++;
	if (h->at == h->n_members) {
		const uint64_t n = h->n_members;

		h->step = HOLD_HELD;
		h->g->n_exposing--;
		say_to_asker(h, &n, sizeof(n));
		return;
	}
	struct member *m = h->members[h->at];
	/* Another set may be in its freeze, or the space guard at this one: make_go_on comes back. */
	if (m->job.busy || guardian_frozen(h->g))
		return;
	m->work = m->s;
	m->job.run = run_expose;
	m->job.done = exposed;
	jobs_post(&h->g->keepers, &m->job);
}

void
make_exposed(struct hold *h)
{
	if (h->step != HOLD_HELD) {
		refuse(h, ERR_BAD_STATE, "there is no snapshot yet");
		return;
	}
	h->step = HOLD_EXPOSING;
	h->g->n_exposing++;
	h->at = 0;
	expose_next(h);
}

/* ---- going on -------------------------------------------------------------------------------- */

void
make_go_on(struct hold *h)
{
	if (h->ending)
		return;
	/* The thaw of a freeze that a dead guard left must not end ours. */
	if (h->step == HOLD_QUIET && record_idle(h->g) && !guardian_thaws_pending(h->g))
		h->step = HOLD_FREEZING;
	if (h->step == HOLD_FREEZING)
		freeze_next(h);
	if (h->step == HOLD_THAWING && thaws_are_done(h))
		all_thawed(h);
	if (h->step == HOLD_EXPOSING)
		expose_next(h);
}

void
make_writer_ended(struct hold *h, size_t nth)
{
	fd_close(&h->writers[nth]);
	h->writers[nth] = -1;
	if (h->step < HOLD_ARMED || h->step > HOLD_MADE)
		return;
	h->writer_lost = true;
	say_event(h->g, h, EVENT_WRITER_DIED, "step=frozen");
}
