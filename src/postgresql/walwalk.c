/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The log is a sequence of pages, each with a header of its own; records lie across them like text across
 * the pages of a book. Layouts: PostgreSQL's access/xlog_internal.h and access/xlogrecord.h, the same in
 * 13 to 17 for what is read here.
 *
 * Bytes are gathered into pages, pages into records. Of a record only its first bytes are kept; the
 * checksum is computed as it passes.
 */
#include "postgresql/walwalk.h"

#include <string.h>

#include "base/le.h"
#include "postgresql/crc32c.h"

enum {
	PAGE_MAX = 65536, /* of XLOG_BLCKSZ; the first page's header says which it is */
	PAGE_MIN = 1024,
	PAGE_SHORT_HEADER = 24,
	PAGE_LONG_HEADER = 40, /* of the first page of a segment */
	PAGE_IS_CONTINUED = 1, /* begins with the rest of a record */
	PAGE_IS_LONG = 2,
	PAGE_OVERWRITES = 8, /* the record before it was given up, unfinished */
	PAGE_MAGIC_HIGH = 0xd1,
	RECORD_HEADER = 24,
	RECORD_PREVIOUS_AT = 8,
	RECORD_CRC_AT = 20,
	RECORD_KEPT = RECORD_HEADER + 64 + WALWALK_NAME_MAX,
	RECORD_MAX = 1 << 30,
	RMGR_XLOG = 0,
	RMGR_TRANSACTION = 1,
	RMGR_TABLESPACE = 5,
	XLOG_SWITCH = 0x40,
	XLOG_RESTORE_POINT = 0x70,
	TABLESPACE_CREATE = 0x00,
	TRANSACTION_OPERATION = 0x70,
	BLOCK_DATA_SHORT = 255,
	BLOCK_DATA_LONG = 254,
	BLOCK_ORIGIN = 253,
	BLOCK_TOP_TRANSACTION = 252,
};

/* 2000-01-01 in microseconds since 1970. */
#define EPOCH_US (UINT64_C(946684800) * 1000000)

struct walwalk {
	walwalk_fn *each;
	void *arg;
	enum walwalk_state state;
	uint64_t segment_bytes;
	uint64_t identity;
	uint64_t position; /* behind the last whole record */
	uint64_t last_lsn; /* where that one begins; 0: there was none yet */

	/* The page that is being gathered. */
	uint64_t page_lsn;
	size_t page_bytes; /* 0: not known yet */
	size_t have;
	uint8_t page[PAGE_MAX];

	bool passing; /* at the beginning: the rest of a record that began before */
	uint64_t ignore_until; /* after a switch nothing counts until the next segment */

	/* The record that is being gathered; record_got 0: none. */
	uint64_t record_lsn;
	uint32_t record_total, record_got;
	uint32_t crc;
	uint8_t kept[RECORD_KEPT];
};

static uint64_t
align8(uint64_t n)
{
	return (n + 7) & ~UINT64_C(7);
}

/* Where the main data of a record without blocks begins. */
static bool
main_data(struct slice body, struct slice *ret)
{
	size_t at = 0;

	for (;;) {
		if (at + 1 > body.n)
			return false;
		switch (body.p[at]) {
		case BLOCK_ORIGIN:
			at += 3;
			break;
		case BLOCK_TOP_TRANSACTION:
			at += 5;
			break;
		case BLOCK_DATA_SHORT:
		case BLOCK_DATA_LONG:
			at += body.p[at] == BLOCK_DATA_SHORT ? 2 : 5;
			if (at > body.n)
				return false;
			*ret = SLICE(body.p + at, body.n - at);
			return true;
		default:
			return false;
		}
	}
}

static enum walwalk_kind
kind_of(uint8_t manager, uint8_t info)
{
	if (manager == RMGR_XLOG && (info & 0xf0) == XLOG_RESTORE_POINT)
		return WALWALK_RESTORE_POINT;
	if (manager == RMGR_TABLESPACE && (info & 0xf0) == TABLESPACE_CREATE)
		return WALWALK_TABLESPACE;
	if (manager != RMGR_TRANSACTION)
		return WALWALK_OTHER;
	switch (info & TRANSACTION_OPERATION) {
	case 0x00:
	case 0x30:
		return WALWALK_COMMIT;
	case 0x20:
	case 0x40:
		return WALWALK_ABORT;
	default:
		return WALWALK_OTHER;
	}
}

