/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The table of commands. A new command is a line in enum command_id, an entry here, and its
 * function in the list of src/cli/main.c.
 */
#include "config/command_table.h"

#include <limits.h>

static const char point_help[] =
	"A restore point: its id, the beginning of its id, or 'latest'. A PATH after ':' that begins "
	"with '/' is one of the backed up host; 'NAME' or 'NAME/PATH' is what the writer NAME backed "
	"up, or something in it.";

const struct command command_table[COMMAND_COUNT] = {
	[COMMAND_INIT] = {
		.name = "init",
		.summary = "create a repository",
		.text = "Makes a new repository in an empty or absent folder, encrypted with a random "
			"master key. The key is locked with a password or a key file; more can be "
			"added later with 'holdfast key add'.\n"
			"\n"
			"With --key-file, a file that does not exist is made, with 64 random bytes. A "
			"repository whose every password and key file is lost cannot be read by "
			"anyone: keep a copy elsewhere.",
		.repository = true,
		.flags = {FLAG_LABEL},
		.examples = {
			{"holdfast init -r /srv/backup", "asks for a new password"},
			{"holdfast init -r /srv/backup --key-file /etc/holdfast/backup.key",
			 "makes the key file and uses it"},
		},
	},
	[COMMAND_BACKUP] = {
		.name = "backup",
		.summary = "back up folders and databases",
		.text = "Backs up each PATH, and what each writer offers, into one restore point. Only "
			"what changed since the last restore point of this host is read; data that the "
			"repository has already is not stored again.\n"
			"\n"
			"A writer brings its database to a consistent point, so the copy of a running "
			"database is one it can start from (consistency 'application'). Where the file "
			"system allows it a snapshot is taken, and what is read is one instant of all "
			"folders ('crash'). Where it does not, they are read as they are ('none'). "
			"'holdfast plan' shows beforehand which it will be, and why; --require says what "
			"must be.\n"
			"\n"
			"With --agent another host is backed up into this repository: its agent makes "
			"the snapshot and reads, this machine fetches what is new. It gets neither the "
			"password nor a way to the repository. The snapshot is held for as long as "
			"keep-alives arrive there; a connection that is lost for no longer than "
			"--snapshot-timeout costs nothing but time.\n"
			"\n"
			"With --group a replicated database is backed up: the healthiest passive copy, through "
			"its agent, while a session on the active one says so and holds its logs. Who "
			"is active is looked up each time. What fails because a copy was promoted, or "
			"the active one could not be reached for too long, is noticed within seconds and "
			"repeated as a whole: --tries times, --wait-between apart, on another copy if the "
			"first was at fault. 'holdfast group status' shows what there is to choose from.\n"
			"\n"
			"A backup that is interrupted, even killed, leaves a sound repository; what it "
			"had stored is used by the next one. SIGINT and SIGTERM end it cleanly with "
			"exit code 1.",
		.operands = {"PATH...", 0, UINT_MAX, "Folders and files to back up."},
		.repository = true,
		.flags = {FLAG_WRITER, FLAG_EXCLUDE, FLAG_ONE_FILE_SYSTEM, FLAG_TAG, FLAG_BACKUP_HOST,
			  FLAG_PROVIDER, FLAG_REQUIRE, FLAG_SNAPSHOT_TIMEOUT, FLAG_AGENT,
			  FLAG_AGENT_REPOSITORY, FLAG_AGENT_KEY_FILE, FLAG_GROUP,
			  FLAG_BACKUP_TYPE, FLAG_TRIES, FLAG_WAIT_BETWEEN, FLAG_WAIT, FLAG_FORCE_READ,
			  FLAG_STATS},
		.examples = {
			{"holdfast backup -r /srv/backup /etc /home", "folders"},
			{"holdfast backup -r /srv/backup --writer postgresql",
			 "the PostgreSQL cluster of this machine, while it runs"},
			{"holdfast backup -r /srv/backup --exclude '*.tmp' /srv/www", "not all of it"},
			{"holdfast backup -r /srv/backup --require crash /srv/www",
			 "one instant of it, or nothing"},
			{"holdfast backup -r /srv/backup --agent tls://db1:7410 --writer postgresql",
			 "the PostgreSQL cluster of another host"},
			{"holdfast backup -r /srv/backup --group orders", "a passive copy of a group"},
			{"holdfast backup -r /srv/backup --group orders --type copy --tries 1",
			 "beside the scheduled backups: leaves their history and the logs alone"},
		},
		.exits = {{3, "The restore point was made, but something was left out or could not "
			      "be read, or it is less consistent than required; the warnings say what."}},
	},
	[COMMAND_LIST] = {
		.name = "list",
		.summary = "list restore points, or what is in one",
		.text = "Without an operand, lists the restore points, oldest first, and to which "
			"moments between them databases can be restored by their logs. With a restore "
			"point, shows what is known of it. With a path, lists that folder or file.",
		.operands = {"POINT[:PATH]", 0, 1, point_help},
		.repository = true,
		.flags = {FLAG_RECURSIVE, FLAG_WITH_HOST, FLAG_WITH_TAG},
		.examples = {
			{"holdfast list -r /srv/backup", "all restore points"},
			{"holdfast list -r /srv/backup latest:/etc", "a folder in the newest one"},
			{"holdfast list -r /srv/backup latest:postgresql/base", "a database's folder"},
		},
	},
	[COMMAND_RESTORE] = {
		.name = "restore",
		.summary = "restore a restore point, or part of one",
		.text = "A PATH that is a folder is restored so that DIR holds its contents; a file is "
			"restored to DIR/NAME.\n"
			"\n"
			"Without PATH everything is restored. Folders appear in DIR under their whole "
			"path. A database that is all there is in the restore point goes straight into "
			"DIR, ready to be started; beside folders or other databases it goes into "
			"DIR/NAME.\n"
			"\n"
			"DIR must be empty or absent, unless --delta or --overwrite says what to do "
			"with what is there. Nothing outside of DIR is touched, but for tablespaces: "
			"they go back to the folder they came from, or to where --tablespace-map "
			"says.\n"
			"\n"
			"With a --target a PostgreSQL cluster is brought to a moment between backups, by "
			"the logs that 'holdfast log-copier' or backups of type log have stored. The "
			"newest backup that leads there is taken, or POINT if it is given; the logs are "
			"searched first, so a moment that they do not have is refused at once. Start the "
			"server on DIR: it recovers, stops exactly there, and takes up work; until then it "
			"lets nobody in. Afterwards neither logs nor settings of the recovery are "
			"left.",
		.operands = {"POINT[:PATH]", 0, 1, point_help},
		.repository = true,
		.flags = {FLAG_TO, FLAG_DELTA, FLAG_OVERWRITE, FLAG_TABLESPACE_MAP, FLAG_TARGET_TIME,
			  FLAG_TARGET_LSN, FLAG_TARGET_NAME, FLAG_TARGET_END, FLAG_TARGET_TIMELINE,
			  FLAG_LOGS_OF_GROUP, FLAG_STATS},
		.examples = {
			{"holdfast restore -r /srv/backup latest:/etc --to /tmp/etc", "one folder"},
			{"holdfast restore -r /srv/backup latest --to /var/lib/postgresql/15/main",
			 "a database cluster"},
			{"holdfast restore -r /srv/backup latest --to /srv/www --delta",
			 "back to how it was, quickly"},
			{"holdfast restore -r /srv/backup --target-time '2026-11-22 14:25' --to /srv/pg",
			 "a database as it was before somebody's mistake"},
		},
		.exits = {{3, "Restored, but something could not be set as it was, such as an owner; "
			      "the warnings say what."}},
	},
	[COMMAND_VERIFY] = {
		.name = "verify",
		.summary = "check that the repository is whole",
		.text = "Checks, for all restore points or for the one given, that everything it needs "
			"is there: every folder, every file map, every piece of data. With --stored, "
			"also that what is stored is not damaged; with --read-data, that each byte "
			"decrypts to what was backed up. A database's logs are checked to be all there; "
			"with --read-data, that each record in them is one the server would accept.",
		.operands = {"POINT", 0, 1, "The restore point to check; default all."},
		.repository = true,
		.flags = {FLAG_STORED, FLAG_READ_DATA},
		.examples = {
			{"holdfast verify -r /srv/backup", "structure"},
			{"holdfast verify -r /srv/backup --read-data", "every byte"},
		},
		.exits = {{1, "Something is missing or damaged; each problem is printed."}},
	},
	[COMMAND_FORGET] = {
		.name = "forget",
		.summary = "remove restore points",
		.text = "Removes the restore points given, or all that no --keep rule keeps. Rules "
			"apply to each host, and to each set of paths and writers on it, separately. "
			"Logs of a database are kept for as long as a backup is kept that is older than "
			"their end; where logs are named that backups need which stay, it says which "
			"moments would be lost, and does nothing without --force. Space is given back by "
			"'holdfast prune'.",
		.operands = {"POINT...", 0, UINT_MAX, "Restore points to remove; without any, the "
						      "rules decide."},
		.repository = true,
		.flags = {FLAG_KEEP_LAST, FLAG_KEEP_DAILY, FLAG_KEEP_WEEKLY, FLAG_KEEP_MONTHLY,
			  FLAG_KEEP_YEARLY, FLAG_KEEP_WITHIN, FLAG_WITH_TAG, FLAG_WITH_HOST, FLAG_DRY_RUN,
			  FLAG_FORCE, FLAG_PRUNE, FLAG_GRACE, FLAG_ALLOW_EMPTY},
		.examples = {
			{"holdfast forget -r /srv/backup --keep-daily 7 --keep-weekly 5 --dry-run",
			 "what would go"},
			{"holdfast forget -r /srv/backup 3f2a", "one restore point"},
		},
	},
	[COMMAND_PRUNE] = {
		.name = "prune",
		.summary = "give back the space of data no restore point needs",
		.text = "Works in two steps, so that it can run while backups do. The first marks what "
			"no restore point needs. A later run, once the grace time has passed, looks "
			"again, takes back the marks of what came into use meanwhile, and deletes the "
			"rest.",
		.repository = true,
		.flags = {FLAG_DRY_RUN, FLAG_GRACE, FLAG_ALLOW_EMPTY},
		.examples = {{"holdfast prune -r /srv/backup", "from a timer, once a day"}},
	},
	[COMMAND_KEY_ADD] = {
		.name = "key add",
		.summary = "add a password or key file",
		.text = "Adds one more password or key file that opens the repository. No data is "
			"written again. The repository is opened with --password-file or --key-file "
			"as always; what is added is given by --new-password-file or --new-key-file, "
			"or asked for.",
		.repository = true,
		.flags = {FLAG_NEW_PASSWORD_FILE, FLAG_NEW_KEY_FILE, FLAG_LABEL},
		.examples = {{"holdfast key add -r /srv/backup --new-key-file /etc/holdfast/backup.key",
			      "a key file for backups without a person"}},
	},
	[COMMAND_KEY_LIST] = {
		.name = "key list",
		.summary = "list passwords and key files",
		.text = "Lists the key slots: id, kind, when it was made, and its label.",
		.repository = true,
		.examples = {{"holdfast key list -r /srv/backup", "who can open it"}},
	},
	[COMMAND_KEY_REMOVE] = {
		.name = "key remove",
		.summary = "remove a password or key file",
		.text = "Removes a key slot. The last one cannot be removed. Whoever knew the password "
			"and kept a copy of the removed slot can still read a copy of the "
			"repository.",
		.operands = {"ID", 1, 1, "The slot, as 'holdfast key list' shows it, or the beginning "
					 "of its id."},
		.repository = true,
		.examples = {{"holdfast key remove -r /srv/backup 8c41", "a slot by its id"}},
	},
	[COMMAND_STATS] = {
		.name = "stats",
		.summary = "show how much is stored",
		.text = "Counts restore points and stored files, and compares what was backed up with "
			"what it takes to store it.",
		.repository = true,
		.examples = {{"holdfast stats -r /srv/backup", "sizes and ratio"}},
	},
	[COMMAND_PLAN] = {
		.name = "plan",
		.summary = "show how a backup would be made, and why",
		.text = "For each PATH and writer: the file system it is on, the snapshot provider that "
			"would be used and why, and the consistency that can be expected; then the "
			"order in which file systems would be frozen, and what is mounted or nested "
			"below. Changes nothing.",
		.operands = {"PATH...", 0, UINT_MAX, "Folders and files to plan for."},
		.flags = {FLAG_WRITER, FLAG_ONE_FILE_SYSTEM, FLAG_PROVIDER},
		.examples = {{"holdfast plan /etc --writer postgresql", "before the first backup"}},
	},
	[COMMAND_WRITERS] = {
		.name = "writers",
		.summary = "show the writers, their state and their last error",
		.text = "Shows each writer that can take part in a backup, as 'vssadmin list writers' "
			"does: the programs holdfast-writer-NAME that are installed. Each is started and "
			"asked who it is. State and last error are those of the last backup, kept since, "
			"unless the writer cannot even say who it is now.",
		.operands = {"NAME...", 0, UINT_MAX, "Names of writers; without, all that are there."},
		.flags = {FLAG_AGENT},
		.examples = {{"holdfast writers", "before a backup, or after one that failed"}},
	},
	[COMMAND_SNAPSHOTS] = {
		.name = "snapshots",
		.summary = "show the snapshots that are held now",
		.text = "Shows each snapshot set that is held on this host, as 'vssadmin list shadows' "
			"does: since when, for which job, until when if no keep-alive comes, and where "
			"its snapshots are. What is shown is read from the journals of the guards; "
			"reading needs the rights of the user who runs the backups.",
		.flags = {FLAG_AGENT},
		.examples = {{"holdfast snapshots", "what is held, and for whom"}},
	},
	[COMMAND_RELEASE] = {
		.name = "release",
		.summary = "let a held snapshot set go, or remove leftovers",
		.text = "With SET, ends the hold on that snapshot set: the backup that uses it fails, and "
			"says why. With --leftovers, removes what backups that were killed, or a machine "
			"that went down, have left behind; sets that somebody holds are not touched. First "
			"of all it thaws what they left frozen, even if that is not mounted any more.\n"
			"\n"
			"Only what carries our mark and is in our journal is ever removed. What is not "
			"provably ours is named and left alone.",
		.operands = {"SET", 0, 1, "A snapshot set: its id, or the beginning of it."},
		.flags = {FLAG_AGENT, FLAG_LEFTOVERS},
		.examples = {
			{"holdfast release 3f2504e0", "the set whose id begins so"},
			{"holdfast release --leftovers", "after a crash"},
		},
	},
	[COMMAND_TEST] = {
		.name = "test",
		.summary = "drive writers and snapshots through the steps of a backup",
		.text = "Does what a backup does but for moving data: gathers and prepares the writers, "
			"creates the snapshot set, holds it under keep-alives, finishes, completes. After "
			"each step it prints the status of each writer:\n"
			"\n"
			"Status for writer PostgreSQL Writer: STABLE(0x00000000)\n"
			"\n"
			"So a writer, a provider or the keep-alives can be tried without a backup. Nothing "
			"is read and nothing stored; without --no-complete writers are told that a backup "
			"is complete, and may release logs: say --type copy if they must not.",
		.operands = {"PATH...", 0, UINT_MAX, "Folders and files to snapshot."},
		.flags = {FLAG_AGENT, FLAG_WRITER, FLAG_UNTIL, FLAG_NO_COMPLETE, FLAG_NO_KEEP_ALIVE, FLAG_HOLD,
			  FLAG_TYPE, FLAG_PROVIDER, FLAG_REQUIRE, FLAG_SNAPSHOT_TIMEOUT},
		.examples = {
			{"holdfast test --writer postgresql --type copy", "the whole sequence"},
			{"holdfast test --hold 30s --no-keep-alive --snapshot-timeout 10s /srv",
			 "see a snapshot expire"},
		},
	},
	[COMMAND_EVENTS] = {
		.name = "events",
		.summary = "show what happened to jobs, snapshots and writers",
		.text = "Shows the event log of this host, oldest first. It is kept across restarts, "
			"within bounds; every kind of event has a number that does not change. 'holdfast "
			"explain NUMBER' tells what one means, doc/events.md lists all.",
		.flags = {FLAG_AGENT, FLAG_JOB, FLAG_SINCE, FLAG_LEVEL, FLAG_FOLLOW},
		.examples = {
			{"holdfast events --since 24h --level warning", "what went wrong since yesterday"},
			{"holdfast events --follow", "as it happens"},
			{"holdfast events --follow --agent tls://db1:7410", "on another host"},
		},
	},
	[COMMAND_EXPLAIN] = {
		.name = "explain",
		.summary = "tell the story of a job, or what a code means",
		.text = "With a job, tells what happened in plain words, with the times: how it went, why "
			"it ended as it did, and which setting would have helped. With a code, tells what "
			"it means, what to do, and whether a retry is worthwhile: an error's name "
			"(LEASE_ENDED) or number, a code of VSS (0x800401fd, VSS_E_WRITERERROR_RETRYABLE, "
			"or as a decimal number), an event's name or number (2101).",
		.operands = {"JOB|CODE", 1, 1,
			     "A job: its id, the beginning of its id, or 'latest'. Or a code."},
		.flags = {FLAG_AGENT},
		.examples = {
			{"holdfast explain latest", "the last backup of this host"},
			{"holdfast explain 0x800401fd", "a code from another program's log"},
		},
	},
	[COMMAND_AGENT] = {
		.name = "agent",
		.summary = "serve requesters: the protected host's side of their backups",
		.text = "Listens for requesters, on this machine or another, and does for them what "
			"'holdfast backup' does here: brings databases to rest, takes snapshots, holds "
			"them for as long as keep-alives come, and moves the data. The functions are "
			"described in doc/api.md.\n"
			"\n"
			"Over a unix socket the kernel says who calls: root, the agent's own user, and "
			"the members of agent.group may. Over TLS (1.3, certificates on both sides) who "
			"was enrolled with 'holdfast agent enroll' may.\n"
			"\n"
			"SIGTERM ends it: jobs that run are aborted, nothing stays frozen or held.",
		.flags = {FLAG_LISTEN, FLAG_EXIT_IDLE},
		.examples = {
			{"holdfast agent --listen unix:/run/holdfast/agent.sock", "for this machine"},
			{"holdfast agent --listen tls://0.0.0.0:7410", "for enrolled requesters"},
		},
	},
	[COMMAND_AGENT_ENROLL] = {
		.name = "agent enroll",
		.summary = "make a guest and a requester known to each other",
		.text = "Certificates are made by each host for itself; this exchanges them, proven by a "
			"code that works once and for ten minutes. On the guest --listen shows the code; "
			"on the requester --agent and --code use it. That is all: the guest can start "
			"its agent, and the requester its backups.\n"
			"\n"
			"--revoke on the guest locks a requester out at once.",
		.flags = {FLAG_LISTEN, FLAG_AGENT, FLAG_CODE, FLAG_LIST_PEERS, FLAG_REVOKE},
		.examples = {
			{"holdfast agent enroll --listen tls://0.0.0.0:7410", "on the guest: shows a code"},
			{"holdfast agent enroll --agent tls://db1:7410 --code CODE",
			 "on the requester"},
			{"holdfast agent enroll --list", "who is known here"},
		},
	},
	[COMMAND_GROUP_STATUS] = {
		.name = "group status",
		.summary = "show the copies of a group, and how they are",
		.text = "Asks every copy of the group NAME, or of all groups in the configuration, and "
			"shows for each its role, its status, and how far it is behind: "
			"CopyQueueLength is what the active copy has written and this one has not "
			"copied yet, ReplayQueueLength what it has copied and not replayed. For the "
			"active copy the last two positions are the end of its log.\n"
			"\n"
			"Mounted is the active copy. A passive copy is Healthy if its log copier is "
			"connected and it replays; Suspended while replay is paused; Resynchronizing "
			"if it is further behind than max_copy_queue or max_replay_queue; "
			"DisconnectedAndHealthy or DisconnectedAndResynchronizing if its log copier is "
			"not connected, Disconnected if there is no active copy either; Failed if "
			"waiting will not mend it. Initializing is a server that is starting, "
			"ServiceDown one that does not answer.\n"
			"\n"
			"Then the backup context: for which copy, from where and since when a backup "
			"of the group is running, wherever it was started.",
		.operands = {"NAME", 0, 1, "A group of the configuration; without it all of them."},
		.flags = {FLAG_WATCH, FLAG_INTERVAL},
		.examples = {
			{"holdfast group status", "all groups"},
			{"holdfast group status orders --watch --interval 500ms", "one, as it changes"},
		},
	},
	[COMMAND_GROUP_TRUNCATE] = {
		.name = "group truncate",
		.summary = "let a group's active copy go of logs that are backed up",
		.text = "Moves the group's replication slot (the setting slot of [group.NAME]) on the "
			"active copy forward, as every FULL, INCREMENTAL and LOG backup of the group "
			"does when it is done; a COPY never does. The server removes the log files "
			"before it at its next checkpoint.\n"
			"\n"
			"It moves up to the least of what the repository holds and what each copy "
			"needs: the beginning of the newest full or incremental restore point on the "
			"active copy's timeline, or, while log backups are made, the end of the logs in "
			"the repository; and of every passive copy what it has copied and replayed. A "
			"copy that does not answer needs everything, so it blocks, and is named. Restore "
			"points that the decision relies on are read and verified first; if one is "
			"damaged nothing is let go of. The slot never moves back.\n"
			"\n"
			"Other slots of the active copy keep logs by themselves. They are shown, and "
			"left alone.",
		.operands = {"NAME", 1, 1, "A group of the configuration."},
		.repository = true,
		.flags = {FLAG_EXPLAIN},
		.examples = {
			{"holdfast group truncate orders --explain", "see what holds back the logs"},
			{"holdfast group truncate orders", "let go of what may go"},
		},
	},
	[COMMAND_LOG_COPIER] = {
		.name = "log-copier",
		.summary = "copy the logs of a group into the repository, for as long as it runs",
		.text = "Streams the transaction logs of the group's active copy, as a standby does, and "
			"stores what has come every log_copier.interval. A restore point of the group and "
			"the logs after it can be restored to any moment that they cover: see "
			"'holdfast restore --target-time'.\n"
			"\n"
			"A replication slot on the active copy keeps the logs there until the repository "
			"has them; another on each passive copy sees to it that a promotion loses none. "
			"The copier connects again by itself (event 2153 when it cannot, 2154 when it can "
			"again), and follows the active copy wherever it goes. It may be killed at any "
			"moment. On SIGTERM and SIGINT it stores what there is, and ends.\n"
			"\n"
			"While no copier runs, its slots hold the logs on the servers' disks: limit that "
			"with max_slot_wal_keep_size there, and give the slots back with --drop-slots when "
			"there will be no copier any more. Where synchronous_standby_names is '*', name the "
			"standbys instead: the copier confirms only what the repository has, and must not "
			"be waited for.",
		.operands = {"GROUP", 1, 1, "A group of the configuration: [group.GROUP]."},
		.repository = true,
		.flags = {FLAG_DROP_SLOTS},
		.examples = {
			{"holdfast log-copier orders", "until it is told to stop"},
			{"holdfast log-copier orders --drop-slots", "when there will be none any more"},
		},
	},
	[COMMAND_CONFIG_SHOW] = {
		.name = "config show",
		.summary = "show settings and where they come from",
		.text = "Prints the settings that are set, or with --effective all of them, each with "
			"its value, its unit and its origin: the default, a line of the configuration "
			"file, a variable of the environment, or the command line.",
		.repository = true,
		.flags = {FLAG_EFFECTIVE},
		.examples = {{"holdfast config show --effective", "everything in force"}},
	},
	[COMMAND_VERSION] = {
		.name = "version",
		.summary = "show the version",
		.text = "Shows the version of the program, and of the repository format it writes.",
		.examples = {{"holdfast version --json", "for programs"}},
	},
	[COMMAND_HELP] = {
		.name = "help",
		.summary = "show help",
		.text = "Shows the commands, or what there is to know of one. 'holdfast help errors' "
			"lists every error with its cause and what to do; 'holdfast help settings' "
			"every setting.",
		.operands = {"COMMAND", 0, 2, "A command, 'errors', or 'settings'."},
		.flags = {FLAG_MAN, FLAG_COMPLETION, FLAG_WRITE_DOCS},
		.examples = {
			{"holdfast help backup", "one command"},
			{"holdfast help --man backup | man -l -", "as a manual page"},
		},
	},
};
