/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The configuration file: INI, one "key = value" a line below its [section]. "#" and ";" begin
 * comments; list settings may be given several times, any other only once.
 *
 * Limits, so that a wrong file is an error and not a surprise: 1 MiB in all, 198 bytes a line, no
 * control characters, no line that continues the one before.
 */
#ifndef HF_CONFIG_CONFIG_FILE_H
#define HF_CONFIG_CONFIG_FILE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "config/settings.h"

#define CONFIG_FILE_DEFAULT "/etc/holdfast/holdfast.conf"

/* 1 read, 0 there is none (an error if `required`). */
CHECKED int config_file_read(struct settings *s, const char *path, bool required,
			     struct error *err);
/* The same from memory; `name` stands for the path in messages. Also the fuzz target. */
CHECKED int config_file_parse(struct settings *s, const char *name, struct slice text,
			      struct error *err);

#endif
