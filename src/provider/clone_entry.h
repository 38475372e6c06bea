/* SPDX-License-Identifier: Apache-2.0 */

/* One entry of a folder cloned into another. For clone.c. */
#ifndef HF_PROVIDER_CLONE_ENTRY_H
#define HF_PROVIDER_CLONE_ENTRY_H

#include <sys/stat.h>

#include "base/base.h"
#include "base/error.h"

/* A regular file. 0: it is gone. */
CHECKED int clone_entry_file(int from, int to, const char *name, struct error *err);
/* A symbolic link, device or pipe, as lstat says. Sockets are passed over. */
CHECKED int clone_entry_special(int from, int to, const char *name, const struct stat *st,
				struct error *err);
/* Owner, mode, attributes and times of an open file or folder. Last: what is created in a folder
 * changes its times. */
CHECKED int clone_entry_attributes(int from, int to, const struct stat *st, const char *name,
				   struct error *err);

#endif
