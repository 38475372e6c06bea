/* SPDX-License-Identifier: Apache-2.0 */

/* Linear probing with backward-shift deletion, at most half full. */
#include "repo/idset.h"

#include "base/le.h"

void
idset_done(struct idset *s)
{
	free(s->slots);
	*s = (struct idset){0};
}

static size_t
home(const struct idset *s, const struct blob_id *id)
{
	return le64_get(id->b) & (s->cap - 1);
}

/* The slot that holds id, or the empty one where it would go. */
static size_t
locate(const struct idset *s, const struct blob_id *id)
{
	size_t i = home(s, id);

	while (!blob_id_is_hole(&s->slots[i]) && !blob_id_equal(&s->slots[i], id))
		i = (i + 1) & (s->cap - 1);
	return i;
}

static int
grow(struct idset *s, struct error *err)
{
	struct idset bigger = {.cap = s->cap ? 2 * s->cap : 1024};

	bigger.slots = calloc(bigger.cap, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < s->cap; i++)
		if (!blob_id_is_hole(&s->slots[i]))
			bigger.slots[locate(&bigger, &s->slots[i])] = s->slots[i];
	bigger.n = s->n;
	free(s->slots);
	*s = bigger;
	return OK;
}

int
idset_add(struct idset *s, const struct blob_id *id, struct error *err)
{
	if (2 * (s->n + 1) > s->cap && grow(s, err) < 0)
		return err->code;
	size_t i = locate(s, id);
	if (!blob_id_is_hole(&s->slots[i]))
		return 0;
	s->slots[i] = *id;
	s->n++;
	return 1;
}

bool
idset_has(const struct idset *s, const struct blob_id *id)
{
	return s->cap > 0 && !blob_id_is_hole(&s->slots[locate(s, id)]);
}

void
idset_remove(struct idset *s, const struct blob_id *id)
{
	size_t i, hole;

	if (s->cap == 0)
		return;
	hole = locate(s, id);
	if (blob_id_is_hole(&s->slots[hole]))
		return;
	/* Move back every follower whose probe would otherwise stop at the hole. */
	for (i = (hole + 1) & (s->cap - 1); !blob_id_is_hole(&s->slots[i]);
	     i = (i + 1) & (s->cap - 1)) {
		size_t distance = (i - home(s, &s->slots[i])) & (s->cap - 1);

		if (distance >= ((i - hole) & (s->cap - 1))) {
			s->slots[hole] = s->slots[i];
			hole = i;
		}
	}
	s->slots[hole] = (struct blob_id){0};
	s->n--;
}
