/* SPDX-License-Identifier: Apache-2.0 */

/* JSON with a checksum that covers each of its bytes; see the header. */
#include "repo/envelope.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "crypto/crypto.h"

#define MIDDLE ",\"sha256\":\""
#define TAIL "\"}\n"

int
envelope_write(const char *name, const json_t *inner, struct buf *ret, struct error *err)
{
	CLEAN(buf_done) struct buf body = BUF_INIT(1 << 20);
	uint8_t hash[CRYPTO_HASH_SIZE];
	char hex[2 * CRYPTO_HASH_SIZE + 1];

	if (json_write(inner, &body, err) < 0 || crypto_sha256(buf_slice(&body), hash, err) < 0)
		return err->code;
	hex_encode(hash, sizeof(hash), hex);
	if (buf_printf(ret, err, "{\"%s\":", name) < 0 ||
	    buf_append(ret, body.p, body.n, err) < 0 ||
	    buf_printf(ret, err, "%s%s%s", MIDDLE, hex, TAIL) < 0)
		return err->code;
	return OK;
}

int
envelope_read(const char *name, struct slice file, json_t **ret, struct error *err)
{
	char head[64], tail[sizeof(MIDDLE) + 2 * CRYPTO_HASH_SIZE + sizeof(TAIL)];
	uint8_t hash[CRYPTO_HASH_SIZE];
	char hex[2 * CRYPTO_HASH_SIZE + 1];
	size_t head_len = (size_t)snprintf(head, sizeof(head), "{\"%s\":", name);
	size_t tail_len = strlen(MIDDLE) + 2 * CRYPTO_HASH_SIZE + strlen(TAIL);

	if (file.n < head_len + tail_len || memcmp(file.p, head, head_len) != 0)
		return error_set(err, ERR_CORRUPT, "not a '%s' file of Holdfast", name);
	struct slice body = SLICE(file.p + head_len, file.n - head_len - tail_len);
	if (crypto_sha256(body, hash, err) < 0)
		return err->code;
	(void)snprintf(tail, sizeof(tail), "%s%s%s", MIDDLE, hex_encode(hash, sizeof(hash), hex),
		       TAIL);
	if (memcmp(file.p + file.n - tail_len, tail, tail_len) != 0)
		return error_set(err, ERR_CORRUPT, "checksum of the '%s' file is wrong", name);
	if (json_parse(body, name, ret, err) < 0) {
		if (err->code == ERR_PROTOCOL)
			err->code = ERR_CORRUPT;
		return err->code;
	}
	return OK;
}
