/* SPDX-License-Identifier: Apache-2.0 */

/* The list: made from log files, written, and read back. */
#include "requester/log_names.h"

#include <fcntl.h>
#include <string.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "postgresql/walrange.h"
#include "postgresql/walwalk.h"
#include "requester/log_spool.h"

enum { PIECE = 1 << 20 };

void
log_names_done(struct log_names *l)
{
	free(l->all);
	*l = (struct log_names){0};
}

bool
log_names_add(struct log_names *l, const char *name, uint64_t lsn, uint64_t end, uint64_t time_ns)
{
	struct log_name one = {.lsn = lsn, .end = end, .time_ns = time_ns}, *more;

	if (l->n >= LOG_NAMES_MAX || !text_printf(one.name, sizeof(one.name), "%s", name)) {
		log_names_done(l);
		return false;
	}
	more = reallocarray(l->all, l->n + 1, sizeof(*more));
	if (more == NULL) {
		log_names_done(l);
		return false;
	}
	l->all = more;
	l->all[l->n++] = one;
	return true;
}

/* Finding them. */

static int
on_record(void *arg, const struct walwalk_record *r)
{
	struct log_names *l = arg;

	if (r->kind != WALWALK_RESTORE_POINT ||
	    log_names_add(l, r->name, r->lsn, r->end, r->time_ns))
		return 0;
	return 1;
}

/* The first n bytes of one file. Is all of it log? */
static bool
walk_file(struct walwalk *w, const char *dir, const char *name, uint64_t n, uint8_t *piece)
{
	char path[LOG_SPOOL_PATH_MAX + LOG_FILE_NAME_MAX];
	struct error ignored = ERROR_INIT;

	(void)text_printf(path, sizeof(path), "%s/%s", dir, name);
	CLEAN(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	for (uint64_t done = 0; done < n;) {
		size_t wanted = (size_t)MIN(n - done, (uint64_t)PIECE), got;

		if (fd < 0 || fs_pread(fd, piece, wanted, done, &got, &ignored) < 0 ||
		    got != wanted || walwalk_feed(w, SLICE(piece, got)) != WALWALK_MORE)
			return false;
		done += got;
	}
	return true;
}

/* The files of the last timeline have the beginning of the one before, too. */
static bool
walk(struct walwalk *w, const struct log_stage *stage, const struct log_source_ops *ops,
     const struct log_point *logs)
{
	CLEAN(free_ptr) uint8_t *piece = malloc(PIECE);
	uint64_t size = logs->segment_bytes;

	for (uint64_t at = logs->from; piece != NULL && at < logs->to; at += size) {
		uint64_t n = MIN(logs->to - at, size);
		char name[LOG_FILE_NAME_MAX];

		ops->segment_name(logs->timeline, at, size, name);
		if (!walk_file(w, n == size ? stage->spool : stage->dir, name, n, piece))
			return false;
	}
	return piece != NULL && walwalk_finish(w) == WALWALK_END;
}

void
log_names_find(const struct log_stage *stage, const struct log_source_ops *ops,
	       const struct log_point *logs, struct log_names *ret)
{
	CLEAN(log_names_done) struct log_names l = {0};
	CLEAN(walwalk_freep) struct walwalk *w = NULL;
	struct error ignored = ERROR_INIT;
	uint64_t last = logs->history[logs->n_history - 1].from;

	*ret = (struct log_names){0};
	if (strcmp(logs->engine, "postgresql") != 0 || logs->from % logs->segment_bytes != 0 ||
	    log_file_start(last, logs->segment_bytes) != logs->from ||
	    walwalk_new(logs->from, logs->segment_bytes, on_record, &l, &w, &ignored) < 0 ||
	    !walk(w, stage, ops, logs))
		return;
	*ret = l;
	ret->known = true;
	l = (struct log_names){0};
}

/* In the record. */

json_t *
log_names_json(const struct log_names *l)
{
	CLEAN(json_done) json_t *all = json_array();
	char lsn[WALRANGE_LSN_LEN + 1], end[WALRANGE_LSN_LEN + 1];

	for (size_t i = 0; all != NULL && i < l->n; i++) {
		const struct log_name *n = &l->all[i];
		json_t *one = json_pack(
			"{s:o, s:s, s:s, s:I}", "name", json_bytes(n->name, strlen(n->name)), "lsn",
			walrange_format_lsn(n->lsn, lsn), "end", walrange_format_lsn(n->end, end),
			"time", (json_int_t)n->time_ns);

		if (json_array_append_new(all, one) < 0)
			return NULL;
	}
	return STEAL_PTR(all);
}

static int
parse_one(const json_t *j, struct log_names *l, struct error *err)
{
	CLEAN(buf_done) struct buf name = BUF_INIT(LOG_NAME_MAX);
	const char *lsn, *end;
	uint64_t from, to, time_ns;

	if (json_bytes_get(json_object_get(j, "name"), &name, err) < 0 ||
	    buf_append(&name, "", 1, err) < 0 || json_get_str(j, "lsn", &lsn, err) < 0 ||
	    json_get_str(j, "end", &end, err) < 0 || json_get_u64(j, "time", &time_ns, err) < 0)
		return err->code;
	if (!walrange_parse_lsn(lsn, &from) || !walrange_parse_lsn(end, &to) || from >= to ||
	    to - from > LOG_NAME_SPAN || (l->n > 0 && from < l->all[l->n - 1].end) ||
	    strlen((const char *)buf_slice(&name).p) + 1 != buf_slice(&name).n)
		return error_set(err, ERR_CORRUPT, "field 'names' contradicts itself");
	if (!log_names_add(l, (const char *)buf_slice(&name).p, from, to, time_ns))
		return error_set(err, ERR_CORRUPT, "field 'names' is too long");
	return OK;
}

int
log_names_of(const struct point *p, struct log_names *ret, struct error *err)
{
	CLEAN(log_names_done) struct log_names l = {0};
	const json_t *logs = json_object_get(p->json, "logs");
	const json_t *all = json_object_get(logs, "names"), *one;
	size_t i;

	if (all == NULL) {
		*ret = (struct log_names){0};
		return OK;
	}
	if (!json_is_array(all))
		return error_set(err, ERR_CORRUPT, "restore point %.8s: field 'names' is no list",
				 p->id_text);
	json_array_foreach(all, i, one)
	{
		if (parse_one(one, &l, err) < 0) {
			err->code = ERR_CORRUPT;
			return error_prefix(err, "restore point %.8s", p->id_text);
		}
	}
	*ret = l;
	ret->known = true;
	l = (struct log_names){0};
	return OK;
}
