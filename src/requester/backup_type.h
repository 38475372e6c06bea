/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Types of backups, with the meaning they have in VSS:
 *
 *	type		begins or goes on a history	lets go of logs
 *	full		begins one			yes
 *	incremental	goes on one			yes
 *	copy		no				never
 *	log		no: logs only, no snapshot	yes
 *	differential	(refused: see backup_type_check())
 *
 * Every restore point stands alone, whatever its type: an incremental one is complete, only what changed was
 * read and stored for it. So a type says what becomes of the history and the logs, not what is in the point.
 * A type that cannot be had is refused; VSS would make a full backup of it. Pure.
 */
#ifndef HF_REQUESTER_BACKUP_TYPE_H
#define HF_REQUESTER_BACKUP_TYPE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "repo/point.h"

enum backup_type {
	BACKUP_FULL = 1,
	BACKUP_INCREMENTAL,
	BACKUP_DIFFERENTIAL,
	BACKUP_LOG,
	BACKUP_COPY,
};

const char *backup_type_name(enum backup_type type); /* "full" */
/* By name, in small letters or capitals. ERR_BACKUP_TYPE: there is none of that name. */
CHECKED int backup_type_find(const char *name, enum backup_type *ret, struct error *err);
/* Can it be made at all? ERR_BACKUP_TYPE with the reason. group: of a group, else of this or another host. */
CHECKED int backup_type_check(enum backup_type type, bool group, struct error *err);
/* Does it let go of logs, once its restore point is verified? */
bool backup_type_truncates(enum backup_type type);

/* Of a restore point. One of before there were types is a full one. false: of a type that is not known here. */
bool backup_type_of(const struct point *p, enum backup_type *ret);

/*
 * What an incremental backup goes on from: the newest restore point of this host that is full or incremental, is
 * complete, and has the root of every writer (and of folders, if `folders`). NULL: there is none. The list is
 * oldest first; the result lives as long as it.
 */
const struct point *backup_type_base(const struct point_list *l, const char *host,
				     const char *const *writers, size_t n_writers, bool folders);
/* The same database as in the base? `roots` as task.h has them. ERR_BACKUP_TYPE if not. */
CHECKED int backup_type_same(const struct point *base, const json_t *roots, struct error *err);

#endif
