/* SPDX-License-Identifier: Apache-2.0 */

/* Parsing a timeline's history. */
#include "postgresql/timeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "postgresql/walrange.h"

enum { LINE_MAX_BYTES = 1024, NUMBER_DIGITS = 10 };

/* The next word of the line, up to size - 1 bytes; false if there is none or it is longer. */
static bool
take_word(struct slice *line, char *word, size_t size)
{
	size_t n = 0;

	while (line->n > 0 && (*line->p == ' ' || *line->p == '\t')) {
		line->p++;
		line->n--;
	}
	while (line->n > 0 && *line->p != ' ' && *line->p != '\t') {
		if (n == size - 1)
			return false;
		word[n++] = (char)*line->p;
		line->p++;
		line->n--;
	}
	word[n] = '\0';
	return n > 0;
}

static bool
number(const char *word, uint32_t *ret)
{
	uint64_t v = 0;

	for (; *word != '\0'; word++) {
		if (*word < '0' || *word > '9')
			return false;
		v = v * 10 + (uint64_t)(*word - '0');
	}
	*ret = (uint32_t)v;
	return v > 0 && v <= UINT32_MAX;
}

static bool
add_line(struct timeline_history *h, struct slice line)
{
	char first[NUMBER_DIGITS + 1], second[WALRANGE_LSN_LEN + 1];
	uint32_t timeline;
	uint64_t end;

	if (!take_word(&line, first, sizeof(first)))
		return false;
	if (!take_word(&line, second, sizeof(second)) || !number(first, &timeline) ||
	    !walrange_parse_lsn(second, &end) || h->n == TIMELINE_ANCESTORS_MAX)
		return false;
	/* Timelines only grow, and so does the log; a fork may be at the same position as the last. */
	if (timeline >= h->timeline || (h->n > 0 && (timeline <= h->ancestors[h->n - 1].timeline ||
						     end < h->ancestors[h->n - 1].end)))
		return false;
	h->ancestors[h->n].timeline = timeline;
	h->ancestors[h->n++].end = end;
	return true;
}

static bool
is_empty(struct slice line)
{
	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] != ' ' && line.p[i] != '\t' && line.p[i] != '\r')
			return line.p[i] == '#';
	return true;
}

int
timeline_history_parse(uint32_t timeline, struct slice file, struct timeline_history *ret,
		       struct error *err)
{
	struct timeline_history h = {.timeline = timeline};

	while (file.n > 0) {
		const uint8_t *newline = memchr(file.p, '\n', file.n);
		size_t n = newline != NULL ? (size_t)(newline - file.p) : file.n;
		struct slice line = SLICE(file.p, n);

		n = MIN(n + 1, file.n);
		file.p += n;
		file.n -= n;
		if (is_empty(line))
			continue;
		if (line.n > LINE_MAX_BYTES || !add_line(&h, line))
			return error_set(err, ERR_CORRUPT,
					 "the history of timeline %" PRIu32 " is damaged",
					 timeline);
	}
	*ret = h;
	return OK;
}

bool
timeline_end(const struct timeline_history *h, uint32_t ancestor, uint64_t *ret)
{
	for (size_t i = 0; i < h->n; i++) {
		if (h->ancestors[i].timeline == ancestor) {
			*ret = h->ancestors[i].end;
			return true;
		}
	}
	return false;
}

char *
timeline_history_name(uint32_t timeline, char text[TIMELINE_NAME_LEN + 1])
{
	(void)snprintf(text, TIMELINE_NAME_LEN + 1, "%08" PRIX32 ".history", timeline);
	return text;
}
