/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Ten thousand leases and as many keep-alives a second are well within reach: a lease is found by its
 * epoch, which the table is sorted by, and looking for what is due is put off until something can be.
 */
#include "guard/lease.h"

#include <inttypes.h>
#include <string.h>

const char *
lease_end_text(enum lease_end end)
{
	switch (end) {
	case LEASE_FINISHED:
		return "it was finished";
	case LEASE_ABORTED:
		return "it was aborted";
	case LEASE_EXPIRED:
		return "snapshot timeout occurred";
	case LEASE_FREEZE_CAP:
		return "it was frozen for too long";
	case LEASE_AGENT_LOST:
		return "the agent was lost";
	case LEASE_NO_SPACE:
		return "the file system needed the space";
	case LEASE_BY_HAND:
		return "it was released by hand";
	case LEASE_RESTARTED:
		return "the guard was restarted";
	case LEASE_NOT_ENDED:
		break;
	}
	return "it has not ended";
}

const char *
lease_end_name(enum lease_end end)
{
	static const char *const names[] = {
		[LEASE_NOT_ENDED] = "open",        [LEASE_FINISHED] = "finished",
		[LEASE_ABORTED] = "aborted",       [LEASE_EXPIRED] = "expired",
		[LEASE_FREEZE_CAP] = "freeze-cap", [LEASE_AGENT_LOST] = "agent-lost",
		[LEASE_NO_SPACE] = "no-space",     [LEASE_BY_HAND] = "by-hand",
		[LEASE_RESTARTED] = "restarted",
	};

	return (size_t)end < ARRAY_SIZE(names) ? names[end] : "unknown";
}

void
lease_table_init(struct lease_table *t, struct lease *open, size_t open_max, struct lease *ended,
		 size_t ended_max)
{
	*t = (struct lease_table){
		.open = open,
		.open_max = open_max,
		.ended = ended,
		.ended_max = ended_max,
		.soonest_ns = UINT64_MAX,
	};
}

/* ---- looking up ------------------------------------------------------------------------------ */

static bool
is_key(const struct lease *l, const struct lease_key *key)
{
	return l->key.epoch == key->epoch && memcmp(l->key.set, key->set, LEASE_SET_SIZE) == 0;
}

/* Where the lease of this epoch is, or would be. */
static size_t
place_of(const struct lease_table *t, uint64_t epoch)
{
	size_t from = 0, to = t->n_open;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (t->open[middle].key.epoch < epoch)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

static struct lease *
find_open(const struct lease_table *t, const struct lease_key *key)
{
	size_t i = place_of(t, key->epoch);

	return i < t->n_open && is_key(&t->open[i], key) ? &t->open[i] : NULL;
}

const struct lease *
lease_find(const struct lease_table *t, const struct lease_key *key)
{
	const struct lease *l = find_open(t, key);

	for (size_t i = 0; l == NULL && i < MIN(t->n_ended, (uint64_t)t->ended_max); i++) {
		if (is_key(&t->ended[i], key))
			l = &t->ended[i];
	}
	return l;
}

static int
tell_end(const struct lease *l, uint64_t now_ns, struct error *err)
{
	uint64_t ago = now_ns > l->ended_ns ? (now_ns - l->ended_ns) / NS_PER_S : 0;

	return error_set(err, ERR_LEASE_ENDED,
			 "the snapshot set was released %" PRIu64
			 " s ago: %s (time to live %" PRIu64 " s, last keep-alive %" PRIu64
			 " s before that)",
			 ago, lease_end_text(l->end), l->ttl_ns / NS_PER_S,
			 (l->ended_ns - MIN(l->renewed_ns, l->ended_ns)) / NS_PER_S);
}

/* The open lease of this key, after what is due was done. */
static int
get(struct lease_table *t, const struct lease_key *key, uint64_t now_ns, struct lease **ret,
    struct error *err)
{
	lease_tick(t, now_ns);
	struct lease *l = find_open(t, key);
	const struct lease *known = l != NULL ? l : lease_find(t, key);

	if (known == NULL)
		return error_set(err, ERR_NOT_FOUND, "no such snapshot set");
	if (known->state == LEASE_ENDED)
		return tell_end(known, now_ns, err);
	*ret = l;
	return OK;
}

int
lease_check(struct lease_table *t, const struct lease_key *key, uint64_t now_ns, struct error *err)
{
	struct lease *l;

	return get(t, key, now_ns, &l, err);
}

/* ---- ending ---------------------------------------------------------------------------------- */

static void
end(struct lease_table *t, struct lease *l, enum lease_end why, uint64_t at_ns)
{
	if (l->state == LEASE_ENDED)
		return;
	t->n_duties++;
	l->duties = LEASE_DUTY_RELEASE;
	if (l->state == LEASE_FROZEN)
		l->duties |= LEASE_DUTY_THAW;
	if (l->state != LEASE_HELD || why != LEASE_FINISHED)
		l->proven = false;
	l->state = LEASE_ENDED;
	l->end = why;
	l->ended_ns = at_ns;
}

static uint64_t
due_ns(const struct lease *l)
{
	if (l->state == LEASE_ENDED)
		return UINT64_MAX;
	return l->state == LEASE_FROZEN ? MIN(l->deadline_ns, l->freeze_deadline_ns)
					: l->deadline_ns;
}

uint64_t
lease_next_ns(const struct lease_table *t)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < t->n_open; i++)
		next = MIN(next, due_ns(&t->open[i]));
	return next;
}

