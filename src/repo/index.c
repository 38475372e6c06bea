/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Keeping the cached index in step with the store. The folder index/ of the cache holds segment files
 * and a manifest that says which index objects each stands for. Under a lock on that folder: list the
 * store's index objects; if one that we know has vanished (prune replaced it) start afresh; take in
 * the new ones; merge when there are too many segments.
 */
#include "repo/index.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/reader.h"
#include "crypto/crypto.h"
#include "repo/object.h"

enum {
	MANIFEST_MAX = 64 << 20,
	MERGE_ABOVE = 6, /* segments before merging is worth its reading and writing */
	TRIM_EVERY = 512, /* look-ups: each may make up to 64 KiB resident (fault-around) */
};

int
index_payload_begin(struct buf *payload, struct error *err)
{
	if (buf_u8(payload, 'I', err) < 0 || buf_u8(payload, FORMAT_VERSION, err) < 0)
		return err->code;
	return OK;
}

int
index_payload_add(struct buf *payload, const struct pack_id *id, uint8_t class, uint64_t size,
		  struct slice table, struct error *err)
{
	size_t before = payload->n;

	if (buf_append(payload, id->b, PACK_ID_SIZE, err) < 0 || buf_u8(payload, class, err) < 0 ||
	    buf_varint(payload, size, err) < 0 || buf_bytes(payload, table.p, table.n, err) < 0) {
		payload->n = before;
		return err->code;
	}
	return OK;
}

int
index_payload_tables(struct slice payload, index_table_fn *each, void *arg, struct error *err)
{
	struct reader r = reader_of(payload);

	if (reader_u8(&r) != 'I' || reader_u8(&r) != FORMAT_VERSION)
		return error_set(err, ERR_CORRUPT, "not an index");
	while (reader_left(&r) > 0 && !r.failed) {
		struct slice id = reader_take(&r, PACK_ID_SIZE);
		uint8_t class = reader_u8(&r);
		uint64_t size = reader_varint(&r);
		struct slice table = reader_bytes(&r);
		struct pack_id pack;

		if (r.failed)
			break;
		if ((class != PACK_CLASS_DATA && class != PACK_CLASS_META) || size > PACK_SIZE_MAX)
			return error_set(err, ERR_CORRUPT, "the index lists an impossible pack");
		memcpy(pack.b, id.p, PACK_ID_SIZE);
		if (each(arg, &pack, class, size, table, err) < 0)
			return err->code;
	}
	return reader_end(&r, "index", err);
}

/* index_payload_walk in terms of index_payload_tables */
struct table_walk {
	index_pack_fn *each_pack;
	pack_blob_fn *each_blob;
	void *arg;
};

static int
walk_table(void *arg, const struct pack_id *id, uint8_t class, uint64_t size, struct slice table,
	   struct error *err)
{
	struct table_walk *w = arg;

	if (w->each_pack != NULL && w->each_pack(w->arg, id, class, size, err) < 0)
		return err->code;
	return pack_table_walk(table, id, class, w->each_blob, w->arg, NULL, err);
}

int
index_payload_walk(struct slice payload, index_pack_fn *each_pack, pack_blob_fn *each_blob,
		   void *arg, struct error *err)
{
	struct table_walk w = {.each_pack = each_pack, .each_blob = each_blob, .arg = arg};

	return index_payload_tables(payload, walk_table, &w, err);
}

static int
row_pack(void *arg, const struct pack_id *id, uint8_t class, uint64_t size, struct error *err)
{
	(void)class;
	(void)size;
	return index_rows_add_pack(arg, id, err);
}

static int
row_blob(void *arg, const struct blob_id *id, const struct blob_loc *loc, struct error *err)
{
	return index_rows_add_blob(arg, id, loc, err);
}

static int
compare_objects(const void *a, const void *b)
{
	return memcmp(a, b, OBJECT_ID_SIZE);
}

static int
fresh_name(char name[64], struct error *err)
{
	uint8_t raw[8];
	char hex[17];

	if (crypto_random(raw, sizeof(raw), err) < 0)
		return err->code;
	(void)snprintf(name, 64, "segment-%s", hex_encode(raw, sizeof(raw), hex));
	return OK;
}

