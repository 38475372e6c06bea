/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of settings. A new setting is a line in enum option_id and an entry here; everything
 * else (parsing, range checks, help, manual page) follows from it.
 */
#include "config/option_table.h"

#define S(n) (UINT64_C(n))
#define KIB(n) (S(n) << 10)
#define MIB(n) (S(n) << 20)
#define GIB(n) (S(n) << 30)
#define HOURS(n) (S(n) * 3600)
#define DAYS(n) (S(n) * 24 * 3600)

static const char *const provider_choices[] = {"auto", "btrfs",  "lvm", "external",
					       "reflink", "direct", NULL};
static const char *const require_choices[] = {"auto", "application", "crash", "none", NULL};
static const char *const progress_choices[] = {"auto", "always", "never", NULL};

const struct option_section option_table_sections[] = {
	{"repository", "Where backups are kept, and what opens them."},
	{"backup", "How a backup is made."},
	{"retry", "How a backup is repeated that failed of something that passes."},
	{"restore", "How a restore is done."},
	{"agent", "The protected host's side of a backup."},
	{"provider.external", "Snapshots made by commands of your own: of a disk array, a cloud, a "
			      "hypervisor. See doc/providers.md."},
	{"provider.lvm", "Snapshots made by LVM."},
	{"space", "When snapshots are given up to save the running system."},
	{"writer", "The programs that bring databases to a consistent point."},
	{"writer.postgresql", "How the PostgreSQL writer finds and enters the database."},
	{"log_copier", "How 'holdfast log-copier' brings the logs of a group into the repository."},
	{"ssh", "How a guest is reached that has no agent of its own (--agent ssh://HOST)."},
	{"forget", "Which restore points 'holdfast forget' keeps. A point is kept if any rule keeps "
		   "it; rules given on the command line are added to these."},
	{"prune", "How storage is given back."},
	{"output", "What is printed."},
	{NULL, NULL},
};

