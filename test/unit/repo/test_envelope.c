/* SPDX-License-Identifier: Apache-2.0 */

/* No bit of such a file may change unseen, and nothing but the file itself passes for it. */
#include "repo/envelope.h"

#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "crypto/crypto.h"
#include "rig.h"

static struct error err;

static void
make(struct buf *file)
{
	CLEAN(json_done)
	json_t *inner = json_pack("{s:i, s:s}", "version", 1, "text", "a \"quoted\" word");

	assert_non_null(inner);
	assert_int_equal(envelope_write("thing", inner, file, &err), OK);
}

static void
refused(struct slice file)
{
	json_t *inner = NULL;

	assert_int_equal(envelope_read("thing", file, &inner, &err), ERR_CORRUPT);
	assert_null(inner);
}

static void
round_trip(void **state)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(4096);
	CLEAN(json_done) json_t *inner = NULL;

	(void)state;
	make(&file);
	assert_int_equal(file.p[file.n - 1], '\n');
	assert_int_equal(envelope_read("thing", buf_slice(&file), &inner, &err), OK);
	assert_string_equal(json_string_value(json_object_get(inner, "text")), "a \"quoted\" word");
	/* The whole is JSON that other programs can read, too. */
	CLEAN(json_done) json_t *whole = NULL;
	assert_int_equal(json_parse(buf_slice(&file), "file", &whole, &err), OK);
	assert_int_equal(json_object_size(whole), 2);
}

static void
every_bit_counts(void **state)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(4096);

	(void)state;
	make(&file);
	for (size_t i = 0; i < 8 * file.n; i++) {
		file.p[i / 8] ^= (uint8_t)(1u << i % 8);
		refused(buf_slice(&file));
		file.p[i / 8] ^= (uint8_t)(1u << i % 8);
	}
}

static void
every_length_counts(void **state)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(4096);

	(void)state;
	make(&file);
	for (size_t n = 0; n < file.n; n++)
		refused(SLICE(file.p, n));
	assert_int_equal(buf_u8(&file, '\n', &err), OK);
	refused(buf_slice(&file));
}

static void
another_name(void **state)
{
	CLEAN(buf_done) struct buf file = BUF_INIT(4096);
	json_t *inner = NULL;

	(void)state;
	make(&file);
	assert_int_equal(envelope_read("think", buf_slice(&file), &inner, &err), ERR_CORRUPT);
	assert_null(inner);
}

/* The checksum has no key: whoever changes the file can make it right. */
static void
right_checksum_of_nonsense(void **state)
{
	static const char *const bodies[] = {"", "{", "{\"a\":1,\"a\":2}", "nonsense", "{}{}"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		CLEAN(buf_done) struct buf file = BUF_INIT(4096);
		uint8_t hash[CRYPTO_HASH_SIZE];
		char hex[2 * CRYPTO_HASH_SIZE + 1];

		assert_int_equal(crypto_sha256(SLICE(bodies[i], strlen(bodies[i])), hash, &err),
				 OK);
		assert_int_equal(buf_printf(&file, &err, "{\"thing\":%s,\"sha256\":\"%s\"}\n",
					    bodies[i], hex_encode(hash, sizeof(hash), hex)),
				 OK);
		refused(buf_slice(&file));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(every_length_counts),
		cmocka_unit_test(another_name),
		cmocka_unit_test(right_checksum_of_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
