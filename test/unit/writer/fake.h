/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Writers for tests, good and hostile, in the test's own executable: a link to it named
 * holdfast-writer-fake or holdfast-writer-good runs as one.
 *
 * "good" is a writer on the real server library. "fake" speaks the protocol with its own hands and
 * misbehaves as its settings say: {"at": EVENT, "do": WHAT}; see fake.c for what.
 */
#ifndef HF_TEST_WRITER_FAKE_H
#define HF_TEST_WRITER_FAKE_H

#include <stdbool.h>

/* If the program was started under such a name, run as that writer. *ret_status: what main
 * returns. */
bool fake_run(const char *argv0, int *ret_status);

/* A new folder with both links; removed by fake_dir_remove. NULL on failure. */
char *fake_dir_new(void);
void fake_dir_remove(char *dir);

#endif
