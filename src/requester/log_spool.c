/* SPDX-License-Identifier: Apache-2.0 */

/* The spool: log files as they come, and what is known of them. */
#include "requester/log_spool.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"

#define STATE_FILE "state.json"
#define LOCK_FILE "lock"
#define ASK_FILE "ask"
#define STAGE_DIR "stage"

enum { STATE_MAX = 64 << 10, COPY_BYTES = 1 << 20 };

static int
spool_path(const char *state_dir, const char *group, char path[LOG_SPOOL_PATH_MAX],
	   struct error *err)
{
	/* Names of what is in it follow. */
	if (!text_printf(path, LOG_SPOOL_PATH_MAX - 64, "%s/logs/%s", state_dir, group))
		return error_set(err, ERR_CONFIG, "agent.state_dir is too long");
	return OK;
}

static int
lock(struct log_spool *s, struct error *err)
{
	s->lockfd = openat(s->dirfd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lockfd < 0)
		return error_sys(err, ERR_IO, "open '%s/" LOCK_FILE "'", s->path);
	if (flock(s->lockfd, LOCK_EX | LOCK_NB) == 0)
		return OK;
	if (errno != EWOULDBLOCK)
		return error_sys(err, ERR_IO, "lock '%s'", s->path);
	(void)error_set(err, ERR_BUSY,
			"another process copies the logs of this group on this machine");
	return error_hint(err, "one log copier for a group is enough");
}

/* What is in it is whatever was written to the database, in the clear: a folder that somebody made by hand is closed,
 * too, and one of somebody else's is none. */
static int
check_folder(const struct log_spool *s, struct error *err)
{
	struct stat st;

	if (fstat(s->dirfd, &st) < 0)
		return error_sys(err, ERR_IO, "look at '%s'", s->path);
	if (st.st_uid != geteuid() && geteuid() != 0)
		return error_set(err, ERR_PERMISSION, "'%s' belongs to somebody else", s->path);
	if ((st.st_mode & 077) != 0 && fchmod(s->dirfd, 0700) < 0)
		return error_sys(err, ERR_PERMISSION, "close '%s' to others", s->path);
	return OK;
}

static int
parse_state(struct log_spool *s, struct slice text, struct error *err)
{
	CLEAN(json_done) json_t *j = NULL;

	if (json_parse(text, STATE_FILE, &j, err) < 0 || log_point_parse(j, &s->range, err) < 0 ||
	    json_get_u64(j, "opened", &s->opened_ns, err) < 0)
		return err->code;
	s->written = s->range.to;
	s->has_range = true;
	return OK;
}

static void
load_state(struct log_spool *s)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(STATE_MAX);
	struct error ignored = ERROR_INIT;

	if (fs_read_file(s->dirfd, STATE_FILE, &text, &ignored) == OK)
		(void)!parse_state(s, buf_slice(&text), &ignored);
}

int
log_spool_open(const char *state_dir, const char *group, const struct log_source_ops *ops,
	       struct log_spool *ret, struct error *err)
{
	struct log_spool s = {.ops = ops, .dirfd = -1, .lockfd = -1, .fd = -1};
	int r = spool_path(state_dir, group, s.path, err);

