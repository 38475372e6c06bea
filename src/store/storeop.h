/* SPDX-License-Identifier: Apache-2.0 */

/*
 * One operation on a store that lies elsewhere, and its answer, as they travel between the outbox
 * (store/outbox.h) and the pump (requester/pump.h). Bytes travel beside them, in a frame.
 *
 *	op       fields                         its bytes  the answer
 *	read     name offset n                  -          n bytes
 *	stat     name                           -          exists, size
 *	list     name (prefix) upload offset n  -          size (of the whole listing), bytes of it
 *	part     name upload offset             to append  -
 *	commit   name upload offset             to append  -
 *	abort    upload                         -          -
 *
 * `upload` names an upload, or a listing, by a number that is never used twice. The first part, or
 * a commit without any, begins the upload. `offset` says how much of it there should be already, so that
 * a part that is handed out twice is stored once. A listing is a string of entries: a name (varint
 * length, bytes), a size (varint).
 */
#ifndef HF_STORE_STOREOP_H
#define HF_STORE_STOREOP_H

#include <jansson.h>

#include "base/base.h"
#include "base/error.h"
#include "store/store.h"

enum storeop_kind {
	STOREOP_READ = 1,
	STOREOP_STAT,
	STOREOP_LIST,
	STOREOP_PART,
	STOREOP_COMMIT,
	STOREOP_ABORT,
};

struct storeop {
	uint64_t id;
	enum storeop_kind kind;
	char name[STORE_NAME_MAX + 1]; /* "" where there is none */
	uint64_t upload;
	uint64_t offset;
	uint64_t n;
};

struct storeop_answer {
	uint64_t id;
	bool exists; /* stat */
	uint64_t size; /* stat, list */
	struct error error; /* code OK: it worked */
};

const char *storeop_name(enum storeop_kind kind);

/* New references, NULL when out of memory. */
json_t *storeop_pack(const struct storeop *op);
json_t *storeop_answer_pack(const struct storeop_answer *answer);
/* ERR_PROTOCOL. Names are valid ones, prefixes fit for store_list(); numbers are anything up to
 * INT64_MAX. */
CHECKED int storeop_unpack(const json_t *j, struct storeop *ret, struct error *err);
CHECKED int storeop_answer_unpack(const json_t *j, struct storeop_answer *ret, struct error *err);

#endif
