/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Names of jobs, snapshot sets and writers: 16 bytes, written as administrators know them from VSS,
 * "{0bada1de-01a9-4625-8278-69e735f39dd2}".
 */
#ifndef HF_BASE_UUID_H
#define HF_BASE_UUID_H

#include <stdbool.h>

#include "base/base.h"

enum { UUID_SIZE = 16, UUID_TEXT_SIZE = 39 };

/* With braces, in lower case; returns text. */
char *uuid_text(const uint8_t uuid[UUID_SIZE], char text[UUID_TEXT_SIZE]);
/* With or without braces, with or without dashes (all or none), any case. */
CHECKED bool uuid_parse(const char *text, uint8_t uuid[UUID_SIZE]);

#endif