const struct option_def option_table[OPTION_COUNT] = {
	[OPTION_REPOSITORY_LOCATION] = {
		.section = "repository", .key = "location", .type = OPTION_TYPE_STRING,
		.fallback = "", .env = "HOLDFAST_REPOSITORY", .since = "0.1.0",
		.help = "where the repository is",
		.text = "A folder: '/path', './path' or 'dir:/path'.",
	},
	[OPTION_REPOSITORY_PASSWORD_FILE] = {
		.section = "repository", .key = "password_file", .type = OPTION_TYPE_PATH,
		.fallback = "", .env = "HOLDFAST_PASSWORD_FILE", .since = "0.1.0",
		.help = "file that holds the password of the repository, and nothing else",
		.text = "Keep it readable by its owner only. Without it and without a key file the "
			"password is asked for on the terminal.",
	},
	[OPTION_REPOSITORY_KEY_FILE] = {
		.section = "repository", .key = "key_file", .type = OPTION_TYPE_PATH,
		.fallback = "", .env = "HOLDFAST_KEY_FILE", .since = "0.1.0",
		.help = "file with at least 32 random bytes that opens the repository",
		.text = "Opens at once, where a password takes a moment by design. Goes before a "
			"password file when both are set. Keep a copy of it elsewhere: without any key "
			"the repository cannot be read by anyone.",
	},
	[OPTION_REPOSITORY_CACHE_DIR] = {
		.section = "repository", .key = "cache_dir", .type = OPTION_TYPE_PATH,
		.fallback = "",
		.fallback_note = "/var/cache/holdfast for root, else $XDG_CACHE_HOME/holdfast or "
				 "~/.cache/holdfast",
		.env = "HOLDFAST_CACHE_DIR", .since = "0.1.0",
		.help = "folder for the local copy of the index",
		.text = "It can be deleted at any time and is built again from the repository.",
	},
	[OPTION_BACKUP_HOST] = {
		.section = "backup", .key = "host", .type = OPTION_TYPE_STRING,
		.fallback = "", .fallback_note = "this machine's host name", .since = "0.1.0",
		.help = "host name to write into restore points",
		.text = "A backup compares with the last restore point of the same host.",
	},
	[OPTION_BACKUP_TAGS] = {
		.section = "backup", .key = "tags", .type = OPTION_TYPE_LIST,
		.fallback = "", .since = "0.1.0",
		.help = "word to mark the restore point with, for 'list' and 'forget'",
		.text = "",
	},
	[OPTION_BACKUP_EXCLUDE] = {
		.section = "backup", .key = "exclude", .type = OPTION_TYPE_LIST,
		.fallback = "", .since = "0.1.0",
		.help = "files and folders to leave out, as a shell pattern",
		.text = "A pattern with '/' is matched against the whole path, any other against the "
			"name alone. What a writer backs up is not affected.",
	},
	[OPTION_BACKUP_ONE_FILE_SYSTEM] = {
		.section = "backup", .key = "one_file_system", .type = OPTION_TYPE_BOOL,
		.fallback = "no", .since = "0.1.0",
		.help = "stay on the file system of each given path",
		.text = "Mount points below it are backed up as empty folders.",
	},
	[OPTION_BACKUP_WORKERS] = {
		.section = "backup", .key = "workers", .type = OPTION_TYPE_NUMBER, .unit = "threads",
		.min = 0, .max = 256, .fallback = "0", .since = "0.1.0",
		.help = "threads that read, compress and encrypt",
		.text = "0: one for each processor, and two more to keep the disk busy.",
	},
	[OPTION_BACKUP_MEMORY_LIMIT] = {
		.section = "backup", .key = "memory_limit", .type = OPTION_TYPE_SIZE,
		.min = MIB(32), .max = GIB(64), .fallback = "128MiB", .since = "0.1.0",
		.help = "memory a backup may use for its data",
		.text = "Does not grow with the repository or with the size of files.",
	},
	[OPTION_BACKUP_COMPRESSION_LEVEL] = {
		.section = "backup", .key = "compression_level", .type = OPTION_TYPE_NUMBER,
		.unit = "", .min = 1, .max = 19, .fallback = "3", .since = "0.1.0",
		.help = "zstd level for files",
		.text = "Higher is smaller and slower.",
	},
	[OPTION_BACKUP_COMPRESSION_LEVEL_PAGES] = {
		.section = "backup", .key = "compression_level_pages", .type = OPTION_TYPE_NUMBER,
		.unit = "", .min = 1, .max = 19, .fallback = "1", .since = "0.1.0",
		.help = "zstd level for database pages",
		.text = "Level 1 is the fastest and, on database pages, usually also smaller than 3.",
	},
	[OPTION_BACKUP_PACK_SIZE] = {
		.section = "backup", .key = "pack_size", .type = OPTION_TYPE_SIZE,
		.min = MIB(1), .max = MIB(512), .fallback = "64MiB", .since = "0.1.0",
		.help = "size at which a file in the repository is closed and the next begun",
		.text = "",
	},
	[OPTION_BACKUP_PROVIDER] = {
		.section = "backup", .key = "provider", .type = OPTION_TYPE_CHOICE,
		.choices = provider_choices, .fallback = "auto", .since = "0.2.0",
		.help = "what makes the snapshots that are read",
		.text = "auto: for each path the one that promises most; 'holdfast plan' shows which, and "
			"why. Any other is used for everything; a path it cannot serve fails the "
			"backup before it begins. direct: no snapshot, the live files are read.",
	},
	[OPTION_BACKUP_REQUIRE] = {
		.section = "backup", .key = "require", .type = OPTION_TYPE_CHOICE,
		.choices = require_choices, .fallback = "auto", .since = "0.2.0",
		.help = "the least consistency that will do",
		.text = "auto: 'application' of what writers back up, of plain folders what can be had. "
			"application: that, and of plain folders at least one instant ('crash'), which "
			"is the most they can have. crash: at least one instant of everything. none: "
			"anything. What cannot give it is refused before anything is frozen; if it is "
			"lost on the way the restore point is made all the same, says so, and the exit "
			"code is 3.",
	},
	[OPTION_BACKUP_SNAPSHOT_TIMEOUT] = {
		.section = "backup", .key = "snapshot_timeout", .alias = "VSSGuestSnapshotTimeout",
		.type = OPTION_TYPE_DURATION, .min = 1, .max = DAYS(1), .fallback = "20m",
		.since = "0.2.0",
		.help = "how long a snapshot is held without a sign of life from the backup",
		.text = "Read at the start of each backup, which then gives a sign of life ten times as "
			"often. When none comes for this long the protected host lets go of the snapshot "
			"by itself, and the backup fails with 0x800401fd. Raise it if the network is "
			"lost for longer than that. VSSGuestSnapshotTimeout, a number of seconds, is the "
			"same setting by its older name.",
	},
	[OPTION_BACKUP_FREEZE_LIMIT] = {
		.section = "backup", .key = "freeze_limit", .type = OPTION_TYPE_DURATION, .min = 1,
		.max = 60, .fallback = "10s", .since = "0.2.0",
		.help = "longest time that databases and file systems may stand still",
		.text = "Whatever happens, everything is let go when it is over, and the backup fails.",
	},
	[OPTION_BACKUP_AGENT_REPOSITORY] = {
		.section = "backup", .key = "agent_repository", .type = OPTION_TYPE_STRING,
		.fallback = "", .since = "0.3.0",
		.help = "where the agent's host finds the same repository by itself",
		.text = "Empty: the data comes to this machine, which stores it, and the agent's host needs no "
			"way to the repository. Otherwise that host stores its data there itself, for "
			"instance in a file system that both mount, and only the restore point is written "
			"from here. It has to be the same repository, and backup.agent_key_file a key file "
			"there that opens it; so that host can then read all of it.",
	},
	[OPTION_BACKUP_AGENT_KEY_FILE] = {
		.section = "backup", .key = "agent_key_file", .type = OPTION_TYPE_STRING,
		.fallback = "", .since = "0.3.0",
		.help = "a key file on the agent's host, for backup.agent_repository",
		.text = "",
	},
	[OPTION_BACKUP_TYPE] = {
		.section = "backup", .key = "type", .type = OPTION_TYPE_STRING, .fallback = "full",
		.since = "0.3.0",
		.help = "what becomes of the history and of the database's logs",
		.text = "full: begins a history; logs that are older may be let go of. incremental: goes on "
			"from the last full or incremental one, and is refused without; logs may be let "
			"go of. copy: leaves the history and the logs alone. log: the logs only, of a "
			"group. Every restore point is complete, whatever its type, and only what changed "
			"is read and stored for any of them. Only backups of a group let go of logs. "
			"What cannot be made is refused, not turned into something else.",
	},
	[OPTION_RETRY_TRIES] = {
		.section = "retry", .key = "tries", .type = OPTION_TYPE_NUMBER, .unit = "tries",
		.min = 1, .max = 100, .fallback = "3", .since = "0.3.0",
		.help = "how often a backup is tried that fails of something that passes",
		.text = "Of a group's backup; of any other only if --tries is given. Each try is a whole "
			"backup (what was copied before is not copied again), on another copy if the last "
			"one was at fault. What does not pass by itself is never repeated.",
	},
	[OPTION_RETRY_WAIT] = {
		.section = "retry", .key = "wait", .type = OPTION_TYPE_DURATION, .min = 0,
		.max = DAYS(1), .fallback = "10m", .since = "0.3.0",
		.help = "time between two tries",
		.text = "",
	},
	[OPTION_RESTORE_WORKERS] = {
		.section = "restore", .key = "workers", .type = OPTION_TYPE_NUMBER, .unit = "threads",
		.min = 0, .max = 256, .fallback = "0", .since = "0.1.0",
		.help = "threads that read, decrypt and write",
		.text = "0: one for each processor, and two more to keep the disk busy.",
	},
	[OPTION_AGENT_STATE_DIR] = {
		.section = "agent", .key = "state_dir", .type = OPTION_TYPE_PATH, .fallback = "",
		.fallback_note = "/var/lib/holdfast for root, else $XDG_STATE_HOME/holdfast or "
				 "~/.local/state/holdfast",
		.since = "0.2.0",
		.help = "folder for what must outlive the program",
		.text = "The journal of the snapshots that are held, the event log, mounts of "
			"snapshots. Keep it on a file system that is never frozen for a backup, if "
			"there is one.",
	},
	[OPTION_AGENT_LISTEN] = {
		.section = "agent", .key = "listen", .type = OPTION_TYPE_LIST, .fallback = "",
		.since = "0.2.0",
		.help = "where 'holdfast agent' listens",
		.text = "unix:PATH for requesters on this machine, tls://ADDRESS:PORT for those that "
			"were enrolled.",
	},
	[OPTION_AGENT_GROUP] = {
		.section = "agent", .key = "group", .type = OPTION_TYPE_STRING, .fallback = "",
		.fallback_note = "root and the agent's own user only", .since = "0.2.0",
		.help = "group whose members may use the agent's unix sockets, too",
		.text = "They can then read every file of this machine, by having it backed up.",
	},
	[OPTION_AGENT_MAX_CONNECTIONS] = {
		.section = "agent", .key = "max_connections", .type = OPTION_TYPE_NUMBER,
		.unit = "connections", .min = 1, .max = 100000, .fallback = "512", .since = "0.2.0",
		.help = "connections that the agent keeps open at one time",
		.text = "64 of them may be of one requester, and 64 of callers that have not shown who "
			"they are yet. What is beyond is closed at once.",
	},
	[OPTION_AGENT_MAX_JOBS] = {
		.section = "agent", .key = "max_jobs", .type = OPTION_TYPE_NUMBER, .unit = "jobs",
		.min = 1, .max = 100000, .fallback = "32", .since = "0.2.0",
		.help = "backups that the agent takes part in at one time",
		.text = "",
	},
	[OPTION_AGENT_EXIT_IDLE] = {
		.section = "agent", .key = "exit_idle", .type = OPTION_TYPE_DURATION, .min = 0,
		.max = DAYS(365), .fallback = "0", .since = "0.2.0",
		.help = "end the agent after so long without a connection and without a job",
		.text = "0: never.",
	},
	[OPTION_EXTERNAL_CREATE] = {
		.section = "provider.external", .key = "create", .type = OPTION_TYPE_STRING,
		.fallback = "", .since = "0.2.0",
		.help = "command that makes a snapshot",
		.text = "A program by its whole path, and its arguments, divided by blanks; '...' and "
			"\"...\" keep blanks together. There is no shell. Without all three commands "
			"there is no external provider.",
	},
	[OPTION_EXTERNAL_EXPOSE] = {
		.section = "provider.external", .key = "expose", .type = OPTION_TYPE_STRING,
		.fallback = "", .since = "0.2.0",
		.help = "command that makes a snapshot readable, read-only",
		.text = "It mounts the snapshot at $HOLDFAST_EXPOSE_AT.",
	},
	[OPTION_EXTERNAL_REMOVE] = {
		.section = "provider.external", .key = "remove", .type = OPTION_TYPE_STRING,
		.fallback = "", .since = "0.2.0",
		.help = "command that undoes both, as far as they came",
		.text = "Run also after a failed 'create', and perhaps twice: it has to succeed when there "
			"is nothing to remove.",
	},
	[OPTION_EXTERNAL_TIMEOUT] = {
		.section = "provider.external", .key = "timeout", .type = OPTION_TYPE_DURATION,
		.min = 1, .max = HOURS(1), .fallback = "60s", .since = "0.2.0",
		.help = "longest time one of these commands may take",
		.text = "'create' has no longer than backup.freeze_limit besides.",
	},
	[OPTION_EXTERNAL_FREEZE] = {
		.section = "provider.external", .key = "freeze", .type = OPTION_TYPE_BOOL,
		.fallback = "yes", .since = "0.2.0",
		.help = "freeze the file system while 'create' runs",
		.text = "no: what makes the snapshot sees to it that the file system is written out.",
	},
	[OPTION_LVM_SNAPSHOT_SIZE] = {
		.section = "provider.lvm", .key = "snapshot_size", .type = OPTION_TYPE_SIZE,
		.fallback = "0", .since = "0.2.0",
		.help = "room for what changes while a classic LVM snapshot is held",
		.text = "0: a tenth of the volume. Thin volumes need none.",
	},
	[OPTION_SPACE_MIN_FREE] = {
		.section = "space", .key = "min_free", .type = OPTION_TYPE_SIZE,
		.fallback = "256MiB", .since = "0.2.0",
		.help = "free space below which snapshots are given up",
		.text = "Looked at where a snapshot grows. The backup that uses it fails.",
	},
	[OPTION_SPACE_MIN_FREE_PERCENT] = {
		.section = "space", .key = "min_free_percent", .type = OPTION_TYPE_NUMBER,
		.unit = "percent", .min = 0, .max = 90, .fallback = "2", .since = "0.2.0",
		.help = "the same in percent of the file system, whichever is reached first",
		.text = "",
	},
	[OPTION_WRITER_DIR] = {
		.section = "writer", .key = "dir", .type = OPTION_TYPE_PATH,
		.fallback = "", .fallback_note = "the libexec folder Holdfast was installed with",
		.since = "0.1.0",
		.help = "folder of the programs holdfast-writer-NAME",
		.text = "",
	},
	[OPTION_WRITER_TIMEOUT] = {
		.section = "writer", .key = "timeout", .type = OPTION_TYPE_DURATION,
		.min = 1, .max = DAYS(1), .fallback = "15m", .since = "0.1.0",
		.help = "longest time a writer may take for one step",
		.text = "A writer that takes longer is ended, and with it its session in the database: "
			"the database goes on as if there had been no backup. A PostgreSQL writer waits "
			"for a checkpoint and for logs.",
	},
	[OPTION_POSTGRESQL_HOST] = {
		.section = "writer.postgresql", .key = "host", .type = OPTION_TYPE_STRING,
		.fallback = "", .fallback_note = "the socket folder libpq was built with",
		.since = "0.1.0",
		.help = "folder of the server's socket, or a host name",
		.text = "The server must run on this machine: its files are read directly.",
	},
	[OPTION_POSTGRESQL_PORT] = {
		.section = "writer.postgresql", .key = "port", .type = OPTION_TYPE_NUMBER, .unit = "",
		.min = 1, .max = 65535, .fallback = "5432", .since = "0.1.0",
		.help = "port of the server, also part of the socket's name",
		.text = "",
	},
	[OPTION_POSTGRESQL_USER] = {
		.section = "writer.postgresql", .key = "user", .type = OPTION_TYPE_STRING,
		.fallback = "postgres", .since = "0.1.0",
		.help = "role to log in as",
		.text = "A superuser, or a role with REPLICATION and the right to run the backup "
			"functions.",
	},
	[OPTION_POSTGRESQL_DATABASE] = {
		.section = "writer.postgresql", .key = "database", .type = OPTION_TYPE_STRING,
		.fallback = "postgres", .since = "0.1.0",
		.help = "database to log in to",
		.text = "Any will do: the whole cluster is backed up.",
	},
	[OPTION_POSTGRESQL_PASSFILE] = {
		.section = "writer.postgresql", .key = "passfile", .type = OPTION_TYPE_PATH,
		.fallback = "", .since = "0.1.0",
		.help = "password file in the format of ~/.pgpass",
		.text = "",
	},
	[OPTION_POSTGRESQL_OS_USER] = {
		.section = "writer.postgresql", .key = "os_user", .type = OPTION_TYPE_STRING,
		.fallback = "", .fallback_note = "the owner of the cluster's files when run by root",
		.since = "0.1.0",
		.help = "user of this machine to connect as",
		.text = "Lets root log in where the server trusts the name of the peer.",
	},
	[OPTION_POSTGRESQL_CONNECT_TIMEOUT] = {
		.section = "writer.postgresql", .key = "connect_timeout",
		.type = OPTION_TYPE_DURATION, .min = 2, .max = HOURS(1), .fallback = "10s",
		.since = "0.1.0",
		.help = "longest wait for a connection",
		.text = "",
	},
	[OPTION_LOG_COPIER_INTERVAL] = {
		.section = "log_copier", .key = "interval", .type = OPTION_TYPE_DURATION, .min = 1,
		.max = HOURS(24), .fallback = "60s", .since = "0.3.0",
		.help = "how often the logs that have come are stored in the repository",
		.text = "What was committed longer ago than that can be restored, even if the active copy is "
			"lost with everything on it.",
	},
	[OPTION_LOG_COPIER_POINT_TIME] = {
		.section = "log_copier", .key = "point_time", .type = OPTION_TYPE_DURATION, .min = 1,
		.max = DAYS(7), .fallback = "1h", .since = "0.3.0",
		.help = "time after which a new restore point of logs is begun",
		.text = "Until then each store replaces the one before.",
	},
	[OPTION_LOG_COPIER_POINT_FILES] = {
		.section = "log_copier", .key = "point_files", .type = OPTION_TYPE_NUMBER,
		.unit = "log files", .min = 1, .max = 4096, .fallback = "64", .since = "0.3.0",
		.help = "the same in log files, whichever is reached first",
		.text = "",
	},
	[OPTION_LOG_COPIER_SPOOL_MAX] = {
		.section = "log_copier", .key = "spool_max", .type = OPTION_TYPE_SIZE, .min = MIB(64),
		.max = GIB(65536), .fallback = "8GiB", .since = "0.3.0",
		.help = "logs that may wait below agent.state_dir for the repository",
		.text = "When it is full no more are received; the active copy's server keeps them. It "
			"has to hold a restore point of logs: point_files of them.",
	},
	[OPTION_LOG_COPIER_SLOTS_ON_PASSIVE] = {
		.section = "log_copier", .key = "slots_on_passive", .type = OPTION_TYPE_BOOL,
		.fallback = "yes", .since = "0.3.0",
		.help = "have the passive copies, too, keep the logs that the repository does not have yet",
		.text = "So that none is missing when one of them is promoted. It takes a replication slot "
			"on each, which is moved with every store.",
	},
	[OPTION_SSH_PROGRAM] = {
		.section = "ssh", .key = "program", .type = OPTION_TYPE_STRING, .fallback = "ssh",
		.since = "0.1.0",
		.help = "the ssh program, by name or path",
		.text = "OpenSSH, or one that takes the same options.",
	},
	[OPTION_SSH_CONFIG] = {
		.section = "ssh", .key = "config", .type = OPTION_TYPE_PATH, .fallback = "",
		.fallback_note = "ssh's own", .since = "0.1.0",
		.help = "configuration file for ssh, as with its option -F",
		.text = "Keys, jump hosts and the like belong there.",
	},
	[OPTION_SSH_IDLE] = {
		.section = "ssh", .key = "idle", .type = OPTION_TYPE_DURATION, .min = 1,
		.max = DAYS(1), .fallback = "5m", .since = "0.1.0",
		.help = "time after which a guest that nobody talks to removes what was sent to it",
		.text = "Counted from when no lease is held any more. Usually the requester removes "
			"it at the end of the backup; this is for when it cannot.",
	},
	[OPTION_SSH_TIMEOUT] = {
		.section = "ssh", .key = "timeout", .type = OPTION_TYPE_DURATION, .min = 1,
		.max = HOURS(1), .fallback = "2m", .since = "0.1.0",
		.help = "time for logging in, sending the programs and starting the agent",
		.text = "",
	},
	[OPTION_FORGET_KEEP_LAST] = {
		.section = "forget", .key = "keep_last", .type = OPTION_TYPE_NUMBER, .unit = "points",
		.min = 0, .max = 1000000, .fallback = "0", .since = "0.1.0",
		.help = "keep the newest so many restore points",
		.text = "",
	},
	[OPTION_FORGET_KEEP_DAILY] = {
		.section = "forget", .key = "keep_daily", .type = OPTION_TYPE_NUMBER, .unit = "days",
		.min = 0, .max = 1000000, .fallback = "0", .since = "0.1.0",
		.help = "keep the newest point of each of the last so many days that have one",
		.text = "Days, weeks (from Monday), months and years are those of UTC.",
	},
	[OPTION_FORGET_KEEP_WEEKLY] = {
		.section = "forget", .key = "keep_weekly", .type = OPTION_TYPE_NUMBER, .unit = "weeks",
		.min = 0, .max = 1000000, .fallback = "0", .since = "0.1.0",
		.help = "keep the newest point of each of the last so many weeks that have one",
		.text = "",
	},
	[OPTION_FORGET_KEEP_MONTHLY] = {
		.section = "forget", .key = "keep_monthly", .type = OPTION_TYPE_NUMBER,
		.unit = "months", .min = 0, .max = 1000000, .fallback = "0", .since = "0.1.0",
		.help = "keep the newest point of each of the last so many months that have one",
		.text = "",
	},
	[OPTION_FORGET_KEEP_YEARLY] = {
		.section = "forget", .key = "keep_yearly", .type = OPTION_TYPE_NUMBER, .unit = "years",
		.min = 0, .max = 1000000, .fallback = "0", .since = "0.1.0",
		.help = "keep the newest point of each of the last so many years that have one",
		.text = "",
	},
	[OPTION_FORGET_KEEP_WITHIN] = {
		.section = "forget", .key = "keep_within", .type = OPTION_TYPE_DURATION, .min = 0,
		.max = DAYS(36500), .fallback = "0", .since = "0.1.0",
		.help = "keep every point that is at most so much older than the newest one",
		.text = "Counted from the newest point, not from now: a host that stopped making "
			"backups loses none.",
	},
	[OPTION_PRUNE_GRACE] = {
		.section = "prune", .key = "grace", .type = OPTION_TYPE_DURATION, .min = 0,
		.max = DAYS(365), .fallback = "24h", .since = "0.1.0",
		.help = "time between marking data as unused and deleting it",
		.text = "Must be longer than the longest backup: a backup that began before the mark "
			"may still be counting on that data.",
	},
	[OPTION_PRUNE_REPACK_PERCENT] = {
		.section = "prune", .key = "repack_percent", .type = OPTION_TYPE_NUMBER,
		.unit = "percent", .min = 1, .max = 100, .fallback = "50", .since = "0.1.0",
		.help = "copy what is needed out of stored files of which less than this is needed",
		.text = "Higher gives back more space and copies more.",
	},
	[OPTION_OUTPUT_JSON] = {
		.section = "output", .key = "json", .type = OPTION_TYPE_BOOL, .fallback = "no",
		.since = "0.1.0",
		.help = "print JSON, one object a line, for programs",
		.text = "doc/json.md describes the objects.",
	},
	[OPTION_OUTPUT_QUIET] = {
		.section = "output", .key = "quiet", .type = OPTION_TYPE_BOOL, .fallback = "no",
		.since = "0.1.0",
		.help = "print results, warnings and errors only",
		.text = "",
	},
	[OPTION_OUTPUT_PROGRESS] = {
		.section = "output", .key = "progress", .type = OPTION_TYPE_CHOICE,
		.choices = progress_choices, .fallback = "auto", .since = "0.1.0",
		.help = "when to show the progress line",
		.text = "auto: a line that is redrawn when standard error is a terminal, else a new "
			"line every ten seconds. always: redrawn in any case. never: none.",
	},
};
