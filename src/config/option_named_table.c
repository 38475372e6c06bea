/* SPDX-License-Identifier: Apache-2.0 */

/* The table of settings whose section has a name in it. A new one is an entry here. */
#include "config/option_table.h"

#define MS(n) (UINT64_C(n))
#define SECONDS(n) (MS(n) * 1000)
#define GIB(n) (UINT64_C(n) << 30)

static const char *const engine_choices[] = {"postgresql", NULL};
static const char *const prefer_choices[] = {"passive", "passive-only", "active", NULL};
static const char *const verify_choices[] = {"structure", "stored", "data", NULL};
static const char *const sslmode_choices[] = {"disable", "allow",     "prefer", "require",
					      "verify-ca", "verify-full", NULL};

const struct option_section option_named_sections[] = {
	{"group.NAME",
	 "A group: one replicated database with an active copy and passive copies on other hosts, "
	 "of which one is backed up ('holdfast backup --group NAME'). Which copy is the active one "
	 "is looked up each time, never configured. A name is letters, digits, '_' and '-'. See "
	 "doc/groups.md."},
	{"group.NAME.copy.COPY",
	 "One copy of a group: how its database is reached from here, and the agent of its host. The "
	 "names of the group and of the copy have at most 34 characters together."},
	{NULL, NULL},
};

