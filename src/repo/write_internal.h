/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What repo_writer (write.c) and repo_sink (sink.c) know of each other.
 *
 * Life of a blob: put -> its id enters `pending` -> it waits in a sink's open frame -> the frame is
 * packed, sealed and appended to the sink's open pack -> the full pack goes to the finisher thread ->
 * durable -> listed in an index object -> the id leaves `pending`, since the index knows it now.
 */
#ifndef HF_REPO_WRITE_INTERNAL_H
#define HF_REPO_WRITE_INTERNAL_H

#include <pthread.h>
#include <zstd.h>

#include "repo/chunker.h"
#include "repo/idset.h"
#include "repo/index.h"
#include "repo/pack.h"
#include "repo/write.h"

enum {
	FRAME_DATA_TARGET = 2 << 20, /* small files share a frame: 12-18 % smaller than one each */
	FRAME_PAGES_TARGET = 1 << 20,
	FRAME_META_TARGET = 256 << 10,
	QUEUE_MAX = 4, /* packs waiting to become durable */
};

/* A pack being written by one sink. */
struct open_pack {
	bool open;
	struct pack_cipher cipher;
	struct store_upload *upload;
	uint64_t size; /* bytes so far */
	struct pack_table table;
};

/* Blobs waiting to be packed together. */
struct open_frame {
	uint8_t *plain; /* as large as the target plus one blob; made when first needed */
	size_t n, target;
	struct frame_blob *blobs;
	size_t n_blobs, cap_blobs;
	int level;
	uint8_t class; /* enum blob_class */
};

struct repo_sink {
	struct repo_writer *writer;
	struct hasher *hasher;
	struct fingerprinter *fingerprinter;
	ZSTD_CCtx *zstd;
	struct open_frame data, pages, meta;
	struct open_pack pack_data, pack_meta;
	uint8_t *packed; /* FRAME_STORED_MAX: codec, body, tag */
	struct repo_write_stats stats;
};

/* A complete pack on its way to the disk. */
struct done_pack {
	struct done_pack *next;
	struct store_upload *upload;
	struct pack_id id;
	uint8_t class;
	uint64_t size;
	struct buf table;
};

struct repo_writer {
	struct repo *repo;
	struct repo_index *index;
	struct repo_write_options options;
	uint64_t start_ns; /* wall clock */

	pthread_mutex_t lock; /* everything below */
	pthread_cond_t changed;
	struct idset pending;
	struct repo_write_stats stats;
	struct repo_sink *tail; /* takes the rests of closed sinks */
	struct done_pack *queue, **queue_end;
	size_t queued;
	bool busy; /* the finisher is at work on one */
	bool stop;
	struct error failed; /* the first failure, of a sink or the finisher; sticky */
	bool store_failed; /* the finisher stores nothing more, and the marker stays */

	/* The finisher's own; others only while it is not running. */
	pthread_t finisher;
	bool finisher_runs;
	struct buf payload; /* of the next index object */
	uint32_t payload_blobs;
	uint64_t unindexed_bytes, indexed_bytes;
	char *unfinished_path; /* marker in the cache, locked while we live */
	int unfinished_fd;
};

/* write.c, for sink.c */
/* 1: the blob is new and now pending; 0: known already. */
CHECKED int write_claim(struct repo_writer *w, const struct blob_id *id, struct error *err);
/* Hand over a complete pack (upload and table are taken in every case). */
CHECKED int write_submit(struct repo_writer *w, struct done_pack *pack, struct error *err);
/*
 * The first failure of any sink is the whole backup's: ids are pending that will never be stored, and a
 * frame may have been sealed that is not in its pack, so its number must not be used again. Every put,
 * close and flush after it fails. Returns err's code.
 */
CHECKED int repo_writer_fail(struct repo_writer *w, const struct error *err);
/* OK, or that failure. */
CHECKED int write_check(struct repo_writer *w, struct error *err);
void write_add_stats(struct repo_writer *w, const struct repo_write_stats *stats);
void write_pack_free(struct done_pack *pack);

/* sink.c, for write.c */
/* Take over blobs that wait in `from`'s frames. The caller has both sinks to itself. */
CHECKED int sink_absorb(struct repo_sink *s, struct repo_sink *from, struct error *err);
/* Pack everything that waits and submit the open packs. */
CHECKED int sink_drain(struct repo_sink *s, struct error *err);
void sink_free(struct repo_sink *s);

#endif
