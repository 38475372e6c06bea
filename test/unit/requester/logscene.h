/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of restore points made by hand, backups of clusters and logs, for tests of chains. */
#ifndef HF_TEST_UNIT_REQUESTER_LOGSCENE_H
#define HF_TEST_UNIT_REQUESTER_LOGSCENE_H

#include "requester/log_point.h"

enum { LOGSCENE_POINTS_MAX = 16, LOGSCENE_SEGMENT = 1 << 20 };

#define MB(n) ((uint64_t)(n) << 20)

struct logscene {
	struct point_list list;
	struct point all[LOGSCENE_POINTS_MAX]; /* the first one's id begins with 'a', and so on */
	struct point *order[LOGSCENE_POINTS_MAX];
	struct point_root roots[LOGSCENE_POINTS_MAX];
};

/* For cmocka. */
int logscene_setup(void **state);
int logscene_teardown(void **state);

/* A position as text, good for eight more calls. */
const char *logscene_lsn(uint64_t position);
/* With no more than a root of that name. */
struct point *logscene_add(struct logscene *s, const char *host, const char *root);
/* A backup of a cluster that has the log from start to stop. */
struct point *logscene_base(struct logscene *s, const char *identity, unsigned timeline,
			    uint64_t start, uint64_t stop, unsigned time_s);
/* switch_at 0: all of it on `timeline`; else it came from the one before at that position. */
struct point *logscene_logs(struct logscene *s, const char *group, const char *identity,
			    unsigned timeline, uint64_t from, uint64_t to, unsigned from_s,
			    unsigned to_s, uint64_t switch_at);

#endif
