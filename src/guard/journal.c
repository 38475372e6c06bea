/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Records are small and few; looking for the thing that a record is about goes from the end, where it
 * most likely is.
 */
#include "guard/journal.h"

#include <string.h>

#include "base/le.h"
#include "base/reader.h"

static const uint8_t magic[JOURNAL_MAGIC_SIZE] = {'H', 'F', 'g', 'u', 'a', 'r', 'd', '1'};

enum record_type { RECORD_START = 1, RECORD_LEASE, RECORD_MEMBER, RECORD_FREEZE };

enum { HEAD_SIZE = 4 + 1 + 4 + 4 }; /* length, type, CRC of both, CRC of the payload */

/* CRC-32C, a bit at a time: a journal is a few kilobytes. It finds every burst of 32 bits. */
static uint32_t
crc(const uint8_t *p, size_t n)
{
	uint32_t c = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int bit = 0; bit < 8; bit++)
			c = c >> 1 ^ (UINT32_C(0x82f63b78) & -(c & 1));
	}
	return ~c;
}

/* ---- writing --------------------------------------------------------------------------------- */

static int
put_record(struct buf *b, enum record_type type, const struct buf *payload, struct error *err)
{
	uint8_t head[HEAD_SIZE];

	le32_put(head, (uint32_t)payload->n);
	head[4] = (uint8_t)type;
	le32_put(head + 5, crc(head, 5));
	le32_put(head + 9, crc(payload->p, payload->n));
	if (buf_reserve(b, HEAD_SIZE + payload->n, err) < 0 ||
	    buf_append(b, head, HEAD_SIZE, err) < 0)
		return err->code;
	return buf_append(b, payload->p, payload->n, err);
}

static int
put_text(struct buf *b, const char *text, struct error *err)
{
	return buf_bytes(b, text, strlen(text), err);
}

static int
put_key(struct buf *b, const struct lease_key *key, struct error *err)
{
	if (buf_append(b, key->set, sizeof(key->set), err) < 0)
		return err->code;
	return buf_le64(b, key->epoch, err);
}

int
journal_put_magic(struct buf *b, struct error *err)
{
	return buf_append(b, magic, sizeof(magic), err);
}

int
journal_put_start(struct buf *b, const struct journal_start *s, struct error *err)
{
	CLEAN(buf_done) struct buf p = BUF_INIT(JOURNAL_RECORD_MAX);

	if (put_text(&p, s->boot, err) < 0 || buf_append(&p, s->token, sizeof(s->token), err) < 0 ||
	    buf_le64(&p, s->pid, err) < 0 || buf_le64(&p, s->started, err) < 0 ||
	    buf_le64(&p, s->last_epoch, err) < 0)
		return err->code;
	return put_record(b, RECORD_START, &p, err);
}

int
journal_put_lease(struct buf *b, const struct journal_lease *j, struct error *err)
{
	CLEAN(buf_done) struct buf p = BUF_INIT(JOURNAL_RECORD_MAX);
	const struct lease *l = &j->lease;
	const uint64_t times[] = {l->ttl_ns,    l->renewed_ns,         l->deadline_ns,
				  l->frozen_ns, l->freeze_deadline_ns, l->held_ns,
				  l->ended_ns,  j->begun_wall_ns,      j->ended_wall_ns};

	if (put_key(&p, &l->key, err) < 0 || buf_u8(&p, (uint8_t)l->state, err) < 0 ||
	    buf_u8(&p, (uint8_t)l->end, err) < 0 || buf_u8(&p, l->proven, err) < 0 ||
	    buf_u8(&p, (uint8_t)l->duties, err) < 0)
		return err->code;
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		if (buf_le64(&p, times[i], err) < 0)
			return err->code;
	}
	if (put_text(&p, j->job, err) < 0)
		return err->code;
	return put_record(b, RECORD_LEASE, &p, err);
}

int
journal_put_member(struct buf *b, const struct journal_member *m, struct error *err)
{
	CLEAN(buf_done) struct buf p = BUF_INIT(JOURNAL_RECORD_MAX);
	const struct snapshot *s = &m->snapshot;

	if (put_key(&p, &m->key, err) < 0 || buf_u8(&p, (uint8_t)m->stage, err) < 0 ||
	    buf_le32(&p, s->index, err) < 0 || put_text(&p, s->provider, err) < 0 ||
	    put_text(&p, s->source, err) < 0 || put_text(&p, s->place, err) < 0 ||
	    put_text(&p, s->exposed, err) < 0 || put_text(&p, s->detail, err) < 0)
		return err->code;
	return put_record(b, RECORD_MEMBER, &p, err);
}

