/* SPDX-License-Identifier: Apache-2.0 */

/* Records are made in the main loop, from the state as it is; the scribe only writes bytes. */
#include "guard/daemon/record.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/fs.h"
#include "guard/daemon/say.h"

enum { COMPACT_FLOOR = 1 << 20 };

#define RETRY_NS (5 * NS_PER_S)

struct writing {
	struct job job;
	struct guardian *g;
	struct buf bytes;
	bool anew; /* into a new file, which takes the name */
	bool sync;
	size_t n_old; /* of g->old, to be removed afterwards */
	struct hold *hold;
	record_then_fn *then;
	int rc;
	struct error err;
};

bool
record_idle(const struct guardian *g)
{
	return g->journal.waiting == 0;
}

/* ---- the scribe ------------------------------------------------------------------------------ */

static int
open_dir(struct guardian *g, struct error *err)
{
	char path[SNAPSHOT_PATH_MAX + 16];

	if (g->journal.dir >= 0)
		return OK;
	(void)snprintf(path, sizeof(path), "%s/guard", g->state_dir);
	if (fs_mkdirs(AT_FDCWD, path, 0700, err) < 0)
		return err->code;
	g->journal.dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return g->journal.dir < 0 ? (int)error_sys(err, ERR_IO, "open '%s'", path) : OK;
}

static void
remove_old(struct guardian *g, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char aside[80];

		if (g->old[i].name[0] == '\0')
			continue;
		(void)snprintf(aside, sizeof(aside), "%s.damaged", g->old[i].name);
		if (g->old[i].damaged)
			(void)!renameat(g->journal.dir, g->old[i].name, g->journal.dir, aside);
		else
			(void)unlinkat(g->journal.dir, g->old[i].name, 0);
		g->old[i].name[0] = '\0';
		fd_close(&g->old[i].fd);
		g->old[i].fd = -1;
	}
}

