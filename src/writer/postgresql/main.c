/* SPDX-License-Identifier: Apache-2.0 */

/*
 * holdfast-writer-postgresql: speaks the writer protocol on its standard input and output. Not
 * meant to be run by people, but it says so when they do.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/error.h"
#include "writer/postgresql/pgwriter.h"
#include "writer/server.h"

static const char usage[] =
	"holdfast-writer-postgresql " HF_VERSION "\n"
	"Brings a PostgreSQL cluster (13 to 17) to a consistent point for a backup.\n"
	"This program is started by holdfast and speaks the protocol described in\n"
	"writer-protocol.md on its standard input and output:\n"
	"    holdfast backup --writer postgresql ...\n";

static int
serve(pid_t parent)
{
	struct error err = ERROR_INIT;
	struct pgwriter *w;

	int rc = pgwriter_new(parent, &w, &err);
	if (rc == OK) {
		rc = server_run(&pgwriter_ops, w, STDIN_FILENO, STDOUT_FILENO, &err);
		pgwriter_free(w);
	}
	if (rc < 0) {
		(void)fprintf(stderr, "holdfast-writer-postgresql: %s\n", err.msg);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	pid_t parent = getppid();

	if (argc > 1) {
		bool wanted = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "--version") == 0;

		(void)fputs(usage, wanted ? stdout : stderr);
		return wanted ? EXIT_SUCCESS : 2;
	}
	/* Never outlive whoever asked for the backup, whatever started us. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		return EXIT_FAILURE;
	/* A reader that goes away is an error of a write, not the end of us before the undo. */
	(void)signal(SIGPIPE, SIG_IGN);
	return serve(parent);
}
