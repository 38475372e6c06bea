/* SPDX-License-Identifier: Apache-2.0 */

/* Shared state of one restore: failing, warning, syncing. */
#include "mover/restore_run.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "mover/attributes.h"

enum { PATH_TEXT_MAX = 64 << 10 };

int
restore_run_init(struct restore_run *run, struct repo *repo, struct repo_index *index,
		 const struct restore_options *options, struct error *err)
{
	*run = (struct restore_run){
		.repo = repo,
		.index = index,
		.options = options,
		.privileged = geteuid() == 0,
		.set = ATTRIBUTES_ALL,
		.path = BUF_INIT(PATH_TEXT_MAX),
	};
	if (options->no_owner || !run->privileged)
		run->set &= ~(unsigned)ATTRIBUTES_OWNER;
	(void)pthread_mutex_init(&run->lock, NULL);
	for (size_t i = 0; i < RESTORE_STRIPES; i++)
		(void)pthread_mutex_init(&run->stripes[i], NULL);
	restore_fds_init(&run->fds, 0);
	/* So that a warning about missing memory has room for its path. */
	int rc = buf_reserve(&run->path, 4096, err);
	if (rc < 0)
		restore_run_done(run);
	return rc;
}

void
restore_run_done(struct restore_run *run)
{
	for (size_t i = 0; i < run->n_file_systems; i++)
		(void)close(run->file_systems[i].fd);
	restore_fds_done(&run->fds);
	for (size_t i = 0; i < RESTORE_STRIPES; i++)
		(void)pthread_mutex_destroy(&run->stripes[i]);
	(void)pthread_mutex_destroy(&run->lock);
	buf_done(&run->path);
}

/* With the lock held. */
static void
fail_locked(struct restore_run *run, const struct error *why)
{
	if (run->failure.code != OK)
		return;
	run->failure = *why;
	if (run->failure.code == OK)
		run->failure.code = ERR_INTERNAL;
	atomic_store(&run->stopped, true);
}

void
restore_run_fail(struct restore_run *run, const struct error *why)
{
	(void)pthread_mutex_lock(&run->lock);
	fail_locked(run, why);
	(void)pthread_mutex_unlock(&run->lock);
}

bool
restore_run_stopped(struct restore_run *run)
{
	struct error why = ERROR_INIT;

	if (atomic_load(&run->stopped))
		return true;
	if (!atomic_load(&run->options->progress->cancelled))
		return false;
	(void)error_set(&why, ERR_CANCELLED, "restore stopped on request");
	restore_run_fail(run, &why);
	return true;
}

int
restore_run_result(struct restore_run *run, struct error *err)
{
	int rc = OK;

	(void)pthread_mutex_lock(&run->lock);
	if (run->failure.code != OK) {
		rc = run->failure.code;
		if (err != NULL)
			*err = run->failure;
	}
	(void)pthread_mutex_unlock(&run->lock);
	return rc;
}

static void
report(struct restore_run *run, const struct restore_item *item, struct slice name,
       const struct error *why, bool serious)
{
	const struct restore_options *o = run->options;

	(void)pthread_mutex_lock(&run->lock);
	restore_item_path(item, name, &run->path);
	const char *path = run->path.p != NULL ? (const char *)run->path.p : "";
	if (o->warn != NULL) {
		o->warn(o->warn_arg, path, why->code, serious, why->msg);
	} else if (serious) {
		struct error all = *why;
		(void)error_prefix(&all, "restore '%s'", path);
		fail_locked(run, &all);
	}
	(void)pthread_mutex_unlock(&run->lock);
}

void
restore_run_warn(struct restore_run *run, const struct restore_item *item, struct slice name,
		 const struct error *why)
{
	report(run, item, name, why, true);
}

void
restore_run_note(struct restore_run *run, const struct restore_item *item, struct slice name,
		 const struct error *why)
{
	report(run, item, name, why, false);
}

/* Would the next file fail just the same? */
static bool
concerns_all(const struct error *why)
{
	switch (why->sys) {
	case ENOSPC:
	case EDQUOT:
	case EROFS:
	case EIO:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		return true;
	default:
		break;
	}
	switch (why->code) {
	case ERR_NO_MEMORY:
	case ERR_CANCELLED:
	case ERR_STORE_READ:
	case ERR_CRYPTO:
	case ERR_INTERNAL:
	case ERR_TIMEOUT:
		return true;
	default:
		return false;
	}
}

int
restore_run_judge(struct restore_run *run, const struct restore_item *item, struct slice name,
		  const struct error *why)
{
	if (!concerns_all(why)) {
		restore_run_warn(run, item, name, why);
		return OK;
	}

	struct error all = *why;
	/* The store's "full" is about the repository; here it is the target that is. */
	if (why->sys == ENOSPC || why->sys == EDQUOT) {
		all.code = ERR_TARGET;
		(void)error_hint(&all, "free space on the file system of the target, or restore "
				       "to another one");
	}
	(void)pthread_mutex_lock(&run->lock);
	restore_item_path(item, name, &run->path);
	(void)error_prefix(&all, "restore '%s'", run->path.p != NULL ? (char *)run->path.p : "");
	fail_locked(run, &all);
	(void)pthread_mutex_unlock(&run->lock);
	return all.code;
}

pthread_mutex_t *
restore_run_stripe(struct restore_run *run, const struct restore_item *item)
{
	/* Heap addresses differ little in their lowest bits. */
	uintptr_t h = (uintptr_t)item;

	return &run->stripes[((h >> 5) ^ (h >> 13)) % RESTORE_STRIPES];
}

void
restore_run_note_file_system(struct restore_run *run, int fd, uint64_t dev)
{
	(void)pthread_mutex_lock(&run->lock);
	size_t i = 0;
	while (i < run->n_file_systems && run->file_systems[i].dev != dev)
		i++;
	/* Beyond the maximum the sync at the end is of everything there is. */
	if (i == run->n_file_systems && i < RESTORE_FILE_SYSTEMS_MAX) {
		int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (own >= 0) {
			run->file_systems[i] = (struct restore_file_system){.dev = dev, .fd = own};
			run->n_file_systems++;
		} else {
			struct error why = ERROR_INIT;
			(void)error_sys(&why, ERR_IO, "hold a file system for the sync at the end");
			fail_locked(run, &why);
		}
	}
	(void)pthread_mutex_unlock(&run->lock);
}

int
restore_run_sync(struct restore_run *run, struct error *err)
{
	for (size_t i = 0; i < run->n_file_systems; i++)
		if (syncfs(run->file_systems[i].fd) < 0)
			return error_sys(err, ERR_TARGET, "write the restored files to disk");
	if (run->n_file_systems == RESTORE_FILE_SYSTEMS_MAX)
		sync();
	return OK;
}
