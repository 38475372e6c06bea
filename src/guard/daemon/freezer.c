/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The threads do one thing each and share a lock that is never held during an ioctl.
 */
#include "guard/daemon/freezer.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "guard/daemon/reach.h"

static int
kernel_freeze(int fd)
{
	return ioctl(fd, FIFREEZE, 0);
}

static int
kernel_thaw(int fd)
{
	return ioctl(fd, FITHAW, 0);
}

const struct freezer_calls freezer_kernel = {
	.freeze = kernel_freeze,
	.thaw = kernel_thaw,
	.reach = reach_again,
};

uint64_t
freezer_process_start(uint64_t pid)
{
	char path[64], text[1024];
	CLEAN(fd_close) int fd = -1;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The name in parentheses may hold anything; field 22 is the 20th after it. */
	char *p = strrchr(text, ')');
	for (int field = 2; p != NULL && field < 22; field++)
		p = strchr(p + 1, ' ');
	return p != NULL ? strtoull(p + 1, NULL, 10) : 0;
}

/* ---- the threads ----------------------------------------------------------------------------- */

static void
set_state(struct freezer *f, enum freezer_state state)
{
	f->state = state;
	(void)pthread_cond_broadcast(&f->wake);
	jobs_done_wake(f->done);
}

static void *
freeze_loop(void *arg)
{
	struct freezer *f = arg;

	(void)pthread_mutex_lock(&f->mutex);
	for (;;) {
		while (!f->want_freeze)
			(void)pthread_cond_wait(&f->wake, &f->mutex);
		f->want_freeze = false;
		(void)pthread_mutex_unlock(&f->mutex);
		int rc = f->calls->freeze(f->fd);
		int sys = rc < 0 ? errno : 0;
		uint64_t now = clock_boot_ns();
		(void)pthread_mutex_lock(&f->mutex);
		f->returned = true;
		f->freeze_errno = sys;
		f->frozen_ns = now;
		if (f->state == FREEZER_FREEZING)
			set_state(f, rc < 0 ? FREEZER_REFUSED : FREEZER_FROZEN);
		else
			set_state(f, f->state); /* the thaw is waiting to know */
	}
	return NULL;
}

/* Whether a freeze of ours may yet become complete. Under the lock. */
static bool
may_still_freeze(const struct freezer *f)
{
	if (!f->adopted)
		return !f->returned;
	return f->owner_pid != 0 && f->owner_started != 0 &&
	       freezer_process_start(f->owner_pid) == f->owner_started;
}

/* The errno of a thaw. Only this thread sets the descriptor of what is to be thawed. */
static int
thaw_call(struct freezer *f)
{
	if (f->fd < 0) {
		int fd = f->calls->reach(f->device);

		/* What is not there any more is not frozen either. */
		if (fd < 0)
			return errno == ENODEV ? EINVAL : errno;
		f->fd = fd;
	}
	return f->calls->thaw(f->fd) < 0 ? errno : 0;
}

static enum freezer_state
thaw_outcome(const struct freezer *f, bool open, int sys)
{
	if (sys == 0)
		return FREEZER_THAWED;
	/* What could not be reached yet may come into reach. */
	if (sys != EINVAL && !(open && f->fd < 0))
		return FREEZER_THAW_FAILED;
	if (open)
		return FREEZER_THAWING; /* try again */
	if (!f->adopted && f->freeze_errno != 0)
		return FREEZER_REFUSED;
	return FREEZER_FOREIGN;
}

static void
thaw_now(struct freezer *f)
{
	for (;;) {
		/* Looked at before the call: a freeze that completes behind its EINVAL is seen. */
		bool open = may_still_freeze(f);

		if (!f->adopted && !open && f->freeze_errno != 0) {
			set_state(f, FREEZER_REFUSED);
			return;
		}
		(void)pthread_mutex_unlock(&f->mutex);
		int sys = thaw_call(f);
		uint64_t now = clock_boot_ns();
		(void)pthread_mutex_lock(&f->mutex);
		f->thaw_errno = sys;
		f->thawed_ns = now;
		enum freezer_state state = thaw_outcome(f, open, sys);
		if (state != FREEZER_THAWING) {
			set_state(f, state);
			return;
		}
		(void)pthread_mutex_unlock(&f->mutex);
		const struct timespec pause = {.tv_nsec = FREEZER_RETRY_NS};
		(void)nanosleep(&pause, NULL);
		(void)pthread_mutex_lock(&f->mutex);
	}
}

