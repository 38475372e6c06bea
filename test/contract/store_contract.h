/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The tests every store must pass, whatever it is made of: store.h's promises, one by one. A test
 * program names the stores and runs the suite on each:
 *
 *	struct CMUnitTest tests[64];
 *	size_t n = store_contract_tests(&subject, tests, ARRAY_SIZE(tests));
 *	return _cmocka_run_group_tests("...", tests, n, NULL, NULL);
 */
#ifndef HF_TEST_CONTRACT_STORE_CONTRACT_H
#define HF_TEST_CONTRACT_STORE_CONTRACT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/store.h"

struct store_contract_subject {
	const char *name;
	/* An empty store, for one test. */
	int (*open)(struct store **ret, struct error *err);
	/* After it was closed: remove what it left. NULL: nothing. */
	void (*done)(void);
	/* It offers neither remove nor tidy, and must say so. */
	bool only_adds;
};

/* Fill in the tests for one subject; returns how many. The names stay valid. */
size_t store_contract_tests(const struct store_contract_subject *subject, struct CMUnitTest *ret,
			    size_t max);

#endif
