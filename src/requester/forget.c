/* SPDX-License-Identifier: Apache-2.0 */

/* Sorting restore points into series, and asking the rules about each. */
#include "requester/forget.h"

#include <string.h>

#include "base/json.h"
#include "requester/log_chain.h"

bool
forget_matches(const struct forget_filter *filter, const struct point *p)
{
	const json_t *tags = json_object_get(p->json, "tags");

	if (filter->host != NULL && strcmp(filter->host, p->host) != 0)
		return false;
	for (size_t i = 0; i < filter->n_tags; i++)
		for (size_t j = 0; j < json_array_size(tags); j++) {
			const char *tag = json_string_value(json_array_get(tags, j));

			if (tag != NULL && strcmp(tag, filter->tags[i]) == 0)
				return true;
		}
	return filter->n_tags == 0;
}

static bool
same_series(const struct point *a, const struct point *b)
{
	if (point_is_log(a) || point_is_log(b) || strcmp(a->host, b->host) != 0 ||
	    a->n_roots != b->n_roots ||
	    !json_equal(json_object_get(a->json, "paths"), json_object_get(b->json, "paths")))
		return false;
	for (size_t i = 0; i < a->n_roots; i++)
		if (point_find_root(b, a->roots[i].name) == NULL)
			return false;
	return true;
}

/* From where on the oldest backup of this database that is kept needs logs; 0: none is kept. (An image ends later
 * than the logs that it has itself.) */
static uint64_t
oldest_held(const struct point_list *list, const unsigned *decided, const char *identity)
{
	uint64_t oldest = 0;

	for (size_t i = 0; i < list->n; i++) {
		struct log_base b;
		char its[32];

		if (decided[i] != 0 && log_base_of(list->points[i], &b, its) > 0 &&
		    strcmp(its, identity) == 0 && (oldest == 0 || b.held < oldest))
			oldest = b.held;
	}
	return oldest;
}

/* Did logs of this database follow that were begun later? Then nobody goes on with an open one: its copier was
 * killed, and another took over. */
static bool
were_left(const struct point_list *list, size_t i, const char *identity)
{
	struct log_point later;
	struct error ignored = ERROR_INIT;

	for (size_t k = i + 1; k < list->n; k++)
		if (log_point_of(list->points[k], NULL, &later, &ignored) > 0 &&
		    strcmp(later.identity, identity) == 0)
			return true;
	return false;
}

/* What cannot be understood stays; and what the log copier still goes on with. Without any backup all logs
 * stay: one may just be on its way into the repository. */
static bool
logs_are_needed(const struct point_list *list, const unsigned *decided, size_t i)
{
	struct log_point logs;
	struct error ignored = ERROR_INIT;

	if (log_point_of(list->points[i], NULL, &logs, &ignored) <= 0 ||
	    (!logs.closed && !were_left(list, i, logs.identity)))
		return true;
	uint64_t oldest = oldest_held(list, decided, logs.identity);
	return oldest == 0 || logs.to > oldest;
}

int
forget_decide(const struct point_list *list, const struct forget_filter *filter,
	      const struct retention_rules *rules, unsigned **ret, struct error *err)
{
	size_t n = MAX(list->n, (size_t)1);
	CLEAN(free_ptr) unsigned *decided = calloc(n, sizeof(*decided));
	CLEAN(free_ptr) unsigned *reasons = calloc(n, sizeof(*reasons));
	CLEAN(free_ptr) uint64_t *times = calloc(n, sizeof(*times));
	CLEAN(free_ptr) size_t *members = calloc(n, sizeof(*members));
	CLEAN(free_ptr) bool *done = calloc(n, sizeof(*done));

	if (decided == NULL || reasons == NULL || times == NULL || members == NULL || done == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < list->n; i++) {
		size_t count = 0;

		if (!forget_matches(filter, list->points[i])) {
			decided[i] = FORGET_NOT_LOOKED_AT;
			continue;
		}
		if (point_is_log(list->points[i]))
			continue;
		/* The whole series of point i, unless an earlier member brought it up already. */
		for (size_t j = i; j < list->n && !done[i]; j++)
			if (!done[j] && forget_matches(filter, list->points[j]) &&
			    same_series(list->points[i], list->points[j])) {
				members[count] = j;
				times[count++] = list->points[j]->start_ns;
			}
		retention_decide(rules, times, count, reasons);
		for (size_t k = 0; k < count; k++) {
			decided[members[k]] = reasons[k];
			done[members[k]] = true;
		}
	}
	for (size_t i = 0; i < list->n; i++)
		if (point_is_log(list->points[i]) && decided[i] == 0 &&
		    logs_are_needed(list, decided, i))
			decided[i] = FORGET_LOGS_NEEDED;
	*ret = STEAL_PTR(decided);
	return OK;
}
