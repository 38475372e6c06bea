/* SPDX-License-Identifier: Apache-2.0 */

/* The life of the service: from its listeners to its last job. */
#include "agent/service.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "agent/service_internal.h"
#include "base/clock.h"
#include "base/eventlog.h"
#include "base/fs.h"
#include "base/json.h"
#include "crypto/crypto.h"

enum { PEER_CONNECTIONS = 64, STRANGERS = 64, LEASES_FILE_MAX = 1 << 20 };

/* ---- posts ----------------------------------------------------------------------------------- */

void
service_post(struct service *s, struct service_post *post, void (*run)(struct service_post *post))
{
	const uint64_t one = 1;

	post->run = run;
	(void)pthread_mutex_lock(&s->lock);
	bool first = STAILQ_EMPTY(&s->posts);
	STAILQ_INSERT_TAIL(&s->posts, post, next);
	(void)pthread_mutex_unlock(&s->lock);
	if (first)
		(void)!write(s->wake_fd, &one, sizeof(one));
}

static void
run_posts(struct service *s)
{
	struct service_posts posts = STAILQ_HEAD_INITIALIZER(posts);
	struct service_post *post;
	uint64_t n;

	(void)!read(s->wake_fd, &n, sizeof(n));
	(void)pthread_mutex_lock(&s->lock);
	STAILQ_CONCAT(&posts, &s->posts);
	(void)pthread_mutex_unlock(&s->lock);
	while ((post = STAILQ_FIRST(&posts)) != NULL) {
		STAILQ_REMOVE_HEAD(&posts, next);
		post->run(post);
	}
}

static void
on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	run_posts(arg);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void
begin_end(struct service *s, const char *why)
{
	if (s->ending)
		return;
	s->ending = true;
	service_log(s, LOG_LEVEL_INFO, "Ending: %s", why);
	service_listen_stop(s);
	service_job_end_all(s, LEASE_ABORTED);
	service_look_idle(s);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	begin_end(arg, strsignal((int)number));
}

static void
on_idle(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	begin_end(arg, "idle");
}

void
service_look_idle(struct service *s)
{
	const uint64_t ns = s->options->exit_idle_ns;
	const struct timeval tv = {.tv_sec = (time_t)(ns / NS_PER_S),
				   .tv_usec = (suseconds_t)(ns % NS_PER_S / 1000)};
	bool idle = TAILQ_EMPTY(&s->jobs) || s->n_jobs == 0;

	if (s->ending) {
		if (idle)
			(void)event_base_loopexit(s->base, NULL);
		return;
	}
	if (s->idle == NULL)
		return;
	if (idle && TAILQ_EMPTY(&s->conns))
		(void)evtimer_add(s->idle, &tv);
	else
		(void)evtimer_del(s->idle);
}

/* ---- the beginning --------------------------------------------------------------------------- */

static void
read_ended(struct service *s)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(LEASES_FILE_MAX);
	CLEAN(json_done) json_t *j = NULL;
	CLEAN(fd_close) int dir = open(s->options->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct error err = ERROR_INIT;

	if (dir < 0 || fs_read_file(dir, "leases.json", &text, &err) < 0)
		return;
	if (json_parse(buf_slice(&text), "leases.json", &j, &err) < 0) {
		service_log(s, LOG_LEVEL_WARN, "%s; what it told of ended leases is forgotten",
			    err.msg);
		return;
	}
	service_ended_unpack(s->ended, json_object_get(j, "leases"), clock_wall_ns());
}

static void
wipe_free(void *p)
{
	if (p != NULL)
		crypto_wipe(p, malloc_usable_size(p));
	free(p);
}

/* What comes in may hold the keys of a repository: neither libevent's pieces of it nor jansson's texts stay
 * in memory that is free. */
static void
wipe_what_is_freed(void)
{
	event_set_mem_functions(malloc, realloc, wipe_free);
	json_wipe_freed();
}

