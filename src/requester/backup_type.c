/* SPDX-License-Identifier: Apache-2.0 */

/* Types of backups: names, refusals, and what an incremental one goes on from. */
#include "requester/backup_type.h"

#include <string.h>
#include <strings.h>

static const char *const names[] = {
	[BACKUP_FULL] = "full",
	[BACKUP_INCREMENTAL] = "incremental",
	[BACKUP_DIFFERENTIAL] = "differential",
	[BACKUP_LOG] = "log",
	[BACKUP_COPY] = "copy",
};

const char *
backup_type_name(enum backup_type type)
{
	return names[type];
}

static bool
find(const char *name, enum backup_type *ret)
{
	for (size_t i = BACKUP_FULL; i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(names[i], name) == 0) {
			*ret = (enum backup_type)i;
			return true;
		}
	}
	return false;
}

int
backup_type_find(const char *name, enum backup_type *ret, struct error *err)
{
	if (find(name, ret))
		return OK;
	(void)error_set(err, ERR_BACKUP_TYPE, "there is no type of backup '%.32s'", name);
	return error_hint(err, "types are full, incremental, log and copy");
}

int
backup_type_check(enum backup_type type, bool group, struct error *err)
{
	switch (type) {
	case BACKUP_DIFFERENTIAL:
		(void)error_set(
			err, ERR_BACKUP_TYPE,
			"a backup of type 'differential' would be an 'incremental' one "
			"under another name: every restore point here is complete, and none needs "
			"another one to be restored");
		return error_hint(err, "ask for 'incremental', or 'copy' to leave the history "
				       "alone");
	case BACKUP_LOG:
		if (group)
			return OK;
		(void)error_set(err, ERR_BACKUP_TYPE,
				"a backup of type 'log' is made of a group only");
		return error_hint(err, "give --group NAME; a group may be of a single copy");
	default:
		return OK;
	}
}

bool
backup_type_truncates(enum backup_type type)
{
	return type == BACKUP_FULL || type == BACKUP_INCREMENTAL || type == BACKUP_LOG;
}

bool
backup_type_of(const struct point *p, enum backup_type *ret)
{
	const char *name = json_string_value(json_object_get(p->json, "type"));

	return find(name != NULL ? name : "full", ret);
}

/* "postgresql" and "postgresql:NAME" are both of the writer postgresql. */
static bool
has_root_of(const struct point *p, const char *writer)
{
	size_t n = strlen(writer);

	for (size_t i = 0; i < p->n_roots; i++) {
		const char *name = p->roots[i].name;

		if (strncmp(name, writer, n) == 0 && (name[n] == '\0' || name[n] == ':'))
			return true;
	}
	return false;
}

static bool
has_all(const struct point *p, const char *const *writers, size_t n, bool folders)
{
	for (size_t i = 0; i < n; i++)
		if (!has_root_of(p, writers[i]))
			return false;
	return !folders || point_find_root(p, "") != NULL;
}

const struct point *
backup_type_base(const struct point_list *l, const char *host, const char *const *writers,
		 size_t n_writers, bool folders)
{
	for (size_t i = l->n; i-- > 0;) {
		const struct point *p = l->points[i];
		enum backup_type type;

		if (strcmp(p->host, host) == 0 && !p->incomplete && backup_type_of(p, &type) &&
		    (type == BACKUP_FULL || type == BACKUP_INCREMENTAL) &&
		    has_all(p, writers, n_writers, folders))
			return p;
	}
	return NULL;
}

/* What tells one database from another; NULL: it does not say. */
static const char *
identity_of(const json_t *component)
{
	return json_string_value(json_object_get(component, "system_identifier"));
}

int
backup_type_same(const struct point *base, const json_t *roots, struct error *err)
{
	const json_t *root;
	size_t i;

	json_array_foreach(roots, i, root)
	{
		const char *name = json_string_value(json_object_get(root, "name"));
		const char *now = identity_of(json_object_get(root, "component"));
		const struct point_root *before = name != NULL ? point_find_root(base, name) : NULL;
		const char *was = before != NULL ? identity_of(before->component) : NULL;

		if (now == NULL || was == NULL || strcmp(now, was) == 0)
			continue;
		(void)error_set(err, ERR_BACKUP_TYPE,
				"'%s' is not the database that restore point %.8s is of: its "
				"identifier was %.32s and is %.32s",
				name, base->id_text, was, now);
		return error_hint(err, "make a full backup: it begins a history of this database");
	}
	return OK;
}
