/* SPDX-License-Identifier: Apache-2.0 */

/* The completion script for bash, from the tables. */
#ifndef HF_CONFIG_COMPLETION_H
#define HF_CONFIG_COMPLETION_H

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

CHECKED int completion_bash(struct buf *b, struct error *err);

#endif
