/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A provider makes the files below a source readable as they were at one moment, or says plainly that
 * it cannot. The life of one snapshot:
 *
 *	promise -> source          (the plan: which provider, for what)
 *	prepare                    (nothing waits yet: whatever may fail or take long)
 *	    create                 (writers are frozen, and the file system if `freezes` says so)
 *	expose                     (all is thawed)
 *	    ... data is read below s->exposed ...
 *	remove
 *
 * All state is in struct snapshot, which the caller keeps (and journals *before* each call): any
 * process may call the next function, after any interruption. The caller fills in set, index,
 * provider and source, and zeroes the rest.
 *
 * What every provider keeps:
 *  1. `remove` undoes whatever was done so far, after prepare alone, after a failed or half-done
 *     create, after expose; called twice it succeeds twice. It needs set, index, provider and source,
 *     and uses place, exposed and detail if they are there.
 *  2. Nothing is touched that does not carry our mark. A mark is made durable by prepare, before
 *     anything else exists, and goes last. A place taken by something that is not ours: ERR_EXISTS
 *     from prepare, ERR_PERMISSION from remove, and nothing is changed.
 *  3. `find` lists what carries a mark, without any journal: its snapshots are good for remove.
 *  4. A promise is kept or the call fails: never silently less.
 *  5. Several sets may exist at once, also of one source.
 *
 * Threads: functions may be called from any thread, for different snapshots at the same time. No
 * function prints or changes the process's signal handling, working folder or mount namespace.
 */
#ifndef HF_PROVIDER_PROVIDER_H
#define HF_PROVIDER_PROVIDER_H

#include <stdbool.h>

#include "base/base.h"
#include "base/consistency.h"
#include "base/error.h"
#include "provider/settings.h"
#include "provider/snapshot.h"
#include "provider/volume.h"

/* From promise: this provider cannot serve this volume at all. */
#define PROVIDER_CANNOT ((enum consistency)0)

/*
 * The best consistency of a path on this volume when it is read through this provider: CRASH for one
 * source by itself; the plan lowers it where a set is not one instant. `hot`: a writer vouches for the
 * path. *ret_why: why so, a sentence without its full stop. Pure: decides by its arguments alone.
 */
typedef enum consistency provider_promise_fn(const struct volume *volume,
					     const struct provider_settings *settings, bool hot,
					     const char **ret_why);
/* What a snapshot of `path`, on this volume, would have as its source. Pure; points into either. */
typedef const char *provider_source_fn(const struct volume *volume, const char *path);
/* Check what can be checked, decide s->place and s->detail, make the mark. After a failure nothing is
 * left behind. */
typedef int provider_prepare_fn(struct snapshot *s, const struct provider_settings *settings,
				struct error *err);
/* The moment. Returns soon after the deadline (boot clock) at the latest, then with ERR_TIMEOUT;
 * after any failure there may be something to remove. Writes nothing to any file system that is
 * frozen: of these that is the source's own, if `freezes`. */
typedef int provider_create_fn(struct snapshot *s, const struct provider_settings *settings,
			       uint64_t deadline_ns, struct error *err);
/* Make it readable, unchangeable by its readers, at s->exposed. */
typedef int provider_expose_fn(struct snapshot *s, const struct provider_settings *settings,
			       struct error *err);
/* Undo all of it. Waits for readers that are just going (EBUSY) for a few seconds, then ERR_BUSY. */
typedef int provider_remove_fn(const struct snapshot *s, const struct provider_settings *settings,
			       struct error *err);
/* What is free, of how much, where the snapshot's growth is stored. */
typedef int provider_space_fn(const struct snapshot *s, const struct provider_settings *settings,
			      uint64_t *ret_free, uint64_t *ret_total, struct error *err);
/* Called for each leftover; a negative result ends the search and is its result. */
typedef int provider_each_fn(const struct snapshot *s, void *arg, struct error *err);
/* Everything of this provider on this machine that was made with the same settings.mount_root, those of
 * living sets too: whoever removes leftovers has to know these. What cannot be looked at is passed
 * over. */
typedef int provider_find_fn(const struct provider_settings *settings, provider_each_fn *each,
			     void *arg, struct error *err);

struct provider_ops {
	const char *name; /* as writers, restore points and people know it: "btrfs" */
	const char *cost; /* what using it costs the host, for people */
	bool freezes; /* the guard freezes the file system around create, unless the settings say no:
		       * ask provider_freezes() */
	bool atomic; /* one source is one instant */
	provider_promise_fn *promise;
	provider_source_fn *source;
	provider_prepare_fn *prepare;
	provider_create_fn *create;
	provider_expose_fn *expose;
	provider_remove_fn *remove;
	provider_space_fn *space;
	provider_find_fn *find;
};

/* The n-th provider from 0, NULL past the end: in order of preference where two promise the same. */
const struct provider_ops *provider_at(size_t n);
/* NULL if there is none of this name. */
const struct provider_ops *provider_find_by_name(const char *name);
/* Whether the file system has to be frozen around create. */
bool provider_freezes(const struct provider_ops *ops, const struct provider_settings *settings);

#endif
