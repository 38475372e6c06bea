/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The small vocabulary every file uses: checked results, cleanup attributes, visible transfer of
 * ownership, and a slice of bytes.
 *
 *	CLEAN(free_ptr) char *name = NULL;	freed when the scope ends
 *	*ret_name = STEAL_PTR(name);		handed over: the scope no longer frees it
 *
 * Cleanup runs in reverse order of declaration; declare a resource where it is acquired and
 * initialise it to empty. Cleanup functions take a pointer to the variable and accept "empty".
 */
#ifndef HF_BASE_BASE_H
#define HF_BASE_BASE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* On every function that can fail: ignoring the result is a compile error. */
#define CHECKED __attribute__((warn_unused_result))
#define PRINTF_LIKE(nth, first) __attribute__((format(printf, nth, first)))
#define CLEAN(function) __attribute__((cleanup(function)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) min_a_ = (a);                                                        \
		__typeof__(b) min_b_ = (b);                                                        \
		min_a_ < min_b_ ? min_a_ : min_b_;                                                 \
	})
#define MAX(a, b)                                                                                  \
	({                                                                                         \
		__typeof__(a) max_a_ = (a);                                                        \
		__typeof__(b) max_b_ = (b);                                                        \
		max_a_ > max_b_ ? max_a_ : max_b_;                                                 \
	})
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

/* Take the value out of a CLEAN variable; what remains is "empty". */
#define STEAL_PTR(p)                                                                               \
	({                                                                                         \
		__typeof__(p) stolen_ = (p);                                                       \
		(p) = NULL;                                                                        \
		stolen_;                                                                           \
	})
#define STEAL_FD(fd)                                                                               \
	({                                                                                         \
		int stolen_ = (fd);                                                                \
		(fd) = -1;                                                                         \
		stolen_;                                                                           \
	})

/* Bytes that someone else owns. */
struct slice {
	const uint8_t *p;
	size_t n;
};

#define SLICE(pointer, length) ((struct slice){.p = (const void *)(pointer), .n = (length)})

/* For CLEAN(): frees what a pointer variable points to. */
static inline void
free_ptr(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}

/* For CLEAN(): closes a descriptor that was only read from, or whose loss no longer matters. */
static inline void
fd_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

#endif
