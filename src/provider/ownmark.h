/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Marks: the proof that a snapshot is ours, and all that is needed to remove it when no journal knows
 * of it any more. A small file of root's, SET-INDEX.mark, beside the snapshot it speaks of, or in
 * settings' mount_root where the snapshot lies in no folder; made before the snapshot, removed after
 * it.
 *
 *	holdfast snapshot 1
 *	provider btrfs
 *	source /srv/with%20blank
 *	place ...
 *	detail ...
 *	root /var/lib/holdfast/mnt
 */
#ifndef HF_PROVIDER_OWNMARK_H
#define HF_PROVIDER_OWNMARK_H

#include "base/base.h"
#include "base/error.h"
#include "provider/provider.h"

/* Durable on return. ERR_EXISTS if there is one; ERR_NOT_FOUND if the folder was just removed. */
CHECKED int ownmark_make(int dirfd, const struct snapshot *s,
			 const struct provider_settings *settings, struct error *err);
/* 1: there is one of this set, index and provider (*ret, if not NULL, is what it says); 0: none.
 * ERR_PERMISSION if what is there is not root's, or is about something else. */
CHECKED int ownmark_read(int dirfd, const struct snapshot *s, struct snapshot *ret,
			 struct error *err);
/* Gone already is fine. */
CHECKED int ownmark_remove(int dirfd, const struct snapshot *s, struct error *err);
/* All marks of this provider in the folder that were made with the settings' mount root: others are of
 * a Holdfast with other journals, whose living sets nobody here would know. What is no good mark is
 * passed over. */
CHECKED int ownmark_each(int dirfd, const char *provider, const struct provider_settings *settings,
			 provider_each_fn *each, void *arg, struct error *err);

#endif
