/* SPDX-License-Identifier: Apache-2.0 */

/* Journals of guards. What is read without complaint is written again and must read the same. */
#include <string.h>

#include "guard/journal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
again(const struct journal_image *a)
{
	CLEAN(buf_done) struct buf b = BUF_INIT(64 << 20);
	CLEAN(journal_done) struct journal_image image = {.damaged = false};
	struct error err = ERROR_INIT;
	int rc = journal_put_magic(&b, &err);

	if (rc == OK)
		rc = journal_put_start(&b, &a->start, &err);
	for (size_t i = 0; rc == OK && i < a->n_leases; i++)
		rc = journal_put_lease(&b, &a->leases[i], &err);
	for (size_t i = 0; rc == OK && i < a->n_members; i++)
		rc = journal_put_member(&b, &a->members[i], &err);
	for (size_t i = 0; rc == OK && i < a->n_freezes; i++)
		rc = journal_put_freeze(&b, &a->freezes[i], &err);
	if (rc < 0 || journal_parse(buf_slice(&b), &image, &err) < 0 ||
	    image.n_leases != a->n_leases || image.n_members != a->n_members ||
	    image.n_freezes != a->n_freezes)
		abort();
	for (size_t i = 0; i < a->n_members; i++) {
		if (strcmp(image.members[i].snapshot.place, a->members[i].snapshot.place) != 0)
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(journal_done) struct journal_image image;
	struct error err = ERROR_INIT;

	if (journal_parse(SLICE(data, size), &image, &err) == OK && image.n_records > 0)
		again(&image);
	return 0;
}