/* The cache's index folder, locked: what we list and what the manifest says stay in step. */
static int
open_locked(struct repo *repo, int *ret_dir, struct error *err)
{
	CLEAN(free_ptr) char *path = NULL;
	CLEAN(fd_close) int fd = -1;

	if (asprintf(&path, "%s/index", repo->cache_path) < 0) {
		path = NULL;
		return error_no_memory(err);
	}
	if (fs_mkdirs(AT_FDCWD, path, 0700, err) < 0)
		return err->code;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_sys(err, ERR_IO, "open '%s'", path);
	/* Held for moments only: a plain wait will do. */
	while (flock(fd, LOCK_EX) < 0)
		if (errno != EINTR)
			return error_sys(err, ERR_IO, "lock '%s'", path);
	*ret_dir = STEAL_FD(fd);
	return OK;
}

static int
write_manifest(int dir, struct index_segment *const *segments, size_t n, struct error *err)
{
	CLEAN(json_done) json_t *top = json_pack("{s:i, s:[]}", "version", 1, "segments");
	CLEAN(buf_done) struct buf text = BUF_INIT(MANIFEST_MAX);

	if (top == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		CLEAN(json_done) json_t *objects = json_array();
		char hex[2 * OBJECT_ID_SIZE + 1];

		for (size_t k = 0; k < segments[i]->n_objects; k++)
			if (json_array_append_new(objects,
						  json_string(hex_encode(segments[i]->objects[k].b,
									 OBJECT_ID_SIZE, hex))) < 0)
				return error_no_memory(err);
		if (json_array_append_new(json_object_get(top, "segments"),
					  json_pack("{s:s, s:O}", "file", segments[i]->name,
						    "objects", objects)) < 0)
			return error_no_memory(err);
	}
	if (json_write(top, &text, err) < 0)
		return err->code;
	return fs_write_file(dir, "manifest", buf_slice(&text), 0600, err);
}

static int
load_segment(int dir, const json_t *entry, struct index_segment **ret, struct error *err)
{
	CLEAN(free_ptr) struct object_id *ids = NULL;
	const char *file;
	json_t *objects;

	if (json_get_str(entry, "file", &file, err) < 0 ||
	    json_get_arr(entry, "objects", &objects, err) < 0)
		return err->code;
	size_t n = json_array_size(objects);
	ids = calloc(MAX(n, (size_t)1), sizeof(*ids));
	if (ids == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++) {
		const char *hex = json_string_value(json_array_get(objects, i));

		if (hex == NULL || !hex_decode(hex, strlen(hex), ids[i].b, OBJECT_ID_SIZE))
			return error_set(err, ERR_CORRUPT, "the cache's manifest is damaged");
	}
	if (strchr(file, '/') != NULL || strlen(file) >= 64)
		return error_set(err, ERR_CORRUPT, "the cache's manifest is damaged");
	return index_segment_open(dir, file, ids, n, ret, err);
}

static void
drop_segments(struct repo_index *index)
{
	for (size_t i = 0; i < index->n; i++)
		index_segment_close(index->segments[i]);
	index->n = 0;
}

/* Whatever is wrong with the cache, the answer is to start afresh; so this cannot fail. */
static void
load_manifest(struct repo_index *index, int dir)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(MANIFEST_MAX);
	CLEAN(json_done) json_t *top = NULL;
	struct error ignored = ERROR_INIT;
	json_t *segments;

	if (fs_read_file(dir, "manifest", &text, &ignored) < 0 ||
	    json_parse(buf_slice(&text), "manifest", &top, &ignored) < 0 ||
	    json_get_arr(top, "segments", &segments, &ignored) < 0 ||
	    json_array_size(segments) > INDEX_SEGMENTS_MAX)
		return;
	for (size_t i = 0; i < json_array_size(segments); i++) {
		if (load_segment(dir, json_array_get(segments, i), &index->segments[index->n],
				 &ignored) < 0) {
			drop_segments(index);
			return;
		}
		index->n++;
	}
}

