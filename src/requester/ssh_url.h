/* SPDX-License-Identifier: Apache-2.0 */

/*
 * ssh://[USER@]HOST[:PORT], taken apart. What comes out is given to ssh(1) as arguments, so nothing in
 * it may be taken for an option or reach a shell: only the characters of names and addresses pass, and
 * none begins with '-'. An IPv6 address is written in brackets.
 */
#ifndef HF_REQUESTER_SSH_URL_H
#define HF_REQUESTER_SSH_URL_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

struct ssh_url {
	char user[65]; /* "": as ssh's configuration says */
	char host[256];
	char port[6]; /* "": likewise */
};

/* Does it begin with "ssh://"? */
bool ssh_url_is(const char *url);
/* ERR_USAGE if it is not of this form. */
CHECKED int ssh_url_parse(const char *url, struct ssh_url *ret, struct error *err);

#endif
