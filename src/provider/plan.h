/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The plan of a snapshot set: which provider reads what, and why; what lies nested in it; what is to be
 * expected; in which order file systems are frozen.
 *
 * plan_gather looks at the machine, plan_decide is pure over what was gathered, plan_make is both:
 *
 *  - Each path gets the provider that promises most, the earlier in the list where two promise the
 *    same; `direct` where a snapshot would promise no more than that. A provider wished for by name is
 *    taken, and an error where it cannot serve a path.
 *  - Distinct sources become the set's members. What is mounted below a path, and subvolumes nested
 *    in it, are crossings: members of their own, or read live.
 *  - A set is one instant (`atomic`) if all that is not live is one atomic member, or if all members'
 *    file systems are frozen at once, and nothing but memory file systems and read-only subvolumes is
 *    read live. Paths that no writer vouches for are CRASH only then, else NONE.
 *  - Members come in the order in which their file systems freeze. If no order is sure, nothing is
 *    frozen, and the next best provider is taken.
 */
#ifndef HF_PROVIDER_PLAN_H
#define HF_PROVIDER_PLAN_H

#include <stdbool.h>

#include "base/base.h"
#include "provider/order.h"
#include "provider/provider.h"
#include "provider/snapshot_map.h"

enum { PLAN_LIVE = -1, PLAN_WHY_MAX = 256 };

struct plan_wanted {
	const char *path; /* absolute */
	bool hot; /* of a writer, who vouches for what is copied while it runs */
};

struct plan_request {
	size_t n;
	const struct plan_wanted *wanted;
	const char *wish; /* "auto", or a provider's name */
	bool one_file_system;
	const struct provider_settings *settings;
};

struct plan_path {
	char *path; /* as it was given */
	bool hot;
	struct volume volume;
	const struct provider_ops *provider;
	int member; /* PLAN_LIVE: read where it is, by provider `direct` */
	enum consistency expected;
	char why[PLAN_WHY_MAX];
};

/* Something nested below a path, which its snapshot shows as an empty folder. */
struct plan_crossing {
	char *path; /* with no symbolic link in it */
	bool subvolume; /* else a mount */
	bool hot; /* one of the paths above it is */
	struct volume volume;
	const struct provider_ops *provider;
	int member;
	char why[PLAN_WHY_MAX];
};

struct plan_member {
	const struct provider_ops *provider;
	char source[SNAPSHOT_PATH_MAX];
	uint64_t device; /* that its file system is on */
	bool freezes;
};

struct plan {
	size_t n_paths;
	struct plan_path *paths; /* in the order in which they were asked for */
	size_t n_crossings;
	struct plan_crossing *crossings;
	struct order_facts order;
	/* Decided: */
	size_t n_members;
	struct plan_member members[SNAPSHOT_MEMBERS_MAX]; /* freezing order */
	bool atomic; /* the whole set */
	bool hot_atomic; /* what hot paths and their crossings need of it */
};

/* ERR_SOURCE if a path cannot be reached, ERR_USAGE if the provider wished for cannot serve one. */
CHECKED int plan_make(const struct plan_request *request, struct plan *ret, struct error *err);
void plan_done(struct plan *p);

/* The halves of it. */
CHECKED int plan_gather(const struct plan_request *request, struct plan *ret, struct error *err);
CHECKED int plan_decide(const struct plan_request *request, struct plan *p, struct error *err);

/* The worst that is expected of any path; NONE if there is none. */
enum consistency plan_expected(const struct plan *p);

/*
 * Where everything is read once the set is exposed: for each path, and each crossing. snapshots[i] is
 * members[i]'s. Without snapshots (n 0) all is read live.
 */
CHECKED int plan_map(const struct plan *p, const struct snapshot *snapshots, size_t n,
		     struct snapshot_map *ret, struct error *err);

#endif