	if (r == OK)
		r = fs_mkdirs(AT_FDCWD, s.path, 0700, err);
	if (r == OK) {
		s.dirfd = open(s.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (s.dirfd < 0)
			r = error_sys(err, ERR_IO, "open '%s'", s.path);
	}
	if (r == OK)
		r = check_folder(&s, err);
	if (r == OK)
		r = lock(&s, err);
	if (r < 0) {
		log_spool_close(&s);
		return r;
	}
	load_state(&s);
	*ret = s;
	return OK;
}

static void
close_file(struct log_spool *s)
{
	fd_close(&s->fd);
	s->fd = -1;
}

void
log_spool_close(struct log_spool *s)
{
	if (s->ops == NULL)
		return;
	close_file(s);
	fd_close(&s->lockfd);
	fd_close(&s->dirfd);
	*s = (struct log_spool){.dirfd = -1, .lockfd = -1, .fd = -1};
}

int
log_spool_save(struct log_spool *s, struct error *err)
{
	CLEAN(json_done) json_t *j = log_point_json(&s->range);
	CLEAN(buf_done) struct buf text = BUF_INIT(STATE_MAX);

	if (j == NULL ||
	    json_object_set_new(j, "opened", json_integer((json_int_t)s->opened_ns)) < 0)
		return error_no_memory(err);
	if (json_write(j, &text, err) < 0 ||
	    fs_write_file(s->dirfd, STATE_FILE, buf_slice(&text), 0600, err) < 0)
		return error_prefix(err, "write '%s/" STATE_FILE "'", s->path);
	return OK;
}

/* Emptying. */

static bool
is_history(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot != NULL && strcmp(dot, ".history") == 0;
}

/* Does this file belong to the range, now or as it grows? By name, as the server would name it. */
static bool
belongs(const struct log_spool *s, const char *name)
{
	const struct log_point *r = &s->range;
	uint64_t first = log_file_start(r->from, r->segment_bytes);
	char own[LOG_FILE_NAME_MAX];

	if (is_history(name))
		return true;
	for (size_t i = 0; i < r->n_history; i++) {
		uint64_t at = log_file_start(r->history[i].from, r->segment_bytes);

		if (strcmp(name, s->ops->segment_name(r->history[i].timeline, at, r->segment_bytes,
						      own)) == 0)
			return true;
	}
	/* Names of one timeline sort as their positions do. */
	s->ops->segment_name(r->timeline, first, r->segment_bytes, own);
	return strlen(name) == strlen(own) && strncmp(name, own, 8) == 0 && strcmp(name, own) >= 0;
}

/* Calls it for each name in the spool, until one fails. */
static int
each_name(struct log_spool *s,
	  int (*each)(struct log_spool *s, const char *name, void *arg, struct error *err),
	  void *arg, struct error *err)
{
	int fd = openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	int r = OK;

	if (d == NULL) {
		fd_close(&fd);
		return error_sys(err, ERR_IO, "read '%s'", s->path);
	}
	for (struct dirent *e; r == OK && (e = readdir(d)) != NULL;)
		if (e->d_name[0] != '.')
			r = each(s, e->d_name, arg, err);
	(void)closedir(d);
	return r;
}

/* Unless it is of the range, and those are to be kept. */
static int
remove_other(struct log_spool *s, const char *name, void *keep, struct error *err)
{
	if (strcmp(name, LOCK_FILE) == 0 || strcmp(name, STATE_FILE) == 0 ||
	    strcmp(name, STAGE_DIR) == 0 || strcmp(name, ASK_FILE) == 0 ||
	    (*(bool *)keep && belongs(s, name)))
		return OK;
	if (unlinkat(s->dirfd, name, 0) < 0 && errno != ENOENT)
		return error_sys(err, ERR_IO, "remove '%s/%s'", s->path, name);
	return OK;
}

int
log_spool_begin(struct log_spool *s, const struct log_point *range, uint64_t opened_ns, bool keep,
		struct error *err)
{
	uint64_t written = s->written;
	bool same = s->has_range && s->range.timeline == range->timeline;

	/* What was written since the last sync: nobody syncs a file any more that is closed. */
	if (keep && s->fd >= 0 && fsync(s->fd) < 0)
		return error_sys(err, ERR_IO, "write '%s' to disk", s->path);
	close_file(s);
	s->range = *range;
	s->opened_ns = opened_ns;
	s->has_range = true;
	s->written = keep && same ? MAX(written, range->to) : range->to;
	/* First it is said, then done: what is there beyond the state does no harm. */
	if (log_spool_save(s, err) < 0)
		return err->code;
	return each_name(s, remove_other, &keep, err);
}

/* Writing. */

static int
open_file(struct log_spool *s, uint64_t position, struct error *err)
{
	uint64_t first = log_file_start(position, s->range.segment_bytes);
	char name[LOG_FILE_NAME_MAX];

	if (s->fd >= 0 && s->fd_position == first)
		return OK;
	/* It is complete. */
	if (s->fd >= 0 && fsync(s->fd) < 0)
		return error_sys(err, ERR_IO, "write '%s' to disk", s->path);
	close_file(s);
	s->ops->segment_name(s->range.timeline, first, s->range.segment_bytes, name);
	s->fd = openat(s->dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->fd < 0 || ftruncate(s->fd, (off_t)s->range.segment_bytes) < 0)
		return error_sys(err, ERR_IO, "create '%s/%s'", s->path, name);
	s->fd_position = first;
	return OK;
}

int
log_spool_write(struct log_spool *s, uint64_t position, struct slice data, struct error *err)
{
	if (position != s->written)
		return error_set(err, ERR_PROTOCOL, "the log does not go on where it was left");
	while (data.n > 0) {
		size_t n;

		if (open_file(s, position, err) < 0)
			return err->code;
		n = (size_t)MIN((uint64_t)data.n,
				s->fd_position + s->range.segment_bytes - position);
		if (fs_pwrite(s->fd, data.p, n, position - s->fd_position, err) < 0)
			return error_prefix(err, "spool '%s'", s->path);
		data.p += n;
		data.n -= n;
		position += n;
		s->written = MAX(s->written, position);
	}
	return OK;
}

int
log_spool_sync(struct log_spool *s, struct error *err)
{
	if (s->fd >= 0 && fsync(s->fd) < 0)
		return error_sys(err, ERR_IO, "write '%s' to disk", s->path);
	if (fs_sync_parent(s->dirfd, NULL, err) < 0)
		return err->code;
	s->range.to = s->written;
	return log_spool_save(s, err);
}

bool
log_spool_has_history(const struct log_spool *s, uint32_t timeline)
{
	char name[LOG_FILE_NAME_MAX];

	return faccessat(s->dirfd, s->ops->history_name(timeline, name), F_OK, 0) == 0;
}

int
log_spool_put_history(struct log_spool *s, uint32_t timeline, struct slice file, struct error *err)
{
	char name[LOG_FILE_NAME_MAX];

	return fs_write_file(s->dirfd, s->ops->history_name(timeline, name), file, 0600, err);
}

/* Staging. */

/* The first n bytes of a file, and zeros up to its full size. */
static int
copy_beginning(struct log_spool *s, int to_dir, const char *name, uint64_t n, uint64_t size,
	       struct error *err)
{
	CLEAN(fd_close) int from = openat(s->dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	CLEAN(fd_close)
	int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	CLEAN(free_ptr) uint8_t *piece = malloc(COPY_BYTES);

	if (piece == NULL)
		return error_no_memory(err);
	if (from < 0 || to < 0 || ftruncate(to, (off_t)size) < 0)
		return error_sys(err, ERR_IO, "copy '%s/%s'", s->path, name);
	for (uint64_t done = 0; done < n;) {
		size_t wanted = (size_t)MIN(n - done, (uint64_t)COPY_BYTES), got;

		if (fs_pread(from, piece, wanted, done, &got, err) < 0)
			return err->code;
		if (got != wanted)
			return error_set(err, ERR_CORRUPT, "'%s/%s' is shorter than it should be",
					 s->path, name);
		if (fs_pwrite(to, piece, got, done, err) < 0)
			return err->code;
		done += got;
	}
	return OK;
}

static int
stage_file(struct log_spool *s, int to_dir, uint32_t timeline, uint64_t position, uint64_t end,
	   struct log_stage *g, struct error *err)
{
	uint64_t size = s->range.segment_bytes;
	char name[LOG_FILE_NAME_MAX];
	char(*more)[LOG_FILE_NAME_MAX];

