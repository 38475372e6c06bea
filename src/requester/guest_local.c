/* SPDX-License-Identifier: Apache-2.0 */

/* A guest that is this machine: its session runs in this process. */
#include "requester/guest.h"

struct guest_local {
	struct guest guest;
	struct session *session;
	struct writers_setup writers;
};

static struct guest_local *
local_of(struct guest *g)
{
	return CONTAINER_OF(g, struct guest_local, guest);
}

static int
local_prepare(struct guest *g, const struct session_order *order, struct session_prepared *ret,
	      struct error *err)
{
	return session_prepare(local_of(g)->session, order, ret, err);
}

static int
local_create(struct guest *g, struct session_moment *ret, struct error *err)
{
	return session_create(local_of(g)->session, ret, err);
}

static int
local_keep(struct guest *g, uint64_t ttl_ns, struct error *err)
{
	return session_keep(local_of(g)->session, ttl_ns, err);
}

static int
local_move(struct guest *g, const struct guest_move *move, struct task_result *ret,
	   struct error *err)
{
	return task_run(local_of(g)->session, move->repo, move->index, &move->order, ret, err);
}

static int
local_finish(struct guest *g, struct session_verdict *ret, struct error *err)
{
	return session_finish(local_of(g)->session, ret, err);
}

static int
local_complete(struct guest *g, const char *point_id, struct error *err)
{
	return session_complete(local_of(g)->session, point_id, err);
}

static void
local_cancel(struct guest *g)
{
	session_cancel(local_of(g)->session);
}

static void
local_abort(struct guest *g, const struct error *cause)
{
	session_abort(local_of(g)->session, cause);
}

static void
local_close(struct guest *g)
{
	struct guest_local *l = local_of(g);

	session_close(l->session);
	free(l);
}

static int
local_writers(struct guest *g, const char *const *names, size_t n, json_t **ret, struct error *err)
{
	return writers_gather(&local_of(g)->writers, names, n, ret, err);
}

static int
local_status(struct guest *g, json_t **ret, struct error *err)
{
	return session_status(local_of(g)->session, ret, err);
}

static int
local_states(struct guest *g, json_t **ret, struct error *err)
{
	return session_writers(local_of(g)->session, ret, err);
}

static int
local_skip(struct guest *g, struct error *err)
{
	return task_skip(local_of(g)->session, err);
}

static const struct guest_ops local_ops = {
	.name = "local",
	.prepare = local_prepare,
	.create = local_create,
	.keep = local_keep,
	.move = local_move,
	.finish = local_finish,
	.complete = local_complete,
	.cancel = local_cancel,
	.abort = local_abort,
	.close = local_close,
	.writers = local_writers,
	.status = local_status,
	.states = local_states,
	.skip = local_skip,
};

static void
say(void *arg, const char *what)
{
	const struct guest_local *l = arg;

	if (l->guest.say != NULL)
		l->guest.say(l->guest.say_arg, what);
}

int
guest_local_open(const struct session_setup *setup, struct guest **ret, struct error *err)
{
	struct guest_local *l = calloc(1, sizeof(*l));
	struct session_setup own = *setup;

	if (l == NULL)
		return error_no_memory(err);
	l->guest.ops = &local_ops;
	l->writers = setup->writers;
	own.phase = say;
	own.phase_arg = l;
	if (session_open(&own, &l->session, err) < 0) {
		free(l);
		return err->code;
	}
	*ret = &l->guest;
	return OK;
}
