/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A writer for tests of the recipes, in the test's own executable: a link to it that is named
 * holdfast-writer-db runs as one. Its settings say what it is like:
 *
 *	source	the folder that is its database; what lies in SOURCE/away belongs to a folder of its
 *		own that SOURCE/away is a link to
 *	fail	the event it fails at
 *	log	a file to which the name of each event is appended
 *
 * After the copy it adds a file "label". After a restore it writes "restored" into the target.
 */
#ifndef HF_TEST_UNIT_REQUESTER_DBWRITER_H
#define HF_TEST_UNIT_REQUESTER_DBWRITER_H

#include <stdbool.h>

/* If the program was started under that name, run as the writer. *ret_status: what main returns. */
bool dbwriter_run(const char *argv0, int *ret_status);

#endif