int
journal_put_freeze(struct buf *b, const struct journal_freeze *f, struct error *err)
{
	CLEAN(buf_done) struct buf p = BUF_INIT(JOURNAL_RECORD_MAX);

	if (put_key(&p, &f->key, err) < 0 || buf_le32(&p, f->index, err) < 0 ||
	    buf_u8(&p, (uint8_t)f->stage, err) < 0 || buf_le64(&p, f->device, err) < 0 ||
	    put_text(&p, f->path, err) < 0)
		return err->code;
	return put_record(b, RECORD_FREEZE, &p, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void
get_text(struct reader *r, char *field, size_t size)
{
	struct slice s = reader_bytes(r);

	if (s.n >= size || memchr(s.p != NULL ? s.p : (const uint8_t *)"", '\0', s.n) != NULL) {
		reader_fail(r);
		return;
	}
	if (s.p != NULL)
		memcpy(field, s.p, s.n);
	field[s.n] = '\0';
}

#define GET_TEXT(reader, field) get_text(reader, field, sizeof(field))

static struct lease_key
get_key(struct reader *r)
{
	struct lease_key key = {.epoch = 0};
	struct slice set = reader_take(r, sizeof(key.set));

	if (set.n == sizeof(key.set))
		memcpy(key.set, set.p, sizeof(key.set));
	key.epoch = reader_le64(r);
	return key;
}

static unsigned
get_number(struct reader *r, unsigned min, unsigned max)
{
	unsigned v = reader_u8(r);

	if (v < min || v > max)
		reader_fail(r);
	return v;
}

static bool
same_key(const struct lease_key *a, const struct lease_key *b)
{
	return a->epoch == b->epoch && memcmp(a->set, b->set, sizeof(a->set)) == 0;
}

/* Room for one more behind an array of n. Arrays double. */
static int
grow(void **array, size_t n, size_t size, struct error *err)
{
	if ((n & (n - 1)) != 0)
		return OK;
	void *more = reallocarray(*array, n == 0 ? 1 : 2 * n, size);
	if (more == NULL)
		return error_no_memory(err);
	*array = more;
	return OK;
}

static int
take_start(struct journal_image *image, struct reader *r, struct error *err)
{
	struct journal_start s = {.pid = 0};
	struct slice token;

	GET_TEXT(r, s.boot);
	token = reader_take(r, sizeof(s.token));
	if (token.n == sizeof(s.token))
		memcpy(s.token, token.p, sizeof(s.token));
	s.pid = reader_le64(r);
	s.started = reader_le64(r);
	s.last_epoch = reader_le64(r);
	if (reader_end(r, "start", err) < 0)
		return err->code;
	image->start = s;
	return OK;
}

static int
take_lease(struct journal_image *image, struct reader *r, struct error *err)
{
	struct journal_lease j = {.begun_wall_ns = 0};
	struct lease *l = &j.lease;
	size_t i = image->n_leases;

	l->key = get_key(r);
	l->state = get_number(r, LEASE_PREPARING, LEASE_ENDED);
	l->end = get_number(r, LEASE_NOT_ENDED, LEASE_RESTARTED);
	l->proven = get_number(r, 0, 1);
	l->duties = get_number(r, 0, LEASE_DUTY_THAW | LEASE_DUTY_RELEASE);
	l->ttl_ns = reader_le64(r);
	l->renewed_ns = reader_le64(r);
	l->deadline_ns = reader_le64(r);
	l->frozen_ns = reader_le64(r);
	l->freeze_deadline_ns = reader_le64(r);
	l->held_ns = reader_le64(r);
	l->ended_ns = reader_le64(r);
	j.begun_wall_ns = reader_le64(r);
	j.ended_wall_ns = reader_le64(r);
	GET_TEXT(r, j.job);
	if ((l->state == LEASE_ENDED) != (l->end != LEASE_NOT_ENDED) ||
	    (l->state != LEASE_ENDED && l->duties != 0))
		reader_fail(r);
	if (reader_end(r, "lease", err) < 0)
		return err->code;
	while (i > 0 && !same_key(&image->leases[i - 1].lease.key, &l->key))
		i--;
	if (i > 0) {
		image->leases[i - 1] = j;
		return OK;
	}
	if (grow((void **)&image->leases, image->n_leases, sizeof(j), err) < 0)
		return err->code;
	image->leases[image->n_leases++] = j;
	return OK;
}

static int
take_member(struct journal_image *image, struct reader *r, struct error *err)
{
	struct journal_member m = {.stage = JOURNAL_GONE};
	size_t i = image->n_members;

	m.key = get_key(r);
	memcpy(m.snapshot.set, m.key.set, sizeof(m.snapshot.set));
	m.stage = get_number(r, JOURNAL_INTENDED, JOURNAL_GONE);
	m.snapshot.index = reader_le32(r);
	GET_TEXT(r, m.snapshot.provider);
	GET_TEXT(r, m.snapshot.source);
	GET_TEXT(r, m.snapshot.place);
	GET_TEXT(r, m.snapshot.exposed);
	GET_TEXT(r, m.snapshot.detail);
	if (m.snapshot.index >= SNAPSHOT_MEMBERS_MAX)
		reader_fail(r);
	if (reader_end(r, "snapshot", err) < 0)
		return err->code;
	while (i > 0 && !(same_key(&image->members[i - 1].key, &m.key) &&
			  image->members[i - 1].snapshot.index == m.snapshot.index))
		i--;
	if (i > 0) {
		image->members[i - 1] = m;
		return OK;
	}
	if (grow((void **)&image->members, image->n_members, sizeof(m), err) < 0)
		return err->code;
	image->members[image->n_members++] = m;
	return OK;
}

static int
take_freeze(struct journal_image *image, struct reader *r, struct error *err)
{
	struct journal_freeze f = {.stage = JOURNAL_GONE};
	size_t i = image->n_freezes;

	f.key = get_key(r);
	f.index = reader_le32(r);
	f.stage = get_number(r, JOURNAL_INTENDED, JOURNAL_GONE);
	f.device = reader_le64(r);
	GET_TEXT(r, f.path);
	if (f.index >= SNAPSHOT_MEMBERS_MAX)
		reader_fail(r);
	if (reader_end(r, "file system", err) < 0)
		return err->code;
	while (i > 0 && !(same_key(&image->freezes[i - 1].key, &f.key) &&
			  image->freezes[i - 1].index == f.index))
		i--;
	if (i > 0) {
		image->freezes[i - 1] = f;
		return OK;
	}
	if (grow((void **)&image->freezes, image->n_freezes, sizeof(f), err) < 0)
		return err->code;
	image->freezes[image->n_freezes++] = f;
	return OK;
}

static int
take_record(struct journal_image *image, unsigned type, struct slice payload, struct error *err)
{
	struct reader r = reader_of(payload);

	if (image->n_records++ == 0 && type != RECORD_START)
		return error_set(err, ERR_CORRUPT, "it does not say who wrote it");
	switch (type) {
	case RECORD_START:
		return take_start(image, &r, err);
	case RECORD_LEASE:
		return take_lease(image, &r, err);
	case RECORD_MEMBER:
		return take_member(image, &r, err);
	case RECORD_FREEZE:
		return take_freeze(image, &r, err);
	default:
		return error_set(err, ERR_CORRUPT, "unknown record %u", type);
	}
}

static bool
all_zero(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != 0)
			return false;
	}
	return true;
}

