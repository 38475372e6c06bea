/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From what PostgreSQL reports to our errors. By SQLSTATE only: the server's sentences may be in
 * any language, and are passed on, not understood. Pure.
 */
#ifndef HF_POSTGRESQL_SQLSTATE_H
#define HF_POSTGRESQL_SQLSTATE_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

enum { SQLSTATE_LEN = 5 };

/* The code for a failed statement or login, and the hint that fits; NULL or "" is a lost
 * connection. ret_hint is left alone if there is nothing better than the code's own. */
enum err sqlstate_code(const char *state, const char **ret_hint);

/* Find the SQLSTATE in a message made with verbose errors ("FATAL:  28P01: password ..."), and
 * where the server's own sentence begins. Logins fail without any other way to know. */
bool sqlstate_in_text(const char *text, char ret_state[SQLSTATE_LEN + 1],
		      const char **ret_sentence);

#endif