static int
write_anew(struct writing *w, struct error *err)
{
	struct guardian *g = w->g;
	CLEAN(fd_close) int fd = -1;
	char fresh[80];

	if (open_dir(g, err) < 0)
		return err->code;
	(void)snprintf(fresh, sizeof(fresh), "%s.new", g->journal.name);
	fd = openat(g->journal.dir, fresh, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return error_sys(err, ERR_IO, "create '%s'", fresh);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return error_sys(err, ERR_IO, "lock '%s'", fresh);
	if (fs_write(fd, w->bytes.p, w->bytes.n, err) < 0)
		return error_prefix(err, "'%s'", fresh);
	if (fsync(fd) < 0 || renameat(g->journal.dir, fresh, g->journal.dir, g->journal.name) < 0 ||
	    fsync(g->journal.dir) < 0)
		return error_sys(err, ERR_IO, "write '%s'", g->journal.name);
	fd_close(&g->journal.fd);
	g->journal.fd = STEAL_FD(fd);
	remove_old(g, w->n_old);
	return OK;
}

static int
write_behind(struct writing *w, struct error *err)
{
	struct guardian *g = w->g;

	if (g->journal.fd < 0)
		return error_set(err, ERR_IO, "the journal could not be written before");
	if (fs_write(g->journal.fd, w->bytes.p, w->bytes.n, err) < 0)
		return err->code;
	if (w->sync && fdatasync(g->journal.fd) < 0)
		return error_sys(err, ERR_IO, "flush");
	return OK;
}

static void
run_writing(struct job *job)
{
	struct writing *w = CONTAINER_OF(job, struct writing, job);

	w->rc = w->anew ? write_anew(w, &w->err) : write_behind(w, &w->err);
	if (w->rc < 0) {
		/* What lies behind half a record would be lost: the next one begins anew. */
		fd_close(&w->g->journal.fd);
		w->g->journal.fd = -1;
	}
}

static void
writing_done(struct job *job, void *arg)
{
	struct writing *w = CONTAINER_OF(job, struct writing, job);
	struct guardian *g = arg;

	g->journal.waiting--;
	if (w->rc < 0) {
		g->journal.broken = true;
		g->journal.retry_ns = clock_boot_ns() + RETRY_NS;
		say_event(g, w->hold, EVENT_JOURNAL_UNWRITABLE, "file=%s/guard/%s error=%s",
			  g->state_dir, g->journal.name, w->err.msg);
	} else if (w->anew) {
		g->n_old = 0;
	}
	if (w->hold != NULL) {
		w->hold->writing--;
		w->then(w->hold, w->rc, &w->err);
	}
	buf_done(&w->bytes);
	free(w);
}

/* ---- making records -------------------------------------------------------------------------- */

static int
put_lease(struct hold *h, struct buf *b, struct error *err)
{
	const struct lease *l = lease_find(&h->g->leases, &h->key);
	struct journal_lease j = {.begun_wall_ns = h->begun_wall_ns};

	if (l == NULL)
		return OK;
	j.lease = *l;
	memcpy(j.job, h->job, sizeof(j.job));
	/* Written before it is so: what is journaled is no less than what there is. */
	if (h->step == HOLD_ARMING && l->state == LEASE_PREPARING)
		j.lease.state = LEASE_FROZEN;
	h->dirty = false;
	h->journaled_deadline_ns = l->deadline_ns;
	return journal_put_lease(b, &j, err);
}

static int
put_members(struct hold *h, struct buf *b, bool all, struct error *err)
{
	for (size_t i = 0; i < h->n_members; i++) {
		struct member *m = h->members[i];
		struct journal_member j = {.key = h->key, .stage = m->stage, .snapshot = m->s};

		if (!all && !m->dirty)
			continue;
		m->dirty = false;
		if (journal_put_member(b, &j, err) < 0)
			return err->code;
	}
	return OK;
}

/* What is not frozen and will not be must not be thawed by whoever reads this: it may be somebody else's then. */
static bool
may_be_frozen(const struct hold *h, struct freezer *f)
{
	enum freezer_state state = freezer_state(f);

	if (state == FREEZER_READY)
		return !h->ending && h->step <= HOLD_FREEZING;
	return state < FREEZER_THAWED && state != FREEZER_REFUSED;
}

static int
put_freezers(struct hold *h, struct buf *b, bool all, struct error *err)
{
	if (!all && !h->freezers_dirty)
		return OK;
	h->freezers_dirty = false;
	for (size_t i = 0; i < h->n_freezers; i++) {
		struct freezer *f = h->freezers[i];
		struct journal_freeze j = {
			.key = h->key,
			.index = (uint32_t)i,
			.stage = may_be_frozen(h, f) ? JOURNAL_INTENDED : JOURNAL_GONE,
			.device = f->device,
		};

		wire_text(j.path, sizeof(j.path), f->path);
		if (journal_put_freeze(b, &j, err) < 0)
			return err->code;
	}
	return OK;
}

static int
put_hold(struct hold *h, struct buf *b, bool all, struct error *err)
{
	if (put_lease(h, b, err) < 0 || put_members(h, b, all, err) < 0)
		return err->code;
	return put_freezers(h, b, all, err);
}

static int
put_start(struct guardian *g, struct buf *b, struct error *err)
{
	struct journal_start s = {
		.pid = (uint64_t)getpid(),
		.started = freezer_process_start((uint64_t)getpid()),
		.last_epoch = g->leases.last_epoch,
	};

	memcpy(s.boot, g->boot, sizeof(s.boot));
	memcpy(s.token, g->token, sizeof(s.token));
	if (journal_put_magic(b, err) < 0)
		return err->code;
	return journal_put_start(b, &s, err);
}

static int
put_everything(struct guardian *g, struct buf *b, struct error *err)
{
	uint64_t n = MIN(g->n_tombstones, (uint64_t)GUARDIAN_TOMBSTONES_MAX);

	if (put_start(g, b, err) < 0)
		return err->code;
	for (uint64_t i = g->n_tombstones - n; i < g->n_tombstones; i++) {
		if (journal_put_lease(b, &g->tombstones[i % GUARDIAN_ENDED_MAX], err) < 0)
			return err->code;
	}
	for (size_t i = 0; i < g->n_holds; i++) {
		if (g->holds[i]->journaled && put_hold(g->holds[i], b, true, err) < 0)
			return err->code;
	}
	return OK;
}

/* ---- giving them to the scribe --------------------------------------------------------------- */

static bool
needs_anew(const struct guardian *g)
{
	return !g->journal.begun || g->journal.broken ||
	       (g->journal.bytes > COMPACT_FLOOR && g->journal.bytes > 4 * g->journal.bytes_min);
}

static void
post(struct writing *w)
{
	struct guardian *g = w->g;

	w->job.run = run_writing;
	w->job.done = writing_done;
	g->journal.waiting++;
	if (w->anew) {
		w->n_old = g->n_old;
		g->journal.begun = true;
		g->journal.broken = false;
		g->journal.bytes_min = w->bytes.n;
		g->journal.bytes = 0;
	}
	g->journal.bytes += w->bytes.n;
	jobs_post(&g->scribe, &w->job);
}

static struct writing *
new_writing(struct guardian *g)
{
	struct writing *w = calloc(1, sizeof(*w));

	if (w != NULL) {
		w->g = g;
		w->bytes = BUF_INIT(JOURNAL_MAX);
		w->anew = needs_anew(g);
	}
	return w;
}

static void
drop(struct writing *w)
{
	if (w != NULL)
		buf_done(&w->bytes);
	free(w);
}

void
record_hold(struct hold *h, record_then_fn *then)
{
	struct guardian *g = h->g;
	struct writing *w = new_writing(g);
	struct error err = ERROR_INIT;
	int rc;

	if (w == NULL)
		rc = error_no_memory(&err);
	else if (w->anew)
		rc = put_everything(g, &w->bytes, &err);
	else
		rc = put_hold(h, &w->bytes, false, &err);
	if (w == NULL || rc < 0) {
		drop(w);
		g->journal.broken = true;
		if (then != NULL)
			then(h, rc, &err);
		return;
	}
	w->sync = true;
	w->then = then;
	w->hold = then != NULL ? h : NULL;
	h->writing += w->hold != NULL;
	post(w);
}

static bool
is_dirty(const struct hold *h, bool *ret_sync)
{
	bool more = h->freezers_dirty;

	for (size_t i = 0; i < h->n_members; i++)
		more = more || h->members[i]->dirty;
	*ret_sync = *ret_sync || more;
	return h->journaled && (h->dirty || more);
}

void
record_dirty(struct guardian *g)
{
	struct writing *w = NULL;
	struct error err = ERROR_INIT;
	bool broken = g->journal.broken;

	if ((!broken && !g->dirty) || (broken && clock_boot_ns() < g->journal.retry_ns))
		return;
	g->dirty = false;
	for (size_t i = 0; i < g->n_holds; i++) {
		bool sync = false;

		if (!is_dirty(g->holds[i], &sync) && !(broken && g->holds[i]->journaled))
			continue;
		if (w == NULL && (w = new_writing(g)) == NULL)
			return;
		w->sync = w->sync || sync;
		if (!w->anew && put_hold(g->holds[i], &w->bytes, false, &err) < 0)
			break;
		if (w->anew) {
			(void)!put_everything(g, &w->bytes, &err);
			break;
		}
	}
	if (broken)
		g->journal.retry_ns = clock_boot_ns() + RETRY_NS;
	if (w != NULL && err.code == OK)
		post(w);
	else
		drop(w);
	if (err.code != OK)
		g->journal.broken = true;
}

void
record_taken_over(struct guardian *g)
{
	bool worth = false;
	struct error err = ERROR_INIT;

	/* While something is being written, the names are the writer's: it removes those files. */
	if (!record_idle(g) || g->journal.begun)
		return;
	for (size_t i = 0; i < g->n_old; i++)
		worth = worth || (!g->old[i].empty && g->old[i].name[0] != '\0');
	if (!worth)
		return;
	struct writing *w = new_writing(g);
	if (w == NULL || put_everything(g, &w->bytes, &err) < 0) {
		drop(w);
		return;
	}
	post(w);
}

void
record_tombstone(struct hold *h, const struct lease *l)
{
	struct guardian *g = h->g;
	struct journal_lease *t = &g->tombstones[g->n_tombstones++ % GUARDIAN_ENDED_MAX];
	struct error err = ERROR_INIT;

	*t = (struct journal_lease){.lease = *l, .begun_wall_ns = h->begun_wall_ns};
	t->lease.duties = 0;
	uint64_t now = clock_boot_ns();
	t->ended_wall_ns = clock_wall_ns() - (now - MIN(now, l->ended_ns));
	memcpy(t->job, h->job, sizeof(t->job));
	if (!h->journaled)
		return;
	struct writing *w = new_writing(g);
	if (w == NULL)
		return;
	int rc = w->anew ? put_everything(g, &w->bytes, &err)
			 : put_members(h, &w->bytes, false, &err);
	if (rc == OK && !w->anew)
		rc = journal_put_lease(&w->bytes, t, &err);
	if (rc < 0) {
		drop(w);
		g->journal.broken = true;
		return;
	}
	w->sync = true;
	post(w);
}
