/* SPDX-License-Identifier: Apache-2.0 */

/*
 * cachestat(2) (Linux 6.5) counts a range's cached pages in one call; before it, mincore(2) on a
 * mapping that is never touched tells the same. If neither answers, everything counts as cached, and
 * nothing is dropped: never the database's pages, at worst ours stay.
 *
 * The kernel's own readahead is of little use here: several workers read different slices through one
 * descriptor, and to it that looks like random access. Hence the explicit POSIX_FADV_WILLNEED.
 */
#include "mover/cachecare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { AHEAD_PIECES = 2, PAGES_PER_PIECE_MAX = CACHECARE_PIECE / 4096 };

/* cachestat's number and structures, for C libraries older than the call. */
enum { CALL_CACHESTAT = 451 };

struct cachestat_range {
	uint64_t offset, length;
};

struct cachestat_counts {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

static atomic_bool no_cachestat;

static uint64_t
piece_length(const struct cachecare *c, unsigned i)
{
	return MIN(c->end - (c->start + (uint64_t)i * CACHECARE_PIECE), (uint64_t)CACHECARE_PIECE);
}

static unsigned
n_pieces(const struct cachecare *c)
{
	return (unsigned)((c->end - c->start + CACHECARE_PIECE - 1) / CACHECARE_PIECE);
}

static bool
ask_cachestat(struct cachecare *c)
{
	for (unsigned i = 0; i < n_pieces(c); i++) {
		struct cachestat_range range = {
			.offset = c->start + (uint64_t)i * CACHECARE_PIECE,
			.length = piece_length(c, i),
		};
		struct cachestat_counts counts;

		if (syscall(CALL_CACHESTAT, c->fd, &range, &counts, 0) < 0) {
			if (errno == ENOSYS)
				atomic_store(&no_cachestat, true);
			c->cold = 0;
			return false;
		}
		if (counts.cached == 0)
			c->cold |= UINT64_C(1) << i;
	}
	return true;
}

static bool
any_resident(const uint8_t *vec, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (vec[i] & 1)
			return true;
	}
	return false;
}

static void
ask_mincore(struct cachecare *c)
{
	uint8_t vec[PAGES_PER_PIECE_MAX];
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t length = (size_t)(c->end - c->start);
	void *map = mmap(NULL, length, PROT_READ, MAP_SHARED, c->fd, (off_t)c->start);

	if (map == MAP_FAILED)
		return;
	for (unsigned i = 0; i < n_pieces(c); i++) {
		size_t n = (size_t)piece_length(c, i);

		if (mincore((uint8_t *)map + (size_t)i * CACHECARE_PIECE, n, vec) < 0)
			break;
		if (!any_resident(vec, (n + page - 1) / page))
			c->cold |= UINT64_C(1) << i;
	}
	(void)munmap(map, length);
}

void
cachecare_begin(struct cachecare *c, int fd, uint64_t start, uint64_t length)
{
	length = MIN(length, (uint64_t)CACHECARE_PIECE * CACHECARE_PIECES);
	*c = (struct cachecare){.fd = fd, .start = start, .end = start + length, .ahead = start};
	if (length == 0)
		return;
	if (atomic_load(&no_cachestat) || !ask_cachestat(c))
		ask_mincore(c);
	cachecare_ahead(c, start);
}

void
cachecare_ahead(struct cachecare *c, uint64_t offset)
{
	uint64_t until = MIN(offset + (1 + AHEAD_PIECES) * (uint64_t)CACHECARE_PIECE, c->end);

	while (c->ahead < until) {
		unsigned i = (unsigned)((c->ahead - c->start) / CACHECARE_PIECE);

		if (c->cold & UINT64_C(1) << i)
			(void)posix_fadvise(c->fd, (off_t)c->ahead, (off_t)piece_length(c, i),
					    POSIX_FADV_WILLNEED);
		c->ahead += piece_length(c, i);
	}
}

void
cachecare_behind(struct cachecare *c, uint64_t offset)
{
	for (unsigned i = 0; i < n_pieces(c); i++) {
		uint64_t from = c->start + (uint64_t)i * CACHECARE_PIECE;

		if (from + piece_length(c, i) > offset)
			break;
		if (!(c->cold & UINT64_C(1) << i))
			continue;
		(void)posix_fadvise(c->fd, (off_t)from, (off_t)piece_length(c, i),
				    POSIX_FADV_DONTNEED);
		c->cold &= ~(UINT64_C(1) << i);
	}
}