static int
open_loop(struct service *s, struct error *err)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};

	wipe_what_is_freed();
	s->base = event_base_new();
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->base == NULL || s->wake_fd < 0)
		return error_sys(err, ERR_IO, "make an event loop");
	s->wake = event_new(s->base, s->wake_fd, EV_READ | EV_PERSIST, on_wake, s);
	if (s->wake == NULL || event_add(s->wake, NULL) < 0)
		return error_no_memory(err);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		s->signals[i] = evsignal_new(s->base, numbers[i], on_signal, s);
		if (s->signals[i] == NULL || event_add(s->signals[i], NULL) < 0)
			return error_no_memory(err);
	}
	if (s->options->exit_idle_ns != 0 && (s->idle = evtimer_new(s->base, on_idle, s)) == NULL)
		return error_no_memory(err);
	return OK;
}

static void
service_done(struct service *s)
{
	struct conn *c;
	struct job *j;

	service_listen_stop(s);
	while ((c = TAILQ_FIRST(&s->conns)) != NULL)
		service_conn_close(c);
	service_pool_done(&s->keepers);
	service_pool_done(&s->errands);
	s->stopped = true;
	if (s->wake_fd >= 0)
		run_posts(s);
	if (s->ended != NULL)
		service_quick_save_last(s);
	while ((j = TAILQ_FIRST(&s->jobs)) != NULL)
		service_job_free(j);
	service_errand_free_all(s);
	for (size_t i = 0; i < ARRAY_SIZE(s->signals); i++)
		if (s->signals[i] != NULL)
			event_free(s->signals[i]);
	if (s->idle != NULL)
		event_free(s->idle);
	if (s->wake != NULL)
		event_free(s->wake);
	if (s->wake_fd >= 0)
		(void)close(s->wake_fd);
	if (s->base != NULL)
		event_base_free(s->base);
	tls_context_free(s->tls);
	tls_identity_free(s->identity);
	service_ended_free(s->ended);
	service_limits_free(s->limits);
	(void)pthread_mutex_destroy(&s->lock);
}

int
service_run(const struct service_options *options, struct error *err)
{
	CLEAN(service_done) struct service s = {.options = options, .wake_fd = -1};
	const struct limits_options limits = {
		.all = options->max_connections != 0 ? options->max_connections
						     : SERVICE_CONNECTIONS_DEFAULT,
		.peer = PEER_CONNECTIONS,
		.strangers = STRANGERS,
	};

	TAILQ_INIT(&s.listeners);
	TAILQ_INIT(&s.conns);
	TAILQ_INIT(&s.jobs);
	TAILQ_INIT(&s.errands_known);
	STAILQ_INIT(&s.posts);
	(void)pthread_mutex_init(&s.lock, NULL);
	service_pool_init(&s.keepers, SERVICE_KEEPERS);
	service_pool_init(&s.errands, SERVICE_ERRANDS);
	/* Epochs only grow, restarts included: on from the time of day. */
	s.last_epoch = clock_wall_ns() / NS_PER_MS;
	if (fs_mkdirs(AT_FDCWD, options->state_dir, 0700, err) < 0 ||
	    service_limits_new(&limits, &s.limits, err) < 0 ||
	    service_ended_new(&s.ended, err) < 0 || open_loop(&s, err) < 0)
		return err->code;
	read_ended(&s);
	for (size_t i = 0; i < options->n_listen; i++)
		if (service_listen(&s, options->listen[i], err) < 0)
			return err->code;
	eventlog_add(options->session.events, EVENT_AGENT_STARTED, NULL, "version=%s listen=%s",
		     HF_VERSION, options->n_listen > 0 ? options->listen[0] : "");
	service_look_idle(&s);
	if (options->ready != NULL)
		options->ready(options->ready_arg);
	if (event_base_dispatch(s.base) < 0)
		return error_set(err, ERR_INTERNAL, "the event loop failed");
	eventlog_add(options->session.events, EVENT_AGENT_STOPPED, NULL, "cause=%s", "asked");
	service_log(&s, LOG_LEVEL_INFO, "Ended.");
	return OK;
}
