/* SPDX-License-Identifier: Apache-2.0 */

/* Functions that belong to no job's course: who is there, what is held, what happened. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#include "agent/service_internal.h"
#include "agent/writer_status.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/json.h"
#include "store/frame.h"

#define WRITER_PREFIX "holdfast-writer-"

enum { STATE_FILE_MAX = 4 << 20 };

static void
reply_ok(struct request *r, json_t *json)
{
	service_log(r->service, LOG_LEVEL_INFO, "RPC: %s. Ok.", api_table_of(r->function)->name);
	request_reply(r, 200, json);
}

/* ---- Hello ------------------------------------------------------------------------------------ */

static json_t *
installed_writers(const struct service *s)
{
	const char *folder = s->options->session.writers.dir;
	json_t *names = json_array();
	DIR *dir = folder != NULL ? opendir(folder) : NULL;
	struct dirent *d;

	while (dir != NULL && (d = readdir(dir)) != NULL)
		if (strncmp(d->d_name, WRITER_PREFIX, strlen(WRITER_PREFIX)) == 0 &&
		    strchr(d->d_name, '.') == NULL)
			(void)json_array_append_new(names,
						    json_string(d->d_name + strlen(WRITER_PREFIX)));
	if (dir != NULL)
		(void)closedir(dir);
	return names;
}

static json_t *
function_names(void)
{
	json_t *names = json_array();

	for (enum api_function id = API_NONE + 1; id < API_COUNT; id++)
		(void)json_array_append_new(names, json_string(api_table_of(id)->name));
	return names;
}

