/* SPDX-License-Identifier: Apache-2.0 */

/* Moving a job's data, in the job's thread: from MoveData's Order to the session's task. */
#include "agent/service_move.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/task.h"
#include "base/fs.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "repo/read.h"
#include "repo/repo.h"
#include "store/store.h"

enum { PREVIOUS_MAX = 256, EXCLUDE_MAX = 4096, KEYS_TEXT_MAX = 64 * 1024 };

struct moving {
	struct move *m;
	struct store *store; /* opened here; NULL: the outbox's */
	struct repo *repo;
	struct repo_index *index;
	struct task_previous *previous;
	size_t n_previous;
	const char **exclude;
	size_t n_exclude;
	struct task_result result;
};

static void
moving_done(struct moving *v)
{
	task_result_done(&v->result);
	repo_index_close(v->index);
	repo_close(v->repo);
	if (v->store != NULL)
		store_close(v->store);
	free(v->previous);
	free(v->exclude);
}

/* ---- the order -------------------------------------------------------------------------------- */

static int
read_previous(struct moving *v, json_t *asked, struct error *err)
{
	json_t *previous = json_object_get(asked, "previous");
	const char *root;
	json_t *tree;

	if (json_object_size(previous) > PREVIOUS_MAX)
		return error_set(err, ERR_LIMIT, "too many roots in 'previous'");
	v->previous = calloc(json_object_size(previous) + 1, sizeof(*v->previous));
	if (v->previous == NULL)
		return error_no_memory(err);
	json_object_foreach(previous, root, tree)
	{
		struct task_previous *p = &v->previous[v->n_previous++];

		if (!json_is_string(tree) || !text_printf(p->root, sizeof(p->root), "%s", root) ||
		    !hex_decode(json_string_value(tree), json_string_length(tree), p->tree.b,
				sizeof(p->tree.b)))
			return error_set(err, ERR_USAGE,
					 "'previous' is no table of roots and trees");
	}
	return OK;
}

static int
read_exclude(struct moving *v, json_t *asked, struct error *err)
{
	json_t *list = json_object_get(asked, "exclude");
	size_t i;
	json_t *item;

	if (list != NULL && (!json_is_array(list) || json_array_size(list) > EXCLUDE_MAX))
		return error_set(err, ERR_USAGE, "'exclude' is no array of at most %d",
				 EXCLUDE_MAX);
	v->exclude = calloc(json_array_size(list) + 1, sizeof(*v->exclude));
	if (v->exclude == NULL)
		return error_no_memory(err);
	json_array_foreach(list, i, item)
	{
		if (!json_is_string(item))
			return error_set(err, ERR_USAGE, "entry %zu of 'exclude' is no text", i);
		v->exclude[v->n_exclude++] = json_string_value(item);
	}
	return OK;
}

static void
warn(void *arg, const char *path, enum err code, bool serious, const char *message)
{
	service_move_say(arg, json_pack("{s:s, s:o, s:s, s:b, s:o}", "type", "warning", "path",
					json_bytes(path, strlen(path)), "code", error_name(code),
					"serious", serious ? 1 : 0, "message",
					json_bytes(message, strlen(message))));
}

static int
number(json_t *asked, const char *name, uint64_t max, uint64_t *ret, struct error *err)
{
	uint64_t n;

	if (json_opt_u64(asked, name, 0, &n, err) < 0)
		return err->code;
	if (n > max)
		return error_set(err, ERR_USAGE, "'%s' is more than %llu", name,
				 (unsigned long long)max);
	*ret = n;
	return OK;
}

static int
read_order(struct moving *v, struct task_order *order, struct error *err)
{
	struct move *m = v->m;
	json_t *asked = m->asked;
	uint64_t workers, memory, level_data, level_pages, pack_size;
	bool one_file_system, force_read;

	if (read_previous(v, asked, err) < 0 || read_exclude(v, asked, err) < 0 ||
	    number(asked, "workers", 256, &workers, err) < 0 ||
	    number(asked, "memory_limit", UINT64_C(64) << 30, &memory, err) < 0 ||
	    number(asked, "compression_level", 19, &level_data, err) < 0 ||
	    number(asked, "compression_level_pages", 19, &level_pages, err) < 0 ||
	    number(asked, "pack_size", UINT64_C(512) << 20, &pack_size, err) < 0 ||
	    json_opt_bool(asked, "one_file_system", false, &one_file_system, err) < 0 ||
	    json_opt_bool(asked, "force_read", false, &force_read, err) < 0)
		return err->code;
	*order = (struct task_order){
		.n_previous = v->n_previous,
		.previous = v->previous,
		.mover = {.workers = (unsigned)workers,
			  .memory_limit = memory,
			  .one_file_system = one_file_system,
			  .force_read = force_read,
			  .n_exclude = v->n_exclude,
			  .exclude = v->exclude,
			  .warn = warn,
			  .warn_arg = m,
			  .progress = &m->progress},
		.write = {.level_data = (int)level_data,
			  .level_pages = (int)level_pages,
			  .pack_size = (uint32_t)pack_size},
	};
	return OK;
}

/* ---- the repository --------------------------------------------------------------------------- */

