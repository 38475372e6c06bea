/* SPDX-License-Identifier: Apache-2.0 */

/* Collecting warnings. A warning that cannot be kept for want of memory is still counted and
 * shown. */
#include "requester/warnings.h"

#include <string.h>

#include "base/json.h"

int
warnings_init(struct warnings *w, mover_warn_fn *show, void *show_arg, struct error *err)
{
	struct warnings fresh = {.show = show, .show_arg = show_arg, .kept = json_array()};

	if (fresh.kept == NULL)
		return error_no_memory(err);
	*w = fresh;
	return OK;
}

void
warnings_done(struct warnings *w)
{
	json_decref(w->kept);
	*w = (struct warnings){0};
}

void
warnings_add(void *arg, const char *path, enum err code, bool serious, const char *message)
{
	struct warnings *w = arg;
	json_t *j;

	w->count++;
	if (serious)
		w->serious++;
	if ((serious ? w->serious : w->count - w->serious) > WARNINGS_KEPT) {
		w->dropped++;
		return;
	}
	/* Without memory it is still shown. */
	j = json_pack("{s:o, s:s, s:b, s:o}", "path", json_bytes(path, strlen(path)), "code",
		      error_name(code), "serious", serious ? 1 : 0, "message",
		      json_bytes(message, strlen(message)));
	if (j != NULL)
		(void)json_array_append_new(w->kept, j);
	if (w->show != NULL)
		w->show(w->show_arg, path, code, serious, message);
}
