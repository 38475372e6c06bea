/* SPDX-License-Identifier: Apache-2.0 */

/* The list of all events, from base/events.def: for doc/events.md. */
#ifndef HF_CONFIG_EVENTS_DOC_H
#define HF_CONFIG_EVENTS_DOC_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

CHECKED int events_doc_markdown(struct buf *b, struct error *err);

#endif
