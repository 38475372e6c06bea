/* SPDX-License-Identifier: Apache-2.0 */

/* The code and the proofs. */
#include "agent/enroll.h"

#include <ctype.h>
#include <string.h>

#include "crypto/crypto.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

enum { DIGITS = ENROLL_CODE_BYTES * 8 / 5 };

int
enroll_code_make(struct enroll_code *ret, struct error *err)
{
	return crypto_random(ret->bytes, sizeof(ret->bytes), err);
}

char *
enroll_code_format(const struct enroll_code *code, char text[ENROLL_CODE_TEXT])
{
	char *p = text;

	for (unsigned i = 0; i < DIGITS; i++) {
		unsigned value = 0;

		for (unsigned bit = i * 5; bit < i * 5 + 5; bit++)
			value = value << 1 | (code->bytes[bit / 8] >> (7 - bit % 8) & 1U);
		if (i > 0 && i % 4 == 0)
			*p++ = '-';
		*p++ = digits[value];
	}
	*p = '\0';
	return text;
}

static int
value_of(char c)
{
	const char *p;

	c = (char)toupper((unsigned char)c);
	if (c == 'I' || c == 'L')
		c = '1';
	if (c == 'O')
		c = '0';
	p = c != '\0' ? strchr(digits, c) : NULL;
	return p != NULL ? (int)(p - digits) : -1;
}

int
enroll_code_parse(const char *text, struct enroll_code *ret, struct error *err)
{
	struct enroll_code code = {{0}};
	unsigned n = 0;

	for (const char *p = text; *p != '\0'; p++) {
		int value = value_of(*p);

		if (*p == '-' || *p == ' ')
			continue;
		if (value < 0 || n == DIGITS)
			goto fail;
		for (unsigned bit = 0; bit < 5; bit++)
			if ((value >> (4 - bit) & 1) != 0)
				code.bytes[(n * 5 + bit) / 8] |= (uint8_t)(0x80U >>
									   ((n * 5 + bit) % 8));
		n++;
	}
	if (n == DIGITS) {
		*ret = code;
		return OK;
	}
fail:
	(void)error_set(err, ERR_USAGE, "this is no enrolment code");
	return error_hint(err,
			  "it looks like XXXX-XXXX-XXXX-XXXX, as 'holdfast agent enroll --listen' "
			  "shows it on the guest");
}

int
enroll_proof(const struct enroll_code *code, enum enroll_side side, const uint8_t binding[32],
	     const uint8_t requester[TLS_FINGERPRINT_SIZE],
	     const uint8_t agent[TLS_FINGERPRINT_SIZE], uint8_t ret[ENROLL_PROOF_SIZE],
	     struct error *err)
{
	static const char context[] = "holdfast enroll 1";
	CLEAN(secret_freep) struct secret *key = NULL;
	CLEAN(hasher_freep) struct hasher *hasher = NULL;
	CLEAN(buf_done) struct buf text = BUF_INIT(256);
	uint8_t which = (uint8_t)side;

	/* All parts are of fixed length, so no two inputs read the same. */
	if (secret_new(CRYPTO_KEY_SIZE, &key, err) < 0)
		return err->code;
	memcpy(secret_bytes(key), code->bytes, sizeof(code->bytes));
	if (buf_append(&text, context, sizeof(context), err) < 0 || buf_u8(&text, which, err) < 0 ||
	    buf_append(&text, binding, 32, err) < 0 ||
	    buf_append(&text, requester, TLS_FINGERPRINT_SIZE, err) < 0 ||
	    buf_append(&text, agent, TLS_FINGERPRINT_SIZE, err) < 0 ||
	    hasher_new(key, &hasher, err) < 0)
		return err->code;
	return hasher_hash(hasher, buf_slice(&text), ret, err);
}
