/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The plan of a session. Its paths are the folders asked for, and after them those of each writer, as the
 * writer named them when it identified itself.
 */
#include <string.h>

#include "agent/session_internal.h"
#include "base/json.h"
#include "base/text.h"
#include "provider/direct.h"
#include "provider/plan_json.h"

struct wanted {
	size_t n;
	struct plan_wanted *p;
};

static int
add(struct wanted *w, const char *path, bool hot, struct error *err)
{
	struct plan_wanted *more = reallocarray(w->p, w->n + 1, sizeof(*more));

	if (more == NULL)
		return error_no_memory(err);
	w->p = more;
	more[w->n++] = (struct plan_wanted){.path = path, .hot = hot};
	return OK;
}

/* A writer of the first version of the protocol names its folder among what people are shown. */
static int
add_writer(struct wanted *w, const struct writer *writer, struct error *err)
{
	size_t n;
	const char *const *paths = writer_paths(writer, &n);
	const char *folder;

	for (size_t i = 0; i < n; i++)
		if (add(w, paths[i], true, err) < 0)
			return err->code;
	folder = json_string_value(json_object_get(writer_metadata(writer), "data_directory"));
	return n == 0 && folder != NULL ? add(w, folder, true, err) : OK;
}

static int
collect(struct session *s, struct wanted *w, struct error *err)
{
	for (size_t i = 0; i < s->order.n_paths; i++)
		if (add(w, s->order.paths[i], false, err) < 0)
			return err->code;
	s->first_path = calloc(s->writers.n + 1, sizeof(*s->first_path));
	if (s->first_path == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < s->writers.n; i++) {
		s->first_path[i] = w->n;
		if (add_writer(w, s->writers.members[i].writer, err) < 0)
			return err->code;
	}
	s->first_path[s->writers.n] = w->n;
	return OK;
}

/* Without a guard nothing can be undone for sure, so nothing is begun. */
static int
choose_wish(const struct session *s, const char **ret, struct error *err)
{
	const char *wish = s->order.provider != NULL ? s->order.provider : "auto";

	if (s->setup.guard == NULL && strcmp(wish, "auto") == 0)
		wish = direct_ops.name;
	if (s->setup.guard == NULL && strcmp(wish, direct_ops.name) != 0)
		return error_set(err, ERR_USAGE, "provider '%s' needs a guard, and there is none",
				 wish);
	*ret = wish;
	return OK;
}

int
session_plan_make(struct session *s, struct error *err)
{
	CLEAN(free_ptr) struct plan_wanted *wanted = NULL;
	struct wanted w = {0};
	struct plan_request request = {
		.one_file_system = s->order.one_file_system,
		.settings = &s->providers,
	};
	int r = collect(s, &w, err);

	wanted = w.p;
	request.n = w.n;
	request.wanted = w.p;
	if (r < 0 || choose_wish(s, &request.wish, err) < 0)
		return err->code;
	return plan_make(&request, &s->plan, err);
}

void
session_plan_range(const struct session *s, const struct writers_member *m, size_t *ret_from,
		   size_t *ret_to)
{
	size_t i = m != NULL ? (size_t)(m - s->writers.members) : 0;

	*ret_from = m != NULL ? s->first_path[i] : 0;
	*ret_to = m != NULL ? s->first_path[i + 1] : s->order.n_paths;
}

enum consistency
session_plan_promise(const struct session *s, const struct writers_member *m, const char **ret_why)
{
	enum consistency best = m != NULL ? CONSISTENCY_APPLICATION : CONSISTENCY_CRASH;
	enum consistency least = best;
	size_t from, to;

	*ret_why = "";
	session_plan_range(s, m, &from, &to);
	for (size_t i = from; i < to; i++) {
		const struct plan_path *p = &s->plan.paths[i];

		if (p->expected < least) {
			least = p->expected;
			*ret_why = p->why;
		}
	}
	return least;
}

bool
session_plan_suffices(const struct session *s, bool writer, enum consistency achieved)
{
	enum consistency require = s->order.require;

	if (require == 0)
		require = writer ? CONSISTENCY_APPLICATION : CONSISTENCY_NONE;
	/* More than one instant there cannot be of plain folders. */
	if (!writer)
		require = require > CONSISTENCY_CRASH ? CONSISTENCY_CRASH : require;
	return achieved >= require;
}

