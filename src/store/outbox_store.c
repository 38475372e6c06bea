/* SPDX-License-Identifier: Apache-2.0 */

/* The mover's end: looking. Each call waits for its answer; what is large is fetched in parts. */
#include "base/reader.h"
#include "store/outbox_internal.h"

#include <string.h>

/* One operation from begin to end; *op is the caller's, filled in but for its id. */
static int
carry_out(struct store *s, struct outbox_op *op, struct error *err)
{
	struct outbox *o = CONTAINER_OF(s, struct outbox, base);
	struct error own = ERROR_INIT;

	outbox_lock(o);
	int rc = o->ended ? o->why.code : OK;
	if (rc == OK) {
		outbox_enqueue_locked(o, op);
		rc = outbox_await_locked(o, op, &own);
	} else {
		own = o->why;
	}
	outbox_unlock(o);
	return rc < 0 ? outbox_raise(&own, err) : OK;
}

static void
set_name(struct outbox_op *op, const char *name)
{
	memcpy(op->wire.name, name, strlen(name) + 1);
}

int
outbox_store_read(struct store *s, const char *name, uint64_t offset, void *p, size_t n,
		  struct error *err)
{
	size_t done = 0;

	/* Nothing of it is asked for as well: whether it is there is part of the answer. */
	do {
		struct outbox_op op = {.wire = {.kind = STOREOP_READ, .offset = offset + done}};

		set_name(&op, name);
		op.wire.n = MIN(n - done, (size_t)OUTBOX_PART_MAX);
		op.into = n > 0 ? (uint8_t *)p + done : NULL;
		int rc = carry_out(s, &op, err);
		if (rc < 0)
			return rc;
		done += op.got;
	} while (done < n);
	return OK;
}

int
outbox_store_stat(struct store *s, const char *name, uint64_t *ret_size, struct error *err)
{
	struct outbox_op op = {.wire = {.kind = STOREOP_STAT}};

	set_name(&op, name);
	int rc = carry_out(s, &op, err);
	if (rc < 0)
		return rc;
	if (!op.answer.exists)
		return 0;
	*ret_size = op.answer.size;
	return 1;
}

/* The entries that are whole are handed on; *ret_used says how many bytes they had. */
static int
hand_on(struct slice bytes, store_list_fn *each, void *arg, size_t *ret_used, struct error *err)
{
	struct reader r = reader_of(bytes);

	*ret_used = 0;
	while (reader_left(&r) > 0) {
		char name[STORE_NAME_MAX + 1];
		struct slice text = reader_bytes(&r);
		struct store_entry entry = {.name = name, .size_bytes = reader_varint(&r)};

		if (r.failed)
			break;
		if (text.n > STORE_NAME_MAX)
			return error_set(err, ERR_PROTOCOL, "a name of %zu bytes", text.n);
		memcpy(name, text.p, text.n);
		name[text.n] = '\0';
		if (!store_name_valid(name))
			return error_set(err, ERR_PROTOCOL, "an impossible name");
		int rc = each(arg, &entry, err);
		if (rc < 0)
			return rc;
		*ret_used = bytes.n - reader_left(&r);
	}
	return OK;
}

int
outbox_store_list(struct store *s, const char *prefix, store_list_fn *each, void *arg,
		  struct error *err)
{
	struct outbox *o = CONTAINER_OF(s, struct outbox, base);
	CLEAN(free_ptr) uint8_t *page = malloc(OUTBOX_PART_MAX);
	uint64_t at = 0, number;
	size_t kept = 0, used; /* of an entry that the page before cut in two */

	if (page == NULL)
		return error_no_memory(err);
	outbox_lock(o);
	number = ++o->last_number;
	outbox_unlock(o);
	for (;;) {
		struct outbox_op op = {
			.wire = {.kind = STOREOP_LIST, .upload = number, .offset = at},
		};

		set_name(&op, prefix);
		op.wire.n = OUTBOX_PART_MAX - kept;
		op.into = page + kept;
		int rc = carry_out(s, &op, err);
		if (rc < 0)
			return rc;
		at += op.got;
		rc = hand_on(SLICE(page, kept + op.got), each, arg, &used, err);
		if (rc < 0)
			return rc;
		kept = kept + op.got - used;
		memmove(page, page + used, kept);
		if (at == op.answer.size && kept == 0)
			return OK;
		if (op.got == 0 || at > op.answer.size || kept > STORE_NAME_MAX + 20)
			return error_set(err, ERR_PROTOCOL, "the listing of '%s' is damaged",
					 prefix);
	}
}
