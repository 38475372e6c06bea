/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast test: the steps of a backup without the data, with a look at every writer after each. What
 * BETest is for VSS.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent/writer_status.h"
#include "base/clock.h"
#include "base/consistency.h"
#include "base/hresult.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/guest.h"
#include "cli/jobid.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/paths.h"
#include "cli/printable.h"
#include "cli/show.h"
#include "cli/signals.h"
#include "cli/units.h"
#include "config/value.h"
#include "requester/backup_type.h"
#include "requester/guest.h"
#include "requester/guest_remote.h"
#include "writer/state.h"

enum step { GATHER, PREPARE, CREATE, HOLD, FINISH, COMPLETE, STEPS };

static const char *const step_names[STEPS] = {
	[GATHER] = "gather", [PREPARE] = "prepare", [CREATE] = "create",
	[HOLD] = "hold",     [FINISH] = "finish",   [COMPLETE] = "complete",
};

struct test {
	struct cli *cli;
	struct guest *guest;
	struct session_order order;
	char job[UUID_TEXT_SIZE];
	uint64_t hold_s;
	enum step last;
	bool keep, complete;
	bool ended; /* nothing is left to abort */
	struct session_prepared prepared;
	struct session_moment moment;
	struct session_verdict verdict;
};

static void
test_done(struct test *t)
{
	if (t->guest != NULL && !t->ended)
		t->guest->ops->abort(t->guest, NULL);
	session_prepared_done(&t->prepared);
	session_moment_done(&t->moment);
	session_verdict_done(&t->verdict);
	guest_closep(&t->guest);
}

/* Writers --------------------------------------------------------------------------------------- */

/* VSS_WS_..., without that. */
static const char *
state_name(json_int_t number)
{
	static const char *const names[] = {
		[WRITER_UNKNOWN] = "UNKNOWN",
		[WRITER_STABLE] = "STABLE",
		[WRITER_WAITING_FOR_FREEZE] = "WAITING_FOR_FREEZE",
		[WRITER_WAITING_FOR_THAW] = "WAITING_FOR_THAW",
		[WRITER_WAITING_FOR_POST_SNAPSHOT] = "WAITING_FOR_POST_SNAPSHOT",
		[WRITER_WAITING_FOR_BACKUP_COMPLETE] = "WAITING_FOR_BACKUP_COMPLETE",
		[WRITER_FAILED_AT_IDENTIFY] = "FAILED_AT_IDENTIFY",
		[WRITER_FAILED_AT_PREPARE_BACKUP] = "FAILED_AT_PREPARE_BACKUP",
		[WRITER_FAILED_AT_PREPARE_SNAPSHOT] = "FAILED_AT_PREPARE_SNAPSHOT",
		[WRITER_FAILED_AT_FREEZE] = "FAILED_AT_FREEZE",
		[WRITER_FAILED_AT_THAW] = "FAILED_AT_THAW",
		[WRITER_FAILED_AT_POST_SNAPSHOT] = "FAILED_AT_POST_SNAPSHOT",
		[WRITER_FAILED_AT_BACKUP_COMPLETE] = "FAILED_AT_BACKUP_COMPLETE",
		[WRITER_FAILED_AT_PRE_RESTORE] = "FAILED_AT_PRE_RESTORE",
		[WRITER_FAILED_AT_POST_RESTORE] = "FAILED_AT_POST_RESTORE",
		[WRITER_FAILED_AT_BACKUP_SHUTDOWN] = "FAILED_AT_BACKUPSHUTDOWN",
	};

	return number > 0 && number < (json_int_t)ARRAY_SIZE(names) ? names[number] : names[0];
}

/* Status for writer PostgreSQL Writer: STABLE(0x800423f3 - VSS_E_WRITERERROR_RETRYABLE) */
static void
status_line(const json_t *writer)
{
	const json_t *error = json_object_get(writer, "error");
	const json_t *metadata = json_object_get(writer, "metadata");
	const char *title = json_string_value(json_object_get(writer, "title"));
	const char *name = json_string_value(json_object_get(writer, "name"));
	const char *hresult = json_string_value(json_object_get(error, "hresult"));
	uint32_t code = hresult != NULL ? (uint32_t)strtoul(hresult, NULL, 16) : 0;
	char text[HRESULT_TEXT_MAX], safe[256];

	if (title == NULL)
		title = json_string_value(json_object_get(metadata, "title"));
	/* An error without a code of VSS is still one. */
	if (json_is_object(error) && code == 0)
		code = json_is_true(json_object_get(error, "retryable")) ? 0x800423f3 : 0x800423f4;
	out_text("Status for writer %s: %s(%s)\n",
		 printable_message(title != NULL  ? title
				   : name != NULL ? name
						  : "?",
				   safe, sizeof(safe)),
		 state_name(json_integer_value(json_object_get(writer, "state_number"))),
		 hresult_text(code, text));
}

