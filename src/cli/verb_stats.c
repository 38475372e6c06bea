/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast stats */
#include <inttypes.h>

#include "cli/cli.h"
#include "cli/out.h"
#include "cli/points.h"
#include "cli/repository.h"
#include "cli/units.h"
#include "repo/index.h"
#include "store/store.h"

struct totals {
	uint64_t points, logical_bytes;
	uint64_t objects, stored_bytes;
	uint64_t packs, pack_bytes;
	uint64_t blobs;
};

static int
count_object(void *arg, const struct store_entry *entry, struct error *err)
{
	struct totals *t = arg;

	(void)err;
	t->objects++;
	t->stored_bytes += entry->size_bytes;
	return OK;
}

static int
count_pack(void *arg, const struct store_entry *entry, struct error *err)
{
	struct totals *t = arg;

	(void)err;
	t->packs++;
	t->pack_bytes += entry->size_bytes;
	return OK;
}

static int
count(struct repo *repo, struct totals *t, struct error *err)
{
	CLEAN(point_list_done) struct point_list points = {0};
	CLEAN(repo_index_closep) struct repo_index *index = NULL;

	if (point_list_read(repo, &points, err) < 0 || repo_index_open(repo, &index, err) < 0 ||
	    store_list(repo->store, "", count_object, t, err) < 0 ||
	    store_list(repo->store, "packs/", count_pack, t, err) < 0)
		return err->code;
	t->blobs = repo_index_records(index);
	t->points = points.n;
	for (size_t i = 0; i < points.n; i++)
		t->logical_bytes += points_stat(points.points[i], "bytes");
	return OK;
}

int
verb_stats(struct cli *cli, struct error *err)
{
	CLEAN(repository_close) struct repository opened = {0};
	struct totals t = {0};
	char a[UNITS_MAX], b[UNITS_MAX];
	uint64_t percent;

	if (repository_open(cli, &opened, err) < 0 || count(opened.repo, &t, err) < 0)
		return err->code;
	if (cli->json) {
		out_json(json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "type", "stats",
				   "repository", opened.repo->id_text, "points",
				   (json_int_t)t.points, "logical_bytes",
				   (json_int_t)t.logical_bytes, "stored_bytes",
				   (json_int_t)t.stored_bytes, "objects", (json_int_t)t.objects,
				   "packs", (json_int_t)t.packs, "pack_bytes",
				   (json_int_t)t.pack_bytes, "blobs", (json_int_t)t.blobs));
		return OK;
	}
	out_text("Repository:     %s\n", opened.repo->id_text);
	out_text("Restore points: %s\n", units_count(t.points, a));
	out_text("Backed up:      %s in all restore points together\n",
		 units_bytes(t.logical_bytes, a));
	out_text("Stored:         %s in %s\n", units_bytes(t.stored_bytes, a),
		 units_of(t.objects, "file", b));
	out_text("Packs:          %s with %s of data\n", units_count(t.packs, a),
		 units_of(t.blobs, "piece", b));
	/* Hundredths, so that no floating point is needed. */
	percent = t.stored_bytes > 0
			  ? (uint64_t)((__uint128_t)t.logical_bytes * 100 / t.stored_bytes)
			  : 0;
	if (percent > 0)
		out_text("Ratio:          %" PRIu64 ".%02" PRIu64 " : 1\n", percent / 100,
			 percent % 100);
	return OK;
}
