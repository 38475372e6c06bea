/* SPDX-License-Identifier: Apache-2.0 */

/* The JSON in restore points and marks, behind a seal that is right. */
#include <string.h>

#include "base/json.h"
#include "repo/mark.h"
#include "repo/object.h"
#include "repo/point.h"
#include "repo/rig.h"
#include "store/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect_known(int rc)
{
	if (rc != OK && rc != ERR_CORRUPT && rc != ERR_NO_MEMORY)
		abort();
}

static void
read_point(struct rig *r, struct slice text)
{
	CLEAN(point_freep) struct point *p = NULL;
	struct error err = ERROR_INIT;
	struct object_id id, again;

	if (object_put(r->repo, OBJECT_POINT, text, &id, NULL, &err) < 0)
		return;
	int rc = point_read(r->repo, &id, &p, &err);
	expect_known(rc);
	if (rc == OK) {
		if (p->n_roots > POINT_ROOTS_MAX || p->host == NULL)
			abort();
		for (size_t i = 0; i < p->n_roots; i++)
			if (point_find_root(p, p->roots[i].name) == NULL)
				abort();
		/* What reads writes, too. */
		if (point_write(r->repo, p->json, &again, &err) < 0 && err.code != ERR_NO_MEMORY &&
		    err.code != ERR_LIMIT)
			abort();
	}
}

static void
read_mark(struct rig *r, struct slice text)
{
	struct mark_list l = {0};
	struct error err = ERROR_INIT;
	struct object_id id;

	if (object_put(r->repo, OBJECT_MARK, text, &id, NULL, &err) < 0)
		return;
	expect_known(mark_list_read(r->repo, &l, &err));
	int rc = mark_check_session(r->repo, 1, &err);
	if (rc != ERR_BUSY)
		expect_known(rc);
	mark_list_done(&l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct rig *r;
	struct store *empty = NULL;
	struct error err;

	if (r == NULL)
		r = rig_new(false);
	/* The repository's keys over a store of its own for each run. */
	if (store_mem_open(&empty, &err) < 0)
		return 0;
	r->repo->store = empty;
	read_point(r, SLICE(data, size));
	read_mark(r, SLICE(data, size));
	store_close(empty);
	r->repo->store = r->store;
	return 0;
}
