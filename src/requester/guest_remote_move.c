/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Moving data from a remote guest into our own repository. MoveData's stream tells how it goes, and is
 * listened to by the driving thread; the data goes over the connections of a crew, whose pump stores
 * what the guest's mover makes. Both begin again where they were when a connection breaks.
 *
 * A guest that reaches the repository by itself is told where, and needs neither pump nor keys: then what it says
 * that it has stored is looked for in the repository as we see it.
 *
 * The guest gets the keys that this backup needs. Their text is made in locked memory, and neither JSON
 * values nor buffers that are copied as they grow ever hold it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error_json.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "repo/keys.h"
#include "repo/read.h"
#include "requester/guest_remote_internal.h"
#include "store/frame.h"

enum {
	BODY_MAX = 1 << 20, /* as much as a secret may have */
	LINE_MAX_BYTES = 8 << 20,
	KEYS_TEXT_SIZE = (KEYS_PORTABLE_SIZE + 2) / 3 * 4,
	EXCHANGE_HOLD_MS = 1000,
	/* When the data connections fail, the stream may have a better reason to tell. */
	CREW_GRACE_MS = 2000,
};

struct moving {
	struct remote *r;
	const struct guest_move *move;
	struct pump *pump;
	struct crew *crew;
	bool attached; /* the agent has the order */
	uint64_t seq; /* the last line seen */
	json_t *result; /* once it is there */
	struct error failed; /* the guest's mover, or the job */
	bool over;
	uint64_t crew_failed_ns;
	struct error crew_error;
};

/* The order ----------------------------------------------------------------------------------- */

static json_t *
previous_json(const struct task_order *order)
{
	CLEAN(json_done) json_t *previous = json_object();

	for (size_t i = 0; i < order->n_previous; i++) {
		char hex[2 * BLOB_ID_SIZE + 1];

		(void)hex_encode(order->previous[i].tree.b, BLOB_ID_SIZE, hex);
		if (json_object_set_new(previous, order->previous[i].root, json_string(hex)) < 0)
			return NULL;
	}
	return STEAL_PTR(previous);
}

static json_t *
exclude_json(const struct mover_options *mover)
{
	CLEAN(json_done) json_t *list = json_array();

	for (size_t i = 0; i < mover->n_exclude; i++)
		if (json_array_append_new(list, json_string(mover->exclude[i])) < 0)
			return NULL;
	return STEAL_PTR(list);
}

/* Where the keys will stand. */
static void
fill_in(char text[KEYS_TEXT_SIZE + 1])
{
	memset(text, '#', KEYS_TEXT_SIZE);
	text[KEYS_TEXT_SIZE] = '\0';
}

/* Where the guest finds the repository, and which one is meant. */
static json_t *
place_json(const struct moving *m)
{
	const char *id = m->move->repo->id_text;
	char keys[KEYS_TEXT_SIZE + 1];

	if (m->r->store != NULL)
		return json_pack("{s:s, s:s, s:{s:s}}", "store", m->r->store, "key_file",
				 m->r->key_file, "repository", "id", id);
	fill_in(keys);
	return json_pack("{s:s, s:{s:s, s:s}}", "store", "outbox", "repository", "id", id, "keys",
			 keys);
}

