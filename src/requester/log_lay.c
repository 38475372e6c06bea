/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each restore point's files come into a folder of their own first; from there whole segments are moved, and
 * parts of segments copied, to where they belong. The beginning of a segment that no log point has is in
 * the base's own pg_wal.
 */
#include "requester/log_lay.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/text.h"
#include "postgresql/walrange.h"
#include "repo/tree.h"
#include "requester/log_stream.h"

enum { COPY_BYTES = 1 << 20, PART_NAME_MAX = 24, NODE_HOLD = 4 << 20 };

struct laying {
	const struct log_lay *l;
	int top; /* the restored folder */
	int dir; /* the logs' */
	uid_t uid;
	gid_t gid;
	uint64_t from, to;
	struct restore_stats stats;
};

void
log_lay_range(const struct log_chain *c, const struct log_base *base, uint64_t end,
	      uint64_t *ret_from, uint64_t *ret_to)
{
	uint64_t from = MIN(base->held, end - 1);
	bool more = true;

	/* Back from what the base has itself, as far as the logs do without a gap. */
	while (more && from > base->start) {
		more = false;
		for (size_t i = 0; i < c->n_pieces; i++)
			if (c->pieces[i].from < from && c->pieces[i].to >= from) {
				from = c->pieces[i].from;
				more = true;
				break;
			}
	}
	from = MAX(from, base->start);
	*ret_from = from / c->segment_bytes * c->segment_bytes;
	*ret_to = end;
}

static char *
name_of(const struct log_chain *c, uint32_t timeline, uint64_t position,
	char name[WALRANGE_NAME_LEN + 1])
{
	const struct walrange r = {.timeline = timeline, .segment_bytes = c->segment_bytes};

	return walrange_name(&r, position / c->segment_bytes, name);
}

/* What the server will look for: the segment by the timeline at its end, or at the end of all. */
static char *
final_name(const struct laying *y, uint64_t segment, char name[WALRANGE_NAME_LEN + 1])
{
	const struct log_chain *c = y->l->chain;
	uint64_t last = MIN(segment + c->segment_bytes, y->to) - 1;

	return name_of(c, log_chain_timeline(c, last), segment, name);
}