static void *
thaw_loop(void *arg)
{
	struct freezer *f = arg;
	const struct sched_param first = {.sched_priority = 1};

	/* A busy machine must not delay a thaw. Without privilege it is as it is. */
	(void)pthread_setschedparam(pthread_self(), SCHED_RR, &first);
	(void)pthread_mutex_lock(&f->mutex);
	for (;;) {
		while (!f->want_thaw)
			(void)pthread_cond_wait(&f->wake, &f->mutex);
		f->want_thaw = false;
		thaw_now(f);
	}
	return NULL;
}

/* ---- the main loop's side -------------------------------------------------------------------- */

int
freezer_init(struct freezer *f, const struct freezer_calls *calls, struct jobs_done *done,
	     struct error *err)
{
	*f = (struct freezer){.calls = calls, .done = done, .fd = -1};
	(void)pthread_mutex_init(&f->mutex, NULL);
	(void)pthread_cond_init(&f->wake, NULL);
	if (jobs_thread(&f->freeze_thread, freeze_loop, f, err) < 0 ||
	    jobs_thread(&f->thaw_thread, thaw_loop, f, err) < 0)
		return err->code;
	f->threads = true;
	return OK;
}

void
freezer_open(struct freezer *f, int fd)
{
	(void)pthread_mutex_lock(&f->mutex);
	f->fd = fd;
	f->state = FREEZER_READY;
	(void)pthread_mutex_unlock(&f->mutex);
}

void
freezer_adopt(struct freezer *f, int fd, uint64_t device, uint64_t pid, uint64_t started)
{
	f->device = device;
	(void)pthread_mutex_lock(&f->mutex);
	f->fd = fd;
	f->adopted = true;
	f->owner_pid = pid;
	f->owner_started = started;
	f->state = FREEZER_FROZEN;
	(void)pthread_mutex_unlock(&f->mutex);
}

void
freezer_freeze(struct freezer *f)
{
	(void)pthread_mutex_lock(&f->mutex);
	if (f->state == FREEZER_READY) {
		f->want_freeze = true;
		set_state(f, FREEZER_FREEZING);
	}
	(void)pthread_mutex_unlock(&f->mutex);
}

void
freezer_thaw(struct freezer *f)
{
	(void)pthread_mutex_lock(&f->mutex);
	if (f->want_freeze) {
		/* Its thread has not come to it. A thaw now could only end somebody else's freeze. */
		f->want_freeze = false;
		f->returned = true;
		f->freeze_errno = ECANCELED;
		set_state(f, FREEZER_REFUSED);
	} else if (f->state == FREEZER_FREEZING || f->state == FREEZER_FROZEN) {
		f->want_thaw = true;
		set_state(f, FREEZER_THAWING);
	}
	(void)pthread_mutex_unlock(&f->mutex);
}

enum freezer_state
freezer_state(struct freezer *f)
{
	(void)pthread_mutex_lock(&f->mutex);
	enum freezer_state state = f->state;
	(void)pthread_mutex_unlock(&f->mutex);
	return state;
}

bool
freezer_settled(struct freezer *f)
{
	(void)pthread_mutex_lock(&f->mutex);
	bool in_kernel = f->state == FREEZER_FREEZING || f->state == FREEZER_FROZEN ||
			 f->state == FREEZER_THAWING ||
			 (f->state >= FREEZER_THAWED && !f->adopted && !f->returned);
	(void)pthread_mutex_unlock(&f->mutex);
	return !in_kernel;
}

void
freezer_close(struct freezer *f)
{
	(void)pthread_mutex_lock(&f->mutex);
	fd_close(&f->fd);
	f->fd = -1;
	f->state = FREEZER_EMPTY;
	f->returned = f->adopted = false;
	f->freeze_errno = f->thaw_errno = 0;
	f->frozen_ns = f->thawed_ns = 0;
	(void)pthread_mutex_unlock(&f->mutex);
}
