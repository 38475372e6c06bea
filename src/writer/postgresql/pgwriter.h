/* SPDX-License-Identifier: Apache-2.0 */

/* The PostgreSQL writer, as the server library runs it. */
#ifndef HF_POSTGRESQL_PGWRITER_H
#define HF_POSTGRESQL_PGWRITER_H

#include <sys/types.h>

#include "base/base.h"
#include "base/error.h"
#include "writer/server.h"

struct pgwriter;

/* parent: the requester's process, with which we want to end. */
CHECKED int pgwriter_new(pid_t parent, struct pgwriter **ret, struct error *err);
void pgwriter_free(struct pgwriter *w);

extern const struct writer_ops pgwriter_ops;

#endif
