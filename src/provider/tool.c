/* SPDX-License-Identifier: Apache-2.0 */

/* Running, reading, ending. */
#include "provider/tool.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/spawn.h"
#include "base/text.h"

extern char **environ;

enum { QUOTE_MAX = 300, READ_SIZE = 4096 };

int
tool_split(const char *line, char *store, char *ret_argv[TOOL_ARGS_MAX + 1], struct error *err)
{
	size_t n = 0;
	const char *p = line;

	for (;;) {
		char quote = '\0';

		p += strspn(p, " \t");
		if (*p == '\0')
			break;
		if (n == TOOL_ARGS_MAX)
			return error_set(err, ERR_CONFIG, "'%s': more than %d words", line,
					 TOOL_ARGS_MAX);
		ret_argv[n++] = store;
		for (; *p != '\0' && (quote != '\0' || (*p != ' ' && *p != '\t')); p++) {
			if (quote == '\0' && (*p == '\'' || *p == '"'))
				quote = *p;
			else if (*p == quote)
				quote = '\0';
			else
				*store++ = *p;
		}
		if (quote != '\0')
			return error_set(err, ERR_CONFIG, "'%s': a quote is not closed", line);
		*store++ = '\0';
		if (*p == '\0')
			break;
	}
	ret_argv[n] = NULL;
	if (n == 0)
		return error_set(err, ERR_CONFIG, "the command is empty");
	return OK;
}

int
tool_check(const char *program, struct error *err)
{
	struct stat st;

	if (program[0] != '/')
		return error_set(err, ERR_CONFIG, "'%s': give the program's whole path", program);
	if (stat(program, &st) < 0)
		return error_sys(err, ERR_CONFIG, "look at '%s'", program);
	if (!S_ISREG(st.st_mode) || access(program, X_OK) < 0)
		return error_set(err, ERR_CONFIG, "'%s' cannot be executed", program);
	if (st.st_uid != 0 || (st.st_mode & 0022) != 0) {
		error_set(err, ERR_CONFIG, "'%s' can be changed by others than root", program);
		return error_hint(err, "It is run by root: chown root, chmod go-w.");
	}
	return OK;
}

/* What it said, on one line. */
static void
quote(const struct buf *said, char text[QUOTE_MAX])
{
	size_t n = MIN(said->n, (size_t)QUOTE_MAX - 1);

	while (n > 0 && (said->p[n - 1] == '\n' || said->p[n - 1] == ' '))
		n--;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = said->p[i];
		text[i] = (char)(c == '\n' ? ';' : c < ' ' || c == 0x7f ? '?' : c);
	}
	text[n] = '\0';
}

/* Read what is there; what is more than the buffer takes is thrown away. False: the end. */
static bool
drain(int fd, struct buf *b)
{
	uint8_t block[READ_SIZE];
	ssize_t n;

	while ((n = read(fd, block, sizeof(block))) > 0)
		if (b->n < b->max)
			(void)!buf_append(b, block, MIN((size_t)n, b->max - b->n), NULL);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Until the program ended: what it started may go on holding the pipes. 1 ended, 0 deadline. */
static int
attend(struct child *c, uint64_t deadline_ns, struct buf *out, struct buf *said, int *ret_status,
       struct error *err)
{
	struct pollfd p[] = {{c->pidfd, POLLIN, 0}, {c->out, POLLIN, 0}, {c->errout, POLLIN, 0}};

	for (;;) {
		int n = poll(p, ARRAY_SIZE(p), clock_left_ms(deadline_ns));

		if (n == 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return error_sys(err, ERR_IO, "wait for a program");
		if (n < 0)
			continue;
		if (p[1].revents != 0 && !drain(c->out, out))
			p[1].fd = -1;
		if (p[2].revents != 0 && !drain(c->errout, said))
			p[2].fd = -1;
		if (p[0].revents == 0)
			continue;
		(void)drain(c->out, out);
		(void)drain(c->errout, said);
		return child_wait(c, deadline_ns, ret_status, err);
	}
}

static int
judge(const char *program, int status, const struct buf *said, const struct buf *out,
      struct error *err)
{
	char text[QUOTE_MAX];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return OK;
	quote(said->n > 0 ? said : out, text);
	if (WIFSIGNALED(status))
		return error_set(err, ERR_IO, "run '%s': ended by signal %d: %s", program,
				 WTERMSIG(status), text);
	return error_set(err, ERR_IO, "run '%s': exit status %d: %s", program, WEXITSTATUS(status),
			 text);
}

/* Ours without what belongs to Holdfast, then C messages, then `extra`. */
static char **
make_env(char *const extra[])
{
	static char locale[] = "LC_ALL=C";
	size_t n = 0, used = 0, more = 0;
	char **env;

	while (environ != NULL && environ[n] != NULL)
		n++;
	while (extra != NULL && extra[more] != NULL)
		more++;
	env = calloc(n + more + 2, sizeof(*env));
	for (size_t i = 0; env != NULL && i < n; i++)
		if (strncmp(environ[i], "HOLDFAST_", strlen("HOLDFAST_")) != 0 &&
		    strncmp(environ[i], "LC_ALL=", strlen("LC_ALL=")) != 0)
			env[used++] = environ[i];
	for (size_t i = 0; env != NULL && i < more; i++)
		env[used++] = extra[i];
	if (env != NULL)
		env[used++] = locale;
	return env;
}

int
tool_run(char *const argv[], char *const env[], uint64_t deadline_ns, struct buf *out,
	 struct error *err)
{
	CLEAN(child_kill) struct child c = CHILD_INIT;
	CLEAN(free_ptr) char **whole_env = make_env(env);
	CLEAN(buf_done) struct buf said = BUF_INIT(QUOTE_MAX), ignored = BUF_INIT(QUOTE_MAX);
	int status = 0, r;

	if (whole_env == NULL)
		return error_no_memory(err);
	if (child_start_env(argv, whole_env, &c, err) < 0)
		return err->code;
	fd_close(&c.in);
	c.in = -1;
	r = attend(&c, deadline_ns, out != NULL ? out : &ignored, &said, &status, err);
	if (r < 0)
		return r;
	if (r == 0)
		return error_set(err, ERR_TIMEOUT, "run '%s': it took too long and was ended",
				 argv[0]);
	return judge(argv[0], status, &said, out != NULL ? out : &ignored, err);
}
