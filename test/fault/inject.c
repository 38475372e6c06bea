/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Makes the n-th call of a libc function fail, in a program that knows nothing of it: built as a
 * shared library for LD_PRELOAD and directed by the environment, or compiled into a test and
 * directed by inject_arm(). test/fault/run_nth.sh drives it over all n.
 *
 *	HF_INJECT_CALL        the function, by the names at the end of this file: "fsync" ...
 *	HF_INJECT_AT          which call of it fails, from 1
 *	HF_INJECT_ERRNO       with which errno, a number (5, EIO, if not given)
 *	HF_INJECT_PERSIST     1: all later calls fail as well
 *	HF_INJECT_KILL        1: instead of failing, the process kills itself before the call
 *	HF_INJECT_LATE        1: the call is carried out first, then it fails (or the process dies):
 *	                      a reply that got lost
 *	HF_INJECT_SHORT       1: instead of failing, read, write, pread and pwrite do half the work
 *	HF_INJECT_STOP        1: instead of failing, the process stops itself (SIGSTOP) before the
 *	                      call, and makes the call when somebody continues it
 *	HF_INJECT_PROGRAM     only in processes of this name (of the executable, without its folder)
 *	HF_INJECT_COUNT_FILE  a file to append to: "fired PID N" at once when a fault is injected,
 *	                      and "calls PID N" when a process ends by exit or return from main
 *
 * Without HF_INJECT_AT nothing fails and the calls are counted. Calls that libc makes inside itself
 * are not seen, except those of malloc and its kin. Several variants of a function (pread64,
 * __pread_chk) count as one.
 *
 * The functions are defined under the names of C by assembler names, so that the prototypes, inline
 * definitions and redirections of the headers do not get in the way.
 */
#include "inject.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Sanitizers' libraries call our functions before they are ready to be called themselves. */
#ifdef __clang__
#define PLAIN __attribute__((disable_sanitizer_instrumentation))
#else
#define PLAIN __attribute__((no_sanitize("thread", "address", "undefined")))
#endif

enum action { PASS, FAIL, FAIL_LATE, SHORTEN };

static struct {
	struct inject_order order;
	_Atomic uint64_t calls; /* of order.call since it was given */
	_Atomic uint64_t fired;
	inject_trace_fn *trace;
	void *trace_arg;
	const char *count_file;
} injector;

/* Recording ---------------------------------------------------------------------------------- */

/* By bare system calls and without memory: we may be inside malloc, or in a signal handler. */
PLAIN static void
record(const char *what, uint64_t n)
{
	char line[64];
	int errno_kept = errno;

	if (injector.count_file == NULL)
		return;
	int len = snprintf(line, sizeof(line), "%s %d %llu\n", what, (int)getpid(),
			   (unsigned long long)n);
	long fd = syscall(SYS_openat, AT_FDCWD, injector.count_file,
			  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd >= 0) {
		(void)syscall(SYS_write, fd, line, len);
		(void)syscall(SYS_close, fd);
	}
	errno = errno_kept;
}

PLAIN static void
die(void)
{
	(void)syscall(SYS_kill, getpid(), SIGKILL);
	for (;;)
		(void)pause();
}

/* This very thread must not get any further, so the signal is for it. */
PLAIN static void
stop(void)
{
	int errno_kept = errno;

	(void)syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGSTOP);
	errno = errno_kept;
}

/* Deciding ----------------------------------------------------------------------------------- */

PLAIN static enum action
decide(const char *name)
{
	if (injector.order.call == NULL || strcmp(injector.order.call, name) != 0)
		return PASS;
	uint64_t n = atomic_fetch_add(&injector.calls, 1) + 1;
	if (injector.order.at == 0 || n < injector.order.at ||
	    (n > injector.order.at && !injector.order.persist))
		return PASS;
	atomic_fetch_add(&injector.fired, 1);
	record("fired", n);
	if (injector.order.how == INJECT_KILL && !injector.order.late)
		die();
	if (injector.order.how == INJECT_SHORT)
		return SHORTEN;
	if (injector.order.how == INJECT_STOP) {
		stop();
		return PASS;
	}
	/* A close that fails has closed all the same: Linux says so. */
	return injector.order.late || strcmp(name, "close") == 0 ? FAIL_LATE : FAIL;
}

