/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Adding blobs and restore points. One repo_writer for each backup; any number of backups may write
 * into one repository at once. Each worker thread has a repo_sink of its own, with its own open packs,
 * so that workers share nothing but the table of ids that are on their way.
 *
 *	repo_writer_open -> repo_sink_open (each thread) -> repo_sink_put ... -> repo_sink_close
 *	-> repo_writer_flush -> point_write (repo/point.h) -> repo_writer_close
 *
 * After a successful flush every blob ever put is durable and indexed; only then may a restore point
 * refer to it. Index objects are also written along the way, at growing distances, so that a backup
 * that is killed leaves what it uploaded to the next one.
 *
 * Blobs in packs that a prune has marked for removal count as absent and are stored anew.
 */
#ifndef HF_REPO_WRITE_H
#define HF_REPO_WRITE_H

#include "base/base.h"
#include "base/error.h"
#include "repo/format.h"
#include "repo/read.h"
#include "repo/repo.h"

struct repo_writer;
struct repo_sink;

struct repo_write_options {
	int level_data; /* zstd level for BLOB_DATA and BLOB_META; 0: 3 */
	int level_pages; /* for BLOB_PAGES; 0: 1 (smaller and faster than 3 on database pages) */
	uint32_t pack_size; /* bytes after which a pack is closed; 0: 64 MiB */
};

/* Times and amounts of each stage, summed over all threads. */
struct repo_write_stats {
	uint64_t blobs, blobs_new;
	uint64_t bytes, bytes_new; /* plain */
	uint64_t bytes_stored; /* packs and index objects, as stored */
	uint64_t packs;
	uint64_t hash_ns, compress_ns, seal_ns, write_ns, commit_ns;
};

CHECKED int repo_writer_open(struct repo *repo, struct repo_index *index,
			     const struct repo_write_options *options, struct repo_writer **ret,
			     struct error *err);
/* All sinks closed before. */
CHECKED int repo_writer_flush(struct repo_writer *w, struct error *err);
void repo_writer_stats(struct repo_writer *w, struct repo_write_stats *ret);
/* Without a flush before: the backup is given up; packs that are complete are still indexed (as well
 * as that goes) for the next one. NULL is fine. */
void repo_writer_close(struct repo_writer *w);
void repo_writer_closep(struct repo_writer **w);

CHECKED int repo_sink_open(struct repo_writer *w, struct repo_sink **ret, struct error *err);
/*
 * Store a blob of 1 .. BLOB_MAX bytes unless the repository has it. Thread-safe across sinks; the
 * bytes are copied or consumed before it returns. *ret_new (may be NULL) tells whether it was new.
 */
CHECKED int repo_sink_put(struct repo_sink *s, enum blob_class class, struct slice content,
			  struct blob_id *ret_id, bool *ret_new, struct error *err);
/* The fingerprint of a page (crypto.h), under the repository's key. */
CHECKED int repo_sink_fingerprint(struct repo_sink *s, struct slice page, uint8_t ret[16],
				  struct error *err);
/* Hand what is still open to the writer. On failure the backup cannot succeed. Frees the sink. */
CHECKED int repo_sink_close(struct repo_sink *s, struct error *err);
void repo_sink_abort(struct repo_sink *s); /* NULL is fine */

#endif
