/* SPDX-License-Identifier: Apache-2.0 */

/* Cuts depend on the content and the key, and on nothing else. */
#include "repo/chunker.h"

#include <string.h>

#include "rig.h"

enum { DATA = 48 << 20, CUTS_MAX = DATA / CHUNK_MIN + 1 };

static struct error err;
static uint8_t *data; /* with room for an insertion */

static void
init(struct chunker *c, uint8_t key_byte)
{
	CLEAN(secret_freep) struct secret *key = NULL;

	assert_int_equal(secret_new(CRYPTO_KEY_SIZE, &key, &err), OK);
	memset(secret_bytes(key), key_byte, CRYPTO_KEY_SIZE);
	assert_int_equal(chunker_init(c, key, &err), OK);
}

/* Where p[0..n) is cut, counted from the end: comparable after an insertion at the front. */
static size_t
cut_all(const struct chunker *c, const uint8_t *p, size_t n, size_t cuts[CUTS_MAX])
{
	size_t count = 0;

	while (n > 0) {
		size_t len = chunker_cut(c, p, n);

		assert_in_range(len, 1, MIN(n, (size_t)CHUNK_MAX));
		assert_true(len >= CHUNK_MIN || len == n);
		p += len;
		n -= len;
		assert_true(count < CUTS_MAX);
		cuts[count++] = n;
	}
	return count;
}

static size_t
in_common(const size_t *a, size_t n, const size_t *b, size_t m)
{
	size_t same = 0;

	for (size_t i = 0, k = 0; i < n && k < m;) {
		same += a[i] == b[k];
		/* Both lists fall. */
		if (a[i] >= b[k])
			i++;
		else
			k++;
	}
	return same;
}

static void
lengths_and_their_average(void **state)
{
	size_t cuts[CUTS_MAX], again[CUTS_MAX];
	struct chunker c, twin;

	(void)state;
	init(&c, 1);
	init(&twin, 1);
	size_t n = cut_all(&c, data, DATA, cuts);
	assert_int_equal(cut_all(&twin, data, DATA, again), n);
	assert_memory_equal(cuts, again, n * sizeof(*cuts));
	assert_in_range(DATA / n, CHUNK_AVERAGE * 3 / 4, CHUNK_AVERAGE * 5 / 4);
}

static void
end_of_the_data(void **state)
{
	struct chunker c;

	(void)state;
	init(&c, 1);
	assert_int_equal(chunker_cut(&c, data, 1), 1);
	assert_int_equal(chunker_cut(&c, data, CHUNK_MIN), CHUNK_MIN);
	for (size_t i = 0; i < 40; i++) {
		const uint8_t *p = data + i * 999983;
		size_t whole = chunker_cut(&c, p, CHUNK_MAX);

		/* What comes beyond does not matter, nor does the end unless it is nearer. */
		assert_int_equal(chunker_cut(&c, p, DATA - i * 999983), whole);
		assert_int_equal(chunker_cut(&c, p, whole), whole);
		assert_int_equal(chunker_cut(&c, p, whole - 1), whole - 1);
	}
}

static void
insertion_is_local(void **state)
{
	size_t before[CUTS_MAX], after[CUTS_MAX];
	CLEAN(free_ptr) uint8_t *changed = malloc(DATA + 100);
	struct chunker c;

	(void)state;
	assert_non_null(changed);
	init(&c, 1);
	memcpy(changed, data, 3 << 20);
	memset(changed + (3 << 20), 'x', 100);
	memcpy(changed + (3 << 20) + 100, data + (3 << 20), DATA - (3 << 20));
	size_t n = cut_all(&c, data, DATA, before), m = cut_all(&c, changed, DATA + 100, after);
	/* Cuts before the insertion are now 100 bytes further from the end; nearly all others must be
	 * where they were. */
	size_t same = in_common(before, n, after, m), front = 0;
	while (front < n && before[front] > DATA - (3 << 20))
		front++;
	assert_true(same + front + 10 >= n);
}

static void
keys_cut_differently(void **state)
{
	size_t a[CUTS_MAX], b[CUTS_MAX];
	struct chunker c, d;

	(void)state;
	init(&c, 1);
	init(&d, 2);
	size_t n = cut_all(&c, data, DATA, a), m = cut_all(&d, data, DATA, b);
	assert_true(in_common(a, n, b, m) < 5);
}

static void
monotonous_data(void **state)
{
	CLEAN(free_ptr) uint8_t *zeros = calloc(4, CHUNK_MAX);
	size_t cuts[CUTS_MAX];
	struct chunker c;

	(void)state;
	assert_non_null(zeros);
	for (uint8_t key = 1; key < 20; key++) {
		init(&c, key);
		assert_in_range(cut_all(&c, zeros, 4 * CHUNK_MAX, cuts), 4,
				4 * CHUNK_MAX / CHUNK_MIN);
	}
}

static int
setup(void **state)
{
	(void)state;
	data = malloc(DATA);
	if (data == NULL)
		return -1;
	rig_fill(data, DATA, 42);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(data);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lengths_and_their_average), cmocka_unit_test(end_of_the_data),
		cmocka_unit_test(insertion_is_local),        cmocka_unit_test(keys_cut_differently),
		cmocka_unit_test(monotonous_data),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
