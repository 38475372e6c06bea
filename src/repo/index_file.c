/* SPDX-License-Identifier: Apache-2.0 */

/*
 * File: 64-byte header, records, pack ids. A record:
 *
 *	0	32	blob id
 *	32	4	pack, as a number into the table of packs
 *	36	4	frame
 *	40	4	frame offset
 *	44	4	frame stored
 *	48	4	frame plain
 *	52	4	offset in the frame
 *	56	4	length
 *	60	1	class
 *	61	3	check value of the 61 bytes before: a flipped bit must not lead to other data
 *
 * Ids are HMACs, so evenly spread: the place of one is guessed by proportion and found within a step
 * or two, where a binary search over a large mapping would touch some twenty pages.
 */
#include "repo/index_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/le.h"

enum { HEADER_SIZE = 64, WRITE_BUFFER = 1 << 20 };

static const char magic[8] = {'H', 'F', 'I', 'N', 'D', 'E', 'X', '2'};

void
index_rows_done(struct index_rows *rows)
{
	free(rows->records);
	free(rows->packs);
	*rows = (struct index_rows){0};
}

int
index_rows_add_pack(struct index_rows *rows, const struct pack_id *id, struct error *err)
{
	if (rows->n_packs == rows->cap_packs) {
		size_t cap = rows->cap_packs ? 2 * rows->cap_packs : 64;
		struct pack_id *packs = reallocarray(rows->packs, cap, sizeof(*packs));

		if (packs == NULL)
			return error_no_memory(err);
		rows->packs = packs;
		rows->cap_packs = cap;
	}
	rows->packs[rows->n_packs++] = *id;
	return OK;
}

/* Each step is a bijection of the state, so any one changed word changes it; 24 bits are kept. */
static uint32_t
record_check(const uint8_t *p)
{
	uint64_t h = UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < INDEX_RECORD_SIZE; i += 8) {
		uint64_t word = le64_get(p + i);

		/* The check value itself counts as zero. */
		if (i + 8 == INDEX_RECORD_SIZE)
			word &= UINT64_MAX >> 24;
		h = (h ^ word) * UINT64_C(0xff51afd7ed558ccd);
		h ^= h >> 32;
	}
	return (uint32_t)(h >> 40);
}

static uint32_t
stored_check(const uint8_t *p)
{
	return le32_get(p + 60) >> 8;
}

static void
put_check(uint8_t *p, uint32_t check)
{
	le32_put(p + 60, p[60] | check << 8);
}

int
index_rows_add_blob(struct index_rows *rows, const struct blob_id *id, const struct blob_loc *loc,
		    struct error *err)
{
	if (rows->n == rows->cap) {
		size_t cap = rows->cap ? 2 * rows->cap : 1024;
		uint8_t *records = reallocarray(rows->records, cap, INDEX_RECORD_SIZE);

		if (records == NULL)
			return error_no_memory(err);
		rows->records = records;
		rows->cap = cap;
	}
	uint8_t *p = rows->records + rows->n++ * INDEX_RECORD_SIZE;
	memcpy(p, id->b, BLOB_ID_SIZE);
	le32_put(p + 32, (uint32_t)rows->n_packs - 1);
	le32_put(p + 36, loc->frame);
	le32_put(p + 40, loc->frame_offset);
	le32_put(p + 44, loc->frame_stored);
	le32_put(p + 48, loc->frame_plain);
	le32_put(p + 52, loc->offset);
	le32_put(p + 56, loc->length);
	le32_put(p + 60, loc->class);
	put_check(p, record_check(p));
	return OK;
}

static int
compare_records(const void *a, const void *b)
{
	return memcmp(a, b, BLOB_ID_SIZE);
}

/* Buffered writing of a file that exists only when complete. */
struct out {
	int fd;
	uint64_t offset;
	size_t n;
	uint8_t *buffer;
};

static int
out_flush(struct out *o, struct error *err)
{
	if (fs_pwrite(o->fd, o->buffer, o->n, o->offset, err) < 0)
		return err->code;
	o->offset += o->n;
	o->n = 0;
	return OK;
}

static int
out_append(struct out *o, const void *p, size_t n, struct error *err)
{
	if (n == 0)
		return OK;
	if (o->n + n > WRITE_BUFFER && out_flush(o, err) < 0)
		return err->code;
	if (n > WRITE_BUFFER) {
		if (fs_pwrite(o->fd, p, n, o->offset, err) < 0)
			return err->code;
		o->offset += n;
		return OK;
	}
	memcpy(o->buffer + o->n, p, n);
	o->n += n;
	return OK;
}

static int
out_header(struct out *o, uint64_t n, uint64_t n_packs, struct error *err)
{
	uint8_t header[HEADER_SIZE] = {0};

	memcpy(header, magic, sizeof(magic));
	le64_put(header + 8, n);
	le64_put(header + 16, n_packs);
	return out_append(o, header, sizeof(header), err);
}