static bool
is_known(const struct repo_index *index, const struct object_id *id)
{
	for (size_t i = 0; i < index->n; i++)
		if (bsearch(id, index->segments[i]->objects, index->segments[i]->n_objects,
			    sizeof(*id), compare_objects) != NULL)
			return true;
	return false;
}

/* Has an object that a segment stands for vanished from the store? */
static bool
is_stale(const struct repo_index *index, const struct object_id *ids, size_t n)
{
	for (size_t i = 0; i < index->n; i++) {
		const struct index_segment *s = index->segments[i];

		for (size_t k = 0; k < s->n_objects; k++)
			if (n == 0 ||
			    bsearch(&s->objects[k], ids, n, sizeof(*ids), compare_objects) == NULL)
				return true;
	}
	return false;
}

static int
merge(struct repo_index *index, int dir, size_t from, struct error *err)
{
	CLEAN(free_ptr) struct object_id *objects = NULL;
	struct index_segment *merged;
	size_t n = 0;
	char name[64];

	for (size_t i = from; i < index->n; i++)
		n += index->segments[i]->n_objects;
	objects = calloc(MAX(n, (size_t)1), sizeof(*objects));
	if (objects == NULL)
		return error_no_memory(err);
	n = 0;
	for (size_t i = from; i < index->n; i++) {
		memcpy(objects + n, index->segments[i]->objects,
		       index->segments[i]->n_objects * sizeof(*objects));
		n += index->segments[i]->n_objects;
	}
	if (n > 0)
		qsort(objects, n, sizeof(*objects), compare_objects);
	if (fresh_name(name, err) < 0 ||
	    index_segment_merge(dir, name, index->segments + from, index->n - from, err) < 0 ||
	    index_segment_open(dir, name, objects, n, &merged, err) < 0)
		return err->code;
	for (size_t i = from; i < index->n; i++)
		index_segment_close(index->segments[i]);
	index->segments[from] = merged;
	index->n = from + 1;
	return OK;
}

/* Largest first; merge the tail whose sum has outgrown the segment before it, so that each record is
 * rewritten only a logarithmic number of times. */
static int
merge_if_many(struct repo_index *index, int dir, struct error *err)
{
	uint64_t sum = 0;
	size_t from;

	if (index->n <= MERGE_ABOVE)
		return OK;
	for (size_t i = 1; i < index->n; i++)
		for (size_t k = i; k > 0 && index->segments[k]->n > index->segments[k - 1]->n;
		     k--) {
			struct index_segment *s = index->segments[k];

			index->segments[k] = index->segments[k - 1];
			index->segments[k - 1] = s;
		}
	for (from = index->n - 1; from > 0; from--) {
		sum += index->segments[from]->n;
		if (sum < index->segments[from - 1]->n && index->n - from > 2)
			break;
	}
	return merge(index, dir, from, err);
}

/*
 * Remove segment files that are no longer in use; failure costs only space. We hold the lock, so a
 * file that is not ours belongs to nobody: whoever has it mapped keeps it until unmapped.
 */
static void
sweep_files(const struct repo_index *index, int dir)
{
	int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *e;

	if (d == NULL) {
		if (copy >= 0)
			(void)close(copy);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		bool used = strncmp(e->d_name, "segment-", 8) != 0;

		for (size_t k = 0; k < index->n; k++)
			used = used || strcmp(e->d_name, index->segments[k]->name) == 0;
		if (!used)
			(void)unlinkat(dir, e->d_name, 0);
	}
	(void)closedir(d);
}

static int
publish(struct repo_index *index, int dir, struct error *err)
{
	sweep_files(index, dir);
	return write_manifest(dir, index->segments, index->n, err);
}

static int
add_segment(struct repo_index *index, int dir, const struct object_id *object, struct slice payload,
	    struct error *err)
{
	CLEAN(index_rows_done) struct index_rows rows = {0};
	char name[64];

