/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The folder `.holdfast`, in which snapshots lie that have to be on the file system they were made
 * from. It belongs to root and nobody else may enter it: a snapshot keeps yesterday's set-user-ID
 * programs and forgotten secrets. It is there only while something lies in it, and is left out of
 * backups (ownfolder_is).
 */
#ifndef HF_PROVIDER_OWNFOLDER_H
#define HF_PROVIDER_OWNFOLDER_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/base.h"
#include "base/error.h"
#include "provider/snapshot.h"

#define OWNFOLDER_NAME ".holdfast"

/* Whether an entry of a folder, by its name and what lstat says of it, is such a folder. Pure. */
bool ownfolder_is(const char *name, const struct stat *st);

/* Open the one in this folder: 1; 0 there is none. ERR_PERMISSION if something else has its name. */
CHECKED int ownfolder_open(int top_fd, int *ret_fd, struct error *err);
/* The same, and create it if there is none. Whoever wants it to stay puts something into it, and
 * begins anew if that fails with ENOENT: another's ownfolder_tidy may just have removed it. */
CHECKED int ownfolder_create(int top_fd, int *ret_fd, struct error *err);
/* Remove it unless there is something in it. */
void ownfolder_tidy(int top_fd);

#endif
