/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Leftovers that no journal knows of: the state folder was lost, or went back to what it was before a
 * power cut. What proves that they are ours are their marks (provider/ownmark.h).
 */
#ifndef HF_CLI_LEFTMARKS_H
#define HF_CLI_LEFTMARKS_H

#include "base/base.h"
#include "base/error.h"
#include "guard/client.h"

/*
 * Remove every marked snapshot whose set is in no journal, and tell `event` of each: LEFTOVER_RELEASED,
 * or SNAPSHOT_RELEASE_FAILED. Those in a journal are the guards' business. Nothing is touched if a
 * journal is unreadable: it may be a living guard's.
 */
CHECKED int leftmarks_remove(const char *state_dir, const struct provider_settings *settings,
			     guard_event_fn *event, void *arg, struct error *err);

#endif
