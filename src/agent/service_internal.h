/* SPDX-License-Identifier: Apache-2.0 */

/* What the files of the service share. Everything here belongs to the thread of the event loop, unless
 * said otherwise. */
#ifndef HF_AGENT_SERVICE_INTERNAL_H
#define HF_AGENT_SERVICE_INTERNAL_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <jansson.h>
#include <pthread.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "agent/api_table.h"
#include "agent/http.h"
#include "agent/service.h"
#include "agent/service_ended.h"
#include "agent/service_limits.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/uuid.h"
#include "crypto/tls.h"

enum {
	SERVICE_JSON_DEPTH = 32,
	SERVICE_KEEPERS = 4, /* threads for keep-alives */
	SERVICE_ERRANDS = 4,
	SERVICE_POOL_QUEUE = 1024,
	SERVICE_HOLD_MS = 10000, /* for a reply that is not there yet */
	SERVICE_TAKE_S = 60, /* for a reply to be taken, and a stream's to go on */
	SERVICE_BUCKETS = 1024, /* of the table of jobs */
};

struct service;
struct conn;
struct job;
struct request;

/* ---- service.c ------------------------------------------------------------------------------- */

/* Something to be done by the loop's thread; embedded in what it is about. */
struct service_post {
	void (*run)(struct service_post *post);
	STAILQ_ENTRY(service_post) next;
};
STAILQ_HEAD(service_posts, service_post);

/* From any thread. */
void service_post(struct service *s, struct service_post *post,
		  void (*run)(struct service_post *post));
/* Is the service idle? Arms or disarms the end for lack of work. */
void service_look_idle(struct service *s);

/* ---- service_log.c: any thread ---------------------------------------------------------------- */

