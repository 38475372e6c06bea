/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What of one database's log lies in the repository, and to which moments it can be restored with it. Pure:
 * from a list of restore points.
 *
 * A base is a backup of the cluster, of whatever type, group or host, with the same identity. It has the log
 * itself up to `held`, and can be brought to any moment from `stop` on that the logs reach without a gap.
 * The logs of restore points of type log (log_point.h) overlap and replace each other; a piece is what one
 * of them has on one timeline. Only what lies on the path to the wanted timeline is in the chain.
 */
#ifndef HF_REQUESTER_LOG_CHAIN_H
#define HF_REQUESTER_LOG_CHAIN_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/point.h"
#include "requester/log_point.h"

struct log_piece {
	const struct point *point;
	const struct point_root *root;
	uint32_t timeline;
	uint64_t from, to;
	uint64_t from_time_ns, to_time_ns; /* of the whole point; from_time 0: not known */
};

struct log_base {
	const struct point *point;
	const struct point_root *root;
	uint32_t timeline, stop_timeline;
	uint64_t start; /* where recovery begins */
	uint64_t held; /* all log up to here is in the backup itself */
	uint64_t stop; /* before that nothing can be restored */
	uint64_t stop_time_ns; /* of a server's clock; 0: not known */
};

struct log_chain {
	char identity[32];
	char group
		[LOG_HOST_MAX]; /* host of its newest log point: "group:NAME"; "" if there is none */
	uint64_t segment_bytes; /* 0: there are no logs */
	uint32_t timeline; /* the wanted one */
	size_t n_path; /* how the log came to it, first at 0 */
	struct log_history path[LOG_HISTORY_MAX];
	size_t n_pieces; /* by their beginning */
	struct log_piece *pieces;
	size_t n_bases; /* by their stop */
	struct log_base *bases;
};

/* Which database's. All NULL and 0: the one that there is. */
struct log_wish {
	const char *group; /* "orders": whose logs the group's log copier has */
	const char *identity;
	uint32_t timeline; /* 0: the newest */
};

/* The list is lent for as long as the chain lives. ERR_LOG_GAP: no logs of that
 * group, of that timeline, or at all. ERR_AMBIGUOUS: of several databases (the message names their
 * groups). */
CHECKED int log_chain_read(const struct point_list *list, const struct log_wish *wish,
			   struct log_chain *ret, struct error *err);
void log_chain_done(struct log_chain *c);

/* Is this a backup of a cluster that could be a base? 1 yes; 0 no, or made by a version that did not
 * write down where it begins and ends. */
int log_base_of(const struct point *p, struct log_base *ret, char ret_identity[32]);

/* The timeline to which the byte at `position` belongs. */
uint32_t log_chain_timeline(const struct log_chain *c, uint64_t position);
/* The piece that has the byte at `position`, and most of what follows; NULL: none has. */
const struct log_piece *log_chain_piece(const struct log_chain *c, uint64_t position);
/* How far the logs go on from `position` without a gap; `position` itself if none has it. */
uint64_t log_chain_reach(const struct log_chain *c, uint64_t position);
/* Until when they do: the server's clock; 0: not known. */
uint64_t log_chain_reach_time(const struct log_chain *c, uint64_t position);

/* What a base has to be good for. */
struct log_need {
	uint64_t end; /* the logs have to be there up to here */
	uint64_t latest; /* and the base ends here or before */
	uint64_t before_ns; /* by a server's clock, too; 0: no matter */
	const struct point *only; /* this one and no other; NULL: any */
};

/* The newest base from which the logs lead there. ERR_LOG_GAP says what stands against it, and what is
 * covered. */
CHECKED int log_chain_base(const struct log_chain *c, const struct log_need *need,
			   const struct log_base **ret, struct error *err);

/* The moments that can be restored to, as they lie side by side. */
struct log_span {
	uint64_t from, to;
	uint64_t from_time_ns, to_time_ns; /* 0: not known */
	size_t bases; /* from how many */
};
/* At most n, oldest first; returns how many there are. Bases without logs after them are none. */
size_t log_chain_spans(const struct log_chain *c, struct log_span *ret, size_t n);
/* In words, for messages: "0/3000000 (2026-11-25 19:02:11 UTC) to 0/9000000 (...)", "nothing". */
char *log_chain_covered(const struct log_chain *c, char *text, size_t size);

#endif
