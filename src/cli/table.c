/* SPDX-License-Identifier: Apache-2.0 */

/* Lining up columns. */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "cli/out.h"
#include "cli/printable.h"

enum { CELL_MAX = 64 << 10, GAP = 2 };

void
table_init(struct table *t, const char *layout)
{
	*t = (struct table){.columns = strlen(layout)};
	for (size_t i = 0; i < t->columns; i++)
		t->right[i] = layout[i] == 'r';
}

void
table_done(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->cells[i]);
	free(t->cells);
	*t = (struct table){0};
}

void
table_cell(struct table *t, const char *format, ...)
{
	CLEAN(free_ptr) char *raw = NULL;
	CLEAN(buf_done) struct buf safe = BUF_INIT(CELL_MAX);
	va_list ap;
	int len;

	if (t->error.code != OK)
		return;
	va_start(ap, format);
	len = vasprintf(&raw, format, ap);
	va_end(ap);
	if (len < 0) {
		raw = NULL;
		error_no_memory(&t->error);
		return;
	}
	if (printable_name(&safe, SLICE(raw, len), &t->error) < 0 ||
	    buf_u8(&safe, 0, &t->error) < 0)
		return;
	if (t->n == t->cap) {
		size_t cap = MAX(t->cap * 2, (size_t)64);
		char **cells = realloc(t->cells, cap * sizeof(*cells));

		if (cells == NULL) {
			error_no_memory(&t->error);
			return;
		}
		t->cells = cells;
		t->cap = cap;
	}
	t->cells[t->n++] = (char *)STEAL_PTR(safe.p);
}

int
table_print(struct table *t, struct error *err)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};

	if (t->error.code != OK) {
		*err = t->error;
		return err->code;
	}
	for (size_t i = 0; i < t->n; i++)
		widths[i % t->columns] = MAX(widths[i % t->columns], printable_width(t->cells[i]));
	for (size_t i = 0; i < t->n; i++) {
		size_t column = i % t->columns;
		int pad = (int)(widths[column] - printable_width(t->cells[i]));
		bool last = column + 1 == t->columns;

		if (t->right[column])
			out_text("%*s%s", pad, "", t->cells[i]);
		else
			out_text("%s%*s", t->cells[i], last ? 0 : pad, "");
		out_text("%*s", last ? 0 : GAP, "");
		if (last)
			out_text("\n");
	}
	return OK;
}
