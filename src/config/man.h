/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Manual pages in mdoc(7), from the tables: holdfast(1), one page for each command
 * (holdfast-backup(1), holdfast-key-add(1) ...) and holdfast.conf(5).
 */
#ifndef HF_CONFIG_MAN_H
#define HF_CONFIG_MAN_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"
#include "config/command.h"

CHECKED int man_overview(struct buf *b, struct error *err);
CHECKED int man_command(struct buf *b, const struct command *command, struct error *err);
CHECKED int man_settings(struct buf *b, struct error *err);

/* "holdfast-key-add", without its section; returns text. */
char *man_page_name(const struct command *command, char *text, size_t size);

#endif