/* As they are in this test; of a guest elsewhere its agent knows. NULL: not to be had now. */
static json_t *
writers_now(struct test *t)
{
	struct error ignored;
	json_t *reply = NULL, *list = NULL;

	if (t->guest->ops->states != NULL)
		return t->guest->ops->states(t->guest, &list, &ignored) == OK ? list : NULL;
	if (guest_remote_call(t->guest, "GatherWriterStatus", json_pack("{s:s}", "JobId", t->job),
			      &reply, &ignored) < 0)
		return NULL;
	list = json_incref(json_object_get(reply, "Writers"));
	json_decref(reply);
	return list;
}

/* What the step did, and how everybody is. `writers` is taken over. */
static void
report_step(const struct test *t, enum step step, uint64_t began_ns, const struct error *failure,
	    json_t *writers)
{
	uint64_t took_ns = clock_boot_ns() - began_ns;
	char took[UNITS_MAX];
	const json_t *writer;
	size_t i;

	if (t->cli->json) {
		json_t *j = json_pack("{s:s, s:s, s:b, s:I}", "type", "step", "step",
				      step_names[step], "ok", failure == NULL ? 1 : 0, "elapsed_ms",
				      (json_int_t)(took_ns / NS_PER_MS));
		(void)json_object_set_new(j, "writers", writers != NULL ? writers : json_array());
		out_json(j);
		return;
	}
	out_text("%s: %s (%s)\n", step_names[step], failure == NULL ? "ok" : "failed",
		 units_elapsed(took_ns, took));
	json_array_foreach(writers, i, writer) status_line(writer);
	(void)fflush(stdout);
	json_decref(writers);
}

/* How it was left by its last backup: NULL if nothing is known. */
static json_t *
kept_of(const struct test *t, const json_t *kept, const char *name)
{
	struct writer_status status;
	struct error ignored;
	const json_t *one;
	size_t i;

	if (!t->guest->ops->elsewhere)
		return writer_status_load(joblog_dir(t->cli), name, &status) > 0
			       ? writer_status_json(&status)
			       : NULL;
	json_array_foreach(kept, i, one)
	{
		if (writer_status_from_json(one, &status, &ignored) == OK &&
		    strcmp(status.name, name) == 0)
			return writer_status_json(&status);
	}
	return NULL;
}

/* A writer that was only asked who it is has done nothing yet: its state and last error are those that its last
 * backup left, as 'holdfast writers' has them. */
static void
add_kept(struct test *t, json_t *writers)
{
	static const char *const fields[] = {"state", "state_number", "last_error", "error"};
	CLEAN(json_done) json_t *reply = NULL;
	struct error ignored;
	json_t *writer;
	size_t i;

	if (t->guest->ops->elsewhere &&
	    guest_remote_call(t->guest, "GatherWriterStatus", NULL, &reply, &ignored) < 0)
		return;
	json_array_foreach(writers, i, writer)
	{
		const char *name = json_string_value(json_object_get(writer, "name"));
		CLEAN(json_done) json_t *kept = NULL;

		if (name == NULL || json_is_object(json_object_get(writer, "error")))
			continue;
		kept = kept_of(t, json_object_get(reply, "Writers"), name);
		for (size_t k = 0; kept != NULL && k < ARRAY_SIZE(fields); k++)
			(void)json_object_set(writer, fields[k], json_object_get(kept, fields[k]));
	}
}

/* Steps ----------------------------------------------------------------------------------------- */

static int
gather(struct test *t, json_t **ret, struct error *err)
{
	const json_t *writer;
	size_t i;

	if (t->guest->ops->writers(t->guest, t->order.writers, t->order.n_writers, ret, err) < 0)
		return err->code;
	/* One that was asked for and cannot say who it is ends the test here. */
	json_array_foreach(*ret, i, writer)
	{
		struct writer_status status;

		if (t->order.n_writers == 0 || !json_is_object(json_object_get(writer, "error")))
			continue;
		writer_status_failure(json_object_get(writer, "error"), &status);
		*err = status.last_error;
		return err->code;
	}
	add_kept(t, *ret);
	return OK;
}

