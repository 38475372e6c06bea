/* SPDX-License-Identifier: Apache-2.0 */

/*
 * SIGINT, SIGTERM and SIGHUP ask for a clean end: the first sets the flag that is being watched, the second
 * ends the program at once (the repository bears that, too). SIGPIPE is ignored: a closed pipe is a
 * failed write.
 */
#ifndef HF_CLI_SIGNALS_H
#define HF_CLI_SIGNALS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/base.h"

/* Once, before there are threads. */
void signals_install(void);
/* Also set this flag when a signal comes (at once if one has come); NULL: none any more. */
void signals_watch(_Atomic bool *flag);
/* The signal that came, 0 none. */
int signals_caught(void);

#endif
