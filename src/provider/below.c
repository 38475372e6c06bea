/* SPDX-License-Identifier: Apache-2.0 */

/* Places, marks and leftovers in the folders .holdfast. */
#include "provider/below.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "provider/mounts.h"
#include "provider/ownfolder.h"
#include "provider/ownmark.h"
#include "provider/subvolume.h"

enum { CREATE_TRIES = 100, WAITS_MAX = 9 }; /* 10 ms doubled 9 times: 5 s */

static int
set_place(const char *top, struct snapshot *s, struct error *err)
{
	char name[SNAPSHOT_NAME_MAX];

	if (!text_printf(s->place, sizeof(s->place), "%s/" OWNFOLDER_NAME "/%s",
			 strcmp(top, "/") == 0 ? "" : top, snapshot_name(s, name)))
		return error_set(err, ERR_LIMIT, "the path of '%s' is too long", top);
	return OK;
}

/* 1: something of the snapshot's name is in the folder. */
static int
is_taken(int folder, const struct snapshot *s, struct error *err)
{
	char name[SNAPSHOT_NAME_MAX];
	struct stat st;

	if (fstatat(folder, snapshot_name(s, name), &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	return errno == ENOENT ? 0 : (int)error_sys(err, ERR_IO, "look at '%s'", name);
}

static int
make_mark(int top_fd, const struct snapshot *s, const struct provider_settings *settings,
	  struct error *err)
{
	CLEAN(fd_close) int folder = -1;
	int r = ownfolder_create(top_fd, &folder, err);

	if (r < 0)
		return r;
	r = is_taken(folder, s, err);
	if (r != 0)
		return r < 0 ? r
			     : (int)error_set(err, ERR_EXISTS, "'%s' is there already", s->place);
	return ownmark_make(folder, s, settings, err);
}

int
below_prepare(int top_fd, const char *top, struct snapshot *s,
	      const struct provider_settings *settings, struct error *err)
{
	int r = set_place(top, s, err);

	if (r < 0)
		return r;
	/* The folder may be removed by another just after it was opened: then it is made again. */
	for (int tries = 0; tries < CREATE_TRIES; tries++) {
		r = make_mark(top_fd, s, settings, err);
		if (r != ERR_NOT_FOUND && r != ERR_BUSY)
			break;
	}
	if (r < 0) {
		ownfolder_tidy(top_fd);
		return error_prefix(err, "'%s'", top);
	}
	return OK;
}

int
below_open(int top_fd, const struct snapshot *s, int *ret_folder, struct error *err)
{
	int r = ownfolder_open(top_fd, ret_folder, err);

	if (r == 0)
		return error_set(err, ERR_BAD_STATE, "'%s' is not prepared", s->source);
	return r < 0 ? r : OK;
}

int
below_find(int top_fd, const struct snapshot *s, int *ret_folder, struct error *err)
{
	CLEAN(fd_close) int folder = -1;
	int r = ownfolder_open(top_fd, &folder, err);

	if (r <= 0)
		return r;
	r = ownmark_read(folder, s, NULL, err);
	if (r < 0)
		return r;
	if (r == 0) {
		int taken = is_taken(folder, s, err);
		if (taken > 0)
			return error_set(err, ERR_PERMISSION,
					 "what has the snapshot's name carries no mark of ours");
		/* Perhaps the beginnings of a mark; and another's removal may have met us here. */
		r = taken < 0 ? taken : ownmark_remove(folder, s, err);
		ownfolder_tidy(top_fd);
		return r;
	}
	*ret_folder = STEAL_FD(folder);
	return 1;
}

int
below_forget(int top_fd, const struct snapshot *s, struct error *err)
{
	CLEAN(fd_close) int folder = -1;
	int r = ownfolder_open(top_fd, &folder, err);

	if (r > 0)
		r = ownmark_remove(folder, s, err);
	ownfolder_tidy(top_fd);
	return r < 0 ? r : OK;
}

int
below_space(const char *path, uint64_t *ret_free, uint64_t *ret_total, struct error *err)
{
	struct statvfs v;

	if (statvfs(path, &v) < 0)
		return error_sys(err, ERR_IO, "look at the space of '%s'", path);
	*ret_free = (uint64_t)v.f_bavail * v.f_frsize;
	*ret_total = (uint64_t)v.f_blocks * v.f_frsize;
	return OK;
}

bool
below_wait(struct below_patience *p)
{
	uint64_t ns = 10 * NS_PER_MS << p->waits;
	struct timespec t = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
	int kept = errno;

	if (p->waits++ >= WAITS_MAX)
		return false;
	(void)nanosleep(&t, NULL);
	errno = kept;
	return true;
}

/* Looking for leftovers. One snapshot is seen through each mount that shows it. */
struct search {
	const char *provider;
	const struct provider_settings *settings;
	provider_each_fn *each;
	void *arg;
	const char *top; /* where we are */
	size_t n_seen;
	struct snapshot_id {
		uint8_t set[SNAPSHOT_SET_SIZE];
		uint32_t index;
	} * seen;
};

static void
search_done(struct search *s)
{
	free(s->seen);
}

static int
found(const struct snapshot *s, void *arg, struct error *err)
{
	struct search *search = arg;
	struct snapshot here = *s;
	struct snapshot_id *grown;

	for (size_t i = 0; i < search->n_seen; i++)
		if (search->seen[i].index == s->index &&
		    memcmp(search->seen[i].set, s->set, sizeof(s->set)) == 0)
			return OK;
	grown = reallocarray(search->seen, search->n_seen + 1, sizeof(*grown));
	if (grown == NULL)
		return error_no_memory(err);
	search->seen = grown;
	memcpy(grown[search->n_seen].set, s->set, sizeof(s->set));
	grown[search->n_seen++].index = s->index;
	/* The mark says what was true when it was made; it may be mounted elsewhere now. */
	if (set_place(search->top, &here, err) < 0)
		return OK;
	if (strcmp(s->place, here.place) != 0)
		(void)text_printf(here.source, sizeof(here.source), "%s", search->top);
	return search->each(&here, search->arg, err);
}

static int
look_in(struct search *search, const char *top, struct error *err)
{
	CLEAN(fd_close) int fd = -1, folder = -1;
	struct error ignored = ERROR_INIT;

	fd = open(top, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || ownfolder_open(fd, &folder, &ignored) <= 0)
		return OK;
	search->top = top;
	return ownmark_each(folder, search->provider, search->settings, found, search, err);
}

static int
look_in_subvolume(const struct mount *m, const char *path, void *search, struct error *err)
{
	(void)m;
	return look_in(search, path, err);
}

int
below_each(const char *provider, const struct provider_settings *settings, provider_each_fn *each,
	   void *arg, struct error *err)
{
	CLEAN(mounts_done) struct mounts mounts = {0};
	CLEAN(search_done)
	struct search search = {
		.provider = provider, .settings = settings, .each = each, .arg = arg};

	if (mounts_read(&mounts, err) < 0)
		return err->code;
	for (size_t i = 0; i < mounts.n; i++) {
		const struct mount *m = &mounts.list[i];
		bool btrfs = strcmp(m->type, "btrfs") == 0;

		if (!btrfs && strcmp(m->type, "xfs") != 0)
			continue;
		if (look_in(&search, m->point, err) < 0 ||
		    (btrfs && subvolume_each_at_mount(m, look_in_subvolume, &search, err) < 0))
			return err->code;
	}
	return OK;
}
