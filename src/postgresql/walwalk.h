/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A walk over the records of a write-ahead log: where each begins, what commits and when, and the restore
 * points that somebody named. Pure: bytes come in, records go out. What is found is what the server's own
 * recovery would find: a record counts when all of it is there, its checksum is right, and it names the one before
 * it; the walk ends where the first one does not.
 *
 *	walwalk_new (at the beginning of a segment) -> walwalk_feed ... -> walwalk_finish -> walwalk_free
 *
 * The bytes are those of segments in their order, in pieces of any size. Of versions 13 to 17, written by
 * a little-endian machine; anything else looks like the log's end at once.
 */
#ifndef HF_POSTGRESQL_WALWALK_H
#define HF_POSTGRESQL_WALWALK_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

enum walwalk_kind {
	WALWALK_OTHER = 0,
	WALWALK_COMMIT, /* of prepared transactions, too */
	WALWALK_ABORT,
	WALWALK_RESTORE_POINT, /* pg_create_restore_point() */
	WALWALK_TABLESPACE, /* one was created: recovery creates it again, at the same place */
};

enum { WALWALK_NAME_MAX = 1024 };

struct walwalk_record {
	uint64_t lsn; /* where it begins */
	uint64_t end; /* where the next one may begin */
	enum walwalk_kind kind;
	uint64_t time_ns; /* wall clock of the server: COMMIT, ABORT, RESTORE_POINT */
	char name[WALWALK_NAME_MAX]; /* RESTORE_POINT: its name; TABLESPACE: its folder */
};

/* 1: enough, the walk is over; 0: go on. */
typedef int walwalk_fn(void *arg, const struct walwalk_record *record);

enum walwalk_state {
	WALWALK_MORE = 1, /* all that came was good */
	WALWALK_ENOUGH, /* the callback said so */
	WALWALK_END, /* the log ends here: what follows is no record */
};

struct walwalk;

/* lsn: where a segment begins. A record that began before it is passed over. */
CHECKED int walwalk_new(uint64_t lsn, uint64_t segment_bytes, walwalk_fn *each, void *arg,
			struct walwalk **ret, struct error *err);
/* Once it was not WALWALK_MORE it stays what it was. A page is looked at when all of it has come. */
enum walwalk_state walwalk_feed(struct walwalk *w, struct slice bytes);
/* No more bytes will come: look at those that make no whole page. WALWALK_END, or WALWALK_ENOUGH. */
enum walwalk_state walwalk_finish(struct walwalk *w);
/* The system identifier of the segments, 0 before the first page. */
uint64_t walwalk_identity(const struct walwalk *w);
/* Behind the last whole record; where the walk began if there was none. */
uint64_t walwalk_position(const struct walwalk *w);
void walwalk_free(struct walwalk *w); /* NULL is fine */
void walwalk_freep(struct walwalk **w);

#endif
