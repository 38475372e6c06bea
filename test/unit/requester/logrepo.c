/* SPDX-License-Identifier: Apache-2.0 */

/* Stages of log files in a folder, stored; and records of backups. */
#include "requester/logrepo.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/fs.h"
#include "group/postgresql/stream.h"
#include "requester/log_names.h"
#include "requester/log_store.h"

static const char *
lsn(uint64_t position, char text[24])
{
	(void)snprintf(text, 24, "%X/%X", (unsigned)(position >> 32), (unsigned)position);
	return text;
}

static struct log_point
point_of(const struct logrepo *r, const struct logrepo_logs *l)
{
	struct log_point p = {
		.engine = "postgresql",
		.segment_bytes = WALMAKE_SEGMENT,
		.timeline = r->wal.timeline,
		.from = l->from + l->from_part,
		.to = l->says_to != 0 ? l->says_to : l->to,
		.from_time_ns = l->from_s * NS_PER_S,
		.to_time_ns = l->to_s * NS_PER_S,
		.closed = true,
	};

	(void)snprintf(p.identity, sizeof(p.identity), "%" PRIu64, WALMAKE_IDENTITY);
	if (l->identity != NULL)
		(void)snprintf(p.identity, sizeof(p.identity), "%s", l->identity);
	if (l->fork != 0)
		p.history[p.n_history++] = (struct log_history){r->wal.timeline - 1, p.from};
	p.history[p.n_history++] = (struct log_history){r->wal.timeline,
							l->fork != 0 ? l->fork : p.from};
	return p;
}

/* As the spool stages them: whole files by name, the last one cut and filled up with zeros. */
static void
put_files(const struct logrepo *r, const struct logrepo_logs *l, struct log_stage *g)
{
	for (uint64_t at = l->from; at < l->to; at += WALMAKE_SEGMENT) {
		uint64_t n = MIN(l->to - at, (uint64_t)WALMAKE_SEGMENT);
		bool whole = n == WALMAKE_SEGMENT;
		char name[LOG_FILE_NAME_MAX], path[LOG_SPOOL_PATH_MAX + LOG_FILE_NAME_MAX];

		log_source_postgresql.segment_name(r->wal.timeline, at, WALMAKE_SEGMENT, name);
		(void)snprintf(path, sizeof(path), "%s/%s", whole ? g->spool : g->dir, name);
		CLEAN(fd_close) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
		assert_true(fd >= 0);
		assert_int_equal(pwrite(fd, r->wal.bytes + (at - r->wal.start), n, 0), n);
		assert_int_equal(ftruncate(fd, WALMAKE_SEGMENT), 0);
		if (!whole)
			continue;
		g->whole = reallocarray(g->whole, g->n + 1, sizeof(*g->whole));
		assert_non_null(g->whole);
		memcpy(g->whole[g->n++], name, sizeof(name));
	}
}

int
logrepo_setup(void **state)
{
	struct logrepo *r = calloc(1, sizeof(*r));
	uint8_t *bytes = calloc(1, LOGREPO_SIZE + WALMAKE_PAGE);

	if (r == NULL || bytes == NULL)
		return -1;
	r->rig = rig_new(false);
	(void)rig_folder(r->dir);
	walmake_begin(&r->wal, bytes, LOGREPO_SIZE + WALMAKE_PAGE, LOGREPO_START, 1);
	*state = r;
	return 0;
}

int
logrepo_teardown(void **state)
{
	struct logrepo *r = *state;

	point_list_done(&r->list);
	assert_int_equal(fs_remove_tree(AT_FDCWD, r->dir, &r->rig->err), OK);
	rig_free(r->rig);
	free(r->wal.bytes);
	free(r);
	return 0;
}

void
logrepo_store(struct logrepo *r, const struct logrepo_logs *l)
{
	const struct log_point logs = point_of(r, l);
	struct progress progress = {0};
	struct log_stage g = {0};
	struct log_names names;
	struct log_stored stored;
	struct log_store_order order = {
		.repo = r->rig->repo,
		.group = "g",
		.stage = &g,
		.logs = &logs,
		.start_ns = l->from_s * NS_PER_S,
		.progress = &progress,
		.names = l->no_names ? NULL : &names,
	};

	rig_shut(r->rig);
	(void)snprintf(g.dir, sizeof(g.dir), "%s/stage", r->dir);
	(void)snprintf(g.spool, sizeof(g.spool), "%s/spool", r->dir);
	assert_int_equal(mkdir(g.dir, 0700), 0);
	assert_int_equal(mkdir(g.spool, 0700), 0);
	put_files(r, l, &g);
	log_names_find(&g, &log_source_postgresql, &logs, &names);
	if (l->false_names)
		names.n = 0;
	rig_ok(r->rig, log_store(&order, &stored, &r->rig->err));
	log_names_done(&names);
	assert_int_equal(fs_remove_tree(AT_FDCWD, g.dir, &r->rig->err), OK);
	assert_int_equal(fs_remove_tree(AT_FDCWD, g.spool, &r->rig->err), OK);
	log_stage_done(&g);
}

void
logrepo_base(struct logrepo *r, uint64_t start, uint64_t held, uint64_t stop, unsigned stop_s)
{
	static const char tree[] = "00000000000000000000000000000000"
				   "00000000000000000000000000000000";
	char identity[24], a[24], b[24], c[24];
	struct object_id id;
	json_t *j;

	(void)snprintf(identity, sizeof(identity), "%" PRIu64, WALMAKE_IDENTITY);
	j = json_pack("{s:I, s:I, s:s, s:s, s:b, s:[{s:s, s:s, s:{s:s, s:s, s:s, s:s, s:s, s:i, "
		      "s:I}}]}",
		      "start", (json_int_t)(stop_s * NS_PER_S), "end",
		      (json_int_t)(stop_s * NS_PER_S), "host", "db", "consistency", "application",
		      "incomplete", 0, "roots", "name", "postgresql", "tree", tree, "component",
		      "writer", "postgresql", "system_identifier", identity, "start_lsn",
		      lsn(start, a), "held_lsn", lsn(held, b), "stop_lsn", lsn(stop, c), "timeline",
		      1, "stop_time", (json_int_t)(stop_s * NS_PER_S));
	assert_non_null(j);
	rig_ok(r->rig, point_write(r->rig->repo, j, &id, &r->rig->err));
	json_decref(j);
}

void
logrepo_chain(struct logrepo *r, struct log_chain *ret)
{
	point_list_done(&r->list);
	r->list = (struct point_list){0};
	rig_look(r->rig);
	rig_ok(r->rig, point_list_read(r->rig->repo, &r->list, &r->rig->err));
	rig_ok(r->rig, log_chain_read(&r->list, &(struct log_wish){0}, ret, &r->rig->err));
}

void
logrepo_lose_data(struct logrepo *r)
{
	char name[STORE_NAME_MAX + 1];

	while (rig_count(r->rig, "packs/") > 0) {
		rig_name(r->rig, "packs/", 0, name);
		assert_int_equal(store_remove(r->rig->mem, name, &r->rig->err), 1);
	}
}
