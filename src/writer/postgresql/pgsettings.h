/* SPDX-License-Identifier: Apache-2.0 */

/* The section [writer.postgresql], as it comes with the event start. */
#ifndef HF_POSTGRESQL_PGSETTINGS_H
#define HF_POSTGRESQL_PGSETTINGS_H

#include <jansson.h>

#include "base/base.h"
#include "base/error.h"

enum { PGSETTINGS_CONNECT_TIMEOUT_S = 10, PGSETTINGS_PORT = 5432 };

struct pgsettings {
	/* NULL where the section says nothing: then libpq's own defaults count. */
	char *host; /* a name, or the folder of the socket if it begins with '/' */
	char *port;
	char *user;
	char *database;
	char *passfile;
	char *os_user; /* whom to become when started by root; see osuser.h */
	unsigned connect_timeout_s;
};

/* ERR_CONFIG names the key. `j`: an object of strings. */
CHECKED int pgsettings_parse(json_t *j, struct pgsettings *ret, struct error *err);
void pgsettings_done(struct pgsettings *s);

#endif
