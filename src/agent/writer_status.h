/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The last state and error of each writer, kept after its program has ended and over restarts:
 * STATE_DIR/writers/NAME.json. What 'holdfast writers' and GatherWriterStatus show.
 *
 * Whoever drives a writer stores its status whenever it may have changed, except while something is
 * frozen: the folder may lie on a frozen file system. It costs a file of a few hundred bytes
 * and no fsync: after a power cut no writer runs.
 */
#ifndef HF_AGENT_WRITER_STATUS_H
#define HF_AGENT_WRITER_STATUS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"
#include "base/uuid.h"
#include "writer/client.h"

enum { WRITER_STATUS_MAX = 64 };

struct writer_status {
	char name[65]; /* "postgresql" */
	char title[128]; /* "PostgreSQL Writer" */
	char id[UUID_TEXT_SIZE]; /* of the kind of writer: the same on every host */
	char instance[UUID_TEXT_SIZE]; /* of this application; "" while it is not known */
	enum writer_state state;
	struct error last_error; /* code OK: none; its file and line are not kept */
	uint64_t since_ns; /* wall clock: when this was so */
	char job[64]; /* the last it took part in; "" none */
};

/* What is known of a running writer, now. w may be NULL: it could not be started, and `failure` is
 * why. */
void writer_status_of(const char *name, const struct writer *w, const struct error *failure,
		      const char *job, struct writer_status *ret);
/* A writer of which nothing is kept yet: stable, no error. */
void writer_status_init(const char *name, struct writer_status *ret);

/* Add what it said of itself at identify; the error of a failure, as an object (null: none). */
void writer_status_about(const json_t *metadata, struct writer_status *status);
void writer_status_failure(const json_t *j, struct writer_status *status);

/* Best effort: a status that cannot be kept is no reason to fail a backup. NULL folder: not kept. */
void writer_status_store(const char *state_dir, const struct writer_status *status);
/* 1 found, 0 nothing (readable) is kept. */
int writer_status_load(const char *state_dir, const char *name, struct writer_status *ret);
/*
 * A backup failed of `cause` before this writer was asked for anything: it is stable, and that is its last error,
 * until its next backup. id: as the writer's metadata has it; NULL: whichever application is there. ERR_NOT_FOUND:
 * another one is.
 */
CHECKED int writer_status_blame(const char *state_dir, const char *name, const char *id,
				const char *job, const struct error *cause, struct error *err);
/* Names of which something is kept, in order; returns how many. */
size_t writer_status_names(const char *state_dir, char names[WRITER_STATUS_MAX][65]);

/* "No error", "Retryable error", "Non-retryable error", "Timed out" ...: vssadmin's words. */
const char *writer_status_error_text(const struct error *last_error);
/* The fields of `holdfast writers --json`; NULL when out of memory. */
json_t *writer_status_json(const struct writer_status *status);
CHECKED int writer_status_from_json(const json_t *j, struct writer_status *ret, struct error *err);

#endif
