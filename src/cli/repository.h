/* SPDX-License-Identifier: Apache-2.0 */

/* An open repository for one run of the program: location, key and cache as the settings say. */
#ifndef HF_CLI_REPOSITORY_H
#define HF_CLI_REPOSITORY_H

#include "base/base.h"
#include "base/error.h"
#include "cli/cli.h"
#include "crypto/crypto.h"
#include "repo/repo.h"

/* What to give where there is no terminal to ask for the repository's password on. */
#define REPOSITORY_KEY_HINT                                                                        \
	"give --password-file or --key-file, or set HOLDFAST_PASSWORD_FILE or HOLDFAST_KEY_FILE"

struct repository {
	struct store *store;
	struct secret *secret; /* the password or key file's content */
	struct repo *repo;
};

CHECKED int repository_open(const struct cli *cli, struct repository *ret, struct error *err);
void repository_close(struct repository *s); /* for CLEAN(), too */

/* The repository's location; ERR_USAGE that says how to give one. */
CHECKED int repository_location(const struct cli *cli, const char **ret, struct error *err);
/* Read what opens the repository, asking for a password if nothing else is set. */
CHECKED int repository_key(const struct cli *cli, struct secret **ret_secret,
			   struct key_source *ret_source, struct error *err);
/* Is a key file in force (rather than a password)? NULL: no. */
const char *repository_key_file(const struct cli *cli);
/* "user@host", or what --label says. */
char *repository_label(const struct cli *cli, char *text, size_t size);

#endif
