/* SPDX-License-Identifier: Apache-2.0 */

/* doc/openapi.json, made from the table of functions. */
#ifndef HF_AGENT_API_DOC_H
#define HF_AGENT_API_DOC_H

#include "base/buf.h"
#include "base/error.h"

CHECKED int api_doc_openapi(struct buf *text, struct error *err);

#endif
