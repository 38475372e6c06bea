/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One thread walks and makes the folders; it hands batches of files to the others through a short
 * queue. A folder lives as long as anything in it is to be done, then gets its own attributes: its
 * times would be changed by what is created in it. Hard links are made by the walker, who alone
 * remembers where the first of each was put.
 */
#include "provider/clone.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "provider/clone_entry.h"
#include "provider/ownfolder.h"

enum { WORKERS = 4, QUEUE = 16, BATCH_BYTES = 2048, DEPTH_MAX = 256, PATH_LIMIT = 65536 };

struct folder {
	struct folder *above;
	atomic_uint users; /* the walker, batches, folders below */
	int from, to;
	struct stat st;
	char name[256];
};

struct batch {
	struct folder *folder;
	size_t n; /* bytes of names, each with its zero */
	char names[BATCH_BYTES];
};

struct first_link {
	ino_t inode;
	char *path; /* from the top of the clone */
};

struct clone {
	uint64_t deadline_ns;
	dev_t device;
	int top; /* of the clone */
	struct buf path; /* where the walker is, from the top */
	size_t n_links;
	struct first_link *links;
	/* The queue. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct batch *queue[QUEUE];
	size_t n;
	bool no_more;
	atomic_bool failed;
	struct error error; /* the first */
};

static void
fail(struct clone *c, const struct error *err)
{
	(void)pthread_mutex_lock(&c->lock);
	if (!atomic_exchange(&c->failed, true))
		c->error = *err;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
}

/* The last one out gives the folder its attributes. */
static void
folder_leave(struct clone *c, struct folder *f)
{
	while (f != NULL && atomic_fetch_sub(&f->users, 1) == 1) {
		struct folder *above = f->above;
		struct error err = ERROR_INIT;

		if (!atomic_load(&c->failed) &&
		    clone_entry_attributes(f->from, f->to, &f->st, f->name, &err) < 0)
			fail(c, &err);
		fd_close(&f->from);
		fd_close(&f->to);
		free(f);
		f = above;
	}
}

static int
go_on(const struct clone *c, struct error *err)
{
	if (atomic_load(&c->failed))
		return error_set(err, ERR_CANCELLED, "another thread failed");
	if (clock_boot_ns() >= c->deadline_ns)
		return error_set(err, ERR_TIMEOUT, "cloning the files took too long");
	return OK;
}

static void
do_batch(struct clone *c, struct batch *b)
{
	struct error err = ERROR_INIT;

	for (const char *name = b->names; name < b->names + b->n; name += strlen(name) + 1)
		if (go_on(c, &err) < 0 ||
		    clone_entry_file(b->folder->from, b->folder->to, name, &err) < 0) {
			fail(c, &err);
			break;
		}
	folder_leave(c, b->folder);
	free(b);
}

static void *
work(void *arg)
{
	struct clone *c = arg;

	(void)pthread_mutex_lock(&c->lock);
	for (;;) {
		while (c->n == 0 && !c->no_more)
			(void)pthread_cond_wait(&c->changed, &c->lock);
		if (c->n == 0)
			break;
		struct batch *b = c->queue[--c->n];
		(void)pthread_cond_broadcast(&c->changed);
		(void)pthread_mutex_unlock(&c->lock);
		do_batch(c, b);
		(void)pthread_mutex_lock(&c->lock);
	}
	(void)pthread_mutex_unlock(&c->lock);
	return NULL;
}

static void
hand_over(struct clone *c, struct batch **b)
{
	struct batch *full = STEAL_PTR(*b);

	if (full == NULL)
		return;
	atomic_fetch_add(&full->folder->users, 1);
	(void)pthread_mutex_lock(&c->lock);
	while (c->n == QUEUE)
		(void)pthread_cond_wait(&c->changed, &c->lock);
	c->queue[c->n++] = full;
	(void)pthread_cond_broadcast(&c->changed);
	(void)pthread_mutex_unlock(&c->lock);
}

static int
add_file(struct clone *c, struct folder *f, const char *name, struct batch **b, struct error *err)
{
	size_t n = strlen(name) + 1;

	if (*b != NULL && (*b)->n + n > BATCH_BYTES)
		hand_over(c, b);
	if (*b == NULL) {
		*b = calloc(1, sizeof(**b));
		if (*b == NULL)
			return error_no_memory(err);
		(*b)->folder = f;
	}
	memcpy((*b)->names + (*b)->n, name, n);
	(*b)->n += n;
	return OK;
}

/* A file of several names: cloned once, linked after that. */
static int
add_link(struct clone *c, struct folder *f, const char *name, ino_t inode, struct error *err)
{
	struct first_link *grown;
	size_t length = c->path.n;
	int r;

	for (size_t i = 0; i < c->n_links; i++) {
		if (c->links[i].inode != inode)
			continue;
		if (linkat(c->top, c->links[i].path, f->to, name, 0) < 0)
			return error_sys(err, ERR_IO, "link '%s'", name);
		return OK;
	}
	r = clone_entry_file(f->from, f->to, name, err);
	if (r <= 0)
		return r;
	grown = reallocarray(c->links, c->n_links + 1, sizeof(*grown));
	if (grown == NULL)
		return error_no_memory(err);
	c->links = grown;
	if (buf_printf(&c->path, err, "%s", name) < 0)
		return err->code;
	grown[c->n_links] = (struct first_link){inode, strdup((char *)c->path.p)};
	c->path.n = length;
	return grown[c->n_links++].path != NULL ? OK : (int)error_no_memory(err);
}

