/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Everything here works while the journal's own file system is frozen: files are opened for reading only,
 * and locks need no writing.
 */
#include "guard/daemon/adopt.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/clock.h"
#include "base/fs.h"
#include "guard/daemon/reach.h"
#include "guard/daemon/say.h"

struct journal_file {
	const char *name;
	int fd;
	bool locked; /* by somebody else */
	bool same_boot, same_agent;
	struct journal_image image;
};

/* ---- what is frozen -------------------------------------------------------------------------- */

static void
adopt_freeze(struct guardian *g, const struct journal_file *j, const struct journal_freeze *f)
{
	CLEAN(fd_close) int fd = -1;
	struct hold *h = guardian_find(g, &f->key);

	if (!j->same_boot || f->stage == JOURNAL_GONE)
		return;
	fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0 && reach_id(fd) != f->device) {
		fd_close(&fd);
		fd = -1;
	}
	struct freezer *slot = guardian_freezer(g);
	if (slot == NULL) {
		say_event(g, h, EVENT_THAW_FAILED, "source=%s error=too many are frozen", f->path);
		return;
	}
	wire_text(slot->path, sizeof(slot->path), f->path);
	freezer_adopt(slot, STEAL_FD(fd), f->device, j->image.start.pid, j->image.start.started);
	freezer_thaw(slot);
	slot->orphan = h == NULL || h->n_freezers == SNAPSHOT_MEMBERS_MAX;
	if (!slot->orphan)
		h->freezers[h->n_freezers++] = slot;
}

/* ---- what is held ---------------------------------------------------------------------------- */

static struct lease
as_of_now(const struct journal_file *j, const struct journal_lease *l)
{
	struct lease lease = l->lease;
	uint64_t wall = clock_wall_ns(), now = clock_boot_ns();
	uint64_t ago = wall - MIN(wall, l->ended_wall_ns);

	/* Another boot's times: only the wall clock still tells when it ended. */
	if (!j->same_boot && lease.state == LEASE_ENDED) {
		uint64_t silent = lease.ended_ns - MIN(lease.ended_ns, lease.renewed_ns);

		lease.ended_ns = now - MIN(now, ago);
		lease.renewed_ns = lease.ended_ns - MIN(lease.ended_ns, silent);
	}
	return lease;
}

static void
adopt_members(struct guardian *g, struct hold *h, const struct journal_file *j)
{
	for (size_t i = 0; i < j->image.n_members; i++) {
		const struct journal_member *m = &j->image.members[i];
		const struct provider_ops *ops = provider_find_by_name(m->snapshot.provider);

		if (m->key.epoch != h->key.epoch || m->stage == JOURNAL_GONE ||
		    memcmp(m->key.set, h->key.set, sizeof(m->key.set)) != 0)
			continue;
		if (ops == NULL) {
			say_event(g, h, EVENT_LEFTOVER_KEPT,
				  "provider=%s place=%s cause=unknown provider",
				  m->snapshot.provider, m->snapshot.place);
			continue;
		}
		struct member *member = guardian_add_member(h, ops);
		if (member == NULL)
			return;
		member->s = m->snapshot;
		member->stage = m->stage;
	}
}

static void
remember(struct guardian *g, const struct journal_lease *l, const struct lease *lease)
{
	struct journal_lease *t = &g->tombstones[g->n_tombstones++ % GUARDIAN_ENDED_MAX];

	*t = *l;
	t->lease = *lease;
}

static void
adopt_lease(struct guardian *g, const struct journal_file *j, const struct journal_lease *l)
{
	struct lease lease = as_of_now(j, l);
	struct error err = ERROR_INIT;

	if (lease_restore(&g->leases, &lease, j->same_boot, clock_boot_ns(), &err) < 0)
		return;
	const struct lease *now = lease_find(&g->leases, &lease.key);
	if (now == NULL || (now->state == LEASE_ENDED && now->duties == 0)) {
		remember(g, l, &lease);
		return;
	}
	struct hold *h = guardian_add(g, &lease.key, l->job);
	if (h == NULL)
		return;
	h->begun_wall_ns = l->begun_wall_ns;
	h->journaled = true;
	h->step = HOLD_HELD;
	adopt_members(g, h, j);
	if (!j->same_agent)
		(void)!lease_end_one(&g->leases, &lease.key, LEASE_AGENT_LOST, clock_boot_ns(),
				     &err);
	say_event(g, h, EVENT_LEFTOVERS_FOUND, "count=%zu", h->n_members);
}

