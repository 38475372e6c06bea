/* SPDX-License-Identifier: Apache-2.0 */

/* The decisions: who reads what, what that makes of the set, and in which order it freezes. */
#include "provider/plan.h"

#include <string.h>

#include "base/text.h"
#include "provider/direct.h"

void
plan_done(struct plan *p)
{
	for (size_t i = 0; i < p->n_paths; i++) {
		free(p->paths[i].path);
		volume_done(&p->paths[i].volume);
	}
	for (size_t i = 0; i < p->n_crossings; i++) {
		free(p->crossings[i].path);
		volume_done(&p->crossings[i].volume);
	}
	free(p->paths);
	free(p->crossings);
	order_facts_done(&p->order);
	*p = (struct plan){0};
}

/* One attempt: with or without providers that freeze. */
struct attempt {
	const struct plan_request *request;
	struct plan *plan;
	const char *no_freeze; /* why not, NULL: allowed */
};

struct choice {
	const struct provider_ops *provider;
	enum consistency promise;
	char why[PLAN_WHY_MAX];
};

/* Of all that cannot serve, the one whose reason a person wants to hear. */
static const char *
nearest(const struct attempt *a, const struct volume *v, bool hot)
{
	if (strcmp(a->request->wish, "auto") != 0)
		return a->request->wish;
	if (strcmp(v->type, "btrfs") == 0)
		return "btrfs";
	if (v->lvm)
		return "lvm";
	return hot && strcmp(v->type, "xfs") == 0 ? "reflink" : "external";
}

static enum consistency
ask(const struct attempt *a, const struct provider_ops *ops, const struct volume *v, bool hot,
    const char **ret_why)
{
	if (a->no_freeze != NULL && provider_freezes(ops, a->request->settings)) {
		*ret_why = a->no_freeze;
		return PROVIDER_CANNOT;
	}
	return ops->promise(v, a->request->settings, hot, ret_why);
}

static struct choice
choose(const struct attempt *a, const struct volume *v, bool hot)
{
	const char *wish = a->request->wish, *why = "", *missing = NULL;
	bool any = strcmp(wish, "auto") == 0;
	struct choice best = {.provider = NULL};
	const struct provider_ops *ops;

	for (size_t i = 0; (ops = provider_at(i)) != NULL; i++) {
		enum consistency promise = ask(a, ops, v, hot, &why);

		if (promise == PROVIDER_CANNOT && strcmp(ops->name, nearest(a, v, hot)) == 0)
			missing = why;
		/* A snapshot that promises nothing is not worth its making, unless it is wished for. */
		if (ops == &direct_ops
			    ? best.provider != NULL
			    : promise <= best.promise || (any ? promise <= CONSISTENCY_NONE
							      : strcmp(ops->name, wish) != 0))
			continue;
		best.provider = ops;
		best.promise = promise;
		(void)text_printf(best.why, sizeof(best.why), "%s", why);
	}
	if (best.provider == NULL) /* direct serves everything, so that this cannot be */
		best.provider = &direct_ops;
	if (best.provider == &direct_ops && missing != NULL && !any)
		(void)text_printf(best.why, sizeof(best.why), "%s", missing);
	else if (best.provider == &direct_ops && missing != NULL)
		(void)text_printf(
			best.why, sizeof(best.why), "%s; %s: %s",
			hot ? "read live by leave of its writer"
			    : "there is no snapshot, so files are read while they may change",
			nearest(a, v, hot), missing);
	return best;
}

/* The index of the member, a new one if need be; PLAN_LIVE if the set is full. */
static int
member_of(struct attempt *a, const struct provider_ops *ops, const struct volume *v)
{
	struct plan *p = a->plan;
	const char *source = ops->source(v, v->real);
	struct plan_member *m;

	for (size_t i = 0; i < p->n_members; i++)
		if (p->members[i].provider == ops && strcmp(p->members[i].source, source) == 0)
			return (int)i;
	if (p->n_members == SNAPSHOT_MEMBERS_MAX || strlen(source) >= SNAPSHOT_PATH_MAX)
		return PLAN_LIVE;
	m = &p->members[p->n_members];
	m->provider = ops;
	m->device = v->block_device != 0 ? v->block_device : v->device;
	m->freezes = provider_freezes(ops, a->request->settings);
	(void)text_printf(m->source, sizeof(m->source), "%s", source);
	return (int)p->n_members++;
}

