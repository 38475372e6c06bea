/* SPDX-License-Identifier: Apache-2.0 */

/* Key slots: what anyone who may write to the store could put there. The input is what is inside the
 * envelope, whose checksum is made right, or it would never be parsed. */
#include <string.h>

#include "base/hex.h"
#include "repo/keys.h"
#include "store/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NAME "keys/00000000000000000000000000000000"

/* As a slot for a key file it is tried, too; as one for a password that would take seconds. */
static void
unlock(struct slice file)
{
	CLEAN(store_closep) struct store *store = NULL;
	CLEAN(secret_freep) struct secret *key = NULL;
	CLEAN(secret_freep) struct secret *master = NULL;
	struct object_id repo_id = {{0}};
	uint8_t config_hash[CRYPTO_HASH_SIZE] = {0};
	struct error err;

	if (store_mem_open(&store, &err) < 0 || secret_new(CRYPTO_KEY_SIZE, &key, &err) < 0 ||
	    store_put(store, NAME, file, &err) < 0)
		return;
	struct key_source source = {.key_file = key};
	if (keys_slot_unlock(store, &repo_id, config_hash, &source, &master, &err) == OK)
		abort(); /* nobody can have sealed it */
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(1 << 20);
	uint8_t hash[CRYPTO_HASH_SIZE];
	char hex[2 * CRYPTO_HASH_SIZE + 1];
	struct key_slot_info info;
	struct error err = ERROR_INIT;

	if (crypto_sha256(SLICE(data, size), hash, &err) < 0 ||
	    buf_printf(&file, &err, "{\"key\":") < 0 || buf_append(&file, data, size, &err) < 0 ||
	    buf_printf(&file, &err, ",\"sha256\":\"%s\"}\n", hex_encode(hash, sizeof(hash), hex)) <
		    0)
		return 0;
	int rc = keys_slot_check(NULL, buf_slice(&file), NAME, &info, &err);
	if (rc == OK && strlen(info.label) >= sizeof(info.label))
		abort();
	if (rc < 0 && rc != ERR_CORRUPT && rc != ERR_VERSION && rc != ERR_NO_MEMORY)
		abort();
	unlock(buf_slice(&file));
	return 0;
}
