/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The set is an array sorted by length and bytes of each pattern's literal head. For a path, every
 * length of head that occurs (a handful) is one binary search.
 */
#include "writer/patterns.h"

#include <fnmatch.h>
#include <string.h>

struct pattern {
	const char *text;
	size_t head; /* bytes before the first special one */
};

struct patterns {
	size_t n;
	struct pattern *sorted;
	size_t n_heads;
	size_t *heads; /* the lengths that occur, ascending */
};

static const char special[] = "*?[\\";

static int
compare_head(const struct pattern *a, const char *head, size_t n)
{
	if (a->head != n)
		return a->head < n ? -1 : 1;
	return memcmp(a->text, head, n);
}

static int
compare(const void *a, const void *b)
{
	const struct pattern *x = a, *y = b;

	return compare_head(x, y->text, y->head);
}

int
patterns_new(const char *const *list, size_t n, struct patterns **ret, struct error *err)
{
	struct patterns *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return error_no_memory(err);
	/* One more than needed: an allocation of nothing may be NULL. */
	p->sorted = calloc(n + 1, sizeof(*p->sorted));
	p->heads = calloc(n + 1, sizeof(*p->heads));
	if (p->sorted == NULL || p->heads == NULL) {
		patterns_free(p);
		return error_no_memory(err);
	}
	p->n = n;
	for (size_t i = 0; i < n; i++)
		p->sorted[i] = (struct pattern){list[i], strcspn(list[i], special)};
	qsort(p->sorted, n, sizeof(*p->sorted), compare);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || p->sorted[i].head != p->sorted[i - 1].head)
			p->heads[p->n_heads++] = p->sorted[i].head;
	*ret = p;
	return OK;
}

void
patterns_free(struct patterns *p)
{
	if (p == NULL)
		return;
	free(p->sorted);
	free(p->heads);
	free(p);
}

/* The first pattern whose head is not below the first n bytes of the path. */
static size_t
lower_bound(const struct patterns *p, const char *path, size_t n)
{
	size_t from = 0, to = p->n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (compare_head(&p->sorted[middle], path, n) < 0)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

bool
patterns_match(const struct patterns *p, const char *path)
{
	size_t len = strlen(path);

	for (size_t h = 0; h < p->n_heads && p->heads[h] <= len; h++) {
		size_t n = p->heads[h];

		for (size_t i = lower_bound(p, path, n);
		     i < p->n && compare_head(&p->sorted[i], path, n) == 0; i++)
			if (fnmatch(p->sorted[i].text, path, FNM_PATHNAME) == 0)
				return true;
	}
	return false;
}

char *
patterns_quote(const char *text, char *buffer)
{
	char *to = buffer;

	for (; *text != 0; text++) {
		if (strchr(special, *text) != NULL)
			*to++ = '\\';
		*to++ = *text;
	}
	*to = 0;
	return buffer;
}
