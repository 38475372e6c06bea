/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The documents made from the tables, as files: doc/man/NAME.SECTION,
 * doc/holdfast.bash-completion and doc/errors.md in the source tree are copies of what
 * docs_write() writes, and a test compares them.
 */
#ifndef HF_CLI_DOCS_H
#define HF_CLI_DOCS_H

#include "base/base.h"
#include "base/error.h"

/* Write all of them below `dir`, which must exist. */
CHECKED int docs_write(const char *dir, struct error *err);

#endif
