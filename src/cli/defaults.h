/* SPDX-License-Identifier: Apache-2.0 */

/* Defaults that depend on the machine and the user; the table names them in words. */
#ifndef HF_CLI_DEFAULTS_H
#define HF_CLI_DEFAULTS_H

#include "base/base.h"
#include "base/error.h"
#include "config/settings.h"

CHECKED int defaults_set(struct settings *s, struct error *err);

#endif
