/* SPDX-License-Identifier: Apache-2.0 */

/* /proc/self/mountinfo: mount points and sources are named by whoever mounts, containers' users among them. */
#include <string.h>

#include "provider/mounts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEAN(mounts_done) struct mounts all = {0};
	CLEAN(free_ptr) char *text = malloc(size + 1);
	struct error err = ERROR_INIT;
	size_t lines = 1;

	if (text == NULL)
		return 0;
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (size_t i = 0; i < size; i++)
		lines += data[i] == '\n';
	if (mounts_parse(text, &all, &err) < 0)
		abort(); /* only want of memory is an error */
	if (all.n > lines)
		abort();
	for (size_t i = 0; i < all.n; i++) {
		const struct mount *m = &all.list[i];

		if (m->root == NULL || m->point == NULL || m->type == NULL || m->source == NULL ||
		    strlen(m->point) > size || mounts_find(&all, m->id) == NULL)
			abort();
		if (mounts_is_pseudo(m->type) && !mounts_is_volatile(m->type))
			abort();
	}
	return 0;
}
