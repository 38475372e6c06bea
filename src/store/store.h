/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A store is where a repository's objects live: a flat set of named, immutable byte strings. It
 * knows nothing of what is in them.
 *
 * Names have one or two '/'-separated parts plus the file: "holdfast.json", "keys/<hex>",
 * "packs/ab/<hex>", "index/<hex>", "points/<hex>", "marks/<hex>". store_name_valid() says what is
 * allowed: parts of [a-z0-9._-], none beginning with '.', 200 bytes at most; "tmp" is reserved as
 * the first part. Any other name is ERR_INTERNAL in every call.
 *
 * Implementations: dir (a folder), mem (memory, for tests), fault (wraps another store and fails on
 * command), outbox (a remote party carries everything out). Each passes test/contract/store_contract.c. All calls may come from several threads at
 * once; a struct store_upload belongs to one thread at a time.
 */
#ifndef HF_STORE_STORE_H
#define HF_STORE_STORE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

enum { STORE_NAME_MAX = 200 };

struct store {
	const struct store_ops *ops;
};

/* An object on its way in: nobody sees it before commit. */
struct store_upload {
	const struct store_ops *ops;
};

/* One object in a listing. */
struct store_entry {
	const char *name; /* whole name, e.g. "packs/ab/ab12…" */
	uint64_t size_bytes;
};

/* Called once per object, in no particular order; a negative result ends the listing with it. */
typedef int store_list_fn(void *arg, const struct store_entry *entry, struct error *err);

/*
 * Get `n` bytes at `offset` into p. ERR_NOT_FOUND if there is no such object; ERR_CORRUPT if the
 * object ends before offset + n; ERR_STORE_READ for anything else. Never a short success.
 */
typedef int store_read_fn(struct store *s, const char *name, uint64_t offset, void *p, size_t n,
			  struct error *err);
/* The object's size (ret_size may be NULL). 1 exists, 0 does not, < 0 could not be found out (never
 * taken for "absent"). */
typedef int store_stat_fn(struct store *s, const char *name, uint64_t *ret_size, struct error *err);
/*
 * Every object whose name begins with `prefix` ("" all; otherwise whole folder parts ending in
 * '/'). An error at any point is an error of the whole listing: partial results must be discarded
 * by the caller, and an unreadable folder is never reported as an empty one. A folder that does not
 * exist is empty. Uploads that were not committed are not listed. The callback may use the store;
 * objects that come or go while a listing runs may be in it or not.
 */
typedef int store_list_ops_fn(struct store *s, const char *prefix, store_list_fn *each, void *arg,
			      struct error *err);
/* Begin an object. Nothing is visible under `name` until commit. */
typedef int store_begin_fn(struct store *s, const char *name, struct store_upload **ret,
			   struct error *err);
/* Append. After a failure only abort may follow. */
typedef int store_write_fn(struct store_upload *u, const void *p, size_t n, struct error *err);
/*
 * Make it durable, then visible; on success it survives a power cut of the store at once. An
 * existing object of that name: ERR_EXISTS, it stays as it was, and is as durable as if this call
 * had stored it. Frees the upload in every case; after a failure nothing is visible under the name
 * unless the error says the outcome is unknown.
 */
typedef int store_commit_fn(struct store_upload *u, struct error *err);
/* Drop and free an upload that was not committed. NULL is fine. Cannot fail. */
typedef void store_abort_fn(struct store_upload *u);
/* Remove; durable on success. 1 removed, 0 was not there, < 0 error. A store that offers no removing has
 * NULL here and in tidy: its callers get ERR_PERMISSION. */
typedef int store_remove_fn(struct store *s, const char *name, struct error *err);
/* Remove what interrupted uploads older than `age_s` seconds left behind. */
typedef int store_tidy_fn(struct store *s, uint64_t age_s, struct error *err);
typedef void store_close_fn(struct store *s);

struct store_ops {
	const char *name; /* "dir" */
	store_read_fn *read;
	store_stat_fn *stat;
	store_list_ops_fn *list;
	store_begin_fn *begin;
	store_write_fn *write;
	store_commit_fn *commit;
	store_abort_fn *abort;
	store_remove_fn *remove;
	store_tidy_fn *tidy;
	store_close_fn *close;
};

bool store_name_valid(const char *name);
bool store_prefix_valid(const char *prefix); /* fit for store_list() */

/* The calls, by name; arguments are checked here once for all implementations. */
CHECKED int store_read(struct store *s, const char *name, uint64_t offset, void *p, size_t n,
		       struct error *err);
CHECKED int store_stat(struct store *s, const char *name, uint64_t *ret_size, struct error *err);
CHECKED int store_list(struct store *s, const char *prefix, store_list_fn *each, void *arg,
		       struct error *err);
CHECKED int store_begin(struct store *s, const char *name, struct store_upload **ret,
			struct error *err);
CHECKED int store_write(struct store_upload *u, const void *p, size_t n, struct error *err);
CHECKED int store_commit(struct store_upload *u, struct error *err);
void store_abort(struct store_upload *u);
void store_abortp(struct store_upload **u); /* for CLEAN() */
CHECKED int store_remove(struct store *s, const char *name, struct error *err);
CHECKED int store_tidy(struct store *s, uint64_t age_s, struct error *err);
void store_close(struct store *s); /* NULL is fine */
void store_closep(struct store **s);

/* begin + write + commit of one small object. */
CHECKED int store_put(struct store *s, const char *name, struct slice data, struct error *err);
/* The whole object appended to b (bounded by b's maximum). */
CHECKED int store_get(struct store *s, const char *name, struct buf *b, struct error *err);

/*
 * Open by location: a path, or "dir:" and a path; other "scheme:" prefixes are refused. With
 * `create` the folder is made (it must be empty or absent); without it a missing folder is
 * ERR_NO_REPOSITORY.
 */
CHECKED int store_open(const char *location, bool create, struct store **ret, struct error *err);

#endif