/*
 * Give the file its name. The cache is rebuilt when it does not fit, so its files need not survive a
 * power cut; what a cut leaves half written is recognised by its size, and a wrong record can only
 * point to a frame that will not open.
 */
static int
out_finish(struct out *o, int dirfd, const char *temporary, const char *name, struct error *err)
{
	if (out_flush(o, err) < 0)
		return err->code;
	if (fdatasync(o->fd) < 0)
		return error_sys(err, ERR_IO, "sync '%s'", temporary);
	if (close(STEAL_FD(o->fd)) < 0)
		return error_sys(err, ERR_IO, "close '%s'", temporary);
	if (renameat(dirfd, temporary, dirfd, name) < 0)
		return error_sys(err, ERR_IO, "rename '%s'", temporary);
	return OK;
}

static int
out_begin(struct out *o, int dirfd, const char *name, char temporary[80], struct error *err)
{
	(void)snprintf(temporary, 80, "%s.tmp", name);
	o->buffer = malloc(WRITE_BUFFER);
	if (o->buffer == NULL)
		return error_no_memory(err);
	o->fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (o->fd < 0)
		return error_sys(err, ERR_IO, "create '%s' in the cache", temporary);
	return OK;
}

static void
out_done(struct out *o)
{
	free(o->buffer);
	if (o->fd >= 0)
		(void)close(o->fd);
}

int
index_segment_write(int dirfd, const char *name, struct index_rows *rows, struct error *err)
{
	CLEAN(out_done) struct out o = {.fd = -1};
	char temporary[80];

	if (rows->n > 0)
		qsort(rows->records, rows->n, INDEX_RECORD_SIZE, compare_records);
	if (out_begin(&o, dirfd, name, temporary, err) < 0 ||
	    out_header(&o, rows->n, rows->n_packs, err) < 0 ||
	    out_append(&o, rows->records, rows->n * INDEX_RECORD_SIZE, err) < 0 ||
	    out_append(&o, rows->packs, rows->n_packs * PACK_ID_SIZE, err) < 0)
		return error_prefix(err, "write the cached index");
	return out_finish(&o, dirfd, temporary, name, err);
}

static const uint8_t *
record_at(const struct index_segment *s, uint64_t i)
{
	return s->map + HEADER_SIZE + i * INDEX_RECORD_SIZE;
}

/* Which of the segments has the smallest record at its position; n: all at their ends. */
static size_t
smallest(struct index_segment *const *from, const uint64_t *at, size_t n)
{
	size_t best = n;

	for (size_t i = 0; i < n; i++) {
		if (at[i] == from[i]->n)
			continue;
		if (best == n ||
		    compare_records(record_at(from[i], at[i]), record_at(from[best], at[best])) < 0)
			best = i;
	}
	return best;
}

static int
merge_records(struct out *o, struct index_segment *const *from, size_t n, struct error *err)
{
	CLEAN(free_ptr) uint64_t *at = calloc(n, sizeof(*at));
	CLEAN(free_ptr) uint32_t *base = calloc(n, sizeof(*base));

	if (at == NULL || base == NULL)
		return error_no_memory(err);
	for (size_t i = 1; i < n; i++)
		base[i] = base[i - 1] + (uint32_t)from[i - 1]->n_packs;
	for (;;) {
		uint8_t record[INDEX_RECORD_SIZE];
		size_t i = smallest(from, at, n);

		if (i == n)
			return OK;
		memcpy(record, record_at(from[i], at[i]++), sizeof(record));
		bool bad = stored_check(record) != record_check(record);
		le32_put(record + 32, le32_get(record + 32) + base[i]);
		/* What is damaged stays so, for whoever looks it up. */
		put_check(record, record_check(record) ^ bad);
		if (out_append(o, record, sizeof(record), err) < 0)
			return err->code;
	}
}

int
index_segment_merge(int dirfd, const char *name, struct index_segment *const *from, size_t n,
		    struct error *err)
{
	CLEAN(out_done) struct out o = {.fd = -1};
	uint64_t records = 0, packs = 0;
	char temporary[80];

	for (size_t i = 0; i < n; i++) {
		records += from[i]->n;
		packs += from[i]->n_packs;
	}
	if (out_begin(&o, dirfd, name, temporary, err) < 0 ||
	    out_header(&o, records, packs, err) < 0 || merge_records(&o, from, n, err) < 0)
		return error_prefix(err, "merge the cached index");
	for (size_t i = 0; i < n; i++)
		if (out_append(&o, record_at(from[i], from[i]->n), from[i]->n_packs * PACK_ID_SIZE,
			       err) < 0)
			return error_prefix(err, "merge the cached index");
	return out_finish(&o, dirfd, temporary, name, err);
}

