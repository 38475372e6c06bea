/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One pass: collect the names on disk (those whose hash falls to this pass), sort them, walk the saved
 * folder and strike out what it has; the rest goes.
 */
#include "mover/restore_extra.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "mover/beneath.h"
#include "repo/tree.h"

enum { NAMES_BYTES_MAX = 4 << 20, PASSES_MAX = 1 << 20 };

struct names {
	struct buf text; /* each name: a mark, the name, a zero */
	size_t n, cap;
	uint32_t *at; /* of the marks, in text */
};

static void
names_done(struct names *names)
{
	buf_done(&names->text);
	free(names->at);
}

static void
dir_close(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

static uint32_t
hash_name(const char *name)
{
	uint32_t h = 2166136261;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619;
	/* The low bits alone choose the pass. */
	return h ^ h >> 15;
}

static char *
name_at(const struct names *names, size_t i)
{
	return (char *)names->text.p + names->at[i] + 1;
}

static int
names_add(struct names *names, const char *name, struct error *err)
{
	if (names->n == names->cap) {
		size_t cap = names->cap > 0 ? names->cap * 2 : 256;
		uint32_t *at = realloc(names->at, cap * sizeof(*at));
		if (at == NULL)
			return error_no_memory(err);
		names->at = at;
		names->cap = cap;
	}
	uint32_t at = (uint32_t)names->text.n;
	int rc = buf_u8(&names->text, 0, err);
	if (rc == OK)
		rc = buf_append(&names->text, name, strlen(name) + 1, err);
	if (rc < 0) {
		names->text.n = at;
		return rc;
	}
	names->at[names->n++] = at;
	return OK;
}

/* The names of the pass; ERR_LIMIT if they are too many for one. */
static int
collect(int fd, uint32_t passes, uint32_t pass, bool top, struct names *names, struct error *err)
{
	CLEAN(dir_close) DIR *dir = NULL;
	int own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (own < 0)
		return error_sys(err, ERR_IO, "read folder");
	dir = fdopendir(own);
	if (dir == NULL) {
		(void)error_sys(err, ERR_IO, "read folder");
		(void)close(own);
		return ERR_IO;
	}
	buf_reset(&names->text);
	names->n = 0;
	for (;;) {
		errno = 0;
		const struct dirent *e = readdir(dir);
		if (e == NULL && errno != 0)
			return error_sys(err, ERR_IO, "read folder");
		if (e == NULL)
			return OK;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
		    (top && strcmp(e->d_name, "lost+found") == 0) ||
		    hash_name(e->d_name) % passes != pass)
			continue;
		int rc = names_add(names, e->d_name, err);
		if (rc < 0)
			return rc;
	}
}

/* qsort_r needs the text the places are in. */
static int
compare_at(const void *a, const void *b, void *text)
{
	const char *base = text;

	return strcmp(base + *(const uint32_t *)a + 1, base + *(const uint32_t *)b + 1);
}

/* As strcmp, for a name that is not terminated. */
static int
compare_name(const char *a, struct slice b)
{
	size_t n = strlen(a);
	int order = memcmp(a, b.p, MIN(n, b.n));

	return order != 0 ? order : (n > b.n) - (n < b.n);
}

/* Strike out every name the saved folder has. Both are sorted bytewise. */
static int
strike_out(struct repo_reader *reader, const struct blob_id *tree, struct names *names,
	   struct error *err)
{
	CLEAN(tree_cursor_closep) struct tree_cursor *cursor = NULL;
	struct node node;
	size_t i = 0;

	int rc = tree_cursor_open(reader, tree, &cursor, err);
	if (rc < 0)
		return rc;
	while ((rc = tree_cursor_next(cursor, &node, err)) > 0) {
		while (i < names->n && compare_name(name_at(names, i), node.name) < 0)
			i++;
		if (i < names->n && compare_name(name_at(names, i), node.name) == 0)
			names->text.p[names->at[i]] = 1;
	}
	return rc;
}

static void
remove_rest(struct restore_run *run, struct restore_item *dir, int fd, const struct names *names)
{
	for (size_t i = 0; i < names->n && !restore_run_stopped(run); i++) {
		struct error err = ERROR_INIT;
		const char *name = name_at(names, i);
		uint64_t removed = 0;

		if (names->text.p[names->at[i]] != 0)
			continue;
		int rc = beneath_remove(fd, name, &removed, &err);
		atomic_fetch_add(&run->files_removed, removed);
		if (rc < 0) {
			(void)error_prefix(&err, "remove what the restore point does not have");
			restore_run_warn(run, dir, SLICE(name, strlen(name)), &err);
		}
	}
}

static int
remove_extra(struct restore_run *run, struct repo_reader *reader, struct restore_item *dir, int fd,
	     const struct blob_id *tree, bool top, struct error *err)
{
	CLEAN(names_done) struct names names = {.text = BUF_INIT(NAMES_BYTES_MAX)};
	uint32_t passes = 1, pass = 0;

	while (pass < passes) {
		int rc = collect(fd, passes, pass, top, &names, err);
		if (rc == ERR_LIMIT && passes < PASSES_MAX) {
			/* What was done already is found done again: nothing is lost by starting over. */
			passes *= 2;
			pass = 0;
			continue;
		}
		if (rc < 0)
			return rc;
		if (names.n > 0) {
			qsort_r(names.at, names.n, sizeof(*names.at), compare_at, names.text.p);
			rc = strike_out(reader, tree, &names, err);
			if (rc < 0)
				return rc;
			remove_rest(run, dir, fd, &names);
		}
		pass++;
	}
	return OK;
}

int
restore_extra_remove(struct restore_run *run, struct repo_reader *reader, struct restore_item *dir,
		     const struct blob_id *tree, bool top, struct error *err)
{
	int fd = -1;

	int rc = restore_fds_pin(&run->fds, dir, &fd, err);
	if (rc < 0)
		return rc;
	rc = remove_extra(run, reader, dir, fd, tree, top, err);
	restore_fds_unpin(&run->fds, dir);
	return rc;
}
