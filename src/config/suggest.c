/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Edit distance with swapped neighbours (optimal string alignment): the typing errors people make.
 * Three rows of the usual table are enough.
 */
#include "config/suggest.h"

#include <string.h>

enum { WORD_MAX = 63 };

unsigned
suggest_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	size_t na = strlen(a);
	size_t nb = strlen(b);

	if (na > WORD_MAX || nb > WORD_MAX)
		return strcmp(a, b) == 0 ? 0 : WORD_MAX;

	for (unsigned j = 0; j <= nb; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		unsigned *row = rows[i % 3];
		const unsigned *up = rows[(i - 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= nb; j++) {
			unsigned replace = up[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = MIN(up[j] + 1, row[j - 1] + 1);
			row[j] = MIN(row[j], replace);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = MIN(row[j], rows[(i - 2) % 3][j - 2] + 1);
		}
	}
	return rows[na % 3][nb];
}

struct suggest
suggest_begin(const char *word)
{
	/* A third of the letters may be wrong, but always one: "lsit" may mean "list", "ls" not. */
	size_t allowed = MAX(strlen(word) / 3, (size_t)1);

	return (struct suggest){.word = word, .distance = (unsigned)allowed + 1};
}

void
suggest_offer(struct suggest *s, const char *candidate)
{
	unsigned distance = suggest_distance(s->word, candidate);

	if (distance < s->distance) {
		s->distance = distance;
		s->best = candidate;
	}
}
