/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Passwords and key files, read into struct secret. A password comes from a file or from the
 * terminal, never from the command line or the environment, where others can read it.
 */
#ifndef HF_CLI_PASSWORD_H
#define HF_CLI_PASSWORD_H

#include "base/base.h"
#include "base/error.h"
#include "cli/cli.h"
#include "crypto/crypto.h"

enum {
	PASSWORD_MAX = 4096,
	KEY_FILE_MIN = 32,
	KEY_FILE_MAX = 64 << 10,
	KEY_FILE_NEW = 64, /* bytes in a key file that we make */
};

/* The one line in the file, without its end. */
CHECKED int password_from_file(const struct cli *cli, const char *path, struct secret **ret,
			       struct error *err);
/* Ask on /dev/tty, without echo; twice if `confirm`. Without a terminal, `otherwise` is the hint: what
 * to give instead. */
CHECKED int password_from_terminal(const char *prompt, const char *otherwise, bool confirm,
				   struct secret **ret, struct error *err);

/* The file's content. With `create`, a file that does not exist is made (0600, random bytes,
 * on disk before this returns) and *ret_created set. */
CHECKED int password_key_file(const struct cli *cli, const char *path, bool create,
			      struct secret **ret, bool *ret_created, struct error *err);

#endif
