/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Every command and flag of Holdfast, once: command_table.c and flag_table.c. The parser
 * (invocation.h), "help", the manual pages and the shell completion come from these tables.
 *
 * A flag may stand for a setting (option.h): then giving it sets that one, and its value is checked
 * like any other source's.
 */
#ifndef HF_CONFIG_COMMAND_H
#define HF_CONFIG_COMMAND_H

#include <stdbool.h>

#include "base/base.h"
#include "config/option.h"

enum command_id {
	COMMAND_NONE = 0,
	COMMAND_INIT,
	COMMAND_BACKUP,
	COMMAND_LIST,
	COMMAND_RESTORE,
	COMMAND_VERIFY,
	COMMAND_FORGET,
	COMMAND_PRUNE,
	COMMAND_KEY_ADD,
	COMMAND_KEY_LIST,
	COMMAND_KEY_REMOVE,
	COMMAND_STATS,
	COMMAND_PLAN,
	COMMAND_WRITERS,
	COMMAND_SNAPSHOTS,
	COMMAND_RELEASE,
	COMMAND_TEST,
	COMMAND_EVENTS,
	COMMAND_EXPLAIN,
	COMMAND_AGENT,
	COMMAND_AGENT_ENROLL,
	COMMAND_GROUP_STATUS,
	COMMAND_GROUP_TRUNCATE,
	COMMAND_LOG_COPIER,
	COMMAND_CONFIG_SHOW,
	COMMAND_VERSION,
	COMMAND_HELP,
	COMMAND_COUNT,
};

enum flag_id {
	FLAG_NONE = 0,
	/* every command */
	FLAG_CONFIG,
	FLAG_OPTION,
	FLAG_JSON,
	FLAG_QUIET,
	FLAG_HELP,
	/* commands on a repository */
	FLAG_REPOSITORY,
	FLAG_PASSWORD_FILE,
	FLAG_KEY_FILE,
	FLAG_CACHE_DIR,
	/* of single commands */
	FLAG_LABEL,
	FLAG_AGENT,
	FLAG_WRITER,
	FLAG_EXCLUDE,
	FLAG_ONE_FILE_SYSTEM,
	FLAG_TAG,
	FLAG_BACKUP_HOST,
	FLAG_PROVIDER,
	FLAG_REQUIRE,
	FLAG_SNAPSHOT_TIMEOUT,
	FLAG_FORCE_READ,
	FLAG_STATS,
	FLAG_GROUP,
	FLAG_AGENT_REPOSITORY,
	FLAG_AGENT_KEY_FILE,
	FLAG_BACKUP_TYPE,
	FLAG_WAIT,
	FLAG_TRIES,
	FLAG_WAIT_BETWEEN,
	FLAG_RECURSIVE,
	FLAG_WITH_HOST,
	FLAG_WITH_TAG,
	FLAG_TO,
	FLAG_DELTA,
	FLAG_OVERWRITE,
	FLAG_TABLESPACE_MAP,
	FLAG_TARGET_TIME,
	FLAG_TARGET_LSN,
	FLAG_TARGET_NAME,
	FLAG_TARGET_END,
	FLAG_TARGET_TIMELINE,
	FLAG_LOGS_OF_GROUP,
	FLAG_STORED,
	FLAG_READ_DATA,
	FLAG_KEEP_LAST,
	FLAG_KEEP_DAILY,
	FLAG_KEEP_WEEKLY,
	FLAG_KEEP_MONTHLY,
	FLAG_KEEP_YEARLY,
	FLAG_KEEP_WITHIN,
	FLAG_DRY_RUN,
	FLAG_FORCE,
	FLAG_PRUNE,
	FLAG_GRACE,
	FLAG_ALLOW_EMPTY,
	FLAG_NEW_PASSWORD_FILE,
	FLAG_NEW_KEY_FILE,
	FLAG_LEFTOVERS,
	FLAG_JOB,
	FLAG_SINCE,
	FLAG_LEVEL,
	FLAG_FOLLOW,
	FLAG_UNTIL,
	FLAG_NO_COMPLETE,
	FLAG_NO_KEEP_ALIVE,
	FLAG_HOLD,
	FLAG_TYPE,
	FLAG_LISTEN,
	FLAG_EXIT_IDLE,
	FLAG_CODE,
	FLAG_LIST_PEERS,
	FLAG_REVOKE,
	FLAG_WATCH,
	FLAG_INTERVAL,
	FLAG_EXPLAIN,
	FLAG_DROP_SLOTS,
	FLAG_EFFECTIVE,
	FLAG_MAN,
	FLAG_COMPLETION,
	FLAG_WRITE_DOCS,
	FLAG_COUNT,
};

enum flag_kind {
	FLAG_SWITCH = 1, /* takes no value */
	FLAG_VALUE, /* takes one; may be given once */
	FLAG_LIST, /* takes one; may be given several times */
};

struct flag {
	const char *name; /* without its two dashes */
	char letter; /* 0: none */
	enum flag_kind kind;
	const char *value; /* what the value is called in help */
	enum option_id option; /* OPTION_NONE: not a setting */
	const char *help; /* lower case, without its full stop */
};

struct operands {
	const char *name; /* as shown, "PATH..."; NULL: the command takes none */
	unsigned min, max;
	const char *help;
};

struct example {
	const char *command;
	const char *what;
};

struct exit_note {
	int code;
	const char *meaning;
};

enum { COMMAND_FLAGS_MAX = 24, COMMAND_EXAMPLES_MAX = 8, COMMAND_EXITS_MAX = 4 };

struct command {
	const char *name; /* one word or two: "key add" */
	const char *summary; /* lower case, without its full stop */
	const char *text; /* paragraphs, separated by an empty line */
	struct operands operands;
	bool repository; /* takes the flags of commands on a repository */
	enum flag_id flags[COMMAND_FLAGS_MAX]; /* its own; ends with FLAG_NONE */
	struct example examples[COMMAND_EXAMPLES_MAX];
	struct exit_note exits[COMMAND_EXITS_MAX]; /* beyond those every command has */
};

/* NULL for COMMAND_NONE and beyond the end. */
const struct command *command_of(enum command_id id);
enum command_id command_id_of(const struct command *command);
/* By whole name, "key add". NULL if there is none. */
const struct command *command_find(const char *name);
/* Is this the first word of commands of two words ("key")? */
bool command_is_group(const char *word);
/* The command name most like this one; NULL if none is. */
const char *command_nearest(const char *name);

const struct flag *command_flag(enum flag_id id);
/* The n-th flag the command takes, from 0: its own, then those on a repository, then those of every
 * command. FLAG_NONE past the end. A NULL command takes the last two groups. */
enum flag_id command_flag_at(const struct command *command, size_t n);

/* The n-th exit code from 0, in rising order, those every command has included; false at the
 * end. */
bool command_exit_at(const struct command *command, size_t n, struct exit_note *ret);

#endif
