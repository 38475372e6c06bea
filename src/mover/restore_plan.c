/* SPDX-License-Identifier: Apache-2.0 */

/* The walk over a map calls back for every piece; each is checked, located and handed to the pool. */
#include "mover/restore_plan.h"

#include <string.h>

#include "base/hex.h"
#include "mover/restore_file.h"
#include "repo/map.h"

struct plan {
	struct restore_planner *planner;
	struct restore_item *item;
	uint64_t pieces;
};

static int
locate(struct restore_run *run, const struct blob_id *id, struct blob_loc *ret, struct error *err)
{
	char hex[2 * BLOB_ID_SIZE + 1];

	int rc = repo_index_find(run->index, id, ret, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return error_set(err, ERR_CORRUPT, "blob %.16s… is in no index",
				 hex_encode(id->b, BLOB_ID_SIZE, hex));
	return OK;
}

/* In memory a fingerprint of zeros says "this page is right already", so no page may have it. */
static int
check_fingerprints(const uint8_t *fingerprints, size_t n, struct error *err)
{
	static const uint8_t none[CRYPTO_FINGERPRINT_SIZE];

	for (size_t i = 0; i < n; i += CRYPTO_FINGERPRINT_SIZE)
		if (memcmp(fingerprints + i, none, sizeof(none)) == 0)
			return error_set(err, ERR_CORRUPT,
					 "a page of the file map has no fingerprint");
	return OK;
}

static int
plan_pages(struct plan *plan, struct restore_piece *p, const struct map_piece *piece,
	   struct error *err)
{
	p->kind = PIECE_PAGES;
	p->page_shift = (uint8_t)__builtin_ctz(piece->page_size);
	p->blob_offset = piece->blob_offset;
	size_t n = (size_t)restore_piece_pages(p) * CRYPTO_FINGERPRINT_SIZE;
	if (n > RESTORE_WINDOW_FINGERPRINTS)
		return error_set(err, ERR_CORRUPT, "a file map has too many pages in a row");
	int rc = check_fingerprints(piece->fingerprints, n, err);
	if (rc < 0)
		return rc;
	return restore_pool_add(plan->planner->pool, p, piece->fingerprints, n, err);
}

static int
plan_piece(void *arg, const struct map_piece *piece, struct error *err)
{
	struct plan *plan = arg;
	struct restore_run *run = plan->planner->run;
	struct restore_piece p = {
		.item = plan->item,
		.file_offset = piece->file_offset,
		.length = piece->length,
	};

	if (restore_run_stopped(run))
		return restore_run_result(run, err);
	if (piece->hole && !plan->item->existing) {
		/* Not written is a hole. */
		atomic_fetch_add(&run->bytes, piece->length);
		atomic_fetch_add(&run->options->progress->bytes_done, piece->length);
		return OK;
	}
	plan->pieces++;
	if (piece->hole) {
		p.kind = PIECE_HOLE;
		return restore_pool_add(plan->planner->pool, &p, NULL, 0, err);
	}
	int rc = locate(run, &piece->blob, &p.loc, err);
	if (rc < 0)
		return rc;
	if (piece->page_size != 0)
		return plan_pages(plan, &p, piece, err);
	p.kind = PIECE_CHUNK;
	p.id = piece->blob;
	return restore_pool_add(plan->planner->pool, &p, NULL, 0, err);
}

int
restore_plan_content(struct restore_planner *planner, struct restore_item *item,
		     struct slice content, struct error *err)
{
	struct plan plan = {.planner = planner, .item = item};
	struct restore_run *run = planner->run;
	struct error why = ERROR_INIT;
	int rc = OK;

	if (item->size > 0)
		rc = map_walk(planner->reader, content, item->size, 0, plan_piece, &plan, &why);
	if (rc < 0)
		restore_file_fail(run, item, &why);
	/* An empty file, or one great hole: a worker makes it, too. */
	if (rc == OK && plan.pieces == 0) {
		struct restore_piece p = {.item = item, .kind = PIECE_BARE};
		rc = restore_pool_add(planner->pool, &p, NULL, 0, &why);
		(void)rc; /* if it was stopped, the next line says so */
	}
	return restore_run_stopped(run) ? restore_run_result(run, err) : OK;
}
