/* SPDX-License-Identifier: Apache-2.0 */

/* The functions of a guest as calls to its agent. Names begin with a capital there, and with a small
 * letter here; what the agent tells is checked as it is read. */
#include "requester/guest_remote.h"

#include <stdio.h>
#include <string.h>

#include "base/error_json.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "requester/guest_remote_internal.h"

enum { API_VERSION = 1, CONNECTIONS = 4, ABORT_S = 10, HELLO_S = 15, HELLO_TRIES = 3 };

/* Prepare ------------------------------------------------------------------------------------- */

/* Ours, if it has the form; else a new one. */
static int
name_job(struct remote *r, const char *job, struct error *err)
{
	uint8_t id[UUID_SIZE];

	if ((job == NULL || !uuid_parse(job, id)) && crypto_random(id, sizeof(id), err) < 0)
		return err->code;
	(void)uuid_text(id, r->job);
	return OK;
}

static json_t *
names_json(const char *const *names, size_t n, bool bytes)
{
	CLEAN(json_done) json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		json_t *name = bytes ? json_bytes(names[i], strlen(names[i]))
				     : json_string(names[i]);
		if (json_array_append_new(list, name) < 0)
			return NULL;
	}
	return STEAL_PTR(list);
}

static json_t *
optional_text(const char *text)
{
	return text != NULL ? json_string(text) : NULL;
}

static json_t *
order_json(const struct session_order *order, uint64_t ttl_ns)
{
	uint64_t freeze_s = (order->freeze_cap_ns + NS_PER_S - 1) / NS_PER_S;

	return json_pack("{s:o, s:o, s:I, s:o*, s:o*, s:o*, s:o*, s:o*}", "Paths",
			 names_json(order->paths, order->n_paths, true), "Writers",
			 names_json(order->writers, order->n_writers, false), "TTL",
			 (json_int_t)((ttl_ns + NS_PER_S - 1) / NS_PER_S), "Provider",
			 optional_text(order->provider), "FreezeLimit",
			 freeze_s != 0 ? json_integer((json_int_t)freeze_s) : NULL, "Require",
			 order->require != 0 ? json_string(point_consistency_name(order->require))
					     : NULL,
			 "BackupType", optional_text(order->backup_type), "Label",
			 optional_text(order->label));
}

static int
read_prepared(struct remote *r, const json_t *reply, uint64_t ttl_ns, struct session_prepared *ret,
	      struct error *err)
{
	const char *set;

	if (json_get_str(reply, "SetId", &set, err) < 0 ||
	    json_get_u64(reply, "Epoch", &r->epoch, err) < 0)
		return err->code;
	if (!uuid_parse(set, ret->key.set))
		return error_set(err, ERR_PROTOCOL, "'SetId' is no name of a snapshot set");
	(void)uuid_text(ret->key.set, r->set);
	json_decref(r->missing);
	r->missing = json_incref(json_object_get(reply, "Missing"));
	ret->key.epoch = r->epoch;
	/* Whatever is held there, the job is: it ends without keep-alives. */
	ret->leased = true;
	ret->ttl_ns = ttl_ns;
	ret->plan = json_incref(json_object_get(reply, "Plan"));
	return OK;
}

static int
remote_prepare(struct guest *g, const struct session_order *order, struct session_prepared *ret,
	       struct error *err)
{
	struct remote *r = remote_of(g);
	uint64_t ttl_ns = order->ttl_ns != 0 ? order->ttl_ns : LEASE_TTL_DEFAULT_NS;
	CLEAN(json_done) json_t *args = order_json(order, ttl_ns), *reply = NULL;
	const struct remote_call call = {
		.function = "PrepareSnapshot", .args = args, .order = true};

