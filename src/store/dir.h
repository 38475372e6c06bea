/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Objects as files below one folder. An upload is written to "tmp/<random>" in the same file
 * system, fsynced, linked into place without replacing anything, and the folder is fsynced; folders
 * of new objects are created (and their parents fsynced) as needed. The opened folder is held by
 * descriptor: a renamed path does not lead a running backup elsewhere. Writing starts write-back
 * early (sync_file_range), so that the final fsync has little left to do.
 */
#ifndef HF_STORE_DIR_H
#define HF_STORE_DIR_H

#include "store/store.h"

CHECKED int store_dir_open(const char *path, bool create, struct store **ret, struct error *err);

#endif