const struct option_def option_named_table[] = {
	{
		.section = "group.NAME", .key = "engine", .type = OPTION_TYPE_CHOICE,
		.choices = engine_choices, .fallback = "", .since = "0.2.0",
		.help = "which database system it is",
		.text = "Must be set.",
	},
	{
		.section = "group.NAME", .key = "prefer", .type = OPTION_TYPE_CHOICE,
		.choices = prefer_choices, .fallback = "passive", .since = "0.2.0",
		.help = "which copy to back up",
		.text = "passive: a passive copy, or the active one if no passive one will do. "
			"passive-only: never the active one. active: the active one, so that "
			"backups and passive copies have nothing to do with each other.",
	},
	{
		.section = "group.NAME", .key = "query_log_range_timeout",
		.alias = "QueryLogRangeTimeoutInMsec", .type = OPTION_TYPE_DURATION_MS, .min = MS(1),
		.max = SECONDS(3600), .fallback = "30s", .since = "0.2.0",
		.help = "how long the active copy may take to say which logs it has",
		.text = "It has to look through all of them; a busy one with many logs takes longer. "
			"A backup that fails of it says how long would have been enough. Its older "
			"name QueryLogRangeTimeoutInMsec takes a bare number of milliseconds.",
	},
	/* Whatever happens is to be noticed within five seconds. At worst it happens right after an answer: then
	 * it takes one heartbeat and one heartbeat_timeout, 4.5 s of a server that stands still, and two thirds of
	 * that timeout of a dead link, 3.5 s. The rest is for a busy machine, which sends and looks late. Asking
	 * more often costs next to nothing; waiting less for an answer would take busy servers for dead. */
	{
		.section = "group.NAME", .key = "heartbeat", .type = OPTION_TYPE_DURATION_MS,
		.min = MS(100), .max = SECONDS(600), .fallback = "1500ms", .since = "0.2.0",
		.help = "how often the active copy is asked for a sign of life during a backup",
		.text = "Together with heartbeat_timeout this is how soon it is noticed that nothing comes "
			"from there any more. A connection that is reset or ended is noticed at once.",
	},
	{
		.section = "group.NAME", .key = "heartbeat_timeout", .type = OPTION_TYPE_DURATION_MS,
		.min = MS(100), .max = SECONDS(600), .fallback = "3s", .since = "0.2.0",
		.help = "how long the answer may take",
		.text = "If the network acknowledges nothing for two thirds of that (600ms at least), it "
			"is not waited for any longer: a system whose server is busy acknowledges all the same.",
	},
	{
		.section = "group.NAME", .key = "context_lease", .type = OPTION_TYPE_DURATION_MS,
		.min = SECONDS(1), .max = SECONDS(3600), .fallback = "60s", .since = "0.2.0",
		.help = "how long a lost connection to the active copy may take to come back",
		.text = "A backup goes on after that if nothing was lost meanwhile. The active copy's "
			"server ends the backup context after the same time without a sign of life "
			"(PostgreSQL 14 or newer), so that nothing is left behind by a requester that "
			"has died. Must be longer than heartbeat and heartbeat_timeout together.",
	},
	{
		.section = "group.NAME", .key = "keepalive_time", .alias = "KeepAliveTime",
		.type = OPTION_TYPE_DURATION_MS, .min = SECONDS(1), .max = SECONDS(7200),
		.fallback = "60s", .since = "0.2.0",
		.help = "after how much silence TCP itself asks whether a connection still lives",
		.text = "On every connection with a copy, at both ends. Must be shorter than the idle "
			"timeout of whatever lies between, which is often five minutes. Rounded up to "
			"whole seconds. Its older name KeepAliveTime takes a bare number of milliseconds.",
	},
	{
		.section = "group.NAME", .key = "max_copy_queue", .type = OPTION_TYPE_SIZE, .min = 0,
		.max = UINT64_MAX, .fallback = "1GiB", .since = "0.2.0",
		.help = "a passive copy that has to fetch more logs than this is not backed up",
		.text = "",
	},
	{
		.section = "group.NAME", .key = "max_replay_queue", .type = OPTION_TYPE_SIZE, .min = 0,
		.max = UINT64_MAX, .fallback = "1GiB", .since = "0.2.0",
		.help = "a passive copy that has to replay more logs than this is not backed up",
		.text = "",
	},
	{
		.section = "group.NAME", .key = "slot", .type = OPTION_TYPE_STRING, .fallback = "",
		.since = "0.2.0",
		.help = "replication slot of the active copy that keeps its logs until they are backed up",
		.text = "Made when first needed, and moved by each backup of type full, incremental or "
			"log once its restore point is verified, as far as no copy needs the logs: see "
			"'holdfast group truncate'. Lower-case letters, digits and '_'. Without it no "
			"backup lets go of logs, and the server keeps them by its own settings. The log "
			"copier has a slot of its own, named after this one.",
	},
	{
		.section = "group.NAME", .key = "verify", .type = OPTION_TYPE_CHOICE,
		.choices = verify_choices, .fallback = "stored", .since = "0.3.0",
		.help = "how deep a restore point is verified before logs are let go of",
		.text = "structure: all that it needs is in the index, and every pack is there with its "
			"size. stored: every byte of them is read and authenticated, which takes as "
			"long as reading the restore point. data: and unpacked, and compared with its "
			"id. Only for backups that let go of logs; see slot.",
	},
	{
		.section = "group.NAME.copy.COPY", .key = "host", .type = OPTION_TYPE_STRING,
		.fallback = "", .since = "0.2.0",
		.help = "name or address of the copy's database server",
		.text = "Or the folder of its socket, if it runs on this machine. Must be set.",
	},
	{
		.section = "group.NAME.copy.COPY", .key = "port", .type = OPTION_TYPE_NUMBER, .unit = "",
		.min = 1, .max = 65535, .fallback = "5432", .since = "0.2.0",
		.help = "port of its database server",
		.text = "",
	},
	{
		.section = "group.NAME.copy.COPY", .key = "user", .type = OPTION_TYPE_STRING,
		.fallback = "", .fallback_note = "the user who runs Holdfast", .since = "0.2.0",
		.help = "database role to log in as",
		.text = "doc/groups.md says which rights it needs.",
	},
	{
		.section = "group.NAME.copy.COPY", .key = "database", .type = OPTION_TYPE_STRING,
		.fallback = "postgres", .since = "0.2.0",
		.help = "database to connect to",
		.text = "Any one will do, but the same for all copies: it is where the group's lock is.",
	},
	{
		.section = "group.NAME.copy.COPY", .key = "passfile", .type = OPTION_TYPE_PATH,
		.fallback = "", .fallback_note = "libpq's: ~/.pgpass", .since = "0.2.0",
		.help = "file with the password, as for libpq",
		.text = "Lines of host:port:database:user:password, mode 0600.",
	},
	{
		.section = "group.NAME.copy.COPY", .key = "sslmode", .type = OPTION_TYPE_CHOICE,
		.choices = sslmode_choices, .fallback = "", .fallback_note = "libpq's: prefer",
		.since = "0.2.0",
		.help = "how the connection to the database is protected",
		.text = "As libpq's setting of that name. verify-full makes sure of the server's name.",
	},
	{
		.section = "group.NAME.copy.COPY", .key = "sslrootcert", .type = OPTION_TYPE_PATH,
		.fallback = "", .fallback_note = "libpq's", .since = "0.2.0",
		.help = "file with the certificates of those who may vouch for the server",
		.text = "",
	},
	{
		.section = "group.NAME.copy.COPY", .key = "sslcert", .type = OPTION_TYPE_PATH,
		.fallback = "", .fallback_note = "libpq's", .since = "0.2.0",
		.help = "file with our own certificate",
		.text = "",
	},
	{
		.section = "group.NAME.copy.COPY", .key = "sslkey", .type = OPTION_TYPE_PATH,
		.fallback = "", .fallback_note = "libpq's", .since = "0.2.0",
		.help = "file with the key of our own certificate",
		.text = "",
	},
	{
		.section = "group.NAME.copy.COPY", .key = "agent", .type = OPTION_TYPE_STRING,
		.fallback = "", .since = "0.2.0",
		.help = "the agent of the copy's host, as --agent takes it",
		.text = "Without it the copy is looked at, and no backup is taken there.",
	},
	{.key = NULL},
};