/* ---- journals -------------------------------------------------------------------------------- */

static bool
is_empty(const struct journal_image *image)
{
	for (size_t i = 0; i < image->n_leases; i++) {
		const struct lease *l = &image->leases[i].lease;

		if (l->state != LEASE_ENDED || l->duties != 0)
			return false;
	}
	return !image->damaged;
}

static void
keep_old(struct guardian *g, struct journal_file *j)
{
	if (g->n_old == GUARDIAN_OLD_MAX) {
		fd_close(&j->fd);
		return;
	}
	(void)snprintf(g->old[g->n_old].name, sizeof(g->old[0].name), "%s", j->name);
	g->old[g->n_old].fd = STEAL_FD(j->fd);
	g->old[g->n_old].damaged = j->image.damaged;
	g->old[g->n_old].empty = is_empty(&j->image);
	g->n_old++;
}

static void
adopt_image(struct guardian *g, struct journal_file *j)
{
	size_t held = 0;

	g->leases.last_epoch = MAX(g->leases.last_epoch, j->image.start.last_epoch);
	for (size_t i = 0; i < j->image.n_leases && !j->image.damaged; i++)
		adopt_lease(g, j, &j->image.leases[i]);
	for (size_t i = 0; i < j->image.n_freezes; i++)
		adopt_freeze(g, j, &j->image.freezes[i]);
	for (size_t i = 0; i < g->leases.n_open; i++)
		held += g->leases.open[i].state == LEASE_HELD;
	if (j->same_agent)
		say_event(g, NULL, EVENT_GUARD_RECOVERED, "guard=%d held=%zu ended=%zu", getpid(),
			  held, g->leases.n_open - held);
	keep_old(g, j);
}

static void
adopt_file(struct guardian *g, int dir, const char *name)
{
	struct journal_file j = {.name = name, .fd = -1};
	CLEAN(buf_done) struct buf bytes = BUF_INIT(JOURNAL_MAX);
	struct error err = ERROR_INIT;

	j.fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (j.fd < 0)
		return;
	j.locked = flock(j.fd, LOCK_EX | LOCK_NB) < 0;
	int rc = fs_read_file(dir, name, &bytes, &err);
	if (rc == OK)
		rc = journal_parse(buf_slice(&bytes), &j.image, &err);
	j.same_boot = strcmp(j.image.start.boot, g->boot) == 0;
	j.same_agent = j.image.n_records > 0 &&
		       memcmp(j.image.start.token, g->token, sizeof(g->token)) == 0;
	j.image.damaged = j.image.damaged || rc < 0;
	if (j.locked && !j.same_agent) {
		/* A living guard's. Only that its epochs are not used again. */
		g->leases.last_epoch = MAX(g->leases.last_epoch, j.image.start.last_epoch);
		for (size_t i = 0; i < j.image.n_leases; i++)
			g->leases.last_epoch = MAX(g->leases.last_epoch,
						   j.image.leases[i].lease.key.epoch);
		fd_close(&j.fd);
	} else {
		if (rc < 0)
			say_event(g, NULL, EVENT_JOURNAL_UNREADABLE, "file=%s/guard/%s error=%s",
				  g->state_dir, name, err.msg);
		adopt_image(g, &j);
	}
	journal_done(&j.image);
}

/* A journal that did not get its name in time: what it would have said is in the one before it. */
static void
adopt_unborn(struct guardian *g, int dir, const char *name)
{
	struct journal_file j = {.name = name, .fd = -1};

	j.fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (j.fd >= 0 && flock(j.fd, LOCK_EX | LOCK_NB) == 0)
		keep_old(g, &j);
	fd_close(&j.fd);
}

static bool
ends_with(const char *name, const char *end)
{
	size_t n = strlen(name), n_end = strlen(end);

	return name[0] != '.' && n > n_end && n < sizeof(((struct guardian *)0)->old[0].name) &&
	       strcmp(name + n - n_end, end) == 0;
}

void
adopt_all(struct guardian *g)
{
	char path[SNAPSHOT_PATH_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/guard", g->state_dir);
	DIR *dir = opendir(path);
	if (dir == NULL)
		return;
	for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
		if (ends_with(e->d_name, ".journal"))
			adopt_file(g, dirfd(dir), e->d_name);
		else if (ends_with(e->d_name, ".journal.new"))
			adopt_unborn(g, dirfd(dir), e->d_name);
	}
	(void)closedir(dir);
}
