/* SPDX-License-Identifier: Apache-2.0 */

/*
 * settings' mount_root: marks and mount points of snapshots that lie in no folder of their file system
 * (external, lvm). It is root's, and nobody else may enter it. The mount point is MOUNT_ROOT/SET-INDEX.
 */
#ifndef HF_PROVIDER_MOUNTROOT_H
#define HF_PROVIDER_MOUNTROOT_H

#include "base/base.h"
#include "base/error.h"
#include "provider/provider.h"

/* The mount point's path. ERR_CONFIG if there is no mount root, or it is too long. */
CHECKED int mountroot_point(const struct snapshot *s, const struct provider_settings *settings,
			    char ret[SNAPSHOT_PATH_MAX], struct error *err);
/* Make the mark, in a mount root that is made if need be. ERR_EXISTS. */
CHECKED int mountroot_prepare(const struct snapshot *s, const struct provider_settings *settings,
			      struct error *err);
/* 1: there is a mark (*ret is what it says), 0: none; ERR_PERMISSION: none, but a mount point. */
CHECKED int mountroot_find(const struct snapshot *s, const struct provider_settings *settings,
			   struct snapshot *ret, struct error *err);
/* Make the mount point. */
CHECKED int mountroot_make_point(const char *point, struct error *err);
/* Whether something is mounted there; *ret_read_only whether that is read-only. */
bool mountroot_is_mounted(const char *point, bool *ret_read_only);
/* Unmount what is mounted there, waiting for readers that are just going. Nothing there is fine. */
CHECKED int mountroot_unmount(const char *point, struct error *err);
/* The snapshot is gone: remove mount point and mark. */
CHECKED int mountroot_forget(const struct snapshot *s, const struct provider_settings *settings,
			     struct error *err);
/* All marks of this provider. */
CHECKED int mountroot_each(const struct provider_settings *settings, const char *provider,
			   provider_each_fn *each, void *arg, struct error *err);

#endif
