/* SPDX-License-Identifier: Apache-2.0 */

/* Each restore point by itself: as a chain of one. */
#include "requester/log_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "mover/progress.h"
#include "postgresql/walrange.h"
#include "postgresql/walwalk.h"
#include "repo/read.h"
#include "repo/tree.h"
#include "requester/log_chain.h"
#include "requester/log_names.h"
#include "requester/log_stream.h"

enum { NODE_HOLD = 4 << 20, MESSAGE_MAX = 512 };

struct checking {
	const struct log_check *o;
	struct repo_index *index;
	struct repo_reader *reader;
	uint64_t problems;
};

static void
checking_done(struct checking *k)
{
	repo_reader_close(k->reader);
	repo_index_close(k->index);
}

static void
problem(struct checking *k, const struct point *p, const char *message)
{
	char object[16 + sizeof(p->id_text)];

	(void)text_printf(object, sizeof(object), "points/%s", p->id_text);
	k->problems++;
	k->o->problem(k->o->problem_arg, object, message);
}

/* Every file from one end to the other. */
static int
check_files(struct checking *k, const struct log_chain *c, uint64_t from, uint64_t to,
	    struct error *err)
{
	while (from < to) {
		CLEAN(buf_done) struct buf hold = BUF_INIT(NODE_HOLD);
		const struct log_piece *piece = log_chain_piece(c, from);
		char at[WALRANGE_LSN_LEN + 1], message[MESSAGE_MAX];
		struct node node;
		int rc = piece != NULL
				 ? log_stream_file(c, k->reader, piece, from, &hold, &node, err)
				 : 0;

		if (rc < 0)
			return rc;
		if (rc == 0) {
			(void)text_printf(message, sizeof(message), "the log at %s is missing",
					  walrange_format_lsn(from, at));
			problem(k, c->pieces[0].point, message);
			return 0;
		}
		from = MIN((from / c->segment_bytes + 1) * c->segment_bytes, piece->to);
	}
	return 1;
}

/* The names that the records give. */
struct named {
	struct log_names names;
	bool too_many;
};

static void
named_done(struct named *n)
{
	log_names_done(&n->names);
}

static int
on_record(void *arg, const struct walwalk_record *r)
{
	struct named *n = arg;

	if (r->kind == WALWALK_RESTORE_POINT && !n->too_many &&
	    !log_names_add(&n->names, r->name, r->lsn, r->end, r->time_ns))
		n->too_many = true;
	return 0;
}

/* A list that lacks one would have it said that nobody gave that name. */
static int
check_names(struct checking *k, const struct point *p, const struct named *n, struct error *err)
{
	CLEAN(log_names_done) struct log_names listed = {0};
	bool same;

	if (log_names_of(p, &listed, err) < 0)
		return err->code;
	same = listed.n == n->names.n && !n->too_many;
	for (size_t i = 0; same && i < listed.n; i++) {
		const struct log_name *a = &listed.all[i], *b = &n->names.all[i];

		same = a->lsn == b->lsn && a->end == b->end && strcmp(a->name, b->name) == 0;
	}
	if (listed.known && !same)
		problem(k, p, "its list of named restore points is not what its logs have");
	return OK;
}

static int
on_bytes(void *arg, struct slice bytes, struct error *err)
{
	(void)err;
	return walwalk_feed(arg, bytes) == WALWALK_END ? 1 : 0;
}

/* Every record in them. */
static int
check_records(struct checking *k, const struct log_chain *c, uint64_t from, uint64_t to,
	      struct error *err)
{
	CLEAN(walwalk_freep) struct walwalk *w = NULL;
	CLEAN(named_done) struct named named = {0};
	char at[WALRANGE_LSN_LEN + 1], identity[24], message[MESSAGE_MAX];
	uint64_t end;

	if (from % c->segment_bytes != 0 || from == to)
		return OK;
	if (walwalk_new(from, c->segment_bytes, on_record, &named, &w, err) < 0 ||
	    log_stream(c, k->reader, from, k->o->progress, on_bytes, w, &end, err) < 0)
		return err->code;
	(void)snprintf(identity, sizeof(identity), "%" PRIu64, walwalk_identity(w));
	if (walwalk_feed(w, SLICE(NULL, 0)) == WALWALK_END) {
		(void)text_printf(message, sizeof(message), "the log cannot be read beyond %s",
				  walrange_format_lsn(walwalk_position(w), at));
		problem(k, c->pieces[0].point, message);
	} else if (walwalk_identity(w) != 0 && strcmp(identity, c->identity) != 0) {
		problem(k, c->pieces[0].point, "the log is that of another database");
	} else {
		(void)walwalk_finish(w);
		return check_names(k, c->pieces[0].point, &named, err);
	}
	return OK;
}

static int
check_point(struct checking *k, struct point *p, struct error *err)
{
	CLEAN(log_chain_done) struct log_chain c = {0};
	struct point_list alone = {1, &p};
	struct log_point logs;
	struct error why = ERROR_INIT;

	int rc = log_point_of(p, NULL, &logs, &why);
	if (rc == 0 || (rc > 0 && strcmp(logs.engine, "postgresql") != 0))
		return OK;
	if (rc == OK || rc > 0)
		rc = log_chain_read(&alone, &(struct log_wish){.identity = logs.identity}, &c,
				    &why);
	if (rc < 0) {
		problem(k, p, why.msg);
		return OK;
	}
	if (logs.from == logs.to)
		return OK;
	if (c.n_pieces == 0) {
		problem(k, p, "it says that it has logs, and has none");
		return OK;
	}
	rc = check_files(k, &c, logs.from, logs.to, err);
	if (rc > 0 && k->o->read)
		rc = check_records(k, &c, logs.from, logs.to, err);
	/* What cannot be read was told by whoever looked at what is stored. */
	if (rc < 0 && err->code == ERR_CORRUPT) {
		problem(k, p, err->msg);
		rc = OK;
	}
	return rc < 0 ? rc : OK;
}

int
log_check_run(const struct log_check *check, uint64_t *ret_problems, struct error *err)
{
	CLEAN(checking_done) struct checking k = {.o = check};
	CLEAN(point_list_done) struct point_list list = {0};
	int rc = OK;

	if (check->only != NULL && !point_is_log(check->only)) {
		*ret_problems = 0;
		return OK;
	}
	if (repo_index_open(check->repo, &k.index, err) < 0 ||
	    repo_reader_open(check->repo, k.index, &k.reader, err) < 0 ||
	    point_list_read(check->repo, &list, err) < 0)
		return err->code;
	for (size_t i = 0; i < list.n && rc == OK; i++)
		if (point_is_log(list.points[i]) &&
		    (check->only == NULL ||
		     memcmp(&check->only->id, &list.points[i]->id, sizeof(check->only->id)) == 0))
			rc = check_point(&k, list.points[i], err);
	if (rc < 0)
		return rc;
	*ret_problems = k.problems;
	return OK;
}
