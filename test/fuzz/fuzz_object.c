/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Sealed objects. The first byte says how: an even one gives the rest as a stored object; an odd one
 * seals the rest and then changes it at a place and in a way that the second and third byte say. No
 * object that was not sealed opens.
 */
#include <string.h>

#include "repo/object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct repo *
fixed_repo(void)
{
	static struct repo repo;
	struct secret *master = NULL;
	struct error err;

	if (repo.keys.master != NULL)
		return &repo;
	memset(&repo.id, 7, sizeof(repo.id));
	if (secret_new(CRYPTO_KEY_SIZE, &master, &err) < 0 ||
	    keys_derive(master, &repo.keys, &err) < 0)
		abort();
	secret_free(master);
	return &repo;
}

static int
open_one(struct slice stored, enum object_kind kind, struct buf *payload)
{
	struct object_id id = {{1}};
	struct error err = ERROR_INIT;
	int rc = object_open(fixed_repo(), kind, &id, stored, payload, &err);

	if (rc < 0 && payload->n != 0)
		abort();
	return rc;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(buf_done) struct buf payload = BUF_INIT(1 << 20);
	CLEAN(buf_done) struct buf stored = BUF_INIT(2 << 20);
	struct object_id id = {{1}};
	struct error err;

	if (size < 3)
		return 0;
	enum object_kind kind = (enum object_kind)(1 + data[0] / 2 % 3);
	if (data[0] % 2 == 0) {
		if (open_one(SLICE(data + 1, size - 1), kind, &payload) == OK)
			abort();
		return 0;
	}
	if (object_seal(fixed_repo(), kind, &id, SLICE(data + 3, size - 3), &stored, &err) < 0)
		return 0;
	size_t at = (size_t)(data[1] * 256 + data[2]) % (stored.n + 1);
	if (at < stored.n) {
		stored.p[at] ^= (uint8_t)(1u << data[2] % 8);
		if (open_one(buf_slice(&stored), kind, &payload) == OK)
			abort();
		return 0;
	}
	if (open_one(buf_slice(&stored), kind, &payload) != OK || payload.n != size - 3 ||
	    (payload.n > 0 && memcmp(payload.p, data + 3, payload.n) != 0))
		abort();
	return 0;
}
