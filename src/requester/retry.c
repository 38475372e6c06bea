/* SPDX-License-Identifier: Apache-2.0 */

/* When to repeat a backup, and how to wait until then. */
#include "requester/retry.h"

#include <string.h>
#include <time.h>

#include "base/clock.h"

#define LOOK_NS (100 * NS_PER_MS)

bool
retry_again(const struct retry_policy *p, unsigned try_number, const struct error *failure)
{
	return try_number < p->tries && error_retryable(failure->code);
}

bool
retry_blames_copy(const struct error *failure)
{
	switch (failure->code) {
	case ERR_AGENT_LOST:
	case ERR_AGENT_TRUST:
	case ERR_SSH:
	case ERR_GUARD:
	case ERR_FREEZE:
	case ERR_LEASE_ENDED:
	case ERR_WRITER_TIMEOUT:
	case ERR_WRITER_DIED:
	case ERR_WRITER_RETRYABLE:
	case ERR_WRITER_FAILED:
	case ERR_DB_CONNECT:
	case ERR_DB_SESSION_LOST:
	case ERR_NO_MEMORY:
	case ERR_TIMEOUT:
	case ERR_BUSY:
		return true;
	default:
		return false;
	}
}

void
retry_blame(struct choose_history *history, const char *copy)
{
	for (size_t i = 0; i < history->n; i++) {
		if (strcmp(history->copies[i].copy, copy) == 0) {
			history->copies[i].faults++;
			return;
		}
	}
	if (history->n == ARRAY_SIZE(history->copies))
		return;
	history->copies[history->n].copy = copy;
	history->copies[history->n++].faults = 1;
}

int
retry_wait(uint64_t wait_ns, struct progress *progress, retry_say_fn *say, void *arg,
	   struct error *err)
{
	const struct timespec nap = {.tv_nsec = LOOK_NS};
	uint64_t end_ns = clock_boot_ns() + wait_ns, say_ns = 0, now_ns;

	for (;;) {
		if (atomic_load(&progress->cancelled))
			return error_set(err, ERR_CANCELLED, "stopped on request");
		now_ns = clock_boot_ns();
		if (now_ns >= end_ns)
			return OK;
		if (say != NULL && now_ns >= say_ns) {
			say(arg, end_ns - now_ns);
			say_ns = now_ns + NS_PER_S;
		}
		(void)nanosleep(&nap, NULL);
	}
}

void
retry_reset(struct progress *p)
{
	atomic_store(&p->files_done, 0);
	atomic_store(&p->files_total, 0);
	atomic_store(&p->bytes_done, 0);
	atomic_store(&p->bytes_total, 0);
	atomic_store(&p->files_new, 0);
	atomic_store(&p->files_changed, 0);
	atomic_store(&p->files_unchanged, 0);
	atomic_store(&p->dirs, 0);
	atomic_store(&p->bytes_stored, 0);
	atomic_store(&p->read_ns, 0);
	atomic_store(&p->scan_ns, 0);
	atomic_store(&p->total_known, false);
}