static int
prepare(struct test *t, struct error *err)
{
	return t->guest->ops->prepare(t->guest, &t->order, &t->prepared, err);
}

static int
create(struct test *t, struct error *err)
{
	const json_t *member;
	char safe[4096], frozen[UNITS_MAX];
	size_t i;

	if (t->guest->ops->create(t->guest, &t->moment, err) < 0)
		return err->code;
	if (t->cli->json)
		return OK;
	json_array_foreach(t->moment.members, i, member)
	{
		const char *source = json_string_value(json_object_get(member, "source"));
		const char *provider = json_string_value(json_object_get(member, "provider"));

		out_text("   %s by %s\n",
			 printable_message(source != NULL ? source : "?", safe, sizeof(safe)),
			 provider != NULL ? provider : "?");
	}
	if (t->moment.frozen_ns > 0)
		out_text("   stood still for %s\n", units_elapsed(t->moment.frozen_ns, frozen));
	return OK;
}

static int
keep_once(struct test *t, struct error *err)
{
	uint64_t ttl_ns = t->prepared.ttl_ns;

	if (t->guest->ops->keep(t->guest, ttl_ns, err) < 0)
		return err->code;
	if (t->cli->json)
		out_json(json_pack("{s:s, s:b, s:I}", "type", "keep", "ok", 1, "left_ms",
				   (json_int_t)(ttl_ns / NS_PER_MS)));
	else
		show_note(t->cli, "Keep snapshot. JobId: %s. Ok.", t->job);
	return OK;
}

/* Hold for as long as asked, with a keep-alive every tenth of the time to live. */
static int
hold(struct test *t, struct error *err)
{
	uint64_t end_ns = clock_boot_ns() + t->hold_s * NS_PER_S;
	uint64_t interval_ns = t->prepared.ttl_ns / 10;
	bool keeps = t->keep && t->prepared.leased && interval_ns > 0;
	uint64_t next_ns = keeps ? clock_boot_ns() : UINT64_MAX;

	while (clock_boot_ns() < end_ns) {
		if (signals_caught() != 0)
			return error_set(err, ERR_CANCELLED, "stopped on request");
		if (clock_boot_ns() >= next_ns) {
			if (keep_once(t, err) < 0)
				return err->code;
			next_ns += interval_ns;
		}
		/* A signal ends the wait, too; one that comes just before it is seen in a second. */
		uint64_t second_ns = clock_boot_ns() + NS_PER_S;
		uint64_t due_ns = MIN(end_ns, next_ns);
		(void)poll(NULL, 0, clock_left_ms(MIN(due_ns, second_ns)));
	}
	/* Who is late learns it here if there will be no finish. */
	if (t->last == HOLD && t->prepared.leased)
		return t->guest->ops->keep(t->guest, t->prepared.ttl_ns, err);
	return OK;
}

static int
finish(struct test *t, struct error *err)
{
	if (t->guest->ops->skip(t->guest, err) < 0)
		return err->code;
	return t->guest->ops->finish(t->guest, &t->verdict, err);
}

static int
complete(struct test *t, struct error *err)
{
	if (!t->complete) {
		show_note(t->cli, "BackupComplete is left out.");
		return OK;
	}
	t->ended = true;
	return t->guest->ops->complete(t->guest, "holdfast test", err);
}

static int
run_step(struct test *t, enum step step, json_t **writers, struct error *err)
{
	switch (step) {
	case GATHER:
		return gather(t, writers, err);
	case PREPARE:
		return prepare(t, err);
	case CREATE:
		return create(t, err);
	case HOLD:
		return hold(t, err);
	case FINISH:
		return finish(t, err);
	default:
		return complete(t, err);
	}
}