static int
map_segment(int dirfd, struct index_segment *s, struct error *err)
{
	CLEAN(fd_close) int fd = openat(dirfd, s->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, ERR_CORRUPT, "open '%s' in the cache", s->name);
	if (st.st_size < HEADER_SIZE)
		return error_set(err, ERR_CORRUPT, "'%s' in the cache is cut short", s->name);
	s->size = (size_t)st.st_size;
	s->map = mmap(NULL, s->size, PROT_READ, MAP_SHARED, fd, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return error_sys(err, ERR_IO, "map '%s'", s->name);
	}
	s->n = le64_get(s->map + 8);
	s->n_packs = le64_get(s->map + 16);
	if (memcmp(s->map, magic, sizeof(magic)) != 0 || s->n > SIZE_MAX / 128 ||
	    s->n_packs > UINT32_MAX ||
	    s->size != HEADER_SIZE + s->n * INDEX_RECORD_SIZE + s->n_packs * PACK_ID_SIZE)
		return error_set(err, ERR_CORRUPT, "'%s' in the cache is damaged", s->name);
	(void)madvise((void *)(uintptr_t)s->map, s->size, MADV_RANDOM);
	return OK;
}

int
index_segment_open(int dirfd, const char *name, const struct object_id *objects, size_t n_objects,
		   struct index_segment **ret, struct error *err)
{
	struct index_segment *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return error_no_memory(err);
	(void)snprintf(s->name, sizeof(s->name), "%s", name);
	s->objects = malloc(MAX(n_objects, (size_t)1) * sizeof(*objects));
	if (s->objects == NULL) {
		index_segment_close(s);
		return error_no_memory(err);
	}
	if (n_objects > 0)
		memcpy(s->objects, objects, n_objects * sizeof(*objects));
	s->n_objects = n_objects;
	if (map_segment(dirfd, s, err) < 0) {
		index_segment_close(s);
		return err->code;
	}
	*ret = s;
	return OK;
}

void
index_segment_close(struct index_segment *s)
{
	if (s == NULL)
		return;
	if (s->map != NULL)
		(void)munmap((void *)(uintptr_t)s->map, s->size);
	free(s->objects);
	free(s);
}

static uint64_t
be64_of(const uint8_t *p)
{
	return __builtin_bswap64(le64_get(p));
}

/* Bounds of a stretch that must contain the first record >= id, found by growing steps from the
 * guess. */
static void
bracket(const struct index_segment *s, const uint8_t *id, uint64_t guess, uint64_t *lo,
	uint64_t *hi)
{
	uint64_t step = 8;

	if (compare_records(record_at(s, guess), id) < 0) {
		*lo = guess + 1;
		while (*lo + step < s->n && compare_records(record_at(s, *lo + step), id) < 0) {
			*lo += step + 1;
			step *= 2;
		}
		*hi = MIN(s->n, *lo + step);
	} else {
		*hi = guess;
		while (*hi > step && compare_records(record_at(s, *hi - step), id) >= 0) {
			*hi -= step;
			step *= 2;
		}
		*lo = *hi > step ? *hi - step : 0;
	}
}

uint64_t
index_segment_find(const struct index_segment *s, const struct blob_id *id)
{
	uint64_t lo, hi;

	if (s->n == 0)
		return 0;
	bracket(s, id->b, (uint64_t)(((unsigned __int128)be64_of(id->b) * s->n) >> 64), &lo, &hi);
	while (lo < hi) {
		uint64_t mid = lo + (hi - lo) / 2;

		if (compare_records(record_at(s, mid), id->b) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < s->n && compare_records(record_at(s, lo), id->b) == 0)
		return lo;
	return s->n;
}

struct pack_id
index_segment_pack(const struct index_segment *s, uint64_t i)
{
	struct pack_id id;

	memcpy(id.b, record_at(s, s->n) + i * PACK_ID_SIZE, PACK_ID_SIZE);
	return id;
}

bool
index_segment_get(const struct index_segment *s, uint64_t i, struct blob_id *ret_id,
		  struct blob_loc *ret)
{
	const uint8_t *p = record_at(s, i);
	uint32_t pack = le32_get(p + 32);

	if (pack >= s->n_packs || stored_check(p) != record_check(p))
		return false;
	memcpy(ret_id->b, p, BLOB_ID_SIZE);
	ret->pack = index_segment_pack(s, pack);
	ret->frame = le32_get(p + 36);
	ret->frame_offset = le32_get(p + 40);
	ret->frame_stored = le32_get(p + 44);
	ret->frame_plain = le32_get(p + 48);
	ret->offset = le32_get(p + 52);
	ret->length = le32_get(p + 56);
	ret->class = p[60];
	/* The cache is not authenticated: never let it lead a reader out of bounds. */
	return ret->frame_stored > CRYPTO_TAG_SIZE + 1 && ret->frame_stored <= FRAME_STORED_MAX &&
	       ret->frame_plain <= FRAME_PLAIN_MAX && ret->length <= ret->frame_plain &&
	       ret->offset <= ret->frame_plain - ret->length;
}

void
index_segment_trim(const struct index_segment *s)
{
	(void)madvise((void *)(uintptr_t)s->map, s->size, MADV_DONTNEED);
}
