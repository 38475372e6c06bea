/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What recovery would do outside of the restored folder. Tablespaces that the backup has were moved, or their
 * places were found free; but one that was created after it is created again by the logs, at the very place
 * it had, and the server takes a folder that is there already for its own. On the machine of the original
 * that would be two servers on one set of files.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "postgresql/walrange.h"
#include "postgresql/walwalk.h"
#include "writer/postgresql/layout.h"
#include "writer/postgresql/pgrestore_internal.h"

enum { READ_BYTES = 1 << 20 };

struct replay {
	const struct pgrestore_finishing *f;
	uint64_t position;
	char version_dir[40];
	/* Found: */
	uint64_t lsn;
	char place[WALWALK_NAME_MAX];
};

static int
on_record(void *arg, const struct walwalk_record *r)
{
	struct replay *y = arg;
	CLEAN(free_ptr) char *path = NULL;
	struct stat st;

	if (r->lsn >= y->position)
		return 1;
	if (r->kind != WALWALK_TABLESPACE || r->name[0] != '/' ||
	    asprintf(&path, "%s/%s", r->name, y->version_dir) < 0)
		return 0;
	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	y->lsn = r->lsn;
	(void)snprintf(y->place, sizeof(y->place), "%s", r->name);
	return 1;
}

static int
is_log(const struct dirent *e)
{
	return strlen(e->d_name) == WALRANGE_NAME_LEN &&
	       strspn(e->d_name, "0123456789ABCDEF") == WALRANGE_NAME_LEN;
}

/* By what comes behind the timeline. */
static int
by_number(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name + 8, (*b)->d_name + 8);
}

/* The first byte of a log, by its name. */
static uint64_t
begin_of(const char *name, uint64_t segment_bytes)
{
	char high[9] = "", low[9] = "";

	memcpy(high, name + 8, 8);
	memcpy(low, name + 16, 8);
	return (strtoull(high, NULL, 16) << 32) + strtoull(low, NULL, 16) * segment_bytes;
}

static enum walwalk_state
feed_file(struct walwalk *w, int dir, const char *name, uint8_t *buffer)
{
	CLEAN(fd_close) int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	enum walwalk_state state = WALWALK_MORE;
	ssize_t n;

	while (fd >= 0 && state == WALWALK_MORE && (n = read(fd, buffer, READ_BYTES)) > 0)
		state = walwalk_feed(w, SLICE(buffer, (size_t)n));
	return state;
}

static int
walk(struct replay *y, int dir, struct dirent **logs, int n, struct error *err)
{
	CLEAN(walwalk_freep) struct walwalk *w = NULL;
	CLEAN(free_ptr) uint8_t *buffer = malloc(READ_BYTES);
	uint64_t segment = y->f->p.wal_segment_bytes;
	enum walwalk_state state = WALWALK_MORE;

	if (buffer == NULL)
		return error_no_memory(err);
	int rc = walwalk_new(begin_of(logs[0]->d_name, segment), segment, on_record, y, &w, err);
	for (int i = 0; rc == OK && i < n && state == WALWALK_MORE; i++)
		state = feed_file(w, dir, logs[i]->d_name, buffer);
	return rc;
}

int
pgrestore_replay(const struct pgrestore_finishing *f, int dir, uint64_t position, struct error *err)
{
	struct replay y = {.f = f, .position = position};
	char at[WALRANGE_LSN_LEN + 1];
	struct dirent **logs = NULL;
	int rc = OK;

	layout_version_dir(f->p.version_num, f->p.catalog_version, y.version_dir);
	int n = scandirat(dir, ".", &logs, is_log, by_number);
	if (n < 0)
		return error_sys(err, ERR_TARGET, "read the logs in '%s'", f->r->target);
	if (n > 0)
		rc = walk(&y, dir, logs, n, err);
	for (int i = 0; i < n; i++)
		free(logs[i]);
	free(logs);
	if (rc < 0 || y.place[0] == '\0')
		return rc;
	walrange_format_lsn(y.lsn, at);
	(void)error_set(err, ERR_TARGET,
			"a tablespace was created in '%s' after the backup, at %s: recovery would "
			"create it there again, and a cluster's files are there",
			y.place, at);
	return error_hint(
		err,
		"restore on another machine, or from a newer backup with "
		"--tablespace-map, or no further than --target-lsn %s; if the original is "
		"gone for good remove what is in '%.80s'",
		at, y.place);
}
