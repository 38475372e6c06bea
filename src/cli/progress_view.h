/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Shows how far an operation is, from a thread of its own that reads the counters: a line redrawn
 * five times a second on a terminal, a new line every ten seconds elsewhere, a JSON object a second
 * with --json. Messages that come meanwhile go above the line.
 */
#ifndef HF_CLI_PROGRESS_VIEW_H
#define HF_CLI_PROGRESS_VIEW_H

#include "base/base.h"
#include "base/error.h"
#include "cli/cli.h"
#include "mover/progress.h"

struct progress_view;
struct progress_sample;

/* What is shown. Must live until progress_view_stop(). */
struct progress_source {
	/* Fill the counts and totals; called from the view's thread. */
	void (*read)(void *arg, struct progress_sample *sample);
	void *arg;
	_Atomic bool *cancelled; /* set when a signal asks for the end */
};

/* For operations of the mover. */
struct progress_source progress_view_source(struct progress *progress);

CHECKED int progress_view_start(const struct cli *cli, const struct progress_source *source,
				struct progress_view **ret, struct error *err);
/* What is happening now; a session_phase_fn, arg is the view. */
void progress_view_phase(void *arg, const char *what);
/* Take the line away and end the thread. NULL is fine. */
void progress_view_stop(struct progress_view *view);
void progress_view_stopp(struct progress_view **view); /* for CLEAN() */

#endif