	if (args == NULL)
		return error_set(err, ERR_USAGE, "a writer's name or a label is not valid UTF-8");
	r->driver = pthread_self();
	if (name_job(r, order->job, err) < 0)
		return err->code;
	atomic_store(&r->kept_wall_ns, clock_wall_ns());
	atomic_store(&r->lease_end_ns, clock_boot_ns() + ttl_ns);
	atomic_store(&r->ttl_ns, ttl_ns);
	if (guest_remote_ask(r, &r->control, &call, &reply, err) < 0)
		return err->code;
	return read_prepared(r, reply, ttl_ns, ret, err) < 0
		       ? error_prefix(err, "%s: PrepareSnapshot", r->name)
		       : OK;
}

/* Create, finish, complete -------------------------------------------------------------------- */

static int
order(struct guest *g, const char *function, json_t *args, json_t **ret, struct error *err)
{
	struct remote *r = remote_of(g);
	const struct remote_call call = {
		.function = function, .args = args, .names_set = true, .order = true};

	if (guest_remote_check(r, err) < 0)
		return err->code;
	return guest_remote_ask(r, &r->control, &call, ret, err);
}

static int
remote_create(struct guest *g, struct session_moment *ret, struct error *err)
{
	CLEAN(json_done) json_t *reply = NULL;
	json_t *moment, *members;
	struct session_moment m = {0};

	if (order(g, "CreateSnapshot", NULL, &reply, err) < 0)
		return err->code;
	if (json_get_obj(reply, "Moment", &moment, err) < 0 ||
	    json_get_u64(moment, "time_ns", &m.time_ns, err) < 0 ||
	    json_get_u64(moment, "frozen_ns", &m.frozen_ns, err) < 0 ||
	    json_opt_bool(moment, "proven", false, &m.proven, err) < 0 ||
	    json_get_arr(moment, "members", &members, err) < 0)
		return error_prefix(err, "CreateSnapshot");
	m.members = json_incref(members);
	*ret = m;
	return OK;
}

/* For the agent it is part of the finish. */
static int
remote_skip(struct guest *g, struct error *err)
{
	struct remote *r = remote_of(g);

	if (guest_remote_check(r, err) < 0)
		return err->code;
	r->skipped = true;
	return OK;
}

static int
remote_finish(struct guest *g, struct session_verdict *ret, struct error *err)
{
	struct remote *r = remote_of(g);
	CLEAN(json_done) json_t *args = r->skipped ? json_pack("{s:b}", "Skip", 1) : NULL;
	CLEAN(json_done) json_t *reply = NULL;
	struct session_verdict v = {0};
	json_t *verdict, *roots;
	const char *reason;

	atomic_store(&r->finishing, true);
	if (order(g, "FinishSnapshot", args, &reply, err) < 0)
		return err->code;
	if (json_get_obj(reply, "Verdict", &verdict, err) < 0 ||
	    json_opt_bool(verdict, "proven", false, &v.proven, err) < 0 ||
	    json_opt_bool(verdict, "as_required", false, &v.as_required, err) < 0 ||
	    json_opt_str(verdict, "reason", "", &reason, err) < 0 ||
	    json_get_arr(verdict, "roots", &roots, err) < 0)
		return error_prefix(err, "FinishSnapshot");
	(void)text_printf(v.reason, sizeof(v.reason), "%s", reason);
	text_without_controls(v.reason);
	v.roots = json_incref(roots);
	/* From here on the agent waits for BackupComplete for the time to live. */
	atomic_store(&r->lease_end_ns, clock_boot_ns() + atomic_load(&r->ttl_ns));
	*ret = v;
	return OK;
}

static int
remote_complete(struct guest *g, const char *point_id, struct error *err)
{
	CLEAN(json_done) json_t *args = json_pack("{s:s}", "Point", point_id), *reply = NULL;
	const char *warning;

	if (args == NULL)
		return error_no_memory(err);
	if (order(g, "BackupComplete", args, &reply, err) < 0 ||
	    json_opt_str(reply, "Warning", "", &warning, err) < 0)
		return err->code;
	if (warning[0] == '\0')
		return OK;
	error_set(err, ERR_WRITER_FAILED, "%s", warning);
	text_without_controls(err->msg);
	return err->code;
}

