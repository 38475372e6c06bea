/* SPDX-License-Identifier: Apache-2.0 */

/* Holds come and go, their members with them. */
#include "guard/daemon/guardian.h"

#include <string.h>

#include "base/clock.h"

bool
guardian_thaws_pending(struct guardian *g)
{
	for (size_t i = 0; i < GUARDIAN_FREEZERS_MAX; i++) {
		if (g->freezers[i].threads && !freezer_settled(&g->freezers[i]))
			return true;
	}
	return false;
}

bool
guardian_frozen(struct guardian *g)
{
	const struct hold *h = g->making;

	return guardian_thaws_pending(g) ||
	       (h != NULL && h->step >= HOLD_QUIET && h->step <= HOLD_THAWING && !h->ending);
}

void
guardian_dirty(struct hold *h)
{
	struct guardian *g = h->g;

	h->dirty = true;
	if (!g->dirty)
		g->flush_ns = clock_boot_ns() + GUARDIAN_FLUSH_NS;
	g->dirty = true;
}

/* Where the hold of this epoch is, or would be. */
static size_t
place_of(const struct guardian *g, uint64_t epoch)
{
	size_t from = 0, to = g->n_holds;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (g->holds[middle]->key.epoch < epoch)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

struct hold *
guardian_find(struct guardian *g, const struct lease_key *key)
{
	size_t i = place_of(g, key->epoch);

	if (i == g->n_holds || g->holds[i]->key.epoch != key->epoch ||
	    memcmp(g->holds[i]->key.set, key->set, sizeof(key->set)) != 0)
		return NULL;
	return g->holds[i];
}

struct hold *
guardian_add(struct guardian *g, const struct lease_key *key, const char *job)
{
	struct hold *h = g->n_holds < GUARDIAN_LEASES_MAX ? calloc(1, sizeof(*h)) : NULL;
	size_t at = place_of(g, key->epoch);

	if (h == NULL)
		return NULL;
	h->g = g;
	h->key = *key;
	wire_text(h->job, sizeof(h->job), job);
	memmove(&g->holds[at + 1], &g->holds[at], (g->n_holds - at) * sizeof(g->holds[0]));
	g->holds[at] = h;
	g->n_holds++;
	return h;
}

void
guardian_remove(struct guardian *g, struct hold *h)
{
	size_t at = place_of(g, h->key.epoch);

	while (at < g->n_holds && g->holds[at] != h)
		at++;
	if (at < g->n_holds) {
		g->n_holds--;
		memmove(&g->holds[at], &g->holds[at + 1], (g->n_holds - at) * sizeof(g->holds[0]));
	}
	if (g->making == h)
		g->making = NULL;
	for (size_t i = 0; i < h->n_writers; i++)
		fd_close(&h->writers[i]);
	for (size_t i = 0; i < h->n_members; i++)
		free(h->members[i]);
	free(h);
}

struct member *
guardian_add_member(struct hold *h, const struct provider_ops *ops)
{
	struct member *m = h->n_members < SNAPSHOT_MEMBERS_MAX ? calloc(1, sizeof(*m)) : NULL;

	if (m == NULL)
		return NULL;
	m->hold = h;
	m->ops = ops;
	m->settings = &h->g->settings;
	m->stage = JOURNAL_INTENDED;
	memcpy(m->s.set, h->key.set, sizeof(m->s.set));
	m->s.index = (uint32_t)h->n_members;
	wire_text(m->s.provider, sizeof(m->s.provider), ops->name);
	h->members[h->n_members++] = m;
	return m;
}

struct freezer *
guardian_freezer(struct guardian *g)
{
	for (size_t i = 0; i < GUARDIAN_FREEZERS_MAX; i++) {
		struct freezer *f = &g->freezers[i];

		if (!f->threads) {
			if (freezer_init(f, &freezer_kernel, &g->done, NULL) < 0)
				return NULL;
			return f;
		}
		if (freezer_state(f) == FREEZER_EMPTY)
			return f;
	}
	return NULL;
}
