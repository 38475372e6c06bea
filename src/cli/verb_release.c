/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast release */
#include <inttypes.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/eventlog.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "base/uuid.h"
#include "cli/cli.h"
#include "cli/guest.h"
#include "cli/host.h"
#include "cli/joblog.h"
#include "cli/leftmarks.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/show.h"
#include "guard/client.h"
#include "guard/holds.h"
#include "requester/guest_remote.h"

/* Removing may take its time: btrfs deletes big subvolumes, a mount may still be busy. */
#define SETTLE_NS (120 * NS_PER_S)

/* One set by hand ------------------------------------------------------------------------------- */

/* The digits of a set's id as people type them, without braces and dashes. */
static bool
digits_of(const char *text, char digits[2 * UUID_SIZE + 1])
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (strchr("{}-", *text) != NULL)
			continue;
		if (n == (size_t)2 * UUID_SIZE)
			return false;
		digits[n++] = *text;
	}
	digits[n] = '\0';
	return n > 0;
}

static const struct hold_view *
find(const struct holds *holds, const char *name, unsigned *ret_n)
{
	char digits[2 * UUID_SIZE + 1], set[2 * UUID_SIZE + 1];
	const struct hold_view *found = NULL;

	*ret_n = 0;
	if (!digits_of(name, digits))
		return NULL;
	for (size_t i = 0; i < holds->n; i++) {
		hex_encode(holds->items[i].lease.lease.key.set, UUID_SIZE, set);
		if (strncasecmp(set, digits, strlen(digits)) != 0)
			continue;
		found = &holds->items[i];
		(*ret_n)++;
	}
	return found;
}

/* Is the set of this lease still open? */
static int
is_held(const char *dir, const struct lease_key *key, bool *ret, struct error *err)
{
	CLEAN(holds_done) struct holds holds = {0};

	if (holds_read(dir, &holds, err) < 0)
		return err->code;
	*ret = false;
	for (size_t i = 0; i < holds.n; i++)
		if (holds.items[i].lease.lease.key.epoch == key->epoch &&
		    memcmp(holds.items[i].lease.lease.key.set, key->set, sizeof(key->set)) == 0)
			*ret = true;
	return OK;
}

static int
wait_gone(const char *dir, const struct lease_key *key, struct error *err)
{
	uint64_t deadline_ns = clock_boot_ns() + SETTLE_NS;
	bool held = true;

	for (;;) {
		if (is_held(dir, key, &held, err) < 0)
			return err->code;
		if (!held)
			return OK;
		if (clock_boot_ns() >= deadline_ns)
			return error_set(err, ERR_TIMEOUT, "the guard is still removing it");
		/* Journals tell no one that they change. */
		(void)poll(NULL, 0, 50);
	}
}

static void
tell_released(const struct cli *cli, const char *set, const char *job)
{
	char safe[256];

	if (cli->json)
		out_json(json_pack("{s:s, s:s, s:s}", "type", "released", "set", set, "job", job));
	else if (job[0] != '\0')
		out_text("Released snapshot set %s of job %s.\n", set,
			 printable_message(job, safe, sizeof(safe)));
	else
		out_text("Released snapshot set %s.\n", set);
}

/* The agent knows its sets by their whole ids: which of those that it holds begins so? */
static int
find_remote(struct guest *guest, const char *name, uint8_t ret_set[UUID_SIZE], json_t **ret_job,
	    struct error *err)
{
	CLEAN(json_done) json_t *reply = NULL;
	char digits[2 * UUID_SIZE + 1], text[2 * UUID_SIZE + 1];
	json_t *sets, *each;
	unsigned n = 0;
	size_t i;

