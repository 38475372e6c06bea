/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Small JSON files that people may look at (holdfast.json, key slots), with a checksum over every
 * byte: {"NAME":{...},"sha256":"<64 digits>"} and a newline. The checksum is of the inner object's
 * bytes as they stand; the rest is compared literally, so no flipped bit goes unseen.
 */
#ifndef HF_REPO_ENVELOPE_H
#define HF_REPO_ENVELOPE_H

#include <jansson.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

CHECKED int envelope_write(const char *name, const json_t *inner, struct buf *ret,
			   struct error *err);
/* ERR_CORRUPT if anything is off. *ret is a new reference. */
CHECKED int envelope_read(const char *name, struct slice file, json_t **ret, struct error *err);

#endif
