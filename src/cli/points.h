/* SPDX-License-Identifier: Apache-2.0 */

/* Restore points on the screen: the table of them, one in detail, and the flags that choose
 * some. */
#ifndef HF_CLI_POINTS_H
#define HF_CLI_POINTS_H

#include "base/base.h"
#include "base/error.h"
#include "cli/cli.h"
#include "repo/point.h"
#include "requester/forget.h"

/* --host and --tag. The texts are borrowed from the command line. */
CHECKED int points_filter(const struct invocation *inv, struct forget_filter *ret,
			  struct error *err);
void points_filter_done(struct forget_filter *filter);

/* A table of those that match, or a JSON object for each. */
CHECKED int points_show_list(const struct cli *cli, const struct point_list *list,
			     const struct forget_filter *filter, struct error *err);
/* All that is known of one. */
CHECKED int points_show_one(const struct cli *cli, const struct point *p, struct error *err);

/* What was backed up, in few words: "/etc /home postgresql". Returns text. */
char *points_what(const struct point *p, char *text, size_t size);
/* A number of the point's statistics, 0 if it has none of that name. */
uint64_t points_stat(const struct point *p, const char *name);

#endif