/* What is taken out of the order is wiped there: from here on the keys lie in locked memory only. */
static int
take_keys(struct moving *v, struct object_id *ret_id, struct repo_keys *ret_keys, struct error *err)
{
	CLEAN(crypto_buf_done) struct buf keys_bytes = BUF_INIT(KEYS_TEXT_MAX);
	const char *text;
	json_t *repository;
	int r = OK;

	if (json_get_obj(v->m->asked, "repository", &repository, err) < 0 ||
	    json_get_str(repository, "keys", &text, err) < 0 ||
	    buf_reserve(&keys_bytes, KEYS_PORTABLE_SIZE + 4, err) < 0 ||
	    base64_decode(SLICE(text, strlen(text)), &keys_bytes, err) < 0 ||
	    keys_import(buf_slice(&keys_bytes), ret_id, ret_keys, err) < 0)
		r = err->code;
	(void)json_object_del(v->m->asked, "repository");
	return r;
}

static int
open_with_keys(struct moving *v, struct error *err)
{
	const char *cache = v->m->job->service->options->cache_dir;
	struct object_id id;
	struct repo_keys keys;

	if (take_keys(v, &id, &keys, err) < 0)
		return err->code;
	return repo_open_keys(outbox_store(v->m->outbox), &id, &keys, cache, &v->repo, err);
}

static int
read_key_file(const char *path, struct secret **ret, struct error *err)
{
	CLEAN(secret_freep) struct secret *key = NULL;
	CLEAN(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	size_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, ERR_PASSWORD, "open key file '%s'", path);
	if (!S_ISREG(st.st_mode) || st.st_size < CRYPTO_KEY_SIZE || st.st_size > KEYS_TEXT_MAX)
		return error_set(err, ERR_PASSWORD, "'%s' is no key file", path);
	if (secret_new((size_t)st.st_size, &key, err) < 0 ||
	    fs_pread(fd, secret_bytes(key), secret_size(key), 0, &n, err) < 0)
		return err->code;
	if (n != secret_size(key))
		return error_set(err, ERR_PASSWORD, "key file '%s' changes while it is read", path);
	*ret = STEAL_PTR(key);
	return OK;
}

/* The requester writes the restore point into what it takes for the same repository. */
static int
is_meant(const struct moving *v, const char *place, struct error *err)
{
	const json_t *repository = json_object_get(v->m->asked, "repository");
	const char *id = "";

	if (repository != NULL && json_opt_str(repository, "id", "", &id, err) < 0)
		return err->code;
	if (id[0] == '\0' || strcmp(id, v->repo->id_text) == 0)
		return OK;
	return error_set(err, ERR_CONFIG,
			 "'%s' on this host is another repository (%.8s, not %.8s)", place,
			 v->repo->id_text, id);
}

static int
open_here(struct moving *v, struct error *err)
{
	CLEAN(secret_freep) struct secret *key = NULL;
	const char *cache = v->m->job->service->options->cache_dir;
	const char *place, *key_file;

	if (json_get_str(v->m->asked, "store", &place, err) < 0 ||
	    json_get_str(v->m->asked, "key_file", &key_file, err) < 0 ||
	    store_open(place, false, &v->store, err) < 0 || read_key_file(key_file, &key, err) < 0)
		return err->code;
	const struct key_source source = {.key_file = key};
	if (repo_open(v->store, &source, cache, &v->repo, err) < 0)
		return err->code;
	return is_meant(v, place, err);
}

/* ---- the result ------------------------------------------------------------------------------- */

static void
count(json_t *stats, const char *name, uint64_t n)
{
	(void)json_object_set_new(stats, name, json_integer((json_int_t)n));
}

static json_t *
show_result(const struct moving *v)
{
	const struct progress *p = &v->m->progress;
	const struct repo_write_stats *w = &v->result.write;
	json_t *stats = json_object();

	count(stats, "blobs", w->blobs);
	count(stats, "blobs_new", w->blobs_new);
	count(stats, "bytes", w->bytes);
	count(stats, "bytes_new", w->bytes_new);
	count(stats, "bytes_stored", w->bytes_stored);
	count(stats, "packs", w->packs);
	count(stats, "hash_ns", w->hash_ns);
	count(stats, "compress_ns", w->compress_ns);
	count(stats, "seal_ns", w->seal_ns);
	count(stats, "write_ns", w->write_ns);
	count(stats, "commit_ns", w->commit_ns);
	count(stats, "files_done", atomic_load(&p->files_done));
	count(stats, "bytes_done", atomic_load(&p->bytes_done));
	count(stats, "files_new", atomic_load(&p->files_new));
	count(stats, "files_changed", atomic_load(&p->files_changed));
	count(stats, "files_unchanged", atomic_load(&p->files_unchanged));
	count(stats, "dirs", atomic_load(&p->dirs));
	count(stats, "read_ns", atomic_load(&p->read_ns));
	count(stats, "scan_ns", atomic_load(&p->scan_ns));
	return json_pack("{s:O, s:o}", "roots", v->result.roots, "stats", stats);
}

int
service_move_run(struct order *o, struct error *err)
{
	struct move *m = o->job->move;
	CLEAN(moving_done) struct moving v = {.m = m};
	struct task_order order;

	if (read_order(&v, &order, err) < 0 ||
	    (m->outbox != NULL ? open_with_keys(&v, err) : open_here(&v, err)) < 0 ||
	    repo_index_open(v.repo, &v.index, err) < 0 ||
	    task_run(o->job->session, v.repo, v.index, &order, &v.result, err) < 0)
		return err->code;
	o->reply = show_result(&v);
	return o->reply != NULL ? OK : error_no_memory(err);
}
