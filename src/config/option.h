/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every setting of Holdfast, once: option_table.c. The configuration file, the environment,
 * --option, the dedicated flags, "config show" and the page holdfast.conf(5) all come from that
 * table.
 *
 * A setting is called SECTION.KEY; sections may have a dot ("writer.postgresql"), keys have none.
 */
#ifndef HF_CONFIG_OPTION_H
#define HF_CONFIG_OPTION_H

#include <stdbool.h>

#include "base/base.h"

enum option_id {
	OPTION_NONE = 0,
	OPTION_REPOSITORY_LOCATION,
	OPTION_REPOSITORY_PASSWORD_FILE,
	OPTION_REPOSITORY_KEY_FILE,
	OPTION_REPOSITORY_CACHE_DIR,
	OPTION_BACKUP_HOST,
	OPTION_BACKUP_TAGS,
	OPTION_BACKUP_EXCLUDE,
	OPTION_BACKUP_ONE_FILE_SYSTEM,
	OPTION_BACKUP_WORKERS,
	OPTION_BACKUP_MEMORY_LIMIT,
	OPTION_BACKUP_COMPRESSION_LEVEL,
	OPTION_BACKUP_COMPRESSION_LEVEL_PAGES,
	OPTION_BACKUP_PACK_SIZE,
	OPTION_BACKUP_PROVIDER,
	OPTION_BACKUP_REQUIRE,
	OPTION_BACKUP_SNAPSHOT_TIMEOUT,
	OPTION_BACKUP_FREEZE_LIMIT,
	OPTION_BACKUP_AGENT_REPOSITORY,
	OPTION_BACKUP_AGENT_KEY_FILE,
	OPTION_BACKUP_TYPE,
	OPTION_RETRY_TRIES,
	OPTION_RETRY_WAIT,
	OPTION_RESTORE_WORKERS,
	OPTION_AGENT_STATE_DIR,
	OPTION_AGENT_LISTEN,
	OPTION_AGENT_GROUP,
	OPTION_AGENT_MAX_CONNECTIONS,
	OPTION_AGENT_MAX_JOBS,
	OPTION_AGENT_EXIT_IDLE,
	OPTION_EXTERNAL_CREATE,
	OPTION_EXTERNAL_EXPOSE,
	OPTION_EXTERNAL_REMOVE,
	OPTION_EXTERNAL_TIMEOUT,
	OPTION_EXTERNAL_FREEZE,
	OPTION_LVM_SNAPSHOT_SIZE,
	OPTION_SPACE_MIN_FREE,
	OPTION_SPACE_MIN_FREE_PERCENT,
	OPTION_WRITER_DIR,
	OPTION_WRITER_TIMEOUT,
	OPTION_POSTGRESQL_HOST,
	OPTION_POSTGRESQL_PORT,
	OPTION_POSTGRESQL_USER,
	OPTION_POSTGRESQL_DATABASE,
	OPTION_POSTGRESQL_PASSFILE,
	OPTION_POSTGRESQL_OS_USER,
	OPTION_POSTGRESQL_CONNECT_TIMEOUT,
	OPTION_LOG_COPIER_INTERVAL,
	OPTION_LOG_COPIER_POINT_TIME,
	OPTION_LOG_COPIER_POINT_FILES,
	OPTION_LOG_COPIER_SPOOL_MAX,
	OPTION_LOG_COPIER_SLOTS_ON_PASSIVE,
	OPTION_SSH_PROGRAM,
	OPTION_SSH_CONFIG,
	OPTION_SSH_IDLE,
	OPTION_SSH_TIMEOUT,
	OPTION_FORGET_KEEP_LAST,
	OPTION_FORGET_KEEP_DAILY,
	OPTION_FORGET_KEEP_WEEKLY,
	OPTION_FORGET_KEEP_MONTHLY,
	OPTION_FORGET_KEEP_YEARLY,
	OPTION_FORGET_KEEP_WITHIN,
	OPTION_PRUNE_GRACE,
	OPTION_PRUNE_REPACK_PERCENT,
	OPTION_OUTPUT_JSON,
	OPTION_OUTPUT_QUIET,
	OPTION_OUTPUT_PROGRESS,
	OPTION_COUNT,
};

enum option_type {
	OPTION_TYPE_BOOL = 1,
	OPTION_TYPE_NUMBER,
	OPTION_TYPE_SIZE, /* value in bytes */
	OPTION_TYPE_DURATION, /* value in seconds */
	OPTION_TYPE_DURATION_MS, /* value in milliseconds */
	OPTION_TYPE_STRING,
	OPTION_TYPE_PATH,
	OPTION_TYPE_CHOICE,
	OPTION_TYPE_LIST, /* strings; may be given several times */
};

struct option_def {
	const char *section;
	const char *key;
	const char *alias; /* the key by a name that administrators know from elsewhere; or NULL */
	enum option_type type;
	const char *unit; /* of a NUMBER: "threads"; "" none */
	uint64_t min, max; /* NUMBER, SIZE, both DURATIONs; max 0: no bound */
	const char *fallback; /* default; "" unset */
	const char
		*fallback_note; /* when it depends on the machine: what it is, in words; or NULL */
	const char *const *choices; /* CHOICE: NULL-terminated */
	bool secret; /* never shown */
	const char *env; /* variable of its own; NULL: HOLDFAST_SECTION_KEY only */
	const char *since;
	const char *help; /* a sentence without its full stop, lower case */
	const char *text; /* more of it, or "" */
};

struct option_section {
	const char *name;
	const char *help;
};

/* NULL for OPTION_NONE and beyond the end. */
const struct option_def *option_of(enum option_id id);
enum option_id option_id_of(const struct option_def *option);
/* By "SECTION.KEY" split at the last dot; NULL if there is none. */
const struct option_def *option_find(const char *section, const char *key);
/* Is this key its alias? */
bool option_is_alias(const struct option_def *option, const char *key);
/* The known setting "SECTION.KEY" most like this one, into text; NULL if none is like it. */
const char *option_nearest(const char *section, const char *key, char *text, size_t size);
/* The n-th section from 0, in the order of the table; NULL past the end. */
const struct option_section *option_section_at(size_t n);

/* The variable that always works: "HOLDFAST_WRITER_POSTGRESQL_PORT". Returns text. */
char *option_env(const struct option_def *option, char *text, size_t size);
/* "bytes", "seconds", "threads", or "". */
const char *option_unit(const struct option_def *option);
const char *option_type_name(enum option_type type);

#endif
