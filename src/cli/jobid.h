/* SPDX-License-Identifier: Apache-2.0 */

/* Names for new jobs. */
#ifndef HF_CLI_JOBID_H
#define HF_CLI_JOBID_H

#include "base/base.h"
#include "base/error.h"
#include "base/uuid.h"

/* Random (RFC 9562, version 4), "{8-4-4-4-12}". */
CHECKED int jobid_new(char text[UUID_TEXT_SIZE], struct error *err);

#endif
