/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Putting a tree together from places that lie apart: the paths a user asked for below their parents,
 * a component's relocated folders, the tail that comes after the copy, files that a writer made.
 *
 *	graft_new (the top first) -> graft_start each -> jobs run -> more of both -> graft_write
 *
 * The top's folder and those right below it are held in memory until graft_write(), and so is every
 * folder on the way to a graft that is known when they are scanned. All calls come from the thread
 * that called the mover, while no jobs run; grafts use the first worker for what they do at once.
 */
#ifndef HF_MOVER_GRAFT_H
#define HF_MOVER_GRAFT_H

#include <stdbool.h>

#include "base/base.h"
#include "mover/worker.h"

/* at: relative, '/'-separated, without empty parts; source: absolute, or NULL. Both are copied. */
CHECKED int graft_new(struct mover *m, const char *at, const char *source, struct graft **ret,
		      struct error *err);
/* Look at its source, compare with the previous restore point, and make a job of what is to be done.
 * What cannot be read is a warning, or an error if the graft is needed. */
CHECKED int graft_start(struct mover *m, struct graft *g, struct error *err);
/* Instead of starting it: a folder for other grafts to be in, with the attributes of `source`. */
CHECKED int graft_make_folder(struct mover *m, struct graft *g, struct error *err);
/* Instead of starting it: a file with this content. */
CHECKED int graft_make_file(struct mover *m, struct graft *g, struct slice data, uint16_t mode,
			    struct error *err);
/* Attach all to the top, write what was held. Frees them, also after a failure. */
CHECKED int graft_write(struct mover *m, struct blob_id *ret_tree, struct error *err);
void graft_drop_all(struct mover *m);

/* Is this folder, just opened, to be held? Sets entry->held's folder aside: see folder.h. */
CHECKED int graft_holds(struct mover_worker *w, struct entry *e, bool *ret_held, struct error *err);

#endif