/* After the call: die now, if that is what was ordered; else the error to report. */
PLAIN static int
late_errno(void)
{
	if (injector.order.how == INJECT_KILL)
		die();
	return injector.order.sys;
}

PLAIN static void
trace(const char *name, int fd, const char *path, long result)
{
	int errno_kept = errno;

	if (injector.trace != NULL)
		injector.trace(injector.trace_arg, name, fd, path, result);
	errno = errno_kept;
}

/* The next definition of a symbol after ours. */
PLAIN static void *
resolve(const char *symbol, void *_Atomic *kept)
{
	void *real = atomic_load(kept);

	if (real == NULL) {
		real = dlsym(RTLD_NEXT, symbol);
		if (real == NULL)
			abort();
		atomic_store(kept, real);
	}
	return real;
}

/* Orders ------------------------------------------------------------------------------------- */

void
inject_arm(const struct inject_order *o)
{
	injector.order = (struct inject_order){0};
	atomic_store(&injector.calls, 0);
	atomic_store(&injector.fired, 0);
	if (o != NULL)
		injector.order = *o;
}

void
inject_trace(inject_trace_fn *fn, void *arg)
{
	injector.trace = fn;
	injector.trace_arg = arg;
}

uint64_t
inject_calls(void)
{
	return atomic_load(&injector.calls);
}

uint64_t
inject_fired(void)
{
	return atomic_load(&injector.fired);
}

static uint64_t
number_from(const char *variable, uint64_t otherwise)
{
	const char *text = getenv(variable);

	return text != NULL && *text != '\0' ? strtoull(text, NULL, 10) : otherwise;
}

__attribute__((constructor)) static void
from_environment(void)
{
	const char *program = getenv("HF_INJECT_PROGRAM");
	struct inject_order o = {.call = getenv("HF_INJECT_CALL")};

	if (o.call == NULL ||
	    (program != NULL && strcmp(program, program_invocation_short_name) != 0))
		return;
	o.at = number_from("HF_INJECT_AT", 0);
	o.sys = (int)number_from("HF_INJECT_ERRNO", EIO);
	o.persist = number_from("HF_INJECT_PERSIST", 0) != 0;
	o.late = number_from("HF_INJECT_LATE", 0) != 0;
	if (number_from("HF_INJECT_SHORT", 0) != 0)
		o.how = INJECT_SHORT;
	if (number_from("HF_INJECT_KILL", 0) != 0)
		o.how = INJECT_KILL;
	if (number_from("HF_INJECT_STOP", 0) != 0)
		o.how = INJECT_STOP;
	injector.count_file = getenv("HF_INJECT_COUNT_FILE");
	inject_arm(&o);
}

__attribute__((destructor)) static void
at_exit(void)
{
	record("calls", atomic_load(&injector.calls));
}

/* System calls ------------------------------------------------------------------------------- */

/*
 * WRAP(type, failure, name, symbol, parameters, arguments, fd, path) defines `symbol`, counted as
 * `name`. fd and path are what a trace is told.
 */
