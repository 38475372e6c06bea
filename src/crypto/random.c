/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Randomness straight from the kernel: no state in this process that a fork could duplicate. Also
 * the two operations on secret bytes that a compiler must not improve.
 */
#include "crypto/crypto.h"

#include <errno.h>
#include <sys/random.h>

#include <openssl/crypto.h>

int
crypto_random(void *p, size_t n, struct error *err)
{
	uint8_t *bytes = p;

	for (size_t done = 0; done < n;) {
		ssize_t got = getrandom(bytes + done, n - done, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_sys(err, ERR_CRYPTO, "get random bytes");
		done += (size_t)got;
	}
	return OK;
}

void
crypto_wipe(void *p, size_t n)
{
	OPENSSL_cleanse(p, n);
}

void
crypto_buf_done(struct buf *b)
{
	if (b->p != NULL)
		crypto_wipe(b->p, b->cap);
	buf_done(b);
}

bool
crypto_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}
