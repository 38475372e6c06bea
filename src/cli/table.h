/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Columns that line up: cells are collected row by row and printed at the end, each column as
 * wide as its widest cell. Cells may hold any text; what a terminal should not see is escaped.
 */
#ifndef HF_CLI_TABLE_H
#define HF_CLI_TABLE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

enum { TABLE_COLUMNS_MAX = 10 };

struct table {
	size_t columns;
	bool right[TABLE_COLUMNS_MAX]; /* numbers stand at the right */
	size_t n, cap;
	char **cells; /* row by row */
	struct error error; /* the first failure to add; reported by table_print */
};

/* `layout`: one letter a column, 'l' or 'r'. */
void table_init(struct table *t, const char *layout);
void table_done(struct table *t);
/* The next cell, from left to right. */
void table_cell(struct table *t, const char *format, ...) PRINTF_LIKE(2, 3);
/* To standard output. */
CHECKED int table_print(struct table *t, struct error *err);

#endif
