/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What is held on this host, read from the guards' journals without asking (or disturbing) any of
 * them: STATE_DIR/guard/NAME.journal.
 */
#ifndef HF_GUARD_HOLDS_H
#define HF_GUARD_HOLDS_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "guard/journal.h"

struct hold_view {
	struct journal_lease lease;
	/* Process of the guard that wrote it; alive: it runs, and is that one. What a dead one left is
	 * a leftover: the next guard lets it go. */
	uint64_t pid, started;
	bool alive;
	bool same_boot; /* times of the lease still mean something */
	bool damaged; /* the journal is */
	unsigned n_in_journal; /* leases that are open in the same journal */
	size_t n_snapshots; /* that are, or may be, there */
	struct snapshot *snapshots;
};

struct holds {
	size_t n;
	struct hold_view *items;
};

/* Leases that are open, or whose snapshots are not all gone; oldest first. No folder: none. */
CHECKED int holds_read(const char *state_dir, struct holds *ret, struct error *err);
void holds_done(struct holds *h); /* for CLEAN(), too */

/* Ask the guard of this hold to let go of all it has, and to end. ERR_NOT_FOUND: it does not run. */
CHECKED int holds_end(const struct hold_view *hold, struct error *err);

#endif
