/* SPDX-License-Identifier: Apache-2.0 */

/* A moment, as people write it down. */
#ifndef HF_CLI_WHEN_H
#define HF_CLI_WHEN_H

#include "base/base.h"
#include "base/error.h"

/*
 * "2026-11-22 14:25:06.123456+01:00", or less of it: 'T' for the blank, no fraction, no seconds, no time of
 * day; "Z" or an offset, without which it is local time. Ns since 1970; ERR_USAGE.
 */
CHECKED int when_parse(const char *text, uint64_t *ret_ns, struct error *err);

#endif
