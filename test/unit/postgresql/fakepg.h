/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A PostgreSQL server as far as a client sees it: lets everybody in, and answers statements as a test wants,
 * sensibly or not. On a port of this machine, each session in a thread of its own.
 */
#ifndef HF_TEST_POSTGRESQL_FAKEPG_H
#define HF_TEST_POSTGRESQL_FAKEPG_H

#include <stdbool.h>
#include <stddef.h>

struct fakepg;

/* A statement has come; `n`: how many came before it, in all sessions. Answers by the functions below.
 * False: ends the session. */
typedef bool fakepg_fn(void *arg, int fd, const char *sql, unsigned n);

struct fakepg *fakepg_new(fakepg_fn *answer, void *arg);
const char *fakepg_port(const struct fakepg *f);
void fakepg_free(struct fakepg *f);

/* One message: its letter and what follows. False: nobody listens any more. */
bool fakepg_send(int fd, char kind, const void *body, size_t n);
/* Rows of `columns` text columns, all values the same; and that it is complete. */
bool fakepg_rows(int fd, unsigned columns, unsigned rows, const char *value);
/* So many of them at once. */
bool fakepg_notices(int fd, unsigned n, const char *text);
/* The answer to one more statement may be sent. */
bool fakepg_ready(int fd);

#endif