void
lease_tick(struct lease_table *t, uint64_t now_ns)
{
	if (now_ns < t->soonest_ns)
		return;
	for (size_t i = 0; i < t->n_open; i++) {
		struct lease *l = &t->open[i];

		/* It ended then, whenever we come to see it. The earlier of the two is the reason. */
		if (l->state == LEASE_FROZEN && now_ns >= l->freeze_deadline_ns &&
		    l->freeze_deadline_ns <= l->deadline_ns)
			end(t, l, LEASE_FREEZE_CAP, l->freeze_deadline_ns);
		else if (l->state != LEASE_ENDED && now_ns >= l->deadline_ns)
			end(t, l, LEASE_EXPIRED, l->deadline_ns);
	}
	t->soonest_ns = lease_next_ns(t);
}

void
lease_end_all(struct lease_table *t, enum lease_end why, uint64_t now_ns)
{
	lease_tick(t, now_ns);
	for (size_t i = 0; i < t->n_open; i++)
		end(t, &t->open[i], why, now_ns);
}

/* ---- requests -------------------------------------------------------------------------------- */

static int
check_ttl(uint64_t ttl_ns, struct error *err)
{
	if (ttl_ns < LEASE_TTL_MIN_NS || ttl_ns > LEASE_TTL_MAX_NS)
		return error_set(err, ERR_LIMIT,
				 "a time to live of %" PRIu64 " s is not between 1 s and 24 h",
				 ttl_ns / NS_PER_S);
	return OK;
}

int
lease_begin(struct lease_table *t, const uint8_t set[LEASE_SET_SIZE], uint64_t ttl_ns,
	    uint64_t now_ns, struct lease_key *ret_key, struct error *err)
{
	if (check_ttl(ttl_ns, err) < 0)
		return err->code;
	lease_tick(t, now_ns);
	for (size_t i = 0; i < t->n_open; i++) {
		const struct lease *l = &t->open[i];

		if (l->state == LEASE_PREPARING || l->state == LEASE_FROZEN ||
		    (l->duties & LEASE_DUTY_THAW) != 0)
			return error_set(err, ERR_BUSY, "another snapshot set is in progress");
	}
	if (t->n_open == t->open_max)
		return error_set(err, ERR_BUSY, "%zu snapshot sets are held already", t->open_max);
	struct lease *l = &t->open[t->n_open++];
	*l = (struct lease){
		.key.epoch = ++t->last_epoch,
		.state = LEASE_PREPARING,
		.ttl_ns = ttl_ns,
		.renewed_ns = now_ns,
		.deadline_ns = now_ns + ttl_ns,
	};
	memcpy(l->key.set, set, LEASE_SET_SIZE);
	t->soonest_ns = MIN(t->soonest_ns, l->deadline_ns);
	*ret_key = l->key;
	return OK;
}

int
lease_keep(struct lease_table *t, const struct lease_key *key, uint64_t ttl_ns, uint64_t now_ns,
	   struct error *err)
{
	struct lease *l = NULL;

	if (check_ttl(ttl_ns, err) < 0 || get(t, key, now_ns, &l, err) < 0)
		return err->code;
	l->ttl_ns = ttl_ns;
	l->renewed_ns = now_ns;
	l->deadline_ns = now_ns + ttl_ns;
	t->soonest_ns = MIN(t->soonest_ns, l->deadline_ns);
	return OK;
}

int
lease_freeze(struct lease_table *t, const struct lease_key *key, uint64_t cap_ns, uint64_t now_ns,
	     struct error *err)
{
	struct lease *l = NULL;

	if (get(t, key, now_ns, &l, err) < 0)
		return err->code;
	if (cap_ns == 0 || cap_ns > LEASE_FREEZE_MAX_NS)
		return error_set(err, ERR_LIMIT, "nothing may be frozen for %" PRIu64 " s",
				 cap_ns / NS_PER_S);
	if (l->state != LEASE_PREPARING)
		return error_set(err, ERR_BAD_STATE, "the snapshot set was frozen before");
	l->state = LEASE_FROZEN;
	l->frozen_ns = now_ns;
	l->freeze_deadline_ns = now_ns + cap_ns;
	t->soonest_ns = MIN(t->soonest_ns, l->freeze_deadline_ns);
	return OK;
}