/* 1: a record was taken, 0: here a crash has cut it off. */
static int
next_record(struct journal_image *image, struct reader *r, struct error *err)
{
	size_t left = reader_left(r);

	if (left == 0 || all_zero(SLICE(r->p, left)))
		return 0;
	if (left < HEAD_SIZE)
		return 0;
	struct slice head = reader_take(r, HEAD_SIZE);
	uint32_t n = le32_get(head.p);
	if (crc(head.p, 5) != le32_get(head.p + 5) || n > JOURNAL_RECORD_MAX)
		return error_set(err, ERR_CORRUPT, "the head of record %zu is damaged",
				 image->n_records);
	if (n > reader_left(r))
		return 0;
	struct slice payload = reader_take(r, n);
	if (crc(payload.p, n) != le32_get(head.p + 9))
		return error_set(err, ERR_CORRUPT, "record %zu is damaged", image->n_records);
	return take_record(image, head.p[4], payload, err) < 0 ? (int)err->code : 1;
}

int
journal_parse(struct slice bytes, struct journal_image *ret, struct error *err)
{
	struct reader r = reader_of(bytes);
	int rc;

	*ret = (struct journal_image){.damaged = false};
	if (bytes.n == 0)
		return OK;
	struct slice m = reader_take(&r, MIN(bytes.n, sizeof(magic)));
	if (memcmp(m.p, magic, m.n) != 0 && !all_zero(bytes)) {
		ret->damaged = true;
		return error_set(err, ERR_CORRUPT, "it is no journal of a guard");
	}
	do
		rc = next_record(ret, &r, err);
	while (rc == 1);
	ret->damaged = rc < 0;
	return rc;
}

void
journal_done(struct journal_image *image)
{
	free(image->leases);
	free(image->members);
	free(image->freezes);
	*image = (struct journal_image){.damaged = false};
}