static int walk(struct clone *c, struct folder *f, int depth, struct error *err);

static int
enter(struct clone *c, struct folder *above, const char *name, const struct stat *st, int depth,
      struct error *err)
{
	struct folder *f = calloc(1, sizeof(*f));
	size_t length = c->path.n;
	int r = OK;

	if (f == NULL)
		return error_no_memory(err);
	f->st = *st;
	f->above = above;
	atomic_init(&f->users, 1);
	(void)snprintf(f->name, sizeof(f->name), "%s", name);
	atomic_fetch_add(&above->users, 1);
	f->to = -1;
	f->from = openat(above->from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (mkdirat(above->to, name, 0700) < 0)
		r = error_sys(err, ERR_IO, "create '%s'", name);
	else
		f->to = openat(above->to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r == OK && (f->from < 0 || f->to < 0))
		r = error_sys(err, ERR_IO, "open '%s'", name);
	/* Another file system, or subvolume: an empty folder in its place. */
	if (r == OK && st->st_dev == c->device) {
		r = buf_printf(&c->path, err, "%s/", name);
		if (r == OK)
			r = walk(c, f, depth + 1, err);
		c->path.n = length;
	}
	if (r < 0)
		fail(c, err);
	folder_leave(c, f);
	return r;
}

static int
add_entry(struct clone *c, struct folder *f, const char *name, struct batch **b, int depth,
	  struct error *err)
{
	struct stat st;
	int r;

	if (go_on(c, err) < 0)
		return err->code;
	if (fstatat(f->from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? OK : (int)error_sys(err, ERR_IO, "look at '%s'", name);
	if (ownfolder_is(name, &st))
		return OK;
	if (S_ISDIR(st.st_mode))
		return enter(c, f, name, &st, depth, err);
	if (S_ISREG(st.st_mode))
		return st.st_nlink == 1 ? add_file(c, f, name, b, err)
					: add_link(c, f, name, st.st_ino, err);
	r = clone_entry_special(f->from, f->to, name, &st, err);
	return r < 0 ? r : OK;
}

static void
dir_close(DIR **dir)
{
	if (*dir != NULL)
		(void)closedir(*dir);
}

static int
walk(struct clone *c, struct folder *f, int depth, struct error *err)
{
	CLEAN(dir_close) DIR *dir = NULL;
	struct batch *b = NULL;
	const struct dirent *e;
	int fd, r = OK;

	if (depth > DEPTH_MAX)
		return error_set(err, ERR_LIMIT, "folders deeper than %d", DEPTH_MAX);
	fd = openat(f->from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (dir == NULL) {
		fd_close(&fd);
		return error_sys(err, ERR_IO, "read '%s'", f->name);
	}
	for (errno = 0; r == OK && (e = readdir(dir)) != NULL; errno = 0)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			r = add_entry(c, f, e->d_name, &b, depth, err);
	if (r == OK && errno != 0)
		r = error_sys(err, ERR_IO, "read '%s'", f->name);
	if (r == OK)
		hand_over(c, &b);
	free(b);
	return r;
}

static void
clone_done(struct clone *c)
{
	for (size_t i = 0; i < c->n_links; i++)
		free(c->links[i].path);
	free(c->links);
	buf_done(&c->path);
	(void)pthread_cond_destroy(&c->changed);
	(void)pthread_mutex_destroy(&c->lock);
}

/* The top: its descriptors are the caller's, so they are opened anew. */
static int
walk_top(struct clone *c, int from_fd, int to_fd, struct error *err)
{
	struct folder *f = calloc(1, sizeof(*f));
	int r = OK;

	if (f == NULL)
		return error_no_memory(err);
	atomic_init(&f->users, 1);
	(void)snprintf(f->name, sizeof(f->name), ".");
	f->from = openat(from_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->to = openat(to_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->from < 0 || f->to < 0 || fstat(f->from, &f->st) < 0) {
		r = error_sys(err, ERR_IO, "open the tree to clone");
	} else {
		c->device = f->st.st_dev;
		r = walk(c, f, 0, err);
	}
	if (r < 0)
		fail(c, err);
	folder_leave(c, f);
	return r;
}

int
clone_tree(int from_fd, int to_fd, uint64_t deadline_ns, struct error *err)
{
	CLEAN(clone_done)
	struct clone c = {.deadline_ns = deadline_ns,
			  .top = to_fd,
			  .path = BUF_INIT(PATH_LIMIT),
			  .lock = PTHREAD_MUTEX_INITIALIZER,
			  .changed = PTHREAD_COND_INITIALIZER};
	pthread_t threads[WORKERS];
	size_t n = 0;
	int r;

	while (n < WORKERS && pthread_create(&threads[n], NULL, work, &c) == 0)
		n++;
	if (n == 0)
		return error_set(err, ERR_NO_MEMORY, "start a thread");
	r = walk_top(&c, from_fd, to_fd, err);
	(void)pthread_mutex_lock(&c.lock);
	c.no_more = true;
	(void)pthread_cond_broadcast(&c.changed);
	(void)pthread_mutex_unlock(&c.lock);
	for (size_t i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	if (atomic_load(&c.failed)) {
		*err = c.error;
		r = err->code;
	}
	return r;
}