/* For a keep-alive that has hardly any time left. */
#define KEEP_LAST_NS (20 * NS_PER_MS)

/* At any time --------------------------------------------------------------------------------- */

static int
keep_once(struct remote *r, uint64_t ttl_ns, struct error *err)
{
	CLEAN(json_done)
	json_t *args = json_pack("{s:I}", "TTL", (json_int_t)((ttl_ns + NS_PER_S - 1) / NS_PER_S));
	CLEAN(json_done) json_t *reply = NULL;
	/* The agent counts from when it arrives, which is not earlier. */
	uint64_t sent_ns = clock_boot_ns(), sent_wall_ns = clock_wall_ns();
	uint64_t end_ns = atomic_load(&r->lease_end_ns);
	uint64_t left_ns = end_ns > sent_ns ? end_ns - sent_ns : KEEP_LAST_NS;
	const struct remote_call call = {
		.function = "KeepSnapshotEx",
		.args = args,
		.names_set = true,
		.once = true,
		.attempt_ns = MIN(guest_remote_patience(r), left_ns),
	};

	if (args == NULL)
		return error_no_memory(err);
	if (guest_remote_ask(r, &r->keeper, &call, &reply, err) < 0)
		return err->code;
	atomic_store(&r->ttl_ns, ttl_ns);
	atomic_store(&r->lease_end_ns, sent_ns + ttl_ns);
	atomic_store(&r->kept_wall_ns, sent_wall_ns);
	return OK;
}

static int
remote_keep(struct guest *g, uint64_t ttl_ns, struct error *err)
{
	struct remote *r = remote_of(g);
	unsigned tries = 0;
	int rc;

	if (atomic_load(&r->ttl_ns) == 0 || atomic_load(&r->finishing))
		return OK;
	(void)pthread_mutex_lock(&r->keep_lock);
	do {
		rc = guest_remote_check(r, err);
		if (rc == OK && keep_once(r, ttl_ns, err) < 0)
			rc = guest_remote_again(r, &r->keeper, "KeepSnapshotEx", tries++, err);
	} while (rc == 1);
	(void)pthread_mutex_unlock(&r->keep_lock);
	return rc;
}

