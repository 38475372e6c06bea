/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Memory for keys. Each secret has pages of its own, because locking and leaving out of core dumps
 * work by the page, and an overrun elsewhere in the heap then does not reach it.
 */
#include "crypto/crypto.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

enum { SECRET_MAX = 1024 * 1024 };

struct secret {
	uint8_t *bytes;
	size_t size;
	size_t mapped;
};

int
secret_new(size_t size, struct secret **ret, struct error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (size == 0 || size > SECRET_MAX)
		return error_set(err, ERR_LIMIT, "a secret of %zu bytes", size);
	CLEAN(free_ptr) struct secret *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return error_no_memory(err);
	s->size = size;
	s->mapped = (size + page - 1) / page * page;
	void *p = mmap(NULL, s->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return error_sys(err, ERR_NO_MEMORY, "map memory for a secret");
	/* As far as limits and kernel allow: without privilege few pages can be locked, and a backup
	 * that may reach the swap is better than none. */
	(void)mlock(p, s->mapped);
	(void)madvise(p, s->mapped, MADV_DONTDUMP);
	/* Children exec at once and need no keys. Not MADV_WIPEONFORK: a child that did go on would
	 * encrypt under a key of zeros; this way it crashes. */
	(void)madvise(p, s->mapped, MADV_DONTFORK);
	s->bytes = p;
	*ret = STEAL_PTR(s);
	return OK;
}

int
secret_random(size_t size, struct secret **ret, struct error *err)
{
	CLEAN(secret_freep) struct secret *s = NULL;

	int rc = secret_new(size, &s, err);
	if (rc < 0)
		return rc;
	rc = crypto_random(s->bytes, size, err);
	if (rc < 0)
		return rc;
	*ret = STEAL_PTR(s);
	return OK;
}

void
secret_free(struct secret *s)
{
	if (s == NULL)
		return;
	crypto_wipe(s->bytes, s->size);
	(void)munmap(s->bytes, s->mapped);
	free(s);
}

void
secret_freep(struct secret **s)
{
	secret_free(*s);
}

uint8_t *
secret_bytes(struct secret *s)
{
	return s->bytes;
}

const uint8_t *
secret_view(const struct secret *s)
{
	return s->bytes;
}

size_t
secret_size(const struct secret *s)
{
	return s->size;
}