int
lease_thaw(struct lease_table *t, const struct lease_key *key, bool ours, uint64_t now_ns,
	   struct error *err)
{
	struct lease *l = NULL;

	if (get(t, key, now_ns, &l, err) < 0)
		return err->code;
	if (l->state != LEASE_FROZEN)
		return error_set(err, ERR_BAD_STATE, "the snapshot set is not frozen");
	l->state = LEASE_HELD;
	l->held_ns = now_ns;
	l->proven = ours;
	return OK;
}

int
lease_finish(struct lease_table *t, const struct lease_key *key, uint64_t now_ns, bool *ret_proven,
	     struct error *err)
{
	struct lease *l = NULL;

	if (get(t, key, now_ns, &l, err) < 0)
		return err->code;
	if (l->state != LEASE_HELD)
		return error_set(err, ERR_BAD_STATE, "there is no snapshot yet");
	end(t, l, LEASE_FINISHED, now_ns);
	*ret_proven = l->proven;
	return OK;
}

int
lease_end_one(struct lease_table *t, const struct lease_key *key, enum lease_end why,
	      uint64_t now_ns, struct error *err)
{
	struct error late = ERROR_INIT;
	struct lease *l = NULL;
	int rc = get(t, key, now_ns, &l, &late);

	if (rc == ERR_LEASE_ENDED)
		return OK;
	if (rc < 0) {
		*err = late;
		return rc;
	}
	end(t, l, why, now_ns);
	return OK;
}

int
lease_abort(struct lease_table *t, const struct lease_key *key, uint64_t now_ns, struct error *err)
{
	return lease_end_one(t, key, LEASE_ABORTED, now_ns, err);
}

/* ---- duties ---------------------------------------------------------------------------------- */

const struct lease *
lease_duty_next(const struct lease_table *t)
{
	const struct lease *found = NULL;

	for (size_t i = 0; t->n_duties > 0 && i < t->n_open; i++) {
		const struct lease *l = &t->open[i];

		if ((l->duties & LEASE_DUTY_THAW) != 0)
			return l;
		if (found == NULL && l->duties != 0)
			found = l;
	}
	return found;
}

static void
remember(struct lease_table *t, const struct lease *l)
{
	if (t->ended_max > 0)
		t->ended[t->n_ended++ % t->ended_max] = *l;
}

void
lease_duty_done(struct lease_table *t, const struct lease_key *key, enum lease_duty duty)
{
	struct lease *l = find_open(t, key);

	if (l == NULL || l->state != LEASE_ENDED)
		return;
	l->duties &= ~(unsigned)duty;
	if (l->duties != 0)
		return;
	remember(t, l);
	t->n_duties--;
	t->n_open--;
	memmove(l, l + 1, (size_t)(&t->open[t->n_open] - l) * sizeof(*l));
}

/* ---- restart --------------------------------------------------------------------------------- */

int
lease_restore(struct lease_table *t, const struct lease *journaled, bool same_boot, uint64_t now_ns,
	      struct error *err)
{
	t->last_epoch = MAX(t->last_epoch, journaled->key.epoch);
	if (lease_find(t, &journaled->key) != NULL)
		return error_set(err, ERR_EXISTS, "the lease is known already");
	if (journaled->state == LEASE_ENDED && journaled->duties == 0) {
		remember(t, journaled);
		return OK;
	}
	if (t->n_open == t->open_max)
		return error_set(err, ERR_LIMIT, "more than %zu leases in the journal",
				 t->open_max);
	size_t at = place_of(t, journaled->key.epoch);
	struct lease *l = &t->open[at];

	memmove(l + 1, l, (t->n_open - at) * sizeof(*l));
	t->n_open++;
	*l = *journaled;
	if (!same_boot) {
		/* Its times mean nothing now. No freeze outlives the kernel that made it. */
		l->renewed_ns = l->deadline_ns = now_ns;
		if (l->state == LEASE_FROZEN)
			l->state = LEASE_PREPARING;
		if (l->state == LEASE_ENDED)
			l->duties = LEASE_DUTY_RELEASE;
	}
	if (l->state == LEASE_ENDED)
		t->n_duties++;
	else if (!same_boot || l->state != LEASE_HELD)
		end(t, l, LEASE_RESTARTED, now_ns);
	t->soonest_ns = MIN(t->soonest_ns, due_ns(l));
	lease_tick(t, now_ns);
	return OK;
}
