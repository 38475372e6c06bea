/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Base64 of RFC 4648, section 4. The decoder takes the one spelling the encoder gives and nothing
 * else (no white space, padding complete, unused bits zero), so that text and bytes map one to one.
 */
#include "base/json.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Spell one to three bytes. */
static void
encode_group(const uint8_t *in, size_t n, uint8_t out[4])
{
	uint32_t v = (uint32_t)in[0] << 16;

	if (n > 1)
		v |= (uint32_t)in[1] << 8;
	if (n > 2)
		v |= in[2];
	out[0] = (uint8_t)alphabet[v >> 18];
	out[1] = (uint8_t)alphabet[v >> 12 & 63];
	out[2] = n > 1 ? (uint8_t)alphabet[v >> 6 & 63] : '=';
	out[3] = n > 2 ? (uint8_t)alphabet[v & 63] : '=';
}

int
base64_encode(struct slice in, struct buf *out, struct error *err)
{
	if (in.n > SIZE_MAX / 4)
		return error_set(err, ERR_LIMIT, "base64: too long");
	int rc = buf_reserve(out, (in.n + 2) / 3 * 4, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < in.n; i += 3) {
		encode_group(in.p + i, MIN(in.n - i, (size_t)3), out->p + out->n);
		out->n += 4;
	}
	return OK;
}

static int
value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* Read four characters, the last `pad` of which are '='; false if they are not spelt as we would. */
static bool
decode_group(const uint8_t in[4], size_t pad, uint8_t out[3])
{
	uint32_t v = 0;

	for (size_t i = 0; i < 4; i++) {
		int digit = i < 4 - pad ? value_of(in[i]) : 0;
		if (digit < 0)
			return false;
		v = v << 6 | (uint32_t)digit;
	}
	out[0] = (uint8_t)(v >> 16);
	out[1] = (uint8_t)(v >> 8);
	out[2] = (uint8_t)v;
	/* What lies beyond the bytes that count must be zero. */
	return (v & (pad == 2 ? 0xffff : pad == 1 ? 0xff : 0)) == 0;
}

int
base64_decode(struct slice in, struct buf *out, struct error *err)
{
	size_t pad = 0;

	if (in.n == 0)
		return OK;
	if (in.n % 4 != 0)
		return error_set(err, ERR_PROTOCOL, "base64: length is not a multiple of four");
	if (in.p[in.n - 1] == '=')
		pad = in.p[in.n - 2] == '=' ? 2 : 1;

	size_t n = in.n / 4 * 3 - pad;
	int rc = buf_reserve(out, n, err);
	if (rc < 0)
		return rc;
	/* The length grows only at the end: on failure the contents are unchanged. */
	uint8_t *to = out->p + out->n;
	for (size_t i = 0, done = 0; i < in.n; i += 4, done += 3) {
		uint8_t bytes[3];
		size_t group_pad = i + 4 == in.n ? pad : 0;
		if (!decode_group(in.p + i, group_pad, bytes))
			return error_set(err, ERR_PROTOCOL, "base64: bad characters at %zu", i);
		for (size_t k = 0; k < 3 - group_pad; k++)
			to[done + k] = bytes[k];
	}
	out->n += n;
	return OK;
}