static int
check_root(const struct session *s, const struct writers_member *m, struct error *err)
{
	const char *why;
	enum consistency promise = session_plan_promise(s, m, &why);
	size_t from, to;

	if (session_plan_suffices(s, m != NULL, promise))
		return OK;
	session_plan_range(s, m, &from, &to);
	for (; from + 1 < to && s->plan.paths[from].expected > promise; from++)
		;
	error_set(err, ERR_REQUIRE, "of '%s' no more than '%s' consistency can be had: %s",
		  s->plan.paths[from].path, point_consistency_name(promise), why);
	return error_hint(err, "see 'holdfast plan'; --require %s takes what can be had",
			  point_consistency_name(promise));
}

int
session_plan_check(const struct session *s, struct error *err)
{
	for (size_t i = 0; i < s->writers.n; i++)
		if (check_root(s, &s->writers.members[i], err) < 0)
			return err->code;
	return s->order.n_paths > 0 ? check_root(s, NULL, err) : OK;
}

void
session_plan_moment(const struct session *s, const struct writers_member *m, const char **sources,
		    struct writer_moment *ret)
{
	size_t from, to;

	session_plan_range(s, m, &from, &to);
	*ret = (struct writer_moment){
		.provider = direct_ops.name,
		.atomic = from < to && s->plan.hot_atomic,
		.n_sources = s->plan.n_members,
		.sources = sources,
		.label = s->order.label != NULL ? s->order.label : "holdfast",
	};
	for (size_t i = from; i < to; i++) {
		ret->provider = s->plan.paths[i].provider->name;
		/* What is read live in part is, for the database, read live. */
		if (s->plan.paths[i].member == PLAN_LIVE) {
			ret->provider = direct_ops.name;
			ret->atomic = false;
			break;
		}
	}
	for (size_t i = 0; i < s->plan.n_members; i++)
		sources[i] = s->plan.members[i].source;
}

static bool
is_member(const struct session *s, const char *path)
{
	CLEAN(free_ptr) char *real = realpath(path, NULL);

	for (size_t i = 0; i < s->plan.n_members; i++)
		if (snapshot_map_covers(s->plan.members[i].source, real != NULL ? real : path))
			return true;
	return false;
}

int
session_plan_covers(const struct session *s, const struct writers_member *m, struct error *err)
{
	const struct component *c = m->component;

	if (!c->atomic)
		return OK;
	for (size_t i = 0; i < c->n_paths; i++)
		if (!s->plan.hot_atomic || !is_member(s, c->paths[i].source))
			return error_set(
				err, ERR_WRITER_FAILED,
				"writer '%s': its '%s' is to be read as of one instant, but "
				"no snapshot covers it",
				m->name, c->paths[i].source);
	return OK;
}

const char *
session_plan_provider(const struct session *s, const struct writers_member *m, char *text,
		      size_t size)
{
	size_t from, to;

	session_plan_range(s, m, &from, &to);
	(void)text_printf(text, size, "%s",
			  from < to ? s->plan.paths[from].provider->name : direct_ops.name);
	for (size_t i = from + 1; i < to; i++) {
		const char *name = s->plan.paths[i].provider->name;
		size_t n = strlen(text);

		if (strstr(text, name) == NULL)
			(void)text_printf(text + n, size - n, "+%s", name);
	}
	return text;
}

static int
append(json_t *list, json_t *one, struct error *err)
{
	return json_array_append_new(list, one) < 0 ? (int)error_no_memory(err) : OK;
}

int
session_plan_json(const struct session *s, json_t **ret, struct error *err)
{
	CLEAN(json_done) json_t *paths = json_array();
	CLEAN(json_done) json_t *crossings = json_array();
	CLEAN(json_done) json_t *members = json_array();
	const struct plan *p = &s->plan;

	for (size_t i = 0; i < p->n_paths; i++)
		if (append(paths, plan_json_path(p, i), err) < 0)
			return err->code;
	for (size_t i = 0; i < p->n_crossings; i++)
		if (append(crossings, plan_json_crossing(p, i), err) < 0)
			return err->code;
	for (size_t i = 0; i < p->n_members; i++)
		if (append(members, plan_json_member(p, i), err) < 0)
			return err->code;
	*ret = json_pack("{s:O, s:O, s:O, s:b}", "paths", paths, "crossings", crossings, "members",
			 members, "atomic", (int)p->atomic);
	return *ret != NULL ? OK : (int)error_no_memory(err);
}
