/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Packs: the files that hold blobs. A pack is a header, sealed frames one after another, the sealed
 * table that says which blobs the frames hold, and a trailer that finds the table from the end; so a
 * pack explains itself when every index is lost. doc/format.md, "Packs".
 *
 * This file is the codec: it seals and opens, and knows no store.
 */
#ifndef HF_REPO_PACK_H
#define HF_REPO_PACK_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "crypto/crypto.h"
#include "repo/format.h"
#include "repo/read.h"
#include "repo/repo.h"

enum {
	PACK_HEADER_SIZE = 48,
	PACK_TRAILER_SIZE = 16,
	PACK_TABLE_MAX = 8 << 20,
	/* Packs come in two classes: files' content (DATA and PAGES frames alike), and metadata. */
	PACK_CLASS_DATA = BLOB_DATA,
	PACK_CLASS_META = BLOB_META,
};

/* One pack's key in use. */
struct pack_cipher {
	struct pack_id id;
	uint8_t header[PACK_HEADER_SIZE];
	struct cipher *cipher;
	struct object_id repo_id;
};

/* A new pack: random id and salt, header ready to be written. */
CHECKED int pack_cipher_new(struct repo *repo, uint8_t class, struct pack_cipher *ret,
			    struct error *err);
/* An existing one, from its first PACK_HEADER_SIZE bytes. */
CHECKED int pack_cipher_open(struct repo *repo, const struct pack_id *id, const uint8_t *header,
			     struct pack_cipher *ret, struct error *err);
void pack_cipher_done(struct pack_cipher *p);

/*
 * Seal frame `number` in place: content.n bytes at `content`, of which the first says how the rest is
 * packed (enum frame_codec); room for the tag must follow. `plain` is the unpacked length.
 */
CHECKED int pack_seal_frame(struct pack_cipher *p, uint32_t number, uint32_t plain,
			    uint8_t *content, size_t n, struct error *err);

enum frame_codec { FRAME_RAW = 0, FRAME_ZSTD = 1 };

/* Authenticate and decrypt a stored frame into `work` (as long as stored, or where it is stored);
 * *ret is codec + body in it. */
CHECKED int pack_open_frame(struct pack_cipher *p, uint32_t number, uint32_t plain,
			    struct slice stored, uint8_t *work, struct slice *ret,
			    struct error *err);

/* Table of contents being built: frames in order, blobs in order within them. */
struct pack_table {
	struct buf bytes; /* encoded frames; see pack.c */
	uint32_t n_frames;
	uint32_t n_blobs;
};

#define PACK_TABLE_INIT ((struct pack_table){.bytes = BUF_INIT(PACK_TABLE_MAX)})

struct frame_blob {
	struct blob_id id;
	uint32_t length;
};

CHECKED int pack_table_add(struct pack_table *t, uint32_t stored, uint32_t plain,
			   const struct frame_blob *blobs, size_t n, struct error *err);
void pack_table_done(struct pack_table *t);

/* Walk an encoded table; each blob comes with its location (pack and class filled in by the caller's
 * arguments). Checks every length and the pack's limits. */
typedef int pack_blob_fn(void *arg, const struct blob_id *id, const struct blob_loc *loc,
			 struct error *err);
CHECKED int pack_table_walk(struct slice table, const struct pack_id *id, uint8_t class,
			    pack_blob_fn *each, void *arg, uint64_t *ret_frames_end,
			    struct error *err);

/* The sealed table and the trailer, appended to `ret`: what ends a pack. */
CHECKED int pack_seal_table(struct pack_cipher *p, const struct pack_table *t, struct buf *ret,
			    struct error *err);

/* Read a stored pack's header and table: appended to `table`; class and size told. */
CHECKED int pack_read_table(struct repo *repo, const struct pack_id *id, uint8_t *ret_class,
			    uint64_t *ret_size, struct buf *table, struct error *err);

#endif
