/* SPDX-License-Identifier: Apache-2.0 */

/* The handler does nothing but store to lock-free atomics, which a handler may. */
#include "cli/signals.h"

#include <signal.h>
#include <string.h>

static _Atomic int caught;
static _Atomic bool *_Atomic watched;

_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_BOOL_LOCK_FREE == 2 &&
		       ATOMIC_POINTER_LOCK_FREE == 2,
	       "a signal handler must not wait for a lock");

static void
on_signal(int number)
{
	_Atomic bool *flag = atomic_load(&watched);

	atomic_store(&caught, number);
	if (flag != NULL)
		atomic_store(flag, true);
	/* Whoever asks twice means at once. */
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGTERM, SIG_DFL);
	(void)signal(SIGHUP, SIG_DFL);
}

void
signals_install(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct sigaction before;

	/* No SA_RESTART: waiting for a password must end. */
	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	/* The terminal is gone: as good a reason, unless nohup said otherwise. */
	if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		(void)sigaction(SIGHUP, &action, NULL);
	action.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &action, NULL);
}

void
signals_watch(_Atomic bool *flag)
{
	atomic_store(&watched, flag);
	if (flag != NULL && atomic_load(&caught) != 0)
		atomic_store(flag, true);
}

int
signals_caught(void)
{
	return atomic_load(&caught);
}