	if (index_payload_walk(payload, row_pack, row_blob, &rows, err) < 0)
		return err->code;
	if (index->n == INDEX_SEGMENTS_MAX && merge(index, dir, 0, err) < 0)
		return err->code;
	if (fresh_name(name, err) < 0 || index_segment_write(dir, name, &rows, err) < 0 ||
	    index_segment_open(dir, name, object, 1, &index->segments[index->n], err) < 0)
		return err->code;
	index->n++;
	return OK;
}

static int
take_in_new(struct repo_index *index, int dir, const struct object_id *ids, size_t n,
	    bool *ret_changed, struct error *err)
{
	for (size_t i = 0; i < n; i++) {
		CLEAN(buf_done) struct buf payload = BUF_INIT(OBJECT_PAYLOAD_MAX);

		if (is_known(index, &ids[i]))
			continue;
		if (object_get(index->repo, OBJECT_INDEX, &ids[i], &payload, err) < 0) {
			/* Replaced by a prune since it was listed: its successor is listed next time. */
			if (err->code == ERR_NOT_FOUND ||
			    (index->lenient && err->code != ERR_NO_MEMORY))
				continue;
			return err->code;
		}
		if (add_segment(index, dir, &ids[i], buf_slice(&payload), err) < 0) {
			if (index->lenient && err->code == ERR_CORRUPT)
				continue;
			return error_prefix(err, "take in an index object");
		}
		*ret_changed = true;
	}
	return OK;
}

static int
synchronise(struct repo_index *index, struct error *err)
{
	CLEAN(fd_close) int dir = -1;
	CLEAN(free_ptr) struct object_id *ids = NULL;
	bool changed = false;
	size_t n;

	if (open_locked(index->repo, &dir, err) < 0)
		return err->code;
	load_manifest(index, dir);
	if (object_list(index->repo, OBJECT_INDEX, &ids, &n, err) < 0)
		return error_prefix(err, "list the index");
	if (is_stale(index, ids, n)) {
		drop_segments(index);
		changed = true;
	}
	if (take_in_new(index, dir, ids, n, &changed, err) < 0 ||
	    (changed && merge_if_many(index, dir, err) < 0) ||
	    (changed && publish(index, dir, err) < 0))
		return err->code;
	return OK;
}

static int
open_index(struct repo *repo, bool lenient, struct repo_index **ret, struct error *err)
{
	CLEAN(repo_index_closep) struct repo_index *index = calloc(1, sizeof(*index));

	if (index == NULL)
		return error_no_memory(err);
	index->repo = repo;
	index->lenient = lenient;
	if (pthread_rwlock_init(&index->lock, NULL) != 0) {
		free(STEAL_PTR(index));
		return error_no_memory(err);
	}
	if (synchronise(index, err) < 0)
		return error_prefix(err, "open the index");
	*ret = STEAL_PTR(index);
	return OK;
}

int
repo_index_open(struct repo *repo, struct repo_index **ret, struct error *err)
{
	return open_index(repo, false, ret, err);
}

int
repo_index_open_lenient(struct repo *repo, struct repo_index **ret, struct error *err)
{
	return open_index(repo, true, ret, err);
}

void
repo_index_close(struct repo_index *index)
{
	if (index == NULL)
		return;
	drop_segments(index);
	free(index->hidden);
	pthread_rwlock_destroy(&index->lock);
	free(index);
}

void
repo_index_closep(struct repo_index **index)
{
	repo_index_close(*index);
}

int
repo_index_add(struct repo_index *index, const struct object_id *object, struct slice payload,
	       struct error *err)
{
	CLEAN(fd_close) int dir = -1;
	int r;

	if (open_locked(index->repo, &dir, err) < 0)
		return err->code;
	pthread_rwlock_wrlock(&index->lock);
	r = add_segment(index, dir, object, payload, err);
	/*
	 * The manifest is not rewritten here: another process may have changed it since we read it.
	 * Whoever opens the cache next takes in the object from the store; the file of this segment is
	 * ours alone, and needs its name only until it is mapped.
	 */
	if (r == OK)
		(void)unlinkat(dir, index->segments[index->n - 1]->name, 0);
	pthread_rwlock_unlock(&index->lock);
	return r < 0 ? error_prefix(err, "add to the cached index") : OK;
}