static void
take_name(struct walwalk_record *r, struct slice data)
{
	size_t n = MIN(data.n, sizeof(r->name) - 1);

	memcpy(r->name, data.p, n);
	r->name[strnlen(r->name, n)] = '\0';
}

/* What the whole record says. */
static void
understand(const struct walwalk *w, struct walwalk_record *r)
{
	size_t kept = MIN(w->record_total, (uint32_t)RECORD_KEPT);
	enum walwalk_kind kind = kind_of(w->kept[17], w->kept[16]);
	size_t skip = kind == WALWALK_TABLESPACE ? 4 : 8; /* its number; or the time */
	struct slice data;

	if (kind == WALWALK_OTHER ||
	    !main_data(SLICE(w->kept + RECORD_HEADER, kept - RECORD_HEADER), &data) ||
	    data.n < skip)
		return;
	r->kind = kind;
	if (kind != WALWALK_TABLESPACE)
		r->time_ns = (le64_get(data.p) + EPOCH_US) * 1000;
	if (kind == WALWALK_TABLESPACE || kind == WALWALK_RESTORE_POINT)
		take_name(r, SLICE(data.p + skip, data.n - skip));
}

static bool
checksum_is_right(const struct walwalk *w)
{
	uint32_t crc = crc32c_add(w->crc, SLICE(w->kept, RECORD_CRC_AT));

	return crc32c_end(crc) == le32_get(w->kept + RECORD_CRC_AT);
}

/* Each record names the one before it: two logs that were put together at a place where both have a record's
 * beginning differ in nothing else. */
static bool
follows(const struct walwalk *w)
{
	uint64_t previous = le64_get(w->kept + RECORD_PREVIOUS_AT);

	return w->last_lsn != 0 ? previous == w->last_lsn : previous < w->record_lsn;
}

/* A record has all its bytes, and ends before `end`. */
static enum walwalk_state
finish_record(struct walwalk *w, uint64_t end)
{
	struct walwalk_record r = {.lsn = w->record_lsn, .end = align8(end)};

	if (!checksum_is_right(w) || !follows(w))
		return WALWALK_END;
	w->last_lsn = w->record_lsn;
	understand(w, &r);
	if (w->kept[17] == RMGR_XLOG && (w->kept[16] & 0xf0) == XLOG_SWITCH) {
		r.end = (end + w->segment_bytes - 1) / w->segment_bytes * w->segment_bytes;
		w->ignore_until = r.end;
	}
	w->record_got = 0;
	w->position = r.end;
	return w->each(w->arg, &r) != 0 ? WALWALK_ENOUGH : WALWALK_MORE;
}

static void
take_bytes(struct walwalk *w, const uint8_t *p, size_t n)
{
	if (w->record_got < RECORD_KEPT)
		memcpy(w->kept + w->record_got, p, MIN(n, (size_t)(RECORD_KEPT - w->record_got)));
	if (w->record_got + n > RECORD_HEADER) {
		size_t skip = w->record_got < RECORD_HEADER ? RECORD_HEADER - w->record_got : 0;

		w->crc = crc32c_add(w->crc, SLICE(p + skip, n - skip));
	}
	w->record_got += (uint32_t)n;
}

/* A record begins here: its length is never split. */
static bool
begin_record(struct walwalk *w, size_t at)
{
	uint32_t total = le32_get(w->page + at);

	if (total < RECORD_HEADER || total > RECORD_MAX)
		return false;
	w->record_lsn = w->page_lsn + at;
	w->record_total = total;
	w->record_got = 0;
	w->crc = crc32c_begin();
	return true;
}

/* What is in the page from `at` on: the rest of a record, records, the beginning of another. */
static enum walwalk_state
take_records(struct walwalk *w, size_t at)
{
	while (at + 8 <= w->page_bytes) {
		if (w->record_got == 0 && !begin_record(w, at))
			return WALWALK_END;
		size_t n = MIN(w->page_bytes - at, (size_t)(w->record_total - w->record_got));

		take_bytes(w, w->page + at, n);
		at += n;
		if (w->record_got < w->record_total)
			break;
		enum walwalk_state state = finish_record(w, w->page_lsn + at);
		if (state != WALWALK_MORE || w->ignore_until > w->page_lsn)
			return state;
		at = (size_t)align8(at);
	}
	return WALWALK_MORE;
}