	if (!digits_of(name, digits))
		return error_set(err, ERR_USAGE, "'%s' is no id of a snapshot set", name);
	if (guest_remote_call(guest, "ListSnapshots", NULL, &reply, err) < 0 ||
	    json_get_arr(reply, "Snapshots", &sets, err) < 0)
		return err->code;
	json_array_foreach(sets, i, each)
	{
		const char *id = json_string_value(json_object_get(each, "SetId"));
		uint8_t set[UUID_SIZE];

		if (id == NULL || !uuid_parse(id, set))
			continue;
		hex_encode(set, UUID_SIZE, text);
		if (strncasecmp(text, digits, strlen(digits)) != 0)
			continue;
		memcpy(ret_set, set, UUID_SIZE);
		json_decref(*ret_job);
		*ret_job = json_incref(json_object_get(each, "JobId"));
		n++;
	}
	if (n == 1)
		return OK;
	if (n > 1)
		return error_set(err, ERR_AMBIGUOUS, "more than one snapshot set begins with '%s'",
				 name);
	error_set(err, ERR_NOT_FOUND, "no snapshot set '%s' is held there", name);
	return error_hint(err, "'holdfast snapshots --agent URL' shows those that are");
}

static int
release_remote(struct cli *cli, const char *name, struct error *err)
{
	CLEAN(guest_closep) struct guest *guest = NULL;
	CLEAN(json_done) json_t *reply = NULL, *job = NULL;
	char set[UUID_TEXT_SIZE];
	uint8_t uuid[UUID_SIZE];

	if (guest_open_remote(cli, &guest, err) < 0 ||
	    find_remote(guest, name, uuid, &job, err) < 0 ||
	    guest_remote_call(guest, "ReleaseSnapshot",
			      json_pack("{s:s}", "SetId", uuid_text(uuid, set)), &reply, err) < 0)
		return err->code;
	tell_released(cli, set, json_is_string(job) ? json_string_value(job) : "");
	return OK;
}

static int
release_set(struct cli *cli, const char *name, struct error *err)
{
	CLEAN(holds_done) struct holds holds = {0};
	const char *dir = joblog_dir(cli);
	const struct hold_view *hold;
	char set[UUID_TEXT_SIZE];
	unsigned n;

	if (holds_read(dir, &holds, err) < 0)
		return err->code;
	hold = find(&holds, name, &n);
	if (hold == NULL) {
		error_set(err, ERR_NOT_FOUND, "no snapshot set '%s' is held here", name);
		return error_hint(err, "'holdfast snapshots' shows those that are");
	}
	if (n > 1) {
		error_set(err, ERR_AMBIGUOUS, "more than one snapshot set begins with '%s'", name);
		return error_hint(err, "give more characters of its id");
	}
	if (!hold->alive) {
		error_set(err, ERR_BAD_STATE, "nobody holds this set any more: it is a leftover");
		return error_hint(err, "'holdfast release --leftovers' removes it");
	}
	if (hold->n_in_journal > 1) {
		error_set(err, ERR_BUSY, "its guard holds other sets, too");
		return error_hint(err,
				  "ask the agent that holds it: holdfast release --agent URL SET");
	}
	if (holds_end(hold, err) < 0 || wait_gone(dir, &hold->lease.lease.key, err) < 0)
		return error_prefix(err, "release '%s'", name);
	uuid_text(hold->lease.lease.key.set, set);
	tell_released(cli, set, hold->lease.job);
	return OK;
}

/* Leftovers ------------------------------------------------------------------------------------- */

struct sweep {
	struct cli *cli;
	struct eventlog *log; /* NULL: it could not be opened */
	_Atomic unsigned removed, kept, failed;
};

static bool
is_of_sweep(enum event_id id)
{
	switch (id) {
	case EVENT_LEFTOVER_RELEASED:
	case EVENT_LEFTOVER_KEPT:
	case EVENT_SNAPSHOT_RELEASE_FAILED:
	case EVENT_SNAPSHOT_RELEASED:
	case EVENT_JOURNAL_UNREADABLE:
	case EVENT_THAWED_BY_GUARD:
	case EVENT_THAW_FAILED:
		return true;
	default:
		return false;
	}
}

