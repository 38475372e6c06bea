/* SPDX-License-Identifier: Apache-2.0 */

/* Journals, looked at from outside. */
#include "guard/holds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/fs.h"
#include "base/text.h"

#define SUFFIX ".journal"

static bool
boot_id(char text[JOURNAL_BOOT_MAX])
{
	CLEAN(buf_done) struct buf b = BUF_INIT(256);
	struct error ignored;

	if (fs_read_file(AT_FDCWD, "/proc/sys/kernel/random/boot_id", &b, &ignored) < 0 || b.n < 2)
		return false;
	(void)text_printf(text, JOURNAL_BOOT_MAX, "%.*s", (int)(b.n - 1), (const char *)b.p);
	return true;
}

/* When the process began, in clock ticks since boot: with its number, the name of one process. */
static bool
process_started(uint64_t pid, uint64_t *ret)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(4096);
	struct error ignored;
	char path[64];
	const char *p;

	(void)text_printf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
	if (fs_read_file(AT_FDCWD, path, &b, &ignored) < 0 || buf_u8(&b, 0, &ignored) < 0)
		return false;
	/* The name may hold anything; the second field ends at the last ')'. */
	p = strrchr((const char *)b.p, ')');
	for (int field = 2; p != NULL && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p == NULL)
		return false;
	*ret = strtoull(p, NULL, 10);
	return true;
}

static bool
is_open(const struct journal_lease *l)
{
	return l->lease.state != LEASE_ENDED || l->lease.duties != 0;
}

static bool
same_key(const struct lease_key *a, const struct lease_key *b)
{
	return a->epoch == b->epoch && memcmp(a->set, b->set, sizeof(a->set)) == 0;
}

static int
take_snapshots(const struct journal_image *image, struct hold_view *view, struct error *err)
{
	view->snapshots = calloc(MAX(image->n_members, (size_t)1), sizeof(*view->snapshots));
	if (view->snapshots == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < image->n_members; i++) {
		const struct journal_member *m = &image->members[i];

		if (m->stage != JOURNAL_GONE && same_key(&m->key, &view->lease.lease.key))
			view->snapshots[view->n_snapshots++] = m->snapshot;
	}
	return OK;
}

static int
add(struct holds *h, const struct journal_image *image, const struct hold_view *like,
    struct error *err)
{
	struct hold_view *items;

	for (size_t i = 0; i < image->n_leases; i++) {
		if (!is_open(&image->leases[i]))
			continue;
		items = reallocarray(h->items, h->n + 1, sizeof(*items));
		if (items == NULL)
			return error_no_memory(err);
		h->items = items;
		items[h->n] = *like;
		items[h->n].lease = image->leases[i];
		if (take_snapshots(image, &items[h->n], err) < 0)
			return err->code;
		h->n++;
	}
	return OK;
}

static int
read_one(struct holds *h, int dir, const char *name, const char *boot, struct error *err)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(JOURNAL_MAX);
	CLEAN(journal_done) struct journal_image image = {0};
	struct error reason = ERROR_INIT;
	struct hold_view like = {0};
	uint64_t started;

	if (fs_read_file(dir, name, &b, &reason) < 0) {
		if (reason.code == ERR_NOT_FOUND) /* it was let go just now */
			return OK;
		*err = reason;
		return error_prefix(err, "journal '%s'", name);
	}
	if (journal_parse(buf_slice(&b), &image, &reason) < 0 && reason.code == ERR_NO_MEMORY)
		return error_no_memory(err);
	like.damaged = image.damaged;
	like.pid = image.start.pid;
	like.started = image.start.started;
	like.same_boot = strcmp(boot, image.start.boot) == 0;
	like.alive = like.same_boot && process_started(like.pid, &started) &&
		     started == like.started;
	for (size_t i = 0; i < image.n_leases; i++)
		like.n_in_journal += is_open(&image.leases[i]);
	return add(h, &image, &like, err);
}

static int
by_age(const void *a, const void *b)
{
	const struct hold_view *x = a, *y = b;

	return x->lease.begun_wall_ns < y->lease.begun_wall_ns   ? -1
	       : x->lease.begun_wall_ns > y->lease.begun_wall_ns ? 1
								 : 0;
}

int
holds_read(const char *state_dir, struct holds *ret, struct error *err)
{
	CLEAN(holds_done) struct holds h = {0};
	char path[4096], boot[JOURNAL_BOOT_MAX] = "";
	const struct dirent *e;
	int r = OK;
	DIR *dir;

	(void)boot_id(boot);
	if (!text_printf(path, sizeof(path), "%s/guard", state_dir))
		return error_set(err, ERR_LIMIT, "the path of the state folder is too long");
	dir = opendir(path);
	if (dir == NULL && errno != ENOENT)
		return error_sys(err, ERR_IO, "open '%s'", path);
	while (dir != NULL && r == OK && (e = readdir(dir)) != NULL) {
		size_t n = strlen(e->d_name);

		if (n > strlen(SUFFIX) && strcmp(e->d_name + n - strlen(SUFFIX), SUFFIX) == 0)
			r = read_one(&h, dirfd(dir), e->d_name, boot, err);
	}
	if (dir != NULL)
		(void)closedir(dir);
	if (r < 0)
		return r;
	if (h.n > 0)
		qsort(h.items, h.n, sizeof(*h.items), by_age);
	*ret = h;
	h = (struct holds){0};
	return OK;
}

void
holds_done(struct holds *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->items[i].snapshots);
	free(h->items);
	*h = (struct holds){0};
}

int
holds_end(const struct hold_view *hold, struct error *err)
{
	CLEAN(fd_close) int fd = pidfd_open((pid_t)hold->pid, 0);
	uint64_t started;

	/* Looked at after it was opened: from here on the descriptor cannot mean another process. */
	if (fd < 0 || !process_started(hold->pid, &started) || started != hold->started)
		return error_set(err, ERR_NOT_FOUND, "its guard does not run any more");
	if (pidfd_send_signal(fd, SIGTERM, NULL, 0) < 0)
		return error_sys(err, ERR_PERMISSION, "tell the guard (process %" PRIu64 ")",
				 hold->pid);
	return OK;
}
