/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A group: the copies of one replicated database, as the configuration names them. Which copy is the
 * active one is not configured and never remembered: it is looked up (group/status.h).
 *
 *	[group.orders]				[group.orders.copy.pg1]
 *	engine = postgresql			host = 10.0.0.1
 *	prefer = passive			agent = tls://10.0.0.1:7443
 */
#ifndef HF_GROUP_GROUP_H
#define HF_GROUP_GROUP_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "config/settings.h"

/* A name is letters, digits, '_' and '-', as it becomes part of names in the database. */
enum { GROUP_NAME_MAX = 40, GROUP_COPIES_MAX = 32 };

enum group_prefer {
	GROUP_PREFER_PASSIVE = 1, /* the active copy if no passive one will do */
	GROUP_PREFER_PASSIVE_ONLY,
	GROUP_PREFER_ACTIVE,
};

/* What is verified of a restore point before logs are let go of: the depths of repo/verify.h. */
enum group_verify {
	GROUP_VERIFY_STRUCTURE = 1,
	GROUP_VERIFY_STORED, /* by default */
	GROUP_VERIFY_DATA,
};

struct engine;

/* How to reach one copy. Strings are NULL where nothing is set. */
struct group_copy {
	char *name;
	char *host, *port, *user, *database, *passfile;
	char *sslmode, *sslrootcert, *sslcert, *sslkey;
	char *agent; /* as --agent takes it; NULL: no backup is taken there */
};

struct group {
	char *name;
	const struct engine *engine;
	enum group_prefer prefer;
	/* How long the active copy may take to name its logs. QueryLogRangeTimeoutInMsec is accepted
	 * for it. Default 30 s. */
	uint64_t query_log_range_timeout_ns;
	/* The backup context: a sign of life that often (2 s), an answer within that time (3 s), and
	 * given up after so long without the active copy (60 s). The active copy's server ends it after
	 * the same time without a sign of ours, whatever has become of us. */
	uint64_t heartbeat_ns, heartbeat_timeout_ns, context_lease_ns;
	uint64_t keepalive_time_ns; /* TCP's own, on every session with a copy; default 60 s */
	/* A passive copy further behind than that is not backed up. Bytes of log; defaults 1 GiB. */
	uint64_t max_copy_queue, max_replay_queue;
	enum group_verify verify;
	char *slot; /* the slot that holds back the active copy's logs until they are backed up; NULL: none */
	size_t n;
	struct group_copy *copies;
};

/* ERR_CONFIG: there is no such group (the hint names those that are), or it is wrong (names the setting).
 * Takes "[group.NAME]" and its copies from `s`. */
CHECKED int group_find(const struct settings *s, const char *name, struct group **ret,
		       struct error *err);
/* All that are configured, in the order of the file. */
struct group_list {
	size_t n;
	struct group **groups;
};
CHECKED int group_list_read(const struct settings *s, struct group_list *ret, struct error *err);
void group_list_done(struct group_list *l);

const struct group_copy *group_copy_find(const struct group *g, const char *name);
const char *group_prefer_name(enum group_prefer p); /* "passive-only" */
/* One of its own, for a thread that may outlive the other. */
CHECKED int group_dup(const struct group *g, struct group **ret, struct error *err);
void group_free(struct group *g);
void group_freep(struct group **g);

#endif
