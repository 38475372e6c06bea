/* SPDX-License-Identifier: Apache-2.0 */

/* lvm2's programs, and the one thing that cannot wait for a program. For lvm.c. */
#ifndef HF_PROVIDER_LVM_TOOLS_H
#define HF_PROVIDER_LVM_TOOLS_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "provider/snapshot.h"

enum { LVM_NAME_MAX = 128, LVM_TYPE_MAX = 32 };

/* What prepare finds out, kept in snapshot.detail as "VG/LV KIND FSTYPE". */
struct lvm_origin {
	char vg[LVM_NAME_MAX];
	char lv[LVM_NAME_MAX];
	bool thin;
	uint64_t snapshot_bytes; /* of a classic one */
	char type[LVM_TYPE_MAX]; /* of the file system */
};

/* The volume behind this device node. bytes 0: a tenth of it. */
CHECKED int lvm_tools_origin(const char *device, uint64_t snapshot_bytes, struct lvm_origin *ret,
			     struct error *err);
/* To and from the text in a snapshot. */
CHECKED int lvm_tools_pack(const struct lvm_origin *o, struct snapshot *s, struct error *err);
bool lvm_tools_unpack(const struct snapshot *s, struct lvm_origin *ret);

CHECKED int lvm_tools_create(const struct lvm_origin *o, const struct snapshot *s, const char *root,
			     uint64_t deadline_ns, struct error *err);
CHECKED int lvm_tools_activate(const char *vg, const struct snapshot *s, struct error *err);
/* 1: there is a volume of the snapshot's name and it carries our tag; 0 there is none;
 * ERR_PERMISSION: not ours. */
CHECKED int lvm_tools_find(const struct snapshot *s, char ret_vg[LVM_NAME_MAX], struct error *err);
CHECKED int lvm_tools_remove(const char *vg, const struct snapshot *s, struct error *err);
/* How full it is, in hundredths of a percent, of how many bytes. */
CHECKED int lvm_tools_usage(const char *vg, const char *lv, uint64_t *ret_used, uint64_t *ret_bytes,
			    struct error *err);
/* Call for each volume that was tagged with this mount root. */
typedef int lvm_tools_each_fn(const struct snapshot *s, void *arg, struct error *err);
CHECKED int lvm_tools_each(const char *root, lvm_tools_each_fn *each, void *arg, struct error *err);

/* An lvcreate that was ended in its midst may have left its origin suspended, and whoever writes to it
 * waiting: let it go on. By ioctl, as programs may lie on that very volume. */
void lvm_tools_resume(const struct lvm_origin *o);

#endif
