/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The guard's journal: what must be undone if the guard and the agent are both gone. The format, and
 * reading it; writing files is the daemon's business. Pure.
 *
 *	journal  = magic "HFguard1" | record...
 *	record   = le32 length of the payload | le32 CRC of length and type, type | le32 CRC of the payload
 *		   | payload
 *
 * Append-only; the latest record about a thing counts. Records are written so that at every moment
 * what the journal says is no less than what there is: a member's INTENT before its provider is called
 * for the first time, a freeze before FIFREEZE; "gone" only after it is gone.
 *
 *	START	who wrote this: boot, token of the agent, process, highest epoch so far
 *	LEASE	a lease as it is now. ENDED without duties: a tombstone
 *	MEMBER	a snapshot of a lease: intended, there, or gone
 *	FREEZE	a file system: about to be frozen (or is), or thawed
 *
 * A journal that was cut within its last record, or ends in zeroes, is what a crash leaves, and is
 * read up to there. Anything else that is wrong makes it damaged: what was read before is still given
 * (a file system that may be frozen is thawed all the same), but nothing is to be removed by it.
 */
#ifndef HF_GUARD_JOURNAL_H
#define HF_GUARD_JOURNAL_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "guard/lease.h"
#include "guard/report.h"
#include "provider/snapshot.h"

enum {
	JOURNAL_MAGIC_SIZE = 8,
	JOURNAL_BOOT_MAX = 40, /* the text of /proc/sys/kernel/random/boot_id, with its zero */
	JOURNAL_TOKEN_SIZE = 16,
	JOURNAL_RECORD_MAX = 8192,
	JOURNAL_MAX = 256 << 20, /* bytes of a file that is read at all */
};

struct journal_start {
	char boot[JOURNAL_BOOT_MAX];
	uint8_t token[JOURNAL_TOKEN_SIZE];
	uint64_t pid, started; /* the guard's process, and its start in clock ticks since boot */
	uint64_t last_epoch;
};

enum journal_stage {
	JOURNAL_INTENDED = 1, /* may be there, wholly or in part; or, of a file system, frozen */
	JOURNAL_THERE,
	JOURNAL_GONE,
};

struct journal_lease {
	struct lease lease;
	char job[GUARD_JOB_MAX];
	uint64_t begun_wall_ns, ended_wall_ns;
};

struct journal_member {
	struct lease_key key;
	enum journal_stage stage;
	struct snapshot snapshot;
};

struct journal_freeze {
	struct lease_key key;
	uint32_t index; /* in the order of freezing */
	enum journal_stage stage; /* INTENDED or GONE */
	uint64_t device;
	char path[SNAPSHOT_PATH_MAX];
};

/* All that a journal says, in its final state. */
struct journal_image {
	bool damaged;
	struct journal_start start;
	struct journal_lease *leases;
	size_t n_leases;
	struct journal_member *members;
	size_t n_members;
	struct journal_freeze *freezes;
	size_t n_freezes;
	size_t n_records;
};

/* Adders of one piece each; ERR_LIMIT, ERR_NO_MEMORY as of struct buf. */
CHECKED int journal_put_magic(struct buf *b, struct error *err);
CHECKED int journal_put_start(struct buf *b, const struct journal_start *s, struct error *err);
CHECKED int journal_put_lease(struct buf *b, const struct journal_lease *l, struct error *err);
CHECKED int journal_put_member(struct buf *b, const struct journal_member *m, struct error *err);
CHECKED int journal_put_freeze(struct buf *b, const struct journal_freeze *f, struct error *err);

/* Read a whole journal. ERR_CORRUPT if it is damaged; *ret is filled then, too, and is to be given to
 * journal_done in any case. */
CHECKED int journal_parse(struct slice bytes, struct journal_image *ret, struct error *err);
void journal_done(struct journal_image *image); /* for CLEAN() */

#endif
