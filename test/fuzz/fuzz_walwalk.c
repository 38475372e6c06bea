/* SPDX-License-Identifier: Apache-2.0 */

/* A write-ahead log, as it comes back from a repository. In one piece or in many: the same records. */
#include "postgresql/walwalk.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEGMENT = 1 << 20, BEGIN = 8 * SEGMENT };

struct seen {
	uint64_t records, last, digest;
};

static int
see(void *arg, const struct walwalk_record *r)
{
	struct seen *s = arg;

	/* Forward, and a name ends. */
	if (r->lsn < s->last || r->end <= r->lsn || memchr(r->name, 0, sizeof(r->name)) == NULL)
		abort();
	s->records++;
	s->last = r->end;
	s->digest = s->digest * 31 + r->lsn + r->time_ns + (uint64_t)r->kind;
	return 0;
}

static void
walk(const uint8_t *data, size_t size, size_t piece, struct seen *ret)
{
	CLEAN(walwalk_freep) struct walwalk *w = NULL;
	struct error err = ERROR_INIT;

	*ret = (struct seen){0};
	if (walwalk_new(BEGIN, SEGMENT, see, ret, &w, &err) < 0)
		return;
	for (size_t at = 0; at < size; at += piece)
		(void)walwalk_feed(w, SLICE(data + at, MIN(piece, size - at)));
	(void)walwalk_finish(w);
	/* Behind a record that is a switch comes the next segment, behind any other the next eight bytes. */
	if (walwalk_position(w) < BEGIN ||
	    walwalk_position(w) > BEGIN + (size + SEGMENT - 1) / SEGMENT * SEGMENT)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seen whole, parts;

	walk(data, size, MAX(size, (size_t)1), &whole);
	walk(data, size, 1000, &parts);
	if (whole.records != parts.records || whole.digest != parts.digest)
		abort();
	return 0;
}
