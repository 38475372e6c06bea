/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast writers */
#include <string.h>

#include "agent/writer_status.h"
#include "agent/writers.h"
#include "base/hresult.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/guest.h"
#include "cli/host.h"
#include "cli/joblog.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/show.h"
#include "cli/units.h"
#include "config/prose.h"
#include "requester/guest_remote.h"

/* Among those that an agent keeps. */
static bool
find_kept(const json_t *states, const char *name, struct writer_status *ret)
{
	const json_t *one;
	struct error ignored;
	size_t i;

	json_array_foreach(states, i, one) if (writer_status_from_json(one, ret, &ignored) == OK &&
					       strcmp(ret->name, name) == 0) return true;
	return false;
}

/* Who is there, and (elsewhere) what is kept of each. */
static int
ask(struct cli *cli, json_t **ret_list, json_t **ret_states, struct error *err)
{
	CLEAN(guest_closep) struct guest *guest = NULL;
	CLEAN(json_done) json_t *reply = NULL;
	struct writers_setup setup = host_writers(cli);
	const struct invocation *inv = cli->inv;
	json_t *states;

	if (!guest_is_remote(cli))
		return writers_gather(&setup, inv->operands, inv->n_operands, ret_list, err);
	if (guest_open_remote(cli, &guest, err) < 0 ||
	    guest->ops->writers(guest, inv->operands, inv->n_operands, ret_list, err) < 0 ||
	    guest_remote_call(guest, "GatherWriterStatus", NULL, &reply, err) < 0 ||
	    json_get_arr(reply, "Writers", &states, err) < 0)
		return err->code;
	*ret_states = json_incref(states);
	return OK;
}

/* What a writer that was just asked says of itself, with what is kept of its last backup. */
static void
merge(const struct cli *cli, const json_t *now, const json_t *states, struct writer_status *ret)
{
	const char *name = json_string_value(json_object_get(now, "name"));
	const json_t *metadata = json_object_get(now, "metadata");
	struct writer_status kept;
	bool known = guest_is_remote(cli) ? find_kept(states, name, &kept)
					  : writer_status_load(joblog_dir(cli), name, &kept) > 0;

	writer_status_init(name, ret);
	writer_status_about(metadata, ret);
	if (!json_is_object(metadata)) {
		/* It cannot even say who it is: that is newer than what was. */
		if (known)
			*ret = kept;
		writer_status_failure(json_object_get(now, "error"), ret);
		ret->state = WRITER_FAILED_AT_IDENTIFY;
		return;
	}
	if (!known)
		return;
	ret->state = kept.state;
	ret->last_error = kept.last_error;
	ret->since_ns = kept.since_ns;
	memcpy(ret->job, kept.job, sizeof(ret->job));
}

static void
put_json(const struct writer_status *s)
{
	json_t *j = writer_status_json(s);
	json_t *all = json_pack("{s:s}", "type", "writer");

	if (j == NULL || all == NULL || json_object_update(all, j) < 0) {
		json_decref(all);
		all = NULL;
	}
	json_decref(j);
	out_json(all);
}

/* A line of its own, wrapped; want of memory cuts it. */
static void
put_prose(const char *label, const char *message)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(8192);
	char text[2048];
	struct error ignored;

	if (message[0] == '\0')
		return;
	printable_message(message, text, sizeof(text));
	if (buf_printf(&b, &ignored, "      %s", label) == OK)
		(void)!prose_wrap(&b, text, 6 + strlen(label), 6, &ignored);
	out_bytes(buf_slice(&b));
}

static void
put_text(const struct writer_status *s)
{
	char text[1024], when[UNITS_MAX], code[HRESULT_TEXT_MAX];
	const struct error *e = &s->last_error;

	out_text("Writer name: '%s'\n", printable_message(s->title, text, sizeof(text)));
	out_text("   Writer Id: %s\n", s->id);
	out_text("   Writer Instance Id: %s\n", s->instance[0] != '\0' ? s->instance : "not known");
	out_text("   State: [%d] %s\n", (int)s->state, writer_state_text(s->state));
	out_text("   Last error: %s\n", writer_status_error_text(e));
	if (e->code != OK) {
		if (error_hresult(e->code) != 0)
			out_text("      Code: %s (%s)\n",
				 hresult_text(error_hresult(e->code), code), error_name(e->code));
		else
			out_text("      Code: %s\n", error_name(e->code));
		put_prose("", e->msg);
		put_prose("Hint: ", e->hint);
	}
	if (s->job[0] != '\0')
		out_text("   Last job: %s, %s\n", printable_message(s->job, text, sizeof(text)),
			 units_time(s->since_ns, when));
	out_text("\n");
}

int
verb_writers(struct cli *cli, struct error *err)
{
	CLEAN(json_done) json_t *list = NULL;
	CLEAN(json_done) json_t *states = NULL;
	const json_t *one;
	size_t i;

	if (ask(cli, &list, &states, err) < 0)
		return err->code;
	json_array_foreach(list, i, one)
	{
		struct writer_status status;

		merge(cli, one, states, &status);
		if (cli->json)
			put_json(&status);
		else
			put_text(&status);
	}
	if (json_array_size(list) == 0)
		show_note(cli, "no writers are installed");
	return OK;
}
