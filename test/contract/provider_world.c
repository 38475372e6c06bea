/* SPDX-License-Identifier: Apache-2.0 */

/* The worlds of the provider contract: file systems in image files, and small helpers. */
#include "provider_contract.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int
provider_world_run(const char *program, ...)
{
	char *argv[24] = {(char *)(uintptr_t)program};
	size_t n = 1;
	va_list ap;
	int status;

	va_start(ap, program);
	while (n + 1 < ARRAY_SIZE(argv) && (argv[n] = va_arg(ap, char *)) != NULL)
		n++;
	va_end(ap);
	argv[n] = NULL;
	pid_t pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);
		(void)dup2(null, STDIN_FILENO);
		(void)dup2(null, STDOUT_FILENO);
		if (getenv("PROVIDER_WORLD_SHOW") == NULL)
			(void)dup2(null, STDERR_FILENO);
		(void)setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
		(void)execvp(program, argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) && WEXITSTATUS(status) != 127 ? WEXITSTATUS(status) : -1;
}

void
provider_world_lacks(struct provider_world *w, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(w->missing, sizeof(w->missing), format, ap);
	va_end(ap);
}

void
provider_world_write(const char *folder, const char *name, const char *text)
{
	char path[2048];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		fail_msg("create '%s': %s", path, strerror(errno));
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

void
provider_world_expect(const char *folder, const char *name, const char *text)
{
	char path[2048], have[1024] = "";

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("open '%s': %s", path, strerror(errno));
	ssize_t n = read(fd, have, sizeof(have) - 1);
	assert_true(n >= 0);
	have[n] = '\0';
	assert_string_equal(have, text);
	(void)close(fd);
}
