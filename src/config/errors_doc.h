/* SPDX-License-Identifier: Apache-2.0 */

/* The list of all errors, from base/errors.def: for "help errors" and doc/errors.md. */
#ifndef HF_CONFIG_ERRORS_DOC_H
#define HF_CONFIG_ERRORS_DOC_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

CHECKED int errors_doc_text(struct buf *b, struct error *err);
CHECKED int errors_doc_markdown(struct buf *b, struct error *err);

#endif
