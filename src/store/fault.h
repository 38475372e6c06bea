/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A store that wraps another and fails on command, to prove that what lies above it never loses
 * data and never lies. Counts every operation (all calls of a store but abort and close); the n-th
 * (from 1) fails, once or from then on. A kind of fault that cannot happen to that operation waits
 * for the next one it can happen to, so every n up to the last such operation is a different test.
 *
 * What fails says so in its message ("injected"). After a failed write the upload can only be
 * aborted: a commit fails with ERR_BAD_STATE, whatever the wrapped store would have done.
 */
#ifndef HF_STORE_FAULT_H
#define HF_STORE_FAULT_H

#include "store/store.h"

enum store_fault {
	STORE_FAULT_NONE = 0,
	STORE_FAULT_ERROR, /* the call fails cleanly, nothing done */
	STORE_FAULT_FULL, /* ERR_STORE_FULL, on write and commit only */
	STORE_FAULT_LOST_REPLY, /* the call is carried out, and fails all the same; a begun
				 * upload is dropped again, for its caller never learns of it */
	STORE_FAULT_SHORT, /* a write stores half of the bytes, then fails */
	STORE_FAULT_FLIP, /* a read succeeds with one bit wrong */
};

/* Takes over `inner` (closed with it). */
CHECKED int store_fault_open(struct store *inner, struct store **ret, struct error *err);
/* Fail the n-th operation from now; `persistent`: and all after it. n 0: stop failing. */
void store_fault_arm(struct store *s, enum store_fault kind, uint64_t n, bool persistent);
/* Operations since the store was opened or armed. */
uint64_t store_fault_count(const struct store *s);
/* Faults injected since then. */
uint64_t store_fault_fired(const struct store *s);

#endif