static void
read_boot_id(char text[64])
{
	CLEAN(fd_close) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, 63) : 0;

	text[n > 0 ? n : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

static void
hello(struct request *r)
{
	const struct service *s = r->service;
	char host[256] = "", boot[64], now[32];

	(void)gethostname(host, sizeof(host) - 1);
	read_boot_id(boot);
	reply_ok(
		r,
		json_pack(
			"{s:s, s:s, s:i, s:s, s:s, s:s, s:{s:s, s:s}, s:o, s:o, s:{s:I, s:I, s:I}, "
			"s:I}",
			"Product", "holdfast", "Version", HF_VERSION, "Api", 1, "HostName", host,
			"BootId", boot, "Now", clock_format_utc(clock_wall_ns(), now), "Peer",
			"Kind", r->peer.kind == PEER_UNIX ? "unix" : "tls", "Name", r->peer.name,
			"Functions", function_names(), "Writers", installed_writers(s), "Limits",
			"Body", (json_int_t)api_table_of(API_HELLO)->body_max, "MoveData",
			(json_int_t)api_table_of(API_MOVE_DATA)->body_max, "Exchange",
			(json_int_t)FRAME_MAX, "Jobs", (json_int_t)s->n_jobs));
}

/* ---- what is held ------------------------------------------------------------------------------ */

static void
list_snapshots(struct request *r)
{
	const struct service *s = r->service;
	json_t *open = json_array(), *ended = json_array();
	const struct ended *e;
	struct job *job;

	TAILQ_FOREACH(job, &s->jobs, next) {
		json_t *j = service_job_show(job);

		if (j != NULL)
			(void)json_array_append_new(open, j);
	}
	for (size_t i = 0; (e = service_ended_at(s->ended, i)) != NULL; i++) {
		char id[UUID_TEXT_SIZE];
		json_t *j = service_ended_show(e);

		if (j != NULL)
			(void)json_object_set_new(j, "JobId", json_string(uuid_text(e->job, id)));
		(void)json_array_append_new(ended, j);
	}
	reply_ok(r, json_pack("{s:o, s:o}", "Snapshots", open, "Ended", ended));
}

static void
writer_status(struct request *r)
{
	const struct service *s = r->service;
	char names[WRITER_STATUS_MAX][65];
	json_t *list = NULL;
	struct job *job;

	if (json_object_get(r->json, "JobId") != NULL) {
		job = service_job_known(r);
		if (job == NULL)
			return;
		/* The end tells how they were left. */
		if (job->over) {
			service_job_wait_end(job, r);
			return;
		}
		(void)!session_writers(job->session, &list, NULL);
		reply_ok(r, json_pack("{s:o}", "Writers", list));
		return;
	}
	list = json_array();
	for (size_t i = 0, n = writer_status_names(s->options->state_dir, names); i < n; i++) {
		struct writer_status status;

		if (writer_status_load(s->options->state_dir, names[i], &status) > 0)
			(void)json_array_append_new(list, writer_status_json(&status));
	}
	reply_ok(r, json_pack("{s:o}", "Writers", list));
}

void
service_quick(struct request *r)
{
	switch (r->function) {
	case API_HELLO:
		hello(r);
		return;
	case API_GATHER_WRITER_STATUS:
		writer_status(r);
		return;
	default:
		list_snapshots(r);
		return;
	}
}

/* ---- what is remembered ------------------------------------------------------------------------- */

struct save {
	struct pool_work work;
	struct service_post post;
	struct service *service;
	struct buf text;
	struct error error;
};

static void
saved(struct service_post *post)
{
	struct save *v = CONTAINER_OF(post, struct save, post);
	struct service *s = v->service;

	if (v->error.code != OK)
		service_log(s, LOG_LEVEL_WARN, "What is known of leases was not kept: %s",
			    v->error.msg);
	buf_done(&v->text);
	free(v);
	s->ended_saving = false;
	if (s->ended_dirty)
		service_quick_save(s);
}

static void
save_run(struct pool_work *work)
{
	struct save *v = CONTAINER_OF(work, struct save, work);
	CLEAN(fd_close)
	int dir = open(v->service->options->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		(void)error_sys(&v->error, ERR_IO, "open '%s'", v->service->options->state_dir);
	else
		(void)!fs_write_file(dir, "leases.json", buf_slice(&v->text), 0600, &v->error);
	service_post(v->service, &v->post, saved);
}

static int
pack(const struct service *s, struct buf *text)
{
	CLEAN(json_done) json_t *j = NULL;
	CLEAN(free_ptr) struct ended *open = calloc(s->n_jobs + 1, sizeof(*open));
	const struct job *job;
	size_t n = 0;

	if (open == NULL)
		return ERR_NO_MEMORY;
	TAILQ_FOREACH(job, &s->jobs, next)
		if (job->named && job->lease.end == LEASE_NOT_ENDED && n < s->n_jobs &&
		    n < ENDED_MAX)
			open[n++] = job->lease;
	j = json_pack("{s:o}", "leases", service_ended_pack(s->ended, open, n));
	return j != NULL ? json_write(j, text, NULL) : ERR_NO_MEMORY;
}

void
service_quick_save(struct service *s)
{
	struct save *v;

	/* One at a time; what changes meanwhile is in the next. */
	s->ended_dirty = true;
	if (s->ended_saving || s->stopped)
		return;
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return;
	*v = (struct save){.service = s, .text = BUF_INIT(STATE_FILE_MAX)};
	if (pack(s, &v->text) < 0 || !service_pool_add(&s->errands, &v->work, save_run)) {
		buf_done(&v->text);
		free(v);
		return;
	}
	s->ended_dirty = false;
	s->ended_saving = true;
}

void
service_quick_save_last(struct service *s)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(STATE_FILE_MAX);
	CLEAN(fd_close) int dir = open(s->options->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err = ERROR_INIT;

	if (!s->ended_dirty || dir < 0 || pack(s, &text) < 0)
		return;
	if (fs_write_file(dir, "leases.json", buf_slice(&text), 0600, &err) < 0)
		service_log(s, LOG_LEVEL_WARN, "What is known of leases was not kept: %s", err.msg);
}