static int
run(struct test *t, struct error *err)
{
	for (enum step step = GATHER; step <= t->last; step++) {
		uint64_t began_ns = clock_boot_ns();
		json_t *writers = NULL;
		int r;

		if (step == HOLD && t->hold_s == 0)
			continue;
		/* Nobody asked for writers: who is there is of no interest. */
		if (step == GATHER && t->order.n_writers == 0 && t->last > GATHER)
			continue;
		r = run_step(t, step, &writers, err);
		if (step != GATHER)
			writers = writers_now(t);
		report_step(t, step, began_ns, r < 0 ? err : NULL, writers);
		if (r < 0)
			return r;
	}
	return OK;
}

/* The verdict, as a person wants it. */
static void
summary(const struct test *t)
{
	const json_t *root;
	size_t i;

	if (t->verdict.roots == NULL)
		return;
	if (t->cli->json) {
		out_json(json_pack("{s:s, s:s, s:I, s:b, s:s, s:O}", "type", "summary", "job",
				   t->job, "frozen_us", (json_int_t)(t->moment.frozen_ns / 1000),
				   "proven", t->verdict.proven ? 1 : 0, "reason", t->verdict.reason,
				   "roots", t->verdict.roots));
		return;
	}
	json_array_foreach(t->verdict.roots, i, root)
	{
		const char *name = json_string_value(json_object_get(root, "name"));
		const char *level = json_string_value(json_object_get(root, "consistency"));

		out_text("Consistency of %s would be: %s\n",
			 name != NULL && name[0] != '\0' ? name : "folders",
			 level != NULL ? level : "?");
	}
}

/* What was asked for ---------------------------------------------------------------------------- */

static int
take_flags(struct test *t, struct error *err)
{
	const struct invocation *inv = t->cli->inv;
	const char *until = invocation_value(inv, FLAG_UNTIL);
	const char *hold_for = invocation_value(inv, FLAG_HOLD);
	const char *type = invocation_value(inv, FLAG_TYPE);
	const struct settings *s = t->cli->settings;

	t->keep = !invocation_has(inv, FLAG_NO_KEEP_ALIVE);
	t->complete = !invocation_has(inv, FLAG_NO_COMPLETE);
	t->last = COMPLETE;
	if (until != NULL) {
		for (t->last = GATHER; t->last < STEPS; t->last++)
			if (strcmp(step_names[t->last], until) == 0)
				break;
		if (t->last == STEPS) {
			error_set(err, ERR_USAGE, "there is no step '%s'", until);
			return error_hint(err, "steps are gather, prepare, create, hold, finish, "
					       "complete");
		}
	}
	if (hold_for != NULL && value_parse_duration(hold_for, &t->hold_s, err) < 0) {
		err->code = ERR_USAGE;
		(void)error_prefix(err, "--hold");
		return error_hint(err, "see 'holdfast help test'");
	}
	if (type != NULL) {
		enum backup_type found;

		if (backup_type_find(type, &found, err) < 0)
			return err->code;
		t->order.backup_type = backup_type_name(found);
	}
	t->order.provider = settings_text(s, OPTION_BACKUP_PROVIDER);
	t->order.ttl_ns = settings_number(s, OPTION_BACKUP_SNAPSHOT_TIMEOUT) * NS_PER_S;
	t->order.freeze_cap_ns = settings_number(s, OPTION_BACKUP_FREEZE_LIMIT) * NS_PER_S;
	t->order.job = t->job;
	return jobid_new(t->job, err);
}

int
verb_test(struct cli *cli, struct error *err)
{
	CLEAN(paths_done) struct path_list paths = {0};
	CLEAN(free_ptr) const char **writers = NULL;
	CLEAN(host_close) struct host host = {0};
	CLEAN(test_done) struct test t = {.cli = cli};
	int r;

	if (take_flags(&t, err) < 0 ||
	    invocation_values(cli->inv, FLAG_WRITER, &writers, &t.order.n_writers, err) < 0 ||
	    paths_list(cli->inv->operands, cli->inv->n_operands, &paths, err) < 0)
		return err->code;
	t.order.writers = writers;
	t.order.paths = (const char *const *)paths.paths;
	t.order.n_paths = paths.n;
	if (paths.n + t.order.n_writers == 0 && t.last > GATHER) {
		error_set(err, ERR_USAGE, "nothing to test was given");
		return error_hint(err,
				  "give one PATH or --writer NAME at least, or --until gather");
	}
	if (guest_open(cli, &host, &t.guest, err) < 0)
		return err->code;
	show_note(cli, "Job %s", t.job);
	r = run(&t, err);
	if (r == OK)
		summary(&t);
	return r;
}