	s->ops->segment_name(timeline, position, size, name);
	if (end - position < size)
		return copy_beginning(s, to_dir, name, end - position, size, err);
	more = reallocarray(g->whole, g->n + 1, sizeof(*more));
	if (more == NULL)
		return error_no_memory(err);
	g->whole = more;
	memcpy(g->whole[g->n++], name, sizeof(name));
	return OK;
}

/* The files of one timeline in the range. */
static int
stage_timeline(struct log_spool *s, int to_dir, size_t i, struct log_stage *g, struct error *err)
{
	const struct log_point *r = &s->range;
	uint64_t end = i + 1 < r->n_history ? r->history[i + 1].from : r->to;

	for (uint64_t p = log_file_start(r->history[i].from, r->segment_bytes); p < end;
	     p += r->segment_bytes)
		if (stage_file(s, to_dir, r->history[i].timeline, p, end, g, err) < 0)
			return err->code;
	return OK;
}

static int
stage_history(struct log_spool *s, const char *name, void *to_dir, struct error *err)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(STATE_MAX);

	if (!is_history(name))
		return OK;
	if (fs_read_file(s->dirfd, name, &file, err) < 0)
		return err->code;
	return fs_write_file(*(int *)to_dir, name, buf_slice(&file), 0600, err);
}

static int
fill_stage(struct log_spool *s, struct log_stage *g, struct error *err)
{
	CLEAN(fd_close) int to_dir = -1;

	if (fs_remove_tree(s->dirfd, STAGE_DIR, err) < 0 ||
	    fs_mkdirs(s->dirfd, STAGE_DIR, 0700, err) < 0)
		return err->code;
	to_dir = openat(s->dirfd, STAGE_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (to_dir < 0)
		return error_sys(err, ERR_IO, "open '%s'", g->dir);
	for (size_t i = 0; i < s->range.n_history; i++)
		if (stage_timeline(s, to_dir, i, g, err) < 0)
			return err->code;
	return each_name(s, stage_history, &to_dir, err);
}

int
log_spool_stage(struct log_spool *s, struct log_stage *ret, struct error *err)
{
	struct log_stage g = {0};

	(void)text_printf(g.spool, sizeof(g.spool), "%s", s->path);
	(void)text_printf(g.dir, sizeof(g.dir), "%s/" STAGE_DIR, s->path);
	if (fill_stage(s, &g, err) < 0) {
		log_stage_done(&g);
		return error_prefix(err, "gather logs to store");
	}
	*ret = g;
	return OK;
}

void
log_stage_done(struct log_stage *g)
{
	free(g->whole);
	*g = (struct log_stage){0};
}

/* Asking. */

int
log_spool_ask(const char *state_dir, const char *group, struct error *err)
{
	char path[LOG_SPOOL_PATH_MAX], file[LOG_SPOOL_PATH_MAX];

	if (spool_path(state_dir, group, path, err) < 0)
		return err->code;
	(void)text_printf(file, sizeof(file), "%s/" ASK_FILE, path);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_sys(err, ERR_IO, "create '%s'", file);
	fd_close(&fd);
	return OK;
}

bool
log_spool_asked(struct log_spool *s)
{
	return unlinkat(s->dirfd, ASK_FILE, 0) == 0;
}
