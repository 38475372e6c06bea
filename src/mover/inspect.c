/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A torn page heals as soon as the write that tore it is complete: microseconds, or until the writer
 * is scheduled again. There is no event to wait for, hence a few pauses, bounded for each part of a
 * file: a relation that is damaged from end to end must not hold up the backup.
 */
#include "mover/inspect.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/fs.h"

enum { TELL_MAX = 8 };

static const uint64_t pauses_ns[] = {
	0, 1 * NS_PER_MS, 4 * NS_PER_MS, 15 * NS_PER_MS, 30 * NS_PER_MS, 50 * NS_PER_MS,
};
#define WAIT_MAX_NS (200 * NS_PER_MS)

/* "16384.2": the third file of its relation. */
static uint64_t
segment_number(struct slice name)
{
	size_t i = name.n;
	uint64_t number = 0, unit = 1;

	while (i > 0 && name.n - i < 9 && name.p[i - 1] >= '0' && name.p[i - 1] <= '9') {
		number += unit * (uint64_t)(name.p[i - 1] - '0');
		unit *= 10;
		i--;
	}
	return i > 1 && i < name.n && name.p[i - 1] == '.' ? number : 0;
}

void
inspect_begin(struct inspect *in, struct mover_worker *w, struct entry *e, int fd)
{
	const struct graft *g = folder_entry_graft(e);

	*in = (struct inspect){.worker = w, .entry = e, .fd = fd};
	if (g->inspector == NULL)
		return;
	in->pages = &g->component->pages;
	in->inspector = g->inspector;
	in->first_block = segment_number(e->node.name) * in->pages->segment_pages;
}

static void
pause_ns(uint64_t ns)
{
	struct timespec t = {.tv_nsec = (long)ns};

	(void)nanosleep(&t, NULL);
}

/* Again from the file, until it is good or patience is at an end. */
static bool
heals(struct inspect *in, uint8_t *page, uint64_t offset, uint64_t block)
{
	uint32_t size = in->pages->page_size;

	for (size_t i = 0; i < ARRAY_SIZE(pauses_ns); i++) {
		size_t n;

		if (pauses_ns[i] > 0) {
			if (in->waited_ns >= WAIT_MAX_NS)
				return false;
			pause_ns(pauses_ns[i]);
			in->waited_ns += pauses_ns[i];
		}
		if (fs_pread(in->fd, page, size, offset, &n, NULL) < 0 || n < size)
			return true; /* cut off meanwhile: recovery will not miss it */
		if (in->inspector->check(page, size, block, in->pages->start_lsn) != PAGE_BAD)
			return true;
	}
	return false;
}

static void
tell(struct inspect *in, uint64_t block)
{
	if (++in->bad <= TELL_MAX)
		worker_warn(in->worker, in->entry, ERR_DB_CORRUPT, true,
			    "block %llu has a wrong checksum", (unsigned long long)block);
}

void
inspect_pages(struct inspect *in, uint8_t *p, size_t n, uint64_t offset, const bool *holes)
{
	if (in->inspector == NULL)
		return;

	uint32_t size = in->pages->page_size;
	for (size_t i = 0; (i + 1) * size <= n; i++) {
		uint64_t at = offset + i * size, block = in->first_block + at / size;
		uint8_t *page = p + i * size;

		if (holes != NULL && holes[i])
			continue;
		if (in->inspector->check(page, size, block, in->pages->start_lsn) == PAGE_BAD &&
		    !heals(in, page, at, block))
			tell(in, block);
	}
}

bool
inspect_end(struct inspect *in)
{
	if (in->bad > TELL_MAX)
		worker_warn(in->worker, in->entry, ERR_DB_CORRUPT, true,
			    "%u more blocks have a wrong checksum", in->bad - TELL_MAX);
	return in->bad > 0;
}
