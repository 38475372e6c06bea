/* SPDX-License-Identifier: Apache-2.0 */

/* Running one ssh to its end: what it is fed, what it said, and how it ended. */
#ifndef HF_REQUESTER_SSH_RUN_H
#define HF_REQUESTER_SSH_RUN_H

#include <stdbool.h>

#include "base/base.h"
#include "base/error.h"

enum { SSH_SAID_MAX = 400 };

struct ssh_run {
	int status; /* exit status; -1: ended by a signal */
	char said
		[SSH_SAID_MAX]; /* the end of what it printed on both outputs, printable, one line */
};

/* input: a file that goes to its standard input, or -1. The program is ended when deadline_ns (boot
 * clock) passes: ERR_TIMEOUT. */
CHECKED int ssh_run(char *const argv[], int input, uint64_t deadline_ns, struct ssh_run *ret,
		    struct error *err);

/* Add what can be read of fd to said; false at its end. */
bool ssh_run_listen(int fd, char said[SSH_SAID_MAX]);

#endif