/* From the guard's thread. */
static void
on_event(const struct guard_event *event, void *arg)
{
	struct sweep *sweep = arg;
	char set[UUID_TEXT_SIZE] = "";

	if (event->key.epoch != 0)
		uuid_text(event->key.set, set);
	guard_event_log(sweep->log, event);
	if (event->id == EVENT_LEFTOVER_RELEASED || event->id == EVENT_SNAPSHOT_RELEASED)
		atomic_fetch_add(&sweep->removed, 1);
	if (event->id == EVENT_LEFTOVER_KEPT || event->id == EVENT_JOURNAL_UNREADABLE)
		atomic_fetch_add(&sweep->kept, 1);
	if (event->id == EVENT_SNAPSHOT_RELEASE_FAILED || event->id == EVENT_THAW_FAILED)
		atomic_fetch_add(&sweep->failed, 1);
	if (!is_of_sweep(event->id) || sweep->cli->quiet)
		return;
	if (sweep->cli->json)
		out_json(json_pack("{s:s, s:i, s:s, s:s, s:s, s:s, s:s}", "type", "event", "id",
				   (int)event->id, "name", event_name(event->id), "text",
				   event_text(event->id), "job", event->job, "set", set, "detail",
				   event->fields));
	else
		show_note(sweep->cli, "%s %s%s%s", event_text(event->id), set,
			  set[0] != '\0' ? " " : "", event->fields);
}

static int
report(struct sweep *sweep, struct error *err)
{
	unsigned removed = atomic_load(&sweep->removed), kept = atomic_load(&sweep->kept),
		 failed = atomic_load(&sweep->failed);

	if (sweep->cli->json)
		out_json(json_pack("{s:s, s:i, s:i, s:i}", "type", "leftovers", "removed",
				   (int)removed, "kept", (int)kept, "failed", (int)failed));
	else if (removed + kept + failed == 0)
		out_text("There are no leftovers.\n");
	else
		out_text("Leftovers: %u removed, %u left alone, %u could not be removed.\n",
			 removed, kept, failed);
	if (failed > 0)
		return error_set(err, ERR_INCOMPLETE, "%u leftovers could not be removed", failed);
	return OK;
}

/* A guard takes over what dead ones left, first of all; then come those that are in no journal. */
static int
release_leftovers(struct cli *cli, struct error *err)
{
	CLEAN(eventlog_closep) struct eventlog *log = NULL;
	struct sweep sweep = {.cli = cli};
	struct guard_options options = {
		.state_dir = joblog_dir(cli), .event = on_event, .event_arg = &sweep};
	struct eventlog_options kept = {
		.dir = joblog_dir(cli), .program = "holdfast", .journal = EVENTLOG_JOURNAL};
	struct error ignored;
	struct guard *guard = NULL;
	int r;

	if (host_providers(cli, &options.providers, err) < 0)
		return err->code;
	/* Cleaning up goes before telling of it. */
	if (eventlog_open(&kept, &log, &ignored) < 0)
		log = NULL;
	sweep.log = log;
	if (guard_start(&options, &guard, err) < 0)
		return err->code;
	r = guard_settle(guard, clock_boot_ns() + SETTLE_NS, err);
	guard_stop(guard);
	if (r == OK)
		r = leftmarks_remove(options.state_dir, &options.providers, on_event, &sweep, err);
	return r == OK ? report(&sweep, err) : r;
}

int
verb_release(struct cli *cli, struct error *err)
{
	bool leftovers = invocation_has(cli->inv, FLAG_LEFTOVERS);

	if (leftovers == (cli->inv->n_operands == 1)) {
		error_set(err, ERR_USAGE, "give either a snapshot set or --leftovers");
		return error_hint(err, "'holdfast snapshots' shows the sets that are held");
	}
	if (leftovers && guest_is_remote(cli))
		return error_set(err, ERR_USAGE,
				 "leftovers are removed on the host where they are");
	if (leftovers)
		return release_leftovers(cli, err);
	if (guest_is_remote(cli))
		return release_remote(cli, cli->inv->operands[0], err);
	return release_set(cli, cli->inv->operands[0], err);
}
