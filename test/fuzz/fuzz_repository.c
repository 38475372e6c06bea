/* SPDX-License-Identifier: Apache-2.0 */

/* holdfast.json: what anyone who may write to the store could put there. The input is what is inside
 * the envelope, whose checksum is made right. No slot opens, so nothing is ever opened by it. */
#include "repo/repo.h"

#include "base/hex.h"
#include "crypto/crypto.h"
#include "repo/names.h"
#include "store/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
try_open(struct slice file)
{
	CLEAN(store_closep) struct store *store = NULL;
	CLEAN(secret_freep) struct secret *key = NULL;
	struct repo *repo = NULL;
	struct error err = ERROR_INIT;

	if (store_mem_open(&store, &err) < 0 || secret_new(CRYPTO_KEY_SIZE, &key, &err) < 0 ||
	    store_put(store, NAME_CONFIG, file, &err) < 0)
		return;
	struct key_source source = {.key_file = key};
	int rc = repo_open(store, &source, "/nonexistent", &repo, &err);
	if (repo != NULL || err.msg[0] == 0 ||
	    (rc != ERR_CORRUPT && rc != ERR_VERSION && rc != ERR_NO_MEMORY && rc != ERR_LIMIT))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(1 << 20);
	uint8_t hash[CRYPTO_HASH_SIZE];
	char hex[2 * CRYPTO_HASH_SIZE + 1];
	struct error err = ERROR_INIT;

	if (crypto_sha256(SLICE(data, size), hash, &err) < 0 ||
	    buf_printf(&file, &err, "{\"holdfast\":") < 0 ||
	    buf_append(&file, data, size, &err) < 0 ||
	    buf_printf(&file, &err, ",\"sha256\":\"%s\"}\n", hex_encode(hash, sizeof(hash), hex)) <
		    0)
		return 0;
	try_open(buf_slice(&file));
	try_open(SLICE(data, size));
	return 0;
}