static int
compare_packs(const void *a, const void *b)
{
	return memcmp(a, b, PACK_ID_SIZE);
}

static bool
is_hidden(const struct repo_index *index, const struct pack_id *id)
{
	return index->n_hidden > 0 &&
	       bsearch(id, index->hidden, index->n_hidden, sizeof(*id), compare_packs) != NULL;
}

/* Pages of the mapping count as resident memory: drop them now and then. They stay in the page cache,
 * so coming back to one costs a minor fault. */
static void
trim_sometimes(struct repo_index *index)
{
	if ((atomic_fetch_add(&index->lookups, 1) + 1) % TRIM_EVERY != 0)
		return;
	for (size_t i = 0; i < index->n; i++)
		index_segment_trim(index->segments[i]);
}

static int
find(struct repo_index *index, const struct blob_id *id, bool visible_only, struct blob_loc *ret,
     struct error *err)
{
	int found = 0;

	pthread_rwlock_rdlock(&index->lock);
	trim_sometimes(index);
	for (size_t i = index->n; i-- > 0 && found == 0;) {
		const struct index_segment *s = index->segments[i];

		for (uint64_t k = index_segment_find(s, id); k < s->n && found == 0; k++) {
			struct blob_id here;
			struct blob_loc loc;

			if (!index_segment_get(s, k, &here, &loc))
				found = error_set(err, ERR_CORRUPT,
						  "the cached index is damaged: remove "
						  "'%s/index'",
						  index->repo->cache_path);
			else if (!blob_id_equal(&here, id))
				break;
			else if (!visible_only || !is_hidden(index, &loc.pack)) {
				*ret = loc;
				found = 1;
			}
		}
	}
	pthread_rwlock_unlock(&index->lock);
	return found;
}

int
repo_index_find(struct repo_index *index, const struct blob_id *id, struct blob_loc *ret,
		struct error *err)
{
	return find(index, id, false, ret, err);
}

int
repo_index_find_visible(struct repo_index *index, const struct blob_id *id, struct blob_loc *ret,
			struct error *err)
{
	return find(index, id, true, ret, err);
}

void
repo_index_hide(struct repo_index *index, struct pack_id *packs, size_t n)
{
	if (n > 0)
		qsort(packs, n, sizeof(*packs), compare_packs);
	pthread_rwlock_wrlock(&index->lock);
	free(index->hidden);
	index->hidden = packs;
	index->n_hidden = n;
	pthread_rwlock_unlock(&index->lock);
}

bool
repo_index_hidden(struct repo_index *index, const struct pack_id *id)
{
	pthread_rwlock_rdlock(&index->lock);
	bool hidden = is_hidden(index, id);
	pthread_rwlock_unlock(&index->lock);
	return hidden;
}

int
repo_index_packs(struct repo_index *index, struct pack_id **ret, size_t *ret_n, struct error *err)
{
	size_t n = 0, kept = 0;
	struct pack_id *packs;

	for (size_t i = 0; i < index->n; i++)
		n += index->segments[i]->n_packs;
	packs = calloc(MAX(n, (size_t)1), sizeof(*packs));
	if (packs == NULL)
		return error_no_memory(err);
	n = 0;
	for (size_t i = 0; i < index->n; i++)
		for (uint64_t k = 0; k < index->segments[i]->n_packs; k++)
			packs[n++] = index_segment_pack(index->segments[i], k);
	if (n > 0)
		qsort(packs, n, sizeof(*packs), compare_packs);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || compare_packs(&packs[kept - 1], &packs[i]) != 0)
			packs[kept++] = packs[i];
	*ret = packs;
	*ret_n = kept;
	return OK;
}

uint64_t
repo_index_records(struct repo_index *index)
{
	uint64_t n = 0;

	for (size_t i = 0; i < index->n; i++)
		n += index->segments[i]->n;
	return n;
}