#define WRAP(type, failure, name, symbol, parameters, arguments, trace_fd, trace_path)             \
	type inject_##symbol parameters __asm__(#symbol);                                          \
	PLAIN type inject_##symbol parameters                                                      \
	{                                                                                          \
		static void *_Atomic kept;                                                         \
		type(*real) parameters = (type(*) parameters)resolve(#symbol, &kept);              \
		enum action action = decide(#name);                                                \
		if (action == FAIL) {                                                              \
			errno = injector.order.sys;                                                \
			return failure;                                                            \
		}                                                                                  \
		type result = real arguments;                                                      \
		trace(#name, trace_fd, trace_path, (long)result);                                  \
		if (action == FAIL_LATE) {                                                         \
			errno = late_errno();                                                      \
			return failure;                                                            \
		}                                                                                  \
		return result;                                                                     \
	}

#define WRAP_INT(name, symbol, parameters, arguments, fd, path)                                    \
	WRAP(int, -1, name, symbol, parameters, arguments, fd, path)

/* Those that can do half of the work. */
#define WRAP_IO(name, symbol, parameters, arguments)                                               \
	ssize_t inject_##symbol parameters __asm__(#symbol);                                       \
	PLAIN ssize_t inject_##symbol parameters                                                   \
	{                                                                                          \
		static void *_Atomic kept;                                                         \
		ssize_t(*real) parameters = (ssize_t(*) parameters)resolve(#symbol, &kept);        \
		enum action action = decide(#name);                                                \
		if (action == FAIL) {                                                              \
			errno = injector.order.sys;                                                \
			return -1;                                                                 \
		}                                                                                  \
		if (action == SHORTEN && n > 1)                                                    \
			n /= 2;                                                                    \
		ssize_t result = real arguments;                                                   \
		trace(#name, fd, NULL, (long)result);                                              \
		if (action == FAIL_LATE) {                                                         \
			errno = late_errno();                                                      \
			return -1;                                                                 \
		}                                                                                  \
		return result;                                                                     \
	}

/* Those that return the error instead of setting errno. */
#define WRAP_CODE(name, symbol, parameters, arguments, fd)                                         \
	WRAP(int, injector.order.sys, name, symbol, parameters, arguments, fd, NULL)

WRAP_IO(read, read, (int fd, void *p, size_t n), (fd, p, n))
WRAP_IO(read, __read_chk, (int fd, void *p, size_t n, size_t size), (fd, p, n, size))
WRAP_IO(pread, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
WRAP_IO(pread, pread64, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))
WRAP_IO(pread, __pread_chk, (int fd, void *p, size_t n, off_t at, size_t size),
	(fd, p, n, at, size))
WRAP_IO(pread, __pread64_chk, (int fd, void *p, size_t n, off_t at, size_t size),
	(fd, p, n, at, size))
WRAP_IO(write, write, (int fd, const void *p, size_t n), (fd, p, n))
WRAP_IO(pwrite, pwrite, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))
WRAP_IO(pwrite, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at))

/* The mode is passed on as it comes; where there is none, nobody looks at it. */
WRAP_INT(open, open, (const char *path, int flags, mode_t mode), (path, flags, mode), -1, path)
WRAP_INT(open, open64, (const char *path, int flags, mode_t mode), (path, flags, mode), -1, path)
WRAP_INT(open, __open_2, (const char *path, int flags), (path, flags), -1, path)
WRAP_INT(open, __open64_2, (const char *path, int flags), (path, flags), -1, path)
WRAP_INT(openat, openat, (int dirfd, const char *path, int flags, mode_t mode),
	 (dirfd, path, flags, mode), dirfd, path)
WRAP_INT(openat, openat64, (int dirfd, const char *path, int flags, mode_t mode),
	 (dirfd, path, flags, mode), dirfd, path)
WRAP_INT(openat, __openat_2, (int dirfd, const char *path, int flags), (dirfd, path, flags), dirfd,
	 path)
WRAP_INT(openat, __openat64_2, (int dirfd, const char *path, int flags), (dirfd, path, flags),
	 dirfd, path)

WRAP_INT(close, close, (int fd), (fd), fd, NULL)
WRAP_INT(fsync, fsync, (int fd), (fd), fd, NULL)
WRAP_INT(fdatasync, fdatasync, (int fd), (fd), fd, NULL)
WRAP_INT(syncfs, syncfs, (int fd), (fd), fd, NULL)
WRAP_INT(sync_file_range, sync_file_range, (int fd, off_t at, off_t n, unsigned flags),
	 (fd, at, n, flags), fd, NULL)
WRAP_INT(ftruncate, ftruncate, (int fd, off_t n), (fd, n), fd, NULL)
WRAP_INT(ftruncate, ftruncate64, (int fd, off_t n), (fd, n), fd, NULL)
WRAP_INT(fallocate, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n), fd, NULL)
WRAP_INT(fallocate, fallocate64, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n), fd, NULL)
WRAP(off_t, -1, lseek, lseek, (int fd, off_t at, int whence), (fd, at, whence), fd, NULL)
WRAP(off_t, -1, lseek, lseek64, (int fd, off_t at, int whence), (fd, at, whence), fd, NULL)
WRAP_CODE(posix_fadvise, posix_fadvise, (int fd, off_t at, off_t n, int advice),
	  (fd, at, n, advice), fd)
WRAP_CODE(posix_fadvise, posix_fadvise64, (int fd, off_t at, off_t n, int advice),
	  (fd, at, n, advice), fd)

WRAP_INT(linkat, linkat, (int from, const char *path, int to, const char *new_path, int flags),
	 (from, path, to, new_path, flags), to, new_path)
WRAP_INT(renameat2, renameat2,
	 (int from, const char *path, int to, const char *new_path, unsigned flags),
	 (from, path, to, new_path, flags), to, new_path)
WRAP_INT(renameat, renameat, (int from, const char *path, int to, const char *new_path),
	 (from, path, to, new_path), to, new_path)
WRAP_INT(rename, rename, (const char *path, const char *new_path), (path, new_path), -1, new_path)
WRAP_INT(symlinkat, symlinkat, (const char *to, int dirfd, const char *path), (to, dirfd, path),
	 dirfd, path)
WRAP_INT(mkdirat, mkdirat, (int dirfd, const char *path, mode_t mode), (dirfd, path, mode), dirfd,
	 path)
WRAP_INT(mkdir, mkdir, (const char *path, mode_t mode), (path, mode), -1, path)
WRAP_INT(mknodat, mknodat, (int dirfd, const char *path, mode_t mode, dev_t device),
	 (dirfd, path, mode, device), dirfd, path)
WRAP_INT(unlinkat, unlinkat, (int dirfd, const char *path, int flags), (dirfd, path, flags), dirfd,
	 path)
WRAP_INT(unlink, unlink, (const char *path), (path), -1, path)

WRAP_INT(fstat, fstat, (int fd, struct stat *st), (fd, st), fd, NULL)
WRAP_INT(fstat, fstat64, (int fd, struct stat *st), (fd, st), fd, NULL)
WRAP_INT(fstatat, fstatat, (int dirfd, const char *path, struct stat *st, int flags),
	 (dirfd, path, st, flags), dirfd, path)
WRAP_INT(fstatat, fstatat64, (int dirfd, const char *path, struct stat *st, int flags),
	 (dirfd, path, st, flags), dirfd, path)
WRAP_INT(fchmod, fchmod, (int fd, mode_t mode), (fd, mode), fd, NULL)
WRAP_INT(fchown, fchown, (int fd, uid_t uid, gid_t gid), (fd, uid, gid), fd, NULL)
WRAP_INT(fchownat, fchownat, (int dirfd, const char *path, uid_t uid, gid_t gid, int flags),
	 (dirfd, path, uid, gid, flags), dirfd, path)
WRAP_INT(utimensat, utimensat,
	 (int dirfd, const char *path, const struct timespec *times, int flags),
	 (dirfd, path, times, flags), dirfd, path)
WRAP_INT(futimens, futimens, (int fd, const struct timespec *times), (fd, times), fd, NULL)

WRAP(void *, NULL, fdopendir, fdopendir, (int fd), (fd), fd, NULL)
WRAP(void *, NULL, readdir, readdir, (void *stream), (stream), -1, NULL)
WRAP(void *, NULL, readdir, readdir64, (void *stream), (stream), -1, NULL)
WRAP(void *, MAP_FAILED, mmap, mmap,
     (void *at, size_t n, int protection, int flags, int fd, off_t offset),
     (at, n, protection, flags, fd, offset), fd, NULL)
WRAP(void *, MAP_FAILED, mmap, mmap64,
     (void *at, size_t n, int protection, int flags, int fd, off_t offset),
     (at, n, protection, flags, fd, offset), fd, NULL)
WRAP(ssize_t, -1, getrandom, getrandom, (void *p, size_t n, unsigned flags), (p, n, flags), -1,
     NULL)
WRAP_INT(pipe2, pipe2, (int fds[2], int flags), (fds, flags), -1, NULL)
WRAP_INT(poll, poll, (void *fds, unsigned long n, int timeout), (fds, n, timeout), -1, NULL)
WRAP_CODE(pthread_create, pthread_create,
	  (void *thread, const void *attributes, void *(*start)(void *), void *arg),
	  (thread, attributes, start, arg), -1)

/* Memory ------------------------------------------------------------------------------------- */

/*
 * Left out where a sanitizer must own the allocator.
 *
 * What is asked for while the real functions are being looked up comes from a small arena, and is
 * never given back: dlsym may allocate, and the first calls come before anything is set up.
 */
#ifdef INJECT_MEMORY
static _Alignas(max_align_t) char arena[16 * 1024];
static size_t arena_used;
static bool resolving;

PLAIN static void *
arena_take(size_t n)
{
	size_t room = (n + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);

	if (n > sizeof(arena) || room > sizeof(arena) - arena_used)
		abort();
	void *p = arena + arena_used;
	arena_used += room;
	return p;
}

PLAIN static bool
arena_has(const void *p)
{
	return (const char *)p >= arena && (const char *)p < arena + sizeof(arena);
}

/* NULL while one is being resolved. */
PLAIN static void *
resolve_memory(const char *symbol, void *_Atomic *kept)
{
	if (atomic_load(kept) == NULL) {
		if (resolving)
			return NULL;
		resolving = true;
		(void)resolve(symbol, kept);
		resolving = false;
	}
	return atomic_load(kept);
}

#define WRAP_MEMORY(name, parameters, arguments, arena_bytes)                                      \
	void *inject_##name parameters __asm__(#name);                                             \
	PLAIN void *inject_##name parameters                                                       \
	{                                                                                          \
		static void *_Atomic kept;                                                         \
		void *(*real)parameters = (void *(*)parameters)resolve_memory(#name, &kept);       \
		if (real == NULL)                                                                  \
			return arena_take(arena_bytes);                                            \
		if (decide(#name) == PASS)                                                         \
			return real arguments;                                                     \
		errno = ENOMEM;                                                                    \
		return NULL;                                                                       \
	}

WRAP_MEMORY(malloc, (size_t n), (n), n)
WRAP_MEMORY(calloc, (size_t n, size_t size), (n, size), n *size)
WRAP_MEMORY(aligned_alloc, (size_t alignment, size_t n), (alignment, n), n + alignment)
WRAP_CODE(posix_memalign, posix_memalign, (void **p, size_t alignment, size_t n), (p, alignment, n),
	  -1)

void *inject_realloc(void *p, size_t n) __asm__("realloc");
PLAIN void *
inject_realloc(void *p, size_t n)
{
	static void *_Atomic kept;
	void *(*real)(void *, size_t) = (void *(*)(void *, size_t))resolve_memory("realloc", &kept);

	if (real != NULL && decide("realloc") != PASS) {
		errno = ENOMEM;
		return NULL;
	}
	if (real != NULL && !arena_has(p))
		return real(p, n);
	/* From the arena, whose pieces do not know their size: copy what may be there. */
	void *copy = real != NULL ? real(NULL, n) : arena_take(n);
	if (copy != NULL && p != NULL)
		memcpy(copy, p, MIN(n, (size_t)(arena + sizeof(arena) - (char *)p)));
	return copy;
}

void inject_free(void *p) __asm__("free");
PLAIN void
inject_free(void *p)
{
	static void *_Atomic kept;
	void (*real)(void *) = (void (*)(void *))resolve_memory("free", &kept);

	if (real != NULL && !arena_has(p))
		real(p);
}
#endif