static struct choice
settle(struct attempt *a, const struct volume *v, bool hot, int *ret_member)
{
	struct choice c = choose(a, v, hot);

	*ret_member = PLAN_LIVE;
	if (c.provider == &direct_ops)
		return c;
	*ret_member = member_of(a, c.provider, v);
	if (*ret_member == PLAN_LIVE) {
		c.provider = &direct_ops;
		c.promise = hot ? CONSISTENCY_APPLICATION : CONSISTENCY_NONE;
		(void)text_printf(c.why, sizeof(c.why), "a set has no more than %d snapshots",
				  SNAPSHOT_MEMBERS_MAX);
	}
	return c;
}

static void
settle_all(struct attempt *a)
{
	struct plan *p = a->plan;

	p->n_members = 0;
	for (size_t i = 0; i < p->n_paths; i++) {
		struct plan_path *path = &p->paths[i];
		struct choice c = settle(a, &path->volume, path->hot, &path->member);

		path->provider = c.provider;
		path->expected = c.promise;
		memcpy(path->why, c.why, sizeof(path->why));
	}
	for (size_t i = 0; i < p->n_crossings; i++) {
		struct plan_crossing *x = &p->crossings[i];
		struct choice c;

		/* Neither can hold a snapshot, and neither needs one. */
		if (mounts_is_volatile(x->volume.type) || x->volume.subvolume_read_only) {
			x->provider = &direct_ops;
			x->member = PLAN_LIVE;
			(void)text_printf(x->why, sizeof(x->why), "%s",
					  x->subvolume ? "a read-only subvolume does not change"
						       : "it is gone after a power cut anyway");
			continue;
		}
		c = settle(a, &x->volume, x->hot, &x->member);
		x->provider = c.provider;
		memcpy(x->why, c.why, sizeof(x->why));
	}
}

/* Freezing members first and in their order; false, with the reason, if there is none. */
static int
put_in_order(struct plan *p, struct error *err)
{
	uint64_t devices[SNAPSHOT_MEMBERS_MAX] = {0};
	size_t frozen[SNAPSHOT_MEMBERS_MAX], order[SNAPSHOT_MEMBERS_MAX], n = 0, at = 0;
	int new_index[SNAPSHOT_MEMBERS_MAX];
	struct plan_member sorted[SNAPSHOT_MEMBERS_MAX];

	for (size_t i = 0; i < p->n_members; i++)
		if (p->members[i].freezes) {
			frozen[n] = i;
			devices[n++] = p->members[i].device;
		}
	if (n > 0 && p->n_members > 1 && p->order.unknown != 0)
		return error_set(err, ERR_BAD_STATE, "what one of the devices needs is not known");
	for (size_t i = 0; i < p->n_members; i++)
		for (size_t j = 0; j < n && !p->members[i].freezes; j++)
			if (p->members[i].device == devices[j] ||
			    order_needs(&p->order, p->members[i].device, devices[j]))
				return error_set(
					err, ERR_BAD_STATE,
					"'%s' could not be snapshotted while '%s' is frozen",
					p->members[i].source, p->members[frozen[j]].source);
	if (order_sort(&p->order, devices, n, order, err) < 0)
		return err->code;
	for (size_t i = 0; i < n; i++)
		new_index[frozen[order[i]]] = (int)at++;
	for (size_t i = 0; i < p->n_members; i++) {
		if (!p->members[i].freezes)
			new_index[i] = (int)at++;
		sorted[new_index[i]] = p->members[i];
	}
	memcpy(p->members, sorted, p->n_members * sizeof(*sorted));
	for (size_t i = 0; i < p->n_paths; i++)
		if (p->paths[i].member >= 0)
			p->paths[i].member = new_index[p->paths[i].member];
	for (size_t i = 0; i < p->n_crossings; i++)
		if (p->crossings[i].member >= 0)
			p->crossings[i].member = new_index[p->crossings[i].member];
	return OK;
}