/* Bytes [from, to) of a file of one folder into a file of the same size in another. */
static int
copy_part(int from_dir, const char *from_name, int to_dir, const char *to_name, uint64_t size,
	  uint64_t from, uint64_t to, struct error *err)
{
	CLEAN(free_ptr) uint8_t *buffer = malloc(COPY_BYTES);
	CLEAN(fd_close) int in = openat(from_dir, from_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	CLEAN(fd_close)
	int out = openat(to_dir, to_name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (buffer == NULL)
		return error_no_memory(err);
	if (in < 0 || out < 0 || ftruncate(out, (off_t)size) < 0)
		return error_sys(err, ERR_TARGET, "put the log '%s' together", to_name);
	while (from < to) {
		size_t want = (size_t)MIN(to - from, (uint64_t)COPY_BYTES);
		ssize_t n = pread(in, buffer, want, (off_t)from);

		if (n > 0)
			n = pwrite(out, buffer, (size_t)n, (off_t)from);
		if (n <= 0)
			return error_sys(err, ERR_TARGET, "put the log '%s' together", to_name);
		from += (uint64_t)n;
	}
	return OK;
}

static bool
is_there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

/* What no log point has of a segment's beginning, the base has in its own logs. */
static int
begin_segment(const struct laying *y, uint64_t segment, uint64_t until, struct error *err)
{
	const struct log_chain *c = y->l->chain;
	char name[WALRANGE_NAME_LEN + 1], own[WALRANGE_NAME_LEN + 1];

	CLEAN(fd_close)
	int wal = openat(y->top, "pg_wal", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	name_of(c, log_chain_timeline(c, until - 1), segment, own);
	if (wal < 0 || !is_there(wal, own))
		return error_set(err, ERR_LOG_GAP, "the beginning of the log %s is nowhere", own);
	return copy_part(wal, own, y->dir, final_name(y, segment, name), c->segment_bytes, 0,
			 until - segment, err);
}

/* One segment's bytes [from, to), from the folder of the piece's restore point. */
static int
place(const struct laying *y, int part, const char *source, uint64_t from, uint64_t to,
      struct error *err)
{
	uint64_t n = y->l->chain->segment_bytes, segment = from / n * n;
	char name[WALRANGE_NAME_LEN + 1];
	bool whole = from == segment && (to == segment + n || to == y->to);

	final_name(y, segment, name);
	if (whole && renameat(part, source, y->dir, name) < 0)
		return error_sys(err, ERR_TARGET, "move the log '%s'", name);
	if (whole)
		return OK;
	if (from > segment && !is_there(y->dir, name)) {
		int rc = begin_segment(y, segment, from, err);
		if (rc < 0)
			return rc;
	}
	return copy_part(part, source, y->dir, name, n, from - segment, to - segment, err);
}

/* Names of a tree that are not wanted now, for the restore to leave out. */
struct names {
	size_t n;
	char **list;
};

static void
names_done(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->list[i]);
	free(names->list);
	*names = (struct names){0};
}

static int
add_name(struct names *names, struct slice name, struct error *err)
{
	char **more = reallocarray(names->list, names->n + 1, sizeof(*more));

	if (more == NULL)
		return error_no_memory(err);
	names->list = more;
	more[names->n] = strndup((const char *)name.p, name.n);
	if (more[names->n] == NULL)
		return error_no_memory(err);
	names->n++;
	return OK;
}

/* Is it a segment of [from, to)? Of whichever timeline. */
static bool
is_wanted(const struct log_chain *c, struct slice name, uint64_t from, uint64_t to)
{
	char one[WALRANGE_NAME_LEN + 1];

	if (name.n != WALRANGE_NAME_LEN)
		return false;
	for (uint64_t at = from / c->segment_bytes * c->segment_bytes; at < to;
	     at += c->segment_bytes)
		if (memcmp(name_of(c, 1, at, one) + 8, name.p + 8, WALRANGE_NAME_LEN - 8) == 0)
			return true;
	return false;
}

static int
unwanted(const struct laying *y, const struct log_piece *piece, uint64_t from, uint64_t to,
	 struct names *ret, struct error *err)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *cursor = NULL;
	struct node node;

	int rc = tree_cursor_open(y->l->reader, &piece->root->tree, &cursor, err);
	while (rc >= 0 && (rc = tree_cursor_next(cursor, &node, err)) > 0)
		if (!is_wanted(y->l->chain, node.name, from, to))
			rc = add_name(ret, node.name, err);
	return rc;
}

static void
add_stats(struct restore_stats *sum, const struct restore_stats *s)
{
	sum->bytes += s->bytes;
	sum->bytes_written += s->bytes_written;
	sum->read_ns += s->read_ns;
	sum->unpack_ns += s->unpack_ns;
	sum->write_ns += s->write_ns;
	sum->sync_ns += s->sync_ns;
}

/* The files of a piece that have [from, to), into the folder `part`. */
static int
fetch(struct laying *y, const struct log_piece *piece, const char *part, uint64_t from, uint64_t to,
      struct error *err)
{
	CLEAN(names_done) struct names skip = {0};
	CLEAN(free_ptr) char *path = NULL;
	struct restore_options options = *y->l->options;
	struct restore_stats stats;

	int rc = unwanted(y, piece, from, to, &skip, err);
	if (rc < 0)
		return rc;
	if (asprintf(&path, "%s/" LOG_LAY_FOLDER "/%s", y->l->target, part) < 0)
		return error_no_memory(err);
	options.mode = RESTORE_EMPTY;
	options.no_owner = true;
	options.n_relocate = 0;
	options.relocate = NULL;
	options.top = NULL;
	options.n_skip = skip.n;
	options.skip = (const char *const *)skip.list;
	rc = restore_tree(y->l->repo, y->l->index, &piece->root->tree, path, &options, &stats, err);
	if (rc < 0)
		return error_prefix(err, "restore the logs of %.8s", piece->point->id_text);
	add_stats(&y->stats, &stats);
	return OK;
}

/* What a piece gives, from `from` on to `to`. */
static int
lay_piece(struct laying *y, const struct log_piece *piece, uint64_t from, uint64_t to,
	  struct error *err)
{
	const struct log_chain *c = y->l->chain;
	char part[PART_NAME_MAX];

	(void)snprintf(part, sizeof(part), "from-%.8s", piece->point->id_text);
	int rc = fetch(y, piece, part, from, to, err);
	if (rc < 0)
		return rc;
	CLEAN(fd_close) int dir = openat(y->dir, part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_sys(err, ERR_TARGET, "open '%s'", part);
	while (rc == OK && from < to) {
		CLEAN(buf_done) struct buf hold = BUF_INIT(NODE_HOLD);
		uint64_t end = MIN((from / c->segment_bytes + 1) * c->segment_bytes, to);
		char source[WALRANGE_NAME_LEN + 1];
		struct node node;

		rc = log_stream_file(c, y->l->reader, piece, from, &hold, &node, err);
		if (rc == 0)
			return error_set(err, ERR_CORRUPT, "restore point %.8s lacks a log",
					 piece->point->id_text);
		if (rc < 0)
			return rc;
		(void)snprintf(source, sizeof(source), "%.*s", (int)node.name.n,
			       (const char *)node.name.p);
		rc = place(y, dir, source, from, end, err);
		from = end;
	}
	return rc == OK ? fs_remove_tree(y->dir, part, err) : rc;
}

/* How the timeline came about: as the server wrote it, or as we know it. */
static int
lay_history(const struct laying *y, struct error *err)
{
	const struct log_chain *c = y->l->chain;
	CLEAN(buf_done) struct buf text = BUF_INIT(1 << 16);
	char name[32], from[WALRANGE_LSN_LEN + 1];

	if (c->timeline == 1)
		return OK;
	(void)snprintf(name, sizeof(name), "%08" PRIX32 ".history", c->timeline);
	for (size_t i = c->n_pieces; i-- > 0;) {
		CLEAN(buf_done) struct buf hold = BUF_INIT(NODE_HOLD);
		CLEAN(free_ptr) char *path = NULL;
		struct restore_options options = *y->l->options;
		struct restore_stats stats;
		struct node node;

		int rc = tree_find(y->l->reader, &c->pieces[i].root->tree, name, &hold, &node, err);
		if (rc < 0)
			return rc;
		if (rc == 0 || node.type != NODE_FILE)
			continue;
		if (asprintf(&path, "%s/" LOG_LAY_FOLDER, y->l->target) < 0)
			return error_no_memory(err);
		options.mode = RESTORE_OVERWRITE;
		options.no_owner = true;
		options.n_relocate = 0;
		return restore_node(y->l->repo, y->l->index, &node, path, &options, &stats, err);
	}
	for (size_t i = 0; i + 1 < c->n_path; i++)
		if (buf_printf(&text, err, "%" PRIu32 "\t%s\tas the log copier followed it\n",
			       c->path[i].timeline,
			       walrange_format_lsn(c->path[i + 1].from, from)) < 0)
			return err->code;
	return fs_write_file(y->dir, name, buf_slice(&text), 0600, err);
}

/* Whoever restores need not be whom the server runs as. */
static int
give_away(const struct laying *y, struct error *err)
{
	int fd = fcntl(y->dir, F_DUPFD_CLOEXEC, 0);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	int rc = dir != NULL ? OK : (int)error_sys(err, ERR_TARGET, "read '" LOG_LAY_FOLDER "'");

	if (dir == NULL) {
		fd_close(&fd);
		return rc;
	}
	rewinddir(dir);
	while (rc == OK && (e = readdir(dir)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fchmodat(y->dir, e->d_name, 0600, 0) < 0 ||
		    fchownat(y->dir, e->d_name, y->uid, y->gid, AT_SYMLINK_NOFOLLOW) < 0)
			rc = error_sys(err, ERR_TARGET, "give '%s' to the owner of the folder",
				       e->d_name);
	}
	(void)closedir(dir);
	if (rc == OK && fchown(y->dir, y->uid, y->gid) < 0)
		rc = error_sys(err, ERR_TARGET, "give '" LOG_LAY_FOLDER "' to its owner");
	return rc;
}

static int
lay_all(struct laying *y, struct error *err)
{
	const struct log_chain *c = y->l->chain;
	uint64_t at = y->from;
	int rc = OK;

	/* The first segment's beginning may be the base's alone. */
	for (size_t i = 0; i < c->n_pieces && log_chain_piece(c, at) == NULL; i++)
		at = MAX(at, c->pieces[i].from);
	while (rc == OK && at < y->to) {
		const struct log_piece *piece = log_chain_piece(c, at);

		if (piece == NULL)
			return error_set(err, ERR_LOG_GAP, "logs are missing");
		uint64_t end = MIN(piece->to, y->to);
		rc = lay_piece(y, piece, at, end, err);
		at = end;
	}
	if (rc == OK)
		rc = lay_history(y, err);
	return rc == OK ? give_away(y, err) : rc;
}

int
log_lay_run(const struct log_lay *lay, struct restore_stats *ret, struct error *err)
{
	CLEAN(fd_close) int top = open(lay->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct laying y = {.l = lay, .top = top};
	struct stat st;

	log_lay_range(lay->chain, lay->base, lay->end, &y.from, &y.to);
	if (top < 0 || fstat(top, &st) < 0)
		return error_sys(err, ERR_TARGET, "open '%s'", lay->target);
	y.uid = st.st_uid;
	y.gid = st.st_gid;
	if (mkdirat(top, LOG_LAY_FOLDER, 0700) < 0)
		return error_sys(err, ERR_TARGET, "create '%s/" LOG_LAY_FOLDER "'", lay->target);
	CLEAN(fd_close)
	int dir = openat(top, LOG_LAY_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return error_sys(err, ERR_TARGET, "open '%s/" LOG_LAY_FOLDER "'", lay->target);
	y.dir = dir;
	int rc = lay_all(&y, err);
	if (rc < 0)
		return rc;
	if (syncfs(dir) < 0)
		return error_sys(err, ERR_TARGET, "bring the logs to the disk");
	*ret = y.stats;
	return OK;
}
