/* SPDX-License-Identifier: Apache-2.0 */

/* Wrapping of running text. Width is counted in bytes: the tables are in ASCII. */
#include "config/prose.h"

#include <ctype.h>
#include <string.h>

enum { MDOC_WIDTH = 78 }; /* mandoc -T lint objects to source lines beyond 80 */

/* The next word of *text into *ret; *ret_breaks counts the newlines before it. False at the end. */
static bool
next_word(const char **text, struct slice *ret, unsigned *ret_breaks)
{
	const char *p = *text;
	unsigned breaks = 0;

	for (; *p == ' ' || *p == '\n'; p++)
		breaks += *p == '\n';
	if (*p == '\0')
		return false;
	*ret = SLICE(p, strcspn(p, " \n"));
	*ret_breaks = breaks;
	*text = p + ret->n;
	return true;
}

int
prose_blanks(struct buf *b, size_t n, struct error *err)
{
	return buf_printf(b, err, "%*s", (int)n, "");
}

int
prose_wrap(struct buf *b, const char *text, size_t column, size_t indent, struct error *err)
{
	struct slice word;
	unsigned breaks;
	bool first = true;
	int r = OK;

	while (r == OK && next_word(&text, &word, &breaks)) {
		bool paragraph = !first && breaks > 1;

		if (!first && (paragraph || column + 1 + word.n > PROSE_WIDTH)) {
			r = buf_printf(b, err, "%s\n%*s", paragraph ? "\n" : "", (int)indent, "");
			column = indent;
		} else if (!first) {
			r = buf_append(b, " ", 1, err);
			column++;
		}
		if (r == OK)
			r = buf_append(b, word.p, word.n, err);
		column += word.n;
		first = false;
	}
	return r == OK ? buf_append(b, "\n", 1, err) : r;
}

static int
mdoc_word(struct buf *b, struct slice word, bool line_start, struct error *err)
{
	int r = OK;

	/* A dot or quote at the start of a line would be a request. */
	if (line_start && (word.p[0] == '.' || word.p[0] == '\''))
		r = buf_append(b, "\\&", 2, err);
	for (size_t i = 0; i < word.n && r == OK; i++)
		if (word.p[i] == '\\')
			r = buf_append(b, "\\e", 2, err);
		else
			r = buf_append(b, &word.p[i], 1, err);
	return r;
}

int
prose_mdoc(struct buf *b, const char *text, struct error *err)
{
	struct slice word;
	unsigned breaks;
	size_t column = 0;
	bool sentence_over = false;
	bool first = true;
	int r = OK;

	while (r == OK && next_word(&text, &word, &breaks)) {
		bool line_start = first;

		if (!first && breaks > 1) {
			r = buf_printf(b, err, "\n.Pp\n");
			line_start = true;
		} else if (!first && (sentence_over || column + 1 + word.n > MDOC_WIDTH)) {
			r = buf_append(b, "\n", 1, err);
			line_start = true;
		} else if (!first) {
			r = buf_append(b, " ", 1, err);
		}
		column = line_start ? word.n : column + 1 + word.n;
		if (r == OK)
			r = mdoc_word(b, word, line_start, err);
		sentence_over = word.p[word.n - 1] == '.';
		first = false;
	}
	return r == OK ? buf_append(b, "\n", 1, err) : r;
}

int
prose_sentence(struct buf *b, const char *text, struct error *err)
{
	if (text[0] == '\0')
		return OK;
	/* Program names keep their case: "zstd level" becomes "Zstd level", which is fine. */
	return buf_printf(b, err, "%c%s.", toupper((unsigned char)text[0]), text + 1);
}
