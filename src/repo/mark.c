/* SPDX-License-Identifier: Apache-2.0 */

/* Reading, writing and minding marks; the payload is JSON (doc/format.md, "Marks"). */
#include "repo/mark.h"

#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/json.h"
#include "repo/index.h"
#include "repo/object.h"

/* Between a backup's last look at the marks and its restore point: room for slow stores and for
 * clocks that differ. */
#define MARGIN_NS (600 * NS_PER_S)

static int
compare_packs(const void *a, const void *b)
{
	return memcmp(a, b, PACK_ID_SIZE);
}

static int
parse_packs(const json_t *array, struct mark *m, struct error *err)
{
	size_t n = json_array_size(array);

	m->packs = calloc(MAX(n, (size_t)1), sizeof(*m->packs));
	if (m->packs == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		const char *hex = json_string_value(json_array_get(array, i));

		if (hex == NULL || !hex_decode(hex, strlen(hex), m->packs[i].b, PACK_ID_SIZE))
			return error_set(err, ERR_CORRUPT, "a mark names an impossible pack");
	}
	/* Prune looks packs up by halving. */
	if (n > 0)
		qsort(m->packs, n, sizeof(*m->packs), compare_packs);
	m->n = n;
	return OK;
}

static int
read_mark(struct repo *repo, const struct object_id *id, struct mark *ret, struct error *err)
{
	CLEAN(buf_done) struct buf payload = BUF_INIT(OBJECT_PAYLOAD_MAX);
	CLEAN(json_done) json_t *json = NULL;
	struct mark m = {.id = *id};
	json_t *packs;

	if (object_get(repo, OBJECT_MARK, id, &payload, err) < 0 ||
	    json_parse(buf_slice(&payload), "mark", &json, err) < 0 ||
	    json_get_u64(json, "created", &m.created_ns, err) < 0 ||
	    json_get_u64(json, "sweep_after", &m.sweep_after_ns, err) < 0 ||
	    json_get_u64(json, "swept", &m.swept_ns, err) < 0 ||
	    json_get_arr(json, "packs", &packs, err) < 0) {
		if (err->code == ERR_PROTOCOL)
			err->code = ERR_CORRUPT;
		return error_prefix(err, "read a mark");
	}
	if (parse_packs(packs, &m, err) < 0) {
		free(m.packs);
		return err->code;
	}
	*ret = m;
	return OK;
}

int
mark_list_read(struct repo *repo, struct mark_list *ret, struct error *err)
{
	CLEAN(free_ptr) struct object_id *ids = NULL;
	struct mark_list l = {0};
	size_t n;

	if (object_list(repo, OBJECT_MARK, &ids, &n, err) < 0)
		return error_prefix(err, "list the marks");
	l.marks = calloc(MAX(n, (size_t)1), sizeof(*l.marks));
	if (l.marks == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		if (read_mark(repo, &ids[i], &l.marks[l.n], err) < 0) {
			if (err->code == ERR_NOT_FOUND)
				continue; /* removed since it was listed */
			mark_list_done(&l);
			return err->code;
		}
		l.n++;
	}
	*ret = l;
	return OK;
}

void
mark_list_done(struct mark_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->marks[i].packs);
	free(l->marks);
	*l = (struct mark_list){0};
}

int
mark_write(struct repo *repo, const struct mark *mark, struct object_id *ret_id, struct error *err)
{
	CLEAN(buf_done) struct buf payload = BUF_INIT(OBJECT_PAYLOAD_MAX);
	json_t *packs = json_array();
	CLEAN(json_done)
	json_t *json = json_pack("{s:I, s:I, s:I, s:o}", "created", (json_int_t)mark->created_ns,
				 "sweep_after", (json_int_t)mark->sweep_after_ns, "swept",
				 (json_int_t)mark->swept_ns, "packs", packs);

	if (json == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < mark->n; i++) {
		char hex[2 * PACK_ID_SIZE + 1];

		if (json_array_append_new(packs, json_string(hex_encode(mark->packs[i].b,
									PACK_ID_SIZE, hex))) < 0)
			return error_no_memory(err);
	}
	if (json_write(json, &payload, err) < 0)
		return err->code;
	return object_put(repo, OBJECT_MARK, buf_slice(&payload), ret_id, NULL, err);
}

int
mark_remove(struct repo *repo, const struct object_id *id, struct error *err)
{
	return object_remove(repo, OBJECT_MARK, id, err) < 0 ? err->code : OK;
}

int
mark_hide_packs(struct repo *repo, struct repo_index *index, struct error *err)
{
	struct mark_list l;
	struct pack_id *packs;
	size_t n = 0;

	if (mark_list_read(repo, &l, err) < 0)
		return err->code;
	for (size_t i = 0; i < l.n; i++)
		n += l.marks[i].n;
	packs = calloc(MAX(n, (size_t)1), sizeof(*packs));
	if (packs == NULL) {
		mark_list_done(&l);
		return error_no_memory(err);
	}
	n = 0;
	for (size_t i = 0; i < l.n; i++) {
		memcpy(packs + n, l.marks[i].packs, l.marks[i].n * sizeof(*packs));
		n += l.marks[i].n;
	}
	mark_list_done(&l);
	repo_index_hide(index, packs, n);
	return OK;
}

int
mark_check_session(struct repo *repo, uint64_t start_ns, struct error *err)
{
	uint64_t now = clock_wall_ns();
	struct mark_list l;
	int r = OK;

	if (mark_list_read(repo, &l, err) < 0)
		return err->code;
	for (size_t i = 0; i < l.n && r == OK; i++) {
		const struct mark *m = &l.marks[i];

		/* Known when we began: its packs were hidden from us. */
		if (m->created_ns + MARGIN_NS < start_ns)
			continue;
		if (m->swept_ns == 0 &&
		    (m->created_ns < start_ns || now + MARGIN_NS < m->sweep_after_ns))
			continue;
		if (m->swept_ns != 0 && m->swept_ns < start_ns)
			continue;
		r = error_set(err, ERR_BUSY,
			      "a prune removed data while this backup ran, and the "
			      "backup may have counted on it");
		error_hint(err,
			   "Run the backup again: what it stored is reused. Set prune.grace above "
			   "the time of the longest backup.");
	}
	mark_list_done(&l);
	return r;
}