static void
remote_cancel(struct guest *g)
{
	struct remote *r = remote_of(g);

	atomic_store(&r->cancelled, true);
	(void)pthread_mutex_lock(&r->lock);
	(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
	http_cancel(r->control.http);
	http_cancel(r->keeper.http);
	http_cancel(r->stream.http);
	for (unsigned i = 0; i < r->connections; i++)
		http_cancel(r->data[i].http);
}

/* On a connection of its own: the others may be cancelled, or hang. */
static void
remote_abort(struct guest *g, const struct error *cause)
{
	struct remote *r = remote_of(g);
	struct remote_link link = {0};
	CLEAN(json_done) json_t *args = NULL, *reply = NULL;
	struct error ignored = ERROR_INIT;

	/* Without memory it goes without saying why. */
	if (cause != NULL)
		args = json_pack("{s:o}", "Error", error_json_pack(cause));
	const struct remote_call call = {
		.function = "AbortSnapshot",
		.args = args,
		.names_set = true,
		.order = true,
		.once = true,
		.attempt_ns = MIN(guest_remote_patience(r), ABORT_S * NS_PER_S),
	};

	if (r->job[0] != '\0' && http_open(r->place, &link.http, &ignored) == OK &&
	    guest_remote_ask(r, &link, &call, &reply, &ignored) == OK)
		r->blamed = cause != NULL;
	http_close(link.http);
	atomic_store(&r->ttl_ns, 0);
	guest_remote_say_notes(r);
}

static void
remote_blame(struct guest *g, const struct guest_blame *b)
{
	struct remote *r = remote_of(g);
	struct remote_link link = {0};
	struct error ignored = ERROR_INIT;
	CLEAN(json_done) json_t *reply = NULL;
	CLEAN(json_done)
	json_t *args = json_pack("{s:o, s:[s], s:o*}", "Error", error_json_pack(b->cause),
				 "Writers", b->writer, "Instances",
				 b->instance != NULL ? json_pack("[s]", b->instance) : NULL);
	const struct remote_call call = {
		.function = "AbortSnapshot",
		.args = args,
		.once = true,
		.attempt_ns = b->limit_ns,
	};

	if (r->blamed || args == NULL || (r->job[0] == '\0' && name_job(r, b->job, &ignored) < 0))
		return;
	if (http_open(r->place, &link.http, &ignored) == OK)
		(void)!guest_remote_ask(r, &link, &call, &reply, &ignored);
	http_close(link.http);
}

/* Looking ------------------------------------------------------------------------------------- */

static int
ask(struct remote *r, const char *function, json_t *args, bool slow, json_t **ret,
    struct error *err)
{
	const struct remote_call call = {.function = function, .args = args, .order = slow};
	char job[UUID_TEXT_SIZE];

	/* Not of this job. */
	memcpy(job, r->job, sizeof(job));
	r->job[0] = '\0';
	int rc = guest_remote_ask(r, &r->control, &call, ret, err);
	memcpy(r->job, job, sizeof(job));
	return rc;
}

int
guest_remote_call(struct guest *g, const char *function, json_t *args, json_t **ret,
		  struct error *err)
{
	CLEAN(json_done) json_t *owned = args;

	if (!g->ops->elsewhere)
		return error_set(err, ERR_BAD_STATE, "this guest has no agent");
	bool slow = strcmp(function, "GatherWriterMetadata") == 0 ||
		    strcmp(function, "ReleaseSnapshot") == 0;
	return ask(remote_of(g), function, owned, slow, ret, err);
}

const char *
guest_remote_host(struct guest *g)
{
	return g->ops->elsewhere ? remote_of(g)->host : "";
}

/* Names inside of the list are as in this process. What callers rely on is looked at here. */
static int
check_writer(const json_t *writer, struct error *err)
{
	const char *name, *text;
	uint64_t number;

	if (json_get_str(writer, "name", &name, err) < 0 ||
	    json_opt_str(writer, "state", "", &text, err) < 0 ||
	    json_opt_str(writer, "last_error", "", &text, err) < 0 ||
	    json_opt_u64(writer, "state_number", 0, &number, err) < 0)
		return error_prefix(err, "GatherWriterMetadata");
	return OK;
}

static int
remote_writers(struct guest *g, const char *const *names, size_t n, json_t **ret, struct error *err)
{
	CLEAN(json_done) json_t *args = json_object(), *reply = NULL;
	json_t *writers, *each;
	size_t i;

	if (args == NULL ||
	    (n > 0 && json_object_set_new(args, "Writers", names_json(names, n, false)) < 0))
		return error_no_memory(err);
	if (ask(remote_of(g), "GatherWriterMetadata", args, true, &reply, err) < 0 ||
	    json_get_arr(reply, "Writers", &writers, err) < 0)
		return err->code;
	json_array_foreach(writers, i, each)
	{
		if (check_writer(each, err) < 0)
			return err->code;
	}
	*ret = json_incref(writers);
	return OK;
}

/* What is held there for this job, as the agent lists it. */
static int
remote_status(struct guest *g, json_t **ret, struct error *err)
{
	struct remote *r = remote_of(g);
	CLEAN(json_done) json_t *reply = NULL;
	json_t *snapshots, *each;
	size_t i;

	if (ask(r, "ListSnapshots", NULL, false, &reply, err) < 0 ||
	    json_get_arr(reply, "Snapshots", &snapshots, err) < 0)
		return err->code;
	json_array_foreach(snapshots, i, each)
	{
		const char *job = json_string_value(json_object_get(each, "JobId"));

		if (job != NULL && strcmp(job, r->job) == 0) {
			*ret = json_incref(each);
			return OK;
		}
	}
	return error_set(err, ERR_NOT_FOUND, "%s holds nothing for this job", r->name);
}

/* Its life ------------------------------------------------------------------------------------ */

static void
free_remote(struct remote *r)
{
	http_close(r->control.http);
	http_close(r->keeper.http);
	http_close(r->stream.http);
	for (unsigned i = 0; i < CREW_MAX; i++)
		http_close(r->data[i].http);
	json_decref(r->missing);
	(void)pthread_cond_destroy(&r->wake);
	(void)pthread_mutex_destroy(&r->lock);
	(void)pthread_mutex_destroy(&r->keep_lock);
	free(r);
}

static void
free_remotep(struct remote **r)
{
	if (*r != NULL)
		free_remote(*r);
}

static void
remote_close(struct guest *g)
{
	struct remote *r = remote_of(g);
	void (*done)(void *arg) = r->done;
	void *arg = r->done_arg;

	free_remote(r);
	if (done != NULL)
		done(arg);
}

static const struct guest_ops remote_ops = {
	.name = "remote",
	.elsewhere = true,
	.prepare = remote_prepare,
	.create = remote_create,
	.keep = remote_keep,
	.move = guest_remote_move,
	.finish = remote_finish,
	.complete = remote_complete,
	.cancel = remote_cancel,
	.abort = remote_abort,
	.blame = remote_blame,
	.close = remote_close,
	.writers = remote_writers,
	.status = remote_status,
	.skip = remote_skip,
};

static int
say_hello(struct remote *r, uint64_t limit_ns, struct error *err)
{
	CLEAN(json_done) json_t *reply = NULL;
	uint64_t now_ns = clock_boot_ns();
	uint64_t until_ns = limit_ns != 0 ? now_ns + limit_ns : UINT64_MAX;
	const char *host;
	uint64_t version;
	int rc;

	/* Whoever is refused may find the connection closed before he hears why. */
	for (int tries = 0; tries < HELLO_TRIES; tries++, now_ns = clock_boot_ns()) {
		const struct remote_call call = {
			.function = "Hello",
			.once = true,
			.attempt_ns = MIN(until_ns - now_ns, HELLO_S * NS_PER_S),
		};

		rc = guest_remote_ask(r, &r->control, &call, &reply, err);
		if (rc != ERR_AGENT_LOST || clock_boot_ns() >= until_ns)
			break;
	}
	if (rc < 0)
		return rc;
	if (json_get_u64(reply, "Api", &version, err) < 0 ||
	    json_opt_str(reply, "HostName", "", &host, err) < 0)
		return error_prefix(err, "%s: Hello", r->name);
	(void)text_printf(r->host, sizeof(r->host), "%s", host);
	text_without_controls(r->host);
	if (version != API_VERSION)
		return error_set(err, ERR_VERSION,
				 "%s speaks version %llu of the interface, not %d", r->name,
				 (unsigned long long)version, API_VERSION);
	return OK;
}

int
guest_remote_open(const struct guest_remote_options *options, struct guest **ret, struct error *err)
{
	CLEAN(free_remotep) struct remote *r = calloc(1, sizeof(*r));
	pthread_condattr_t attr;

	if (r == NULL)
		return error_no_memory(err);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_mutex_init(&r->keep_lock, NULL);
	(void)pthread_mutex_init(&r->lock, NULL);
	(void)pthread_cond_init(&r->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	r->base.ops = &remote_ops;
	r->place = options->place;
	r->events = options->events;
	r->store = options->store;
	r->key_file = options->key_file;
	r->driver = pthread_self();
	r->connections = options->connections != 0 ? MIN(options->connections, (unsigned)CREW_MAX)
						   : CONNECTIONS;
	(void)text_printf(r->name, sizeof(r->name), "%s", options->name);
	if (guest_remote_open_links(r, err) < 0 || say_hello(r, options->hello_ns, err) < 0)
		return err->code;
	r->note = options->note;
	r->note_arg = options->note_arg;
	r->done = options->done;
	r->done_arg = options->done_arg;
	*ret = &STEAL_PTR(r)->base;
	return OK;
}
