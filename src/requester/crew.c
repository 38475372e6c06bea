/* SPDX-License-Identifier: Apache-2.0 */

/* One thread for each connection; they share the pump, and the first failure. */
#include "requester/crew.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/json.h"
#include "store/frame.h"

struct member {
	struct crew *crew;
	unsigned number;
	pthread_t thread;
};

struct crew {
	struct pump *pump;
	crew_exchange_fn *exchange;
	void *arg;
	_Atomic bool stop;
	pthread_mutex_t lock;
	struct error failed;
	unsigned running;
	unsigned n;
	struct member members[CREW_MAX];
};

struct turn {
	struct buf frame; /* as it came */
	struct buf data; /* of the answer */
	json_t *answer; /* NULL: none */
};

static void
turn_done(struct turn *t)
{
	buf_done(&t->frame);
	buf_done(&t->data);
	json_decref(t->answer);
}

/* 1: carried out, there is an answer; 0: there was nothing to do; 2: there will be nothing more. */
static int
carry_out(struct crew *c, struct turn *t, struct error *err)
{
	CLEAN(json_done) json_t *header = NULL;
	struct storeop_answer answer;
	struct storeop op;
	struct slice data;
	bool closed;

	if (frame_read(buf_slice(&t->frame), &header, &data, err) < 0 ||
	    json_opt_bool(header, "Closed", false, &closed, err) < 0)
		return err->code;
	const json_t *operation = json_object_get(header, "Operation");
	if (operation == NULL || json_is_null(operation))
		return closed ? 2 : 0;
	if (storeop_unpack(operation, &op, err) < 0)
		return err->code;
	pump_perform(c->pump, &op, data, &answer, &t->data);
	t->answer = storeop_answer_pack(&answer);
	return t->answer != NULL ? 1 : error_no_memory(err);
}

static int
run(struct member *m, struct error *err)
{
	CLEAN(turn_done)
	struct turn t = {.frame = BUF_INIT(FRAME_MAX), .data = BUF_INIT(FRAME_DATA_MAX)};
	struct crew *c = m->crew;

	for (;;) {
		t.frame.n = 0;
		if (c->exchange(c->arg, m->number, t.answer, buf_slice(&t.data), &t.frame, err) < 0)
			return err->code;
		json_decref(t.answer);
		t.answer = NULL;
		t.data.n = 0;
		if (atomic_load(&c->stop))
			return OK;
		int rc = carry_out(c, &t, err);
		if (rc < 0 || rc == 2)
			return rc < 0 ? rc : OK;
	}
}

static void *
thread_main(void *arg)
{
	struct member *m = arg;
	struct crew *c = m->crew;
	struct error err = ERROR_INIT;
	int rc = run(m, &err);

	(void)pthread_mutex_lock(&c->lock);
	if (rc < 0 && c->failed.code == OK)
		c->failed = err;
	c->running--;
	(void)pthread_mutex_unlock(&c->lock);
	return NULL;
}

int
crew_start(struct pump *pump, unsigned n, crew_exchange_fn *exchange, void *arg, struct crew **ret,
	   struct error *err)
{
	CLEAN(crew_endp) struct crew *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return error_no_memory(err);
	c->pump = pump;
	c->exchange = exchange;
	c->arg = arg;
	(void)pthread_mutex_init(&c->lock, NULL);
	for (unsigned i = 0; i < MIN(n, (unsigned)CREW_MAX); i++) {
		struct member *m = &c->members[i];

		m->crew = c;
		m->number = i;
		(void)pthread_mutex_lock(&c->lock);
		c->running++;
		(void)pthread_mutex_unlock(&c->lock);
		int rc = pthread_create(&m->thread, NULL, thread_main, m);
		if (rc != 0) {
			errno = rc;
			return error_sys(err, ERR_NO_MEMORY, "start a thread");
		}
		c->n++;
	}
	*ret = STEAL_PTR(c);
	return OK;
}

int
crew_check(struct crew *c, struct error *err)
{
	(void)pthread_mutex_lock(&c->lock);
	int rc = c->running == 0;
	if (c->failed.code != OK) {
		*err = c->failed;
		rc = c->failed.code;
	}
	(void)pthread_mutex_unlock(&c->lock);
	return rc;
}

void
crew_end(struct crew *c)
{
	if (c == NULL)
		return;
	atomic_store(&c->stop, true);
	for (unsigned i = 0; i < c->n; i++)
		(void)pthread_join(c->members[i].thread, NULL);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}

void
crew_endp(struct crew **c)
{
	crew_end(*c);
}