void service_log(const struct service *s, enum log_level level, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* ---- service_pool.c --------------------------------------------------------------------------- */

struct pool_work {
	void (*run)(struct pool_work *work); /* in a thread of the pool */
	STAILQ_ENTRY(pool_work) next;
};
STAILQ_HEAD(pool_works, pool_work);

struct service_pool {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct pool_works queue;
	size_t n_queue;
	unsigned n, idle, max;
	bool ending;
	pthread_t threads[8];
};

void service_pool_init(struct service_pool *p, unsigned max);
/* False: too much waits already, or no thread can be had. */
bool service_pool_add(struct service_pool *p, struct pool_work *work,
		      void (*run)(struct pool_work *work));
void service_pool_done(struct service_pool *p); /* waits for what runs, and what waits */

/* ---- service_listen.c -------------------------------------------------------------------------- */

enum peer_kind { PEER_UNIX = 1, PEER_TLS };

struct service_peer {
	enum peer_kind kind;
	char key[80]; /* who: "uid:0", "tls:FINGERPRINT"; jobs belong to it */
	char name[80]; /* for people */
	uint8_t fingerprint[TLS_FINGERPRINT_SIZE];
};

struct listener {
	struct service *service;
	enum peer_kind kind;
	char path[108]; /* of a unix socket, to be removed at the end */
	struct evconnlistener *ev;
	struct event *again; /* after accept failed for want of descriptors */
	TAILQ_ENTRY(listener) next;
};
TAILQ_HEAD(listeners, listener);

/* Somebody was turned away: the log says so, and the event log, which strangers cannot fill. */
void service_refused(struct service *s, const char *who, const char *why);
CHECKED int service_listen(struct service *s, const char *where, struct error *err);
void service_listen_stop(struct service *s);

/* ---- request.c, service_conn.c ---------------------------------------------------------------------------- */

/* A request that somebody has to answer, exactly once, by one of the request_ functions that end it; the
 * connection may be gone by then, which the answerer need not know. */
struct request {
	struct service *service;
	struct conn *conn; /* NULL: gone */
	struct service_peer peer;
	enum api_function function;
	json_t *json;
	struct buf body; /* of StoreExchange: the frame; json is its header */
	struct slice data; /* within body */
	/* While it waits: where, and for how long. */
	struct event *hold;
	void (*held_out)(struct request *r);
	void (*lost)(struct request *r); /* the connection went; may end the request */
	void (*drained)(struct request *r); /* a stream's output has room again */
	void *owner;
	TAILQ_ENTRY(request) next;
};
TAILQ_HEAD(requests, request);

/* Each ends the request and frees it. json is taken over; NULL: out of memory. */
void request_reply(struct request *r, int status, json_t *json);
void request_fail(struct request *r, const struct error *e);
void request_fail_ended(struct request *r, const struct error *e, const struct ended *lease);
void request_reply_bytes(struct request *r, struct buf *bytes);
/* A stream: head, then lines, then the end. */
void request_stream_begin(struct request *r);
void request_stream_line(struct request *r, const json_t *line);
size_t request_stream_waiting(const struct request *r); /* bytes not yet taken */
void request_stream_end(struct request *r);
/* Call held_out after so long, unless it is ended before. */
CHECKED int request_hold(struct request *r, uint64_t ms, void (*held_out)(struct request *r),
			 struct error *err);
void request_hold_end(struct request *r);
uint64_t request_number(const struct request *r, const char *field, uint64_t fallback);
const char *request_text(const struct request *r, const char *field); /* NULL: absent */
uint64_t request_conn_id(const struct request *r);

struct conn {
	struct service *service;
	uint64_t id;
	enum {
		CONN_HANDSHAKE = 1,
		CONN_HEAD,
		CONN_BODY,
		CONN_WORKING,
		CONN_STREAM,
		CONN_CLOSING
	} state;
	struct bufferevent *bev;
	struct event *timer; /* for the state it is in */
	bool writing_timed; /* the timer is for the reply to be taken */
	bool head_timed; /* it is for the head that has begun */
	struct service_peer peer;
	bool counted; /* as the peer's, not a stranger's */
	struct http_head head;
	bool close;
	struct request *request; /* being answered */
	uint64_t exchange_conn; /* its name in an outbox, and whose; 0 none */
	uint8_t exchange_job[UUID_SIZE];
	TAILQ_ENTRY(conn) next;
};
TAILQ_HEAD(conns, conn);

/* Take over fd. tls NULL: the peer is known already. */
void service_conn_new(struct service *s, int fd, struct ssl_st *tls,
		      const struct service_peer *peer);
void service_conn_close(struct conn *c);
/* For request.c: the head of a reply; the reply is written, go on; it is on its way, and must be taken in time;
 * say that it makes no sense, and end; a time for the state it is in. */
void service_conn_head(struct conn *c, int status, const char *type, size_t length,
		       bool close_after);
void service_conn_answered(struct conn *c);
void service_conn_written(struct conn *c);
void service_conn_refuse(struct conn *c, int status, enum err code, const char *why);
void service_conn_timer(struct conn *c, unsigned seconds);

/* ---- service_route.c --------------------------------------------------------------------------- */

/* Called with a whole request. status 0: `r` was taken over; else refuse it so. Never touches a connection,
 * so it can be fuzzed. */
void service_route(struct request *r);
/* How many bytes of body may this target have? 0: there is no such function. */
size_t service_route_body_max(const struct http_head *head, enum api_function *ret);
/* Parse and check a body: r->json. */
CHECKED int service_route_parse(struct request *r, struct error *err);
/* Let go of the body, whatever it held. */
void service_route_body_done(struct request *r);

/* ---- service_job.c ----------------------------------------------------------------------------- */

enum { JOB_ORDERS_MAX = 8, JOB_OUTCOMES_MAX = 4, REQUEST_ID_MAX = 65 };

/* One step of a job: waits for its turn, is carried out by the job's thread, and its outcome is kept. */
struct order {
	struct service_post post; /* when it is done */
	struct job *job;
	enum api_function function; /* API_NONE: the end of the job */
	char request_id[REQUEST_ID_MAX];
	json_t *json; /* what was asked */
	bool done;
	/* outcome */
	struct error error;
	json_t *reply;
	bool leased, guarded; /* of PrepareSnapshot, with the next two */
	uint8_t set[UUID_SIZE];
	uint64_t epoch; /* before: the one to use without a guard */
	struct requests waiting;
	TAILQ_ENTRY(order) next; /* in job->orders */
	STAILQ_ENTRY(order) queue; /* for the thread */
};
TAILQ_HEAD(orders, order);
STAILQ_HEAD(order_queue, order);

struct move; /* service_move.c */

struct job {
	struct service *service;
	uint8_t id[UUID_SIZE];
	char id_text[UUID_TEXT_SIZE];
	struct service_peer peer;
	struct ended lease; /* set, epoch, time to live, last keep ... and how it ended */
	bool named; /* there is a set */
	bool leased; /* the session looks at the time; else only we do */
	bool guarded; /* the event log hears of its end from the guard; else from us */
	bool finished; /* waits for BackupComplete */
	bool jeopardy; /* no keep-alive for half of the time to live, and that was said */
	bool closing; /* the last order is on its way */
	bool over; /* the thread is done; only outcomes are left */
	bool cleaned; /* nothing runs any more for it */
	uint64_t deadline_ns; /* boot clock */
	struct event *timer; /* at the deadline; after the end, until it is forgotten */
	char phase[160];
	unsigned keeping; /* keep-alives under way, in the pool */
	json_t *writers; /* names of those that take part; a copy, as the thread has the other */
	struct orders orders; /* oldest first */
	size_t n_orders; /* not done */
	struct move *move;
	TAILQ_ENTRY(job) next;
	struct job *next_by_id; /* in the same bucket */

	/* The thread's. */
	struct session
		*session; /* made and ended by the thread, between its first and last order */
	json_t *asked; /* what session_order points into */
	const char **names; /* arrays that it points to */
	struct buf paths;

	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct order_queue queue;
	bool threaded; /* a thread runs; under the lock */
	bool stays; /* it waits for orders instead of ending: writers' programs hang on it */
	struct order end; /* the last one */
	struct error cause; /* what the requester gave up for; under the lock */
};
TAILQ_HEAD(jobs, job);

CHECKED int service_job_new(struct service *s, struct request *r, struct job **ret,
			    struct error *err);
void service_job_free(struct job *job);
struct job *service_job_find(struct service *s, const uint8_t id[UUID_SIZE]);
/* The job of this request, if it is there, the peer's, and its lease is what is named. NULL: the request has
 * been answered. */
struct job *service_job_of(struct request *r);
/* The same, whatever its lease has come to; until it is forgotten. */
struct job *service_job_known(struct request *r);
/* False: the request has been answered. */
bool service_job_is_theirs(const struct job *job, struct request *r);
json_t *service_job_show(const struct job *job);

/* ---- service_lease.c ---------------------------------------------------------------------------- */

/* The lease lives for its ttl_s from now on. */
void service_job_set_deadline(struct job *job);
void service_lease_arm(struct job *job); /* the timer, for what comes first */
void service_lease_due(evutil_socket_t fd, short what, void *job); /* the timer's function */
/* How the lease ended, as the session knows it. */
enum lease_end service_job_end_of(struct job *job, enum lease_end otherwise);
/* Its end is to be known for long. */
void service_lease_remember(struct job *job);
/* Its lease is over: `why` is kept, whatever runs is cancelled, the session ends. */
void service_job_end(struct job *job, enum lease_end why);
void service_job_end_all(struct service *s, enum lease_end why);
/* The last order, once no keep-alive is under way. */
void service_job_close(struct job *job);
/* ERR_LEASE_ENDED, with what is known of the end. lease NULL: nothing is. */
void service_job_fail(struct request *r, const struct ended *lease);

/* ---- service_keep.c ----------------------------------------------------------------------------- */

void service_job_keep(struct request *r); /* API_LEASE */

/* ---- service_order.c ---------------------------------------------------------------------------- */

void service_job_order(struct request *r); /* API_ORDER */
CHECKED int service_job_add_order(struct job *job, enum api_function function, json_t *json,
				  struct order **ret, struct error *err);
/* To the job's thread, which is started if there is none. */
CHECKED int service_order_hand_over(struct job *job, struct order *o, struct error *err);
void service_order_free(struct order *o);
/* Answer once its session is closed. */
void service_job_wait_end(struct job *job, struct request *r);

/* ---- service_steps.c: in the job's thread ------------------------------------------------------ */

void service_steps_run(struct order *o);

/* ---- service_move.c, service_stream.c ----------------------------------------------------------- */

void service_move_request(struct request *r); /* API_STREAM */
void service_move_exchange(struct request *r); /* API_EXCHANGE */
CHECKED int service_move_run(struct order *o, struct error *err); /* in the job's thread */
void service_move_phase(struct job *job, const char *text); /* in the loop's thread */
void service_move_cancel(struct job *job, const struct error *why);
void service_move_done(struct order *o); /* the order is done */
void service_move_free(struct job *job);
bool service_move_running(const struct job *job);
void service_move_conn_lost(struct service *s, struct conn *c);

/* ---- service_quick.c ---------------------------------------------------------------------------- */

void service_quick(struct request *r);
/* Keep what is open and what ended in a file, soon. */
void service_quick_save(struct service *s);
/* At the end, when there is no thread left to do it. */
void service_quick_save_last(struct service *s);

/* ---- service_errand.c --------------------------------------------------------------------------- */

struct errand;
TAILQ_HEAD(errand_list, errand);

void service_errand(struct request *r);
/* AbortSnapshot of a job that is not open: its Error becomes the last error of its Writers. */
void service_errand_blame(struct request *r);
void service_errand_free_all(struct service *s);

struct service {
	const struct service_options *options;
	struct event_base *base;
	struct listeners listeners;
	struct conns conns;
	struct limits *limits;
	uint64_t refusals_since_ns; /* the minute that is counted, and how many in it */
	unsigned refusals;
	struct jobs jobs;
	struct job *by_id[SERVICE_BUCKETS];
	unsigned n_jobs; /* open */
	uint64_t last_conn, last_epoch;
	struct ended_list *ended;
	struct tls_context *tls;
	struct tls_identity *identity;
	struct service_pool keepers, errands;
	struct errand_list errands_known; /* that run, and the outcomes of some */
	bool ending;
	struct event *signals[3];
	struct event *idle;
	struct event *wake; /* posts are there */
	int wake_fd;
	bool ended_dirty, ended_saving;
	bool stopped; /* the pools are gone */
	pthread_mutex_t lock; /* for posts */
	struct service_posts posts;
};

#endif
