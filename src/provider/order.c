/* SPDX-License-Identifier: Apache-2.0 */

/* The sort. There are a handful of nodes, so the simplest way that is right is taken. */
#include "provider/order.h"

#include <sys/sysmacros.h>

void
order_facts_done(struct order_facts *f)
{
	free(f->edges);
	*f = (struct order_facts){0};
}

int
order_facts_add(struct order_facts *f, uint64_t from, uint64_t to, struct error *err)
{
	struct order_edge *grown;

	for (size_t i = 0; i < f->n; i++)
		if (f->edges[i].from == from && f->edges[i].to == to)
			return OK;
	grown = reallocarray(f->edges, f->n + 1, sizeof(*grown));
	if (grown == NULL)
		return error_no_memory(err);
	f->edges = grown;
	grown[f->n++] = (struct order_edge){from, to};
	return OK;
}

/* Depth bounded by the number of edges: a longer way has a circle in it. */
static bool
reaches(const struct order_facts *f, uint64_t from, uint64_t to, size_t depth)
{
	if (depth > f->n)
		return false;
	for (size_t i = 0; i < f->n; i++)
		if (f->edges[i].from == from &&
		    (f->edges[i].to == to || reaches(f, f->edges[i].to, to, depth + 1)))
			return true;
	return false;
}

bool
order_needs(const struct order_facts *f, uint64_t from, uint64_t to)
{
	return reaches(f, from, to, 0);
}

/* Whether nothing that is left needs it. */
static bool
is_free(const struct order_facts *f, const uint64_t *devices, size_t n, const bool *done, size_t i)
{
	for (size_t j = 0; j < n; j++)
		if (!done[j] && devices[j] != devices[i] && order_needs(f, devices[j], devices[i]))
			return false;
	return true;
}

int
order_sort(const struct order_facts *f, const uint64_t *devices, size_t n, size_t *ret_order,
	   struct error *err)
{
	CLEAN(free_ptr) bool *done = calloc(MAX(n, (size_t)1), sizeof(*done));
	size_t placed = 0;

	if (done == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++)
		if (order_needs(f, devices[i], devices[i]))
			return error_set(err, ERR_BAD_STATE,
					 "device %u:%u needs itself in order to write",
					 major(devices[i]), minor(devices[i]));
	/* One alone has nothing to be before or after. */
	if (f->unknown != 0 && n > 1)
		return error_set(err, ERR_BAD_STATE, "what device %u:%u needs is not known",
				 major(f->unknown), minor(f->unknown));
	while (placed < n) {
		size_t i = 0;

		while (i < n && (done[i] || !is_free(f, devices, n, done, i)))
			i++;
		if (i == n)
			return error_set(err, ERR_BAD_STATE, "file systems need each other");
		done[i] = true;
		ret_order[placed++] = i;
	}
	return OK;
}