/* Whether all that is read (of hot paths, or at all) is of one instant; *ret_why if not. */
static bool
is_atomic(const struct plan *p, bool hot_only, char why[PLAN_WHY_MAX])
{
	bool used[SNAPSHOT_MEMBERS_MAX] = {0}, all_freeze = true, atomic = true;
	const char *live = NULL;
	size_t n = 0;

	for (size_t i = 0; i < p->n_paths; i++) {
		const struct plan_path *path = &p->paths[i];

		if (hot_only && !path->hot)
			continue;
		if (path->member >= 0)
			used[path->member] = true;
		else if (live == NULL && !mounts_is_volatile(path->volume.type))
			live = path->path;
	}
	for (size_t i = 0; i < p->n_crossings; i++) {
		const struct plan_crossing *x = &p->crossings[i];

		if (hot_only && !x->hot)
			continue;
		if (x->member >= 0)
			used[x->member] = true;
		else if (live == NULL && !mounts_is_volatile(x->volume.type) &&
			 !x->volume.subvolume_read_only)
			live = x->path;
	}
	for (size_t i = 0; i < p->n_members; i++) {
		n += used[i];
		all_freeze = all_freeze && (!used[i] || p->members[i].freezes);
		atomic = atomic && (!used[i] || p->members[i].provider->atomic);
	}
	if (live != NULL)
		(void)text_printf(why, PLAN_WHY_MAX, "'%s' is read live beside it", live);
	else if (n > 1 && !all_freeze)
		(void)text_printf(why, PLAN_WHY_MAX, "%zu snapshots are as many instants", n);
	else
		(void)text_printf(why, PLAN_WHY_MAX, "files are cloned one after the other");
	return live == NULL && n > 0 && atomic && (n == 1 || all_freeze);
}

static void
lower(struct plan *p)
{
	char why[PLAN_WHY_MAX];

	p->hot_atomic = is_atomic(p, true, why);
	p->atomic = is_atomic(p, false, why);
	for (size_t i = 0; i < p->n_paths && !p->atomic; i++) {
		struct plan_path *path = &p->paths[i];

		if (path->hot || path->expected <= CONSISTENCY_NONE)
			continue;
		path->expected = CONSISTENCY_NONE;
		(void)text_printf(path->why, sizeof(path->why), "%s", why);
	}
}

/* A provider that was asked for by name has to do, for every path. */
static int
check_wish(const struct attempt *a, struct error *err)
{
	const struct plan *p = a->plan;
	const char *wish = a->request->wish;

	for (size_t i = 0; i < p->n_paths && strcmp(wish, "auto") != 0; i++)
		if (strcmp(p->paths[i].provider->name, wish) != 0) {
			error_set(err, ERR_USAGE, "'%s' cannot be read by provider '%s': %s",
				  p->paths[i].path, wish, p->paths[i].why);
			return error_hint(err, "Let the provider be chosen ('auto'), or see "
					       "'holdfast plan'.");
		}
	return OK;
}

int
plan_decide(const struct plan_request *request, struct plan *p, struct error *err)
{
	struct attempt a = {.request = request, .plan = p};
	struct error no_order = ERROR_INIT;

	if (strcmp(request->wish, "auto") != 0 && provider_find_by_name(request->wish) == NULL) {
		error_set(err, ERR_USAGE, "there is no snapshot provider '%s'", request->wish);
		return error_hint(err, "It is one of auto, btrfs, lvm, external, reflink, direct.");
	}
	settle_all(&a);
	if (put_in_order(p, &no_order) < 0) {
		if (no_order.code != ERR_BAD_STATE) {
			*err = no_order;
			return err->code;
		}
		a.no_freeze = no_order.msg;
		settle_all(&a);
		if (put_in_order(p, err) < 0)
			return err->code;
	}
	lower(p);
	return check_wish(&a, err);
}

enum consistency
plan_expected(const struct plan *p)
{
	enum consistency worst = p->n_paths > 0 ? CONSISTENCY_APPLICATION : CONSISTENCY_NONE;

	for (size_t i = 0; i < p->n_paths; i++)
		worst = MIN(worst, p->paths[i].expected);
	return worst;
}

int
plan_make(const struct plan_request *request, struct plan *ret, struct error *err)
{
	CLEAN(plan_done) struct plan p = {0};

	if (plan_gather(request, &p, err) < 0 || plan_decide(request, &p, err) < 0)
		return err->code;
	*ret = p;
	p = (struct plan){0};
	return OK;
}
