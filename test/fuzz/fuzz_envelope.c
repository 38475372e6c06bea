/* SPDX-License-Identifier: Apache-2.0 */

/* Envelopes: the bytes as a file, and (behind a checksum that is right) as what is in one. */
#include "repo/envelope.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
read_one(struct slice file)
{
	struct error err = ERROR_INIT;
	json_t *inner = NULL;
	int rc = envelope_read("key", file, &inner, &err);

	if ((rc == OK) != (inner != NULL) || (rc < 0 && rc != ERR_CORRUPT && rc != ERR_NO_MEMORY))
		abort();
	json_decref(inner);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(1 << 20);
	uint8_t hash[CRYPTO_HASH_SIZE];
	char hex[2 * CRYPTO_HASH_SIZE + 1];
	struct error err;

	read_one(SLICE(data, size));
	if (crypto_sha256(SLICE(data, size), hash, &err) < 0 ||
	    buf_printf(&file, &err, "{\"key\":") < 0 || buf_append(&file, data, size, &err) < 0 ||
	    buf_printf(&file, &err, ",\"sha256\":\"%s\"}\n", hex_encode(hash, sizeof(hash), hex)) <
		    0)
		return 0;
	read_one(buf_slice(&file));
	return 0;
}