static json_t *
order_json(const struct moving *m)
{
	const struct task_order *order = &m->move->order;
	const struct mover_options *mover = &order->mover;
	CLEAN(json_done) json_t *place = place_json(m);
	json_t *j = json_pack("{s:o, s:o, s:b, s:b, s:I, s:I, s:I, s:I, s:I}", "previous",
			      previous_json(order), "exclude", exclude_json(mover),
			      "one_file_system", (int)mover->one_file_system, "force_read",
			      (int)mover->force_read, "workers", (json_int_t)mover->workers,
			      "memory_limit", (json_int_t)mover->memory_limit, "compression_level",
			      (json_int_t)order->write.level_data, "compression_level_pages",
			      (json_int_t)order->write.level_pages, "pack_size",
			      (json_int_t)order->write.pack_size);

	if (j != NULL && (place == NULL || json_object_update(j, place) < 0)) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static int
put_keys(const struct moving *m, uint8_t *at, struct error *err)
{
	CLEAN(secret_freep) struct secret *portable = NULL;
	CLEAN(crypto_buf_done) struct buf text = BUF_INIT(KEYS_TEXT_SIZE + 1);
	const struct repo *repo = m->move->repo;

	if (buf_reserve(&text, KEYS_TEXT_SIZE + 1, err) < 0 ||
	    keys_export(&repo->keys, &repo->id, &portable, err) < 0 ||
	    base64_encode(SLICE(secret_view(portable), secret_size(portable)), &text, err) < 0)
		return err->code;
	if (text.n != KEYS_TEXT_SIZE)
		return error_set(err, ERR_INTERNAL, "keys of %zu characters", text.n);
	memcpy(at, text.p, text.n);
	return OK;
}

/* The body of MoveData; the order, with the keys, goes along until the agent has it. */
static int
make_body(const struct moving *m, bool with_order, struct secret **ret, struct error *err)
{
	CLEAN(json_done) json_t *body = guest_remote_identity(m->r, true);
	CLEAN(buf_done) struct buf text = BUF_INIT(BODY_MAX);
	CLEAN(secret_freep) struct secret *locked = NULL;
	char keys[KEYS_TEXT_SIZE + 1];

	fill_in(keys);
	if (body == NULL ||
	    json_object_set_new(body, "After", json_integer((json_int_t)m->seq)) < 0)
		return error_no_memory(err);
	if (with_order && json_object_set_new(body, "Order", order_json(m)) < 0)
		return error_set(err, ERR_USAGE,
				 "a pattern of 'exclude', or a path, is not valid UTF-8");
	if (json_write(body, &text, err) < 0 || secret_new(text.n, &locked, err) < 0)
		return err->code;
	memcpy(secret_bytes(locked), text.p, text.n);
	if (with_order && m->r->store == NULL) {
		uint8_t *at = memmem(secret_bytes(locked), text.n, keys, KEYS_TEXT_SIZE);

		if (at == NULL)
			return error_set(err, ERR_INTERNAL, "no place for the keys");
		if (put_keys(m, at, err) < 0)
			return err->code;
	}
	*ret = STEAL_PTR(locked);
	return OK;
}

/* The data ------------------------------------------------------------------------------------ */

static int
exchange_body(const struct remote *r, unsigned number, const json_t *answer, struct slice data,
	      struct buf *body, struct error *err)
{
	CLEAN(json_done) json_t *header = guest_remote_identity(r, true);

	if (header == NULL ||
	    json_object_set_new(header, "Connection", json_integer((json_int_t)number + 1)) < 0 ||
	    json_object_set_new(header, "Hold", json_integer(EXCHANGE_HOLD_MS)) < 0 ||
	    json_object_set_new(header, "Answer",
				answer != NULL ? json_deep_copy(answer) : json_null()) < 0)
		return error_no_memory(err);
	return frame_write(header, data, body, err);
}

/* As crew_exchange_fn. An answer whose reply was lost is given again: it counts once. */
static int
exchange(void *arg, unsigned number, const json_t *answer, struct slice data, struct buf *ret_frame,
	 struct error *err)
{
	struct moving *m = arg;
	struct remote *r = m->r;
	struct remote_link *link = &r->data[number];
	CLEAN(buf_done) struct buf body = BUF_INIT(FRAME_MAX);

	if (exchange_body(r, number, answer, data, &body, err) < 0)
		return err->code;
	for (unsigned tries = 0;;) {
		const struct http_request request = {
			.path = "/v1/StoreExchange",
			.content_type = "application/octet-stream",
			.body = buf_slice(&body),
			.deadline_ns = UINT64_MAX,
			.silence_ns = guest_remote_patience(r) + EXCHANGE_HOLD_MS * NS_PER_MS,
			.reply_max = FRAME_MAX,
		};
		unsigned status = 0;

		if (http_post(link->http, &request, &status, ret_frame, err) == OK) {
			guest_remote_up(r, link);
			return status == 200 ? OK
					     : guest_remote_refused(r, "StoreExchange", status,
								    buf_slice(ret_frame), err);
		}
		if (atomic_load(&r->closing) ||
		    guest_remote_again(r, link, "StoreExchange", tries++, err) != 1)
			return err->code;
	}
}

/* The stream ---------------------------------------------------------------------------------- */

static void
set_counter(const json_t *line, const char *name, _Atomic uint64_t *counter)
{
	const json_t *value = json_object_get(line, name);

	if (json_is_integer(value) && json_integer_value(value) >= 0)
		atomic_store(counter, (uint64_t)json_integer_value(value));
}

static void
take_progress(const json_t *line, struct progress *p)
{
	set_counter(line, "files_done", &p->files_done);
	set_counter(line, "bytes_done", &p->bytes_done);
	set_counter(line, "files_new", &p->files_new);
	set_counter(line, "files_changed", &p->files_changed);
	set_counter(line, "files_unchanged", &p->files_unchanged);
	set_counter(line, "dirs", &p->dirs);
	set_counter(line, "bytes_stored", &p->bytes_stored);
	set_counter(line, "read_ns", &p->read_ns);
	set_counter(line, "scan_ns", &p->scan_ns);
	if (json_object_get(line, "bytes_total") != NULL) {
		set_counter(line, "bytes_total", &p->bytes_total);
		set_counter(line, "files_total", &p->files_total);
		atomic_store(&p->total_known, true);
	}
}

static enum err
code_of(const char *name)
{
	enum err code;

	for (size_t i = 0; (code = error_code_at(i)) != OK; i++)
		if (strcmp(error_name(code), name) == 0)
			return code;
	return ERR_SOURCE;
}

static void
warn(const struct moving *m, const json_t *path, enum err code, bool serious, const json_t *message)
{
	const struct mover_options *mover = &m->move->order.mover;
	CLEAN(buf_done) struct buf name = BUF_INIT(64 << 10), text = BUF_INIT(64 << 10);
	struct error ignored = ERROR_INIT;

	if (mover->warn == NULL)
		return;
	if (json_bytes_get(path, &name, &ignored) < 0)
		name.n = 0;
	if (json_bytes_get(message, &text, &ignored) < 0)
		text.n = 0;
	if (buf_u8(&name, 0, &ignored) < 0 || buf_u8(&text, 0, &ignored) < 0)
		return;
	text_without_controls((char *)text.p);
	mover->warn(mover->warn_arg, (const char *)name.p, code, serious, (const char *)text.p);
}

static void
take_warning(const struct moving *m, const json_t *line)
{
	const char *code = json_string_value(json_object_get(line, "code"));

	warn(m, json_object_get(line, "path"), code != NULL ? code_of(code) : ERR_SOURCE,
	     json_is_true(json_object_get(line, "serious")), json_object_get(line, "message"));
}

static void
take_phase(const struct moving *m, const json_t *line, const char *key)
{
	const char *what = json_string_value(json_object_get(line, key));
	char text[REMOTE_NOTE_MAX];

	if (what == NULL || what[0] == '\0' || m->r->base.say == NULL)
		return;
	(void)text_printf(text, sizeof(text), "%s", what);
	text_without_controls(text);
	m->r->base.say(m->r->base.say_arg, text);
}

static void
take_skipped(const struct moving *m, const json_t *line)
{
	CLEAN(json_done) json_t *path = json_string(""), *message = NULL;

	message = json_sprintf("%lld lines of the guest's report were lost",
			       (long long)json_integer_value(json_object_get(line, "lines")));
	warn(m, path, ERR_LIMIT, false, message);
}

static int
take_error(struct moving *m, const json_t *line, struct error *err)
{
	if (error_json_unpack(json_object_get(line, "error"), &m->failed, err) < 0)
		return err->code;
	/* Word the end of the lease as every other function does. */
	if (m->failed.code == ERR_LEASE_ENDED) {
		CLEAN(buf_done) struct buf body = BUF_INIT(LINE_MAX_BYTES);
		struct error worded = ERROR_INIT;

		if (json_write(line, &body, err) < 0)
			return err->code;
		(void)guest_remote_refused(m->r, "MoveData", 410, buf_slice(&body), &worded);
		m->failed = worded;
	}
	m->over = true;
	return OK;
}

static int
begin_crew(struct moving *m, struct error *err)
{
	m->attached = true;
	if (m->crew != NULL || m->r->store != NULL)
		return OK;
	return crew_start(m->pump, m->r->connections, exchange, m, &m->crew, err);
}

static int
take_line(void *arg, struct slice text, struct error *err)
{
	struct moving *m = arg;
	CLEAN(json_done) json_t *line = NULL;
	const char *type;
	uint64_t seq;

	guest_remote_up(m->r, &m->r->stream);
	if (text.n == 0)
		return OK;
	if (json_parse(text, "a line of MoveData", &line, err) < 0 ||
	    json_get_str(line, "type", &type, err) < 0 ||
	    json_opt_u64(line, "seq", m->seq, &seq, err) < 0)
		return err->code;
	m->seq = MAX(m->seq, seq);
	if (strcmp(type, "attached") == 0) {
		take_phase(m, line, "phase");
		return begin_crew(m, err);
	}
	if (strcmp(type, "progress") == 0) {
		take_progress(line, m->move->order.mover.progress);
	} else if (strcmp(type, "warning") == 0) {
		take_warning(m, line);
	} else if (strcmp(type, "phase") == 0) {
		take_phase(m, line, "text");
	} else if (strcmp(type, "skipped") == 0) {
		take_skipped(m, line);
	} else if (strcmp(type, "error") == 0) {
		return take_error(m, line, err);
	} else if (strcmp(type, "superseded") == 0) {
		return error_set(err, ERR_BUSY, "somebody else listens to this job's stream");
	} else if (strcmp(type, "result") == 0) {
		json_t *result;
		if (json_get_obj(line, "result", &result, err) < 0)
			return err->code;
		m->result = json_incref(result);
		m->over = true;
	}
	return OK;
}

/* As http_request.check. */
static int
look_around(void *arg, struct error *err)
{
	struct moving *m = arg;
	const struct mover_options *mover = &m->move->order.mover;
	uint64_t now = clock_boot_ns();

	guest_remote_say_notes(m->r);
	if (atomic_load(&mover->progress->cancelled))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	if (guest_remote_check(m->r, err) < 0)
		return err->code;
	if (m->crew != NULL && m->crew_failed_ns == 0 && crew_check(m->crew, &m->crew_error) < 0)
		m->crew_failed_ns = now;
	if (m->crew_failed_ns != 0 && now - m->crew_failed_ns >= CREW_GRACE_MS * NS_PER_MS) {
		*err = m->crew_error;
		return err->code;
	}
	return mover->check != NULL ? mover->check(mover->check_arg, err) : OK;
}

/* Listen once, until the end of the stream. */
static int
listen_once(struct moving *m, struct error *err)
{
	CLEAN(secret_freep) struct secret *body = NULL;
	CLEAN(buf_done) struct buf reply = BUF_INIT(LINE_MAX_BYTES);
	struct remote *r = m->r;
	unsigned status = 0;

	if (make_body(m, !m->attached, &body, err) < 0)
		return err->code;
	const struct http_request request = {
		.path = "/v1/MoveData",
		.body = SLICE(secret_view(body), secret_size(body)),
		.deadline_ns = UINT64_MAX,
		.silence_ns = guest_remote_patience(r) + NS_PER_S,
		.reply_max = LINE_MAX_BYTES,
		.line = take_line,
		.line_arg = m,
		.check = look_around,
		.check_arg = m,
	};
	int rc = http_post(r->stream.http, &request, &status, &reply, err);
	if (m->over)
		return OK;
	if (rc < 0)
		return rc;
	if (status != 200)
		return guest_remote_refused(r, "MoveData", status, buf_slice(&reply), err);
	return error_set(err, ERR_AGENT_LOST, "the stream ended early");
}

static int
listen_to_end(struct moving *m, struct error *err)
{
	unsigned tries = 0;

	while (!m->over) {
		uint64_t seq = m->seq;

		if (listen_once(m, err) == OK)
			break;
		if (m->seq != seq)
			tries = 0;
		if (atomic_load(&m->move->order.mover.progress->cancelled))
			return error_set(err, ERR_CANCELLED, "stopped on request");
		if (guest_remote_again(m->r, &m->r->stream, "MoveData", tries++, err) != 1)
			return err->code;
	}
	if (m->failed.code != OK) {
		*err = m->failed;
		return err->code;
	}
	return OK;
}

/* The result ---------------------------------------------------------------------------------- */

static int
read_result(struct moving *m, struct task_result *ret, struct error *err)
{
	json_t *roots, *stats;
	struct repo_write_stats w = {0};

	if (json_get_arr(m->result, "roots", &roots, err) < 0 ||
	    json_get_obj(m->result, "stats", &stats, err) < 0 ||
	    json_opt_u64(stats, "blobs", 0, &w.blobs, err) < 0 ||
	    json_opt_u64(stats, "blobs_new", 0, &w.blobs_new, err) < 0 ||
	    json_opt_u64(stats, "bytes", 0, &w.bytes, err) < 0 ||
	    json_opt_u64(stats, "bytes_new", 0, &w.bytes_new, err) < 0 ||
	    json_opt_u64(stats, "bytes_stored", 0, &w.bytes_stored, err) < 0 ||
	    json_opt_u64(stats, "packs", 0, &w.packs, err) < 0 ||
	    json_opt_u64(stats, "hash_ns", 0, &w.hash_ns, err) < 0 ||
	    json_opt_u64(stats, "compress_ns", 0, &w.compress_ns, err) < 0 ||
	    json_opt_u64(stats, "seal_ns", 0, &w.seal_ns, err) < 0 ||
	    json_opt_u64(stats, "write_ns", 0, &w.write_ns, err) < 0 ||
	    json_opt_u64(stats, "commit_ns", 0, &w.commit_ns, err) < 0)
		return error_prefix(err, "the result of MoveData");
	take_progress(stats, m->move->order.mover.progress);
	ret->roots = json_incref(roots);
	ret->write = w;
	return OK;
}

/* The guest has stored by itself: its data is in the repository that we see, too. */
static int
look_for_roots(const struct moving *m, const struct task_result *result, struct error *err)
{
	CLEAN(repo_index_closep) struct repo_index *index = NULL;
	json_t *root;
	size_t i;

	if (repo_index_open(m->move->repo, &index, err) < 0)
		return err->code;
	json_array_foreach(result->roots, i, root)
	{
		const char *tree = json_string_value(json_object_get(root, "tree"));
		struct blob_loc loc;
		struct blob_id id;

		if (tree == NULL || !hex_decode(tree, strlen(tree), id.b, sizeof(id.b)))
			return error_set(err, ERR_PROTOCOL, "a root without its tree");
		int found = repo_index_find(index, &id, &loc, err);
		if (found < 0)
			return found;
		if (found == 0) {
			error_set(err, ERR_CONFIG,
				  "what the agent stored in '%s' there is not in this repository "
				  "here",
				  m->r->store);
			return error_hint(err, "backup.agent_repository has to be the same "
					       "repository, seen from that host");
		}
	}
	return OK;
}

/* Threads first, then what they use. */
static void
moving_done(struct moving *m)
{
	struct remote *r = m->r;

	/* After a success the crew has nothing left to answer, and may be cut off as well. */
	atomic_store(&r->closing, true);
	(void)pthread_mutex_lock(&r->lock);
	(void)pthread_cond_broadcast(&r->wake);
	(void)pthread_mutex_unlock(&r->lock);
	for (unsigned i = 0; i < r->connections && m->crew != NULL; i++)
		http_cancel(r->data[i].http);
	crew_end(m->crew);
	pump_free(m->pump);
	json_decref(m->result);
}

static void
tell_missing(const struct moving *m)
{
	json_t *each;
	size_t i;

	json_array_foreach(m->r->missing, i, each)
	{
		warn(m, json_object_get(each, "path"), ERR_SOURCE, true,
		     json_object_get(each, "message"));
	}
}

int
guest_remote_move(struct guest *g, const struct guest_move *move, struct task_result *ret,
		  struct error *err)
{
	struct remote *r = remote_of(g);
	CLEAN(moving_done) struct moving m = {.r = r, .move = move};

	tell_missing(&m);
	if (r->store == NULL && pump_new(move->repo->store, PUMP_BACKUP, &m.pump, err) < 0)
		return err->code;
	if (listen_to_end(&m, err) < 0) {
		struct error ended = ERROR_INIT;

		/* What stopped the copy is the lost lease, whatever broke first because of it. */
		if (guest_remote_check(r, &ended) < 0)
			*err = ended;
		return err->code;
	}
	if (read_result(&m, ret, err) < 0)
		return err->code;
	return r->store != NULL ? look_for_roots(&m, ret, err) : OK;
}