/* The header is that of this very place; where does the page begin behind it? 0: it is not. */
static size_t
check_header(struct walwalk *w)
{
	bool first = w->page_lsn % w->segment_bytes == 0;
	uint16_t info = le16_get(w->page + 2);

	if (w->page[1] != PAGE_MAGIC_HIGH || le64_get(w->page + 8) != w->page_lsn ||
	    ((info & PAGE_IS_LONG) != 0) != first)
		return 0;
	if (!first)
		return PAGE_SHORT_HEADER;
	if (le32_get(w->page + 32) != w->segment_bytes ||
	    (w->identity != 0 && le64_get(w->page + 24) != w->identity))
		return 0;
	w->identity = le64_get(w->page + 24);
	return PAGE_LONG_HEADER;
}

static enum walwalk_state
take_page(struct walwalk *w)
{
	size_t at = check_header(w);
	uint16_t info = le16_get(w->page + 2);
	uint32_t rest = le32_get(w->page + 16);

	if (at == 0)
		return WALWALK_END;
	if (w->passing && (info & PAGE_IS_CONTINUED) != 0) {
		if (rest > w->page_bytes - at)
			return WALWALK_MORE;
		at += (size_t)align8(rest);
	} else if (w->record_got > 0) {
		if ((info & PAGE_IS_CONTINUED) != 0) {
			if (rest != w->record_total - w->record_got)
				return WALWALK_END;
		} else if ((info & PAGE_OVERWRITES) != 0) {
			w->record_got = 0;
		} else {
			return WALWALK_END;
		}
	} else if ((info & PAGE_IS_CONTINUED) != 0) {
		return WALWALK_END;
	}
	w->passing = false;
	return take_records(w, at);
}

/* The first page says how large pages are. */
static bool
know_page_size(struct walwalk *w)
{
	uint32_t n = le32_get(w->page + 36);

	if (w->page[1] != PAGE_MAGIC_HIGH || n < PAGE_MIN || n > PAGE_MAX || (n & (n - 1)) != 0)
		return false;
	w->page_bytes = n;
	return true;
}

enum walwalk_state
walwalk_feed(struct walwalk *w, struct slice bytes)
{
	while (w->state == WALWALK_MORE && bytes.n > 0) {
		size_t want = w->page_bytes != 0 ? w->page_bytes : PAGE_LONG_HEADER;
		size_t n = MIN(want - w->have, bytes.n);

		memcpy(w->page + w->have, bytes.p, n);
		bytes = SLICE(bytes.p + n, bytes.n - n);
		w->have += n;
		if (w->have < want)
			break;
		if (w->page_bytes == 0) {
			if (!know_page_size(w))
				w->state = WALWALK_END;
			continue;
		}
		if (w->page_lsn >= w->ignore_until)
			w->state = take_page(w);
		w->page_lsn += w->page_bytes;
		w->have = 0;
	}
	return w->state;
}

enum walwalk_state
walwalk_finish(struct walwalk *w)
{
	if (w->state == WALWALK_MORE && w->page_bytes != 0 && w->have > PAGE_LONG_HEADER &&
	    w->page_lsn >= w->ignore_until) {
		memset(w->page + w->have, 0, w->page_bytes - w->have);
		w->state = take_page(w);
	}
	if (w->state == WALWALK_MORE)
		w->state = WALWALK_END;
	return w->state;
}

int
walwalk_new(uint64_t lsn, uint64_t segment_bytes, walwalk_fn *each, void *arg, struct walwalk **ret,
	    struct error *err)
{
	struct walwalk *w;

	if (segment_bytes < 1 << 20 || segment_bytes > 1 << 30 ||
	    (segment_bytes & (segment_bytes - 1)) != 0 || lsn % segment_bytes != 0)
		return error_set(err, ERR_CORRUPT, "the log's segments have no possible size");
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return error_no_memory(err);
	w->each = each;
	w->arg = arg;
	w->state = WALWALK_MORE;
	w->segment_bytes = segment_bytes;
	w->position = w->page_lsn = lsn;
	w->passing = true;
	*ret = w;
	return OK;
}

uint64_t
walwalk_identity(const struct walwalk *w)
{
	return w->identity;
}

uint64_t
walwalk_position(const struct walwalk *w)
{
	return w->position;
}

void
walwalk_free(struct walwalk *w)
{
	free(w);
}

void
walwalk_freep(struct walwalk **w)
{
	walwalk_free(*w);
}
