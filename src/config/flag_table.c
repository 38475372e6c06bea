/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of flags. A new flag is a line in enum flag_id, an entry here, and its id in the list
 * of each command that takes it.
 */
#include "config/flag_table.h"

const enum flag_id flag_table_repository[] = {
	FLAG_REPOSITORY, FLAG_PASSWORD_FILE, FLAG_KEY_FILE, FLAG_CACHE_DIR, FLAG_NONE,
};

const enum flag_id flag_table_common[] = {
	FLAG_CONFIG, FLAG_OPTION, FLAG_JSON, FLAG_QUIET, FLAG_HELP, FLAG_NONE,
};

const struct flag flag_table[FLAG_COUNT] = {
	/* every command */
	[FLAG_CONFIG] = {"config", 0, FLAG_VALUE, "FILE", OPTION_NONE,
			 "read settings from FILE instead of /etc/holdfast/holdfast.conf"},
	[FLAG_OPTION] = {"option", 0, FLAG_LIST, "SECTION.KEY=VALUE", OPTION_NONE,
			 "set any setting of the configuration file"},
	[FLAG_JSON] = {"json", 0, FLAG_SWITCH, NULL, OPTION_OUTPUT_JSON,
		       "print JSON, one object a line"},
	[FLAG_QUIET] = {"quiet", 'q', FLAG_SWITCH, NULL, OPTION_OUTPUT_QUIET,
			"print results, warnings and errors only"},
	[FLAG_HELP] = {"help", 'h', FLAG_SWITCH, NULL, OPTION_NONE, "show this help"},

	/* commands on a repository */
	[FLAG_REPOSITORY] = {"repository", 'r', FLAG_VALUE, "REPO", OPTION_REPOSITORY_LOCATION,
			     "where the repository is"},
	[FLAG_PASSWORD_FILE] = {"password-file", 0, FLAG_VALUE, "FILE",
				OPTION_REPOSITORY_PASSWORD_FILE, "file that holds the password"},
	[FLAG_KEY_FILE] = {"key-file", 0, FLAG_VALUE, "FILE", OPTION_REPOSITORY_KEY_FILE,
			   "file with random bytes that opens the repository"},
	[FLAG_CACHE_DIR] = {"cache-dir", 0, FLAG_VALUE, "DIR", OPTION_REPOSITORY_CACHE_DIR,
			    "folder for the local copy of the index"},

	/* init, key add */
	[FLAG_LABEL] = {"label", 0, FLAG_VALUE, "TEXT", OPTION_NONE,
			"what 'key list' shows for the new key; default user@host"},
	[FLAG_NEW_PASSWORD_FILE] = {"new-password-file", 0, FLAG_VALUE, "FILE", OPTION_NONE,
				    "file that holds the new password"},
	[FLAG_NEW_KEY_FILE] = {"new-key-file", 0, FLAG_VALUE, "FILE", OPTION_NONE,
			       "new key file; made if it does not exist"},

	[FLAG_AGENT] =
		{"agent", 0, FLAG_VALUE, "URL", OPTION_NONE,
		 "the agent of another host: tls://HOST:PORT, unix:PATH or ssh://[USER@]HOST"},

	/* backup, plan */
	[FLAG_WRITER] = {"writer", 'w', FLAG_LIST, "NAME", OPTION_NONE,
			 "back up what the writer NAME offers, such as postgresql"},
	[FLAG_EXCLUDE] = {"exclude", 'x', FLAG_LIST, "PATTERN", OPTION_BACKUP_EXCLUDE,
			  "leave out what matches: the whole path if PATTERN has a '/', else the "
			  "name"},
	[FLAG_ONE_FILE_SYSTEM] = {"one-file-system", 0, FLAG_SWITCH, NULL,
				  OPTION_BACKUP_ONE_FILE_SYSTEM,
				  "stay on the file system of each PATH"},
	[FLAG_TAG] = {"tag", 't', FLAG_LIST, "WORD", OPTION_BACKUP_TAGS,
		      "mark the restore point with WORD"},
	[FLAG_BACKUP_HOST] = {"host", 0, FLAG_VALUE, "NAME", OPTION_BACKUP_HOST,
			      "host name to write into the restore point"},
	[FLAG_PROVIDER] = {"provider", 0, FLAG_VALUE, "NAME", OPTION_BACKUP_PROVIDER,
			   "what makes the snapshots: auto, btrfs, lvm, external, reflink, direct"},
	[FLAG_REQUIRE] = {"require", 0, FLAG_VALUE, "LEVEL", OPTION_BACKUP_REQUIRE,
			  "the least consistency that will do: application, crash or none"},
	[FLAG_AGENT_REPOSITORY] = {"agent-repository", 0, FLAG_VALUE, "REPO",
				   OPTION_BACKUP_AGENT_REPOSITORY,
				   "where the agent's host finds the repository by itself, and stores "
				   "its data"},
	[FLAG_AGENT_KEY_FILE] = {"agent-key-file", 0, FLAG_VALUE, "FILE",
				 OPTION_BACKUP_AGENT_KEY_FILE,
				 "key file on the agent's host that opens it"},
	[FLAG_SNAPSHOT_TIMEOUT] = {"snapshot-timeout", 0, FLAG_VALUE, "DURATION",
				   OPTION_BACKUP_SNAPSHOT_TIMEOUT,
				   "how long a snapshot is held without a sign of life"},
	[FLAG_FORCE_READ] = {"force-read", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			     "read every file, also where size and times say it did not change"},
	[FLAG_STATS] = {"stats", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			"print time and bytes of each stage at the end"},

	[FLAG_GROUP] = {"group", 0, FLAG_VALUE, "NAME", OPTION_NONE,
			"of the group NAME of the configuration, whichever copy that is"},
	[FLAG_BACKUP_TYPE] = {"type", 0, FLAG_VALUE, "TYPE", OPTION_BACKUP_TYPE,
			      "full, incremental, copy or log"},
	[FLAG_WAIT] = {"wait", 0, FLAG_SWITCH, NULL, OPTION_NONE,
		       "if another backup of the group is running, wait until it is done"},
	[FLAG_TRIES] = {"tries", 0, FLAG_VALUE, "N", OPTION_RETRY_TRIES,
			"try N times, if it fails of something that passes"},
	[FLAG_WAIT_BETWEEN] = {"wait-between", 0, FLAG_VALUE, "DURATION", OPTION_RETRY_WAIT,
			       "time between two tries"},

	/* list, forget */
	[FLAG_RECURSIVE] = {"recursive", 'R', FLAG_SWITCH, NULL, OPTION_NONE,
			    "list folders within folders, too"},
	[FLAG_WITH_HOST] = {"host", 0, FLAG_VALUE, "NAME", OPTION_NONE,
			    "only restore points of this host"},
	[FLAG_WITH_TAG] = {"tag", 't', FLAG_LIST, "WORD", OPTION_NONE,
			   "only restore points with this tag; given more than once, with any of "
			   "them"},

	/* restore */
	[FLAG_TO] = {"to", 0, FLAG_VALUE, "DIR", OPTION_NONE, "folder to restore into; required"},
	[FLAG_DELTA] = {"delta", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			"make DIR equal to the restore point: write what differs, remove what is "
			"extra"},
	[FLAG_OVERWRITE] = {"overwrite", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			    "write over what is in DIR and keep what is extra"},
	[FLAG_TABLESPACE_MAP] = {"tablespace-map", 'T', FLAG_LIST, "OLD=NEW", OPTION_NONE,
				 "restore the tablespace that lay in OLD into NEW"},
	[FLAG_TARGET_TIME] = {"target-time", 0, FLAG_VALUE, "TIME", OPTION_NONE,
			      "a database as it was at TIME, such as '2026-11-22 14:25:06.5+01:00': "
			      "with everything committed until then, and nothing later"},
	[FLAG_TARGET_LSN] = {"target-lsn", 0, FLAG_VALUE, "LSN", OPTION_NONE,
			     "a database as it was at a position of its log: with everything before "
			     "it"},
	[FLAG_TARGET_NAME] = {"target-name", 0, FLAG_VALUE, "NAME", OPTION_NONE,
			      "a database as it was when pg_create_restore_point() gave NAME"},
	[FLAG_TARGET_END] = {"target-end", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			     "a database as far as its logs go"},
	[FLAG_TARGET_TIMELINE] = {"target-timeline", 0, FLAG_VALUE, "N", OPTION_NONE,
				  "along this timeline instead of the newest"},
	[FLAG_LOGS_OF_GROUP] = {"group", 0, FLAG_VALUE, "NAME", OPTION_NONE,
				"the group whose logs are meant, if there are several"},

	/* verify */
	[FLAG_STORED] = {"stored", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			 "also check that every stored file has the bytes it should have"},
	[FLAG_READ_DATA] = {"read-data", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			    "read, decrypt and check every byte"},

	/* forget, prune */
	[FLAG_KEEP_LAST] = {"keep-last", 0, FLAG_VALUE, "N", OPTION_FORGET_KEEP_LAST,
			    "keep the newest N"},
	[FLAG_KEEP_DAILY] = {"keep-daily", 0, FLAG_VALUE, "N", OPTION_FORGET_KEEP_DAILY,
			     "keep the newest of each of the last N days that have one"},
	[FLAG_KEEP_WEEKLY] = {"keep-weekly", 0, FLAG_VALUE, "N", OPTION_FORGET_KEEP_WEEKLY,
			      "the same for weeks"},
	[FLAG_KEEP_MONTHLY] = {"keep-monthly", 0, FLAG_VALUE, "N", OPTION_FORGET_KEEP_MONTHLY,
			       "the same for months"},
	[FLAG_KEEP_YEARLY] = {"keep-yearly", 0, FLAG_VALUE, "N", OPTION_FORGET_KEEP_YEARLY,
			      "the same for years"},
	[FLAG_KEEP_WITHIN] = {"keep-within", 0, FLAG_VALUE, "DURATION", OPTION_FORGET_KEEP_WITHIN,
			      "keep what is at most DURATION older than the newest"},
	[FLAG_DRY_RUN] = {"dry-run", 'n', FLAG_SWITCH, NULL, OPTION_NONE,
			  "say what would be done, and do nothing"},
	[FLAG_FORCE] = {"force", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			"forget logs, too, that backups need which stay"},
	[FLAG_PRUNE] = {"prune", 0, FLAG_SWITCH, NULL, OPTION_NONE, "run 'prune' afterwards"},
	[FLAG_GRACE] = {"grace", 0, FLAG_VALUE, "DURATION", OPTION_PRUNE_GRACE,
			"time between marking data as unused and deleting it"},

	[FLAG_ALLOW_EMPTY] = {"allow-empty", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			      "prune even if there is no restore point at all, which gives back "
			      "everything"},

	/* release, events, test */
	[FLAG_LEFTOVERS] = {"leftovers", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			    "remove what backups that were interrupted have left"},
	[FLAG_JOB] = {"job", 0, FLAG_VALUE, "JOB", OPTION_NONE,
		      "only of this job: its id, the beginning of its id, or 'latest'"},
	[FLAG_SINCE] = {"since", 0, FLAG_VALUE, "TIME", OPTION_NONE,
			"only from then on: '2h' ago, or a local time as '2026-11-22 14:25'"},
	[FLAG_LEVEL] = {"level", 0, FLAG_VALUE, "LEVEL", OPTION_NONE,
			"only these and more serious ones: error, warning, notice, info"},
	[FLAG_FOLLOW] = {"follow", 'f', FLAG_SWITCH, NULL, OPTION_NONE,
			 "go on, and show events as they come"},
	[FLAG_UNTIL] = {"until", 0, FLAG_VALUE, "STEP", OPTION_NONE,
			"stop after this step: gather, prepare, create, hold, finish or complete"},
	[FLAG_NO_COMPLETE] = {"no-complete", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			      "leave out BackupComplete: logs must then not be released"},
	[FLAG_NO_KEEP_ALIVE] = {"no-keep-alive", 0, FLAG_SWITCH, NULL, OPTION_NONE,
				"send no keep-alives: the snapshot must then be let go"},
	[FLAG_HOLD] = {"hold", 0, FLAG_VALUE, "DURATION", OPTION_NONE,
		       "hold the snapshot for so long"},
	[FLAG_TYPE] = {"type", 0, FLAG_VALUE, "TYPE", OPTION_NONE,
		       "what the writers are told: full, copy, incremental, differential or log"},

	/* config show */
	[FLAG_LISTEN] = {"listen", 0, FLAG_LIST, "WHERE", OPTION_AGENT_LISTEN,
			 "where to listen: unix:PATH or tls://ADDRESS:PORT"},
	[FLAG_EXIT_IDLE] = {"exit-idle", 0, FLAG_VALUE, "DURATION", OPTION_AGENT_EXIT_IDLE,
			    "end after so long without a connection and without a job"},
	[FLAG_CODE] = {"code", 0, FLAG_VALUE, "CODE", OPTION_NONE,
		       "the one-time code that the guest shows"},
	[FLAG_LIST_PEERS] = {"list", 0, FLAG_SWITCH, NULL, OPTION_NONE, "list who is enrolled"},
	[FLAG_REVOKE] = {"revoke", 0, FLAG_VALUE, "NAME", OPTION_NONE,
			 "forget a requester or an agent: by name, host, or the beginning of its "
			 "certificate's fingerprint"},

	/* group status */
	[FLAG_WATCH] = {"watch", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			"go on, and look again and again"},
	[FLAG_INTERVAL] = {"interval", 0, FLAG_VALUE, "DURATION", OPTION_NONE,
			   "time between two looks of --watch, 2s by default"},
	[FLAG_DROP_SLOTS] = {"drop-slots", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			     "end copying for good: drop the copier's slots on every copy, and nothing "
			     "else"},

	/* group truncate */
	[FLAG_EXPLAIN] = {"explain", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			  "show who needs which logs and what would be let go of, and do nothing"},

	[FLAG_EFFECTIVE] = {"effective", 0, FLAG_SWITCH, NULL, OPTION_NONE,
			    "show every setting, not only those that were set"},

	/* help */
	[FLAG_MAN] =
		{"man", 0, FLAG_SWITCH, NULL, OPTION_NONE,
		 "print the manual page (mdoc) of holdfast, of a command, or of holdfast.conf"},
	[FLAG_COMPLETION] = {"completion", 0, FLAG_VALUE, "SHELL", OPTION_NONE,
			     "print the completion script for SHELL (bash)"},
	[FLAG_WRITE_DOCS] =
		{"write-docs", 0, FLAG_VALUE, "DIR", OPTION_NONE,
		 "write all manual pages, the completion script and errors.md and events.md into DIR"},
};
