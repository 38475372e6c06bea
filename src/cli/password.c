/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Reading secrets. What is read lands in a buffer on the stack that is wiped before it goes; the
 * terminal's echo is off only while a password is typed, and comes back whatever happens.
 */
#include "cli/password.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>

#include "base/fs.h"
#include "cli/show.h"
#include "cli/signals.h"

/* A copy of p[0..n). */
static int
make_secret(const void *p, size_t n, struct secret **ret, struct error *err)
{
	struct secret *s;

	if (secret_new(n, &s, err) < 0)
		return err->code;
	memcpy(secret_bytes(s), p, n);
	*ret = s;
	return OK;
}

/* Read up to size bytes; more is an error. Also works for pipes. */
static int
read_secret_file(const struct cli *cli, const char *path, const char *what, uint8_t *p, size_t size,
		 size_t *ret_n, struct error *err)
{
	CLEAN(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;
	size_t n = 0;

	if (fd < 0 && errno == ENOENT) {
		error_sys(err, ERR_NOT_FOUND, "open %s '%s'", what, path);
		return error_hint(err,
				  "check the path; 'holdfast config show' tells where it was set");
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_sys(err, ERR_IO, "open %s '%s'", what, path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, ERR_USAGE, "%s '%s' is a folder", what, path);
	if (S_ISREG(st.st_mode) && (st.st_mode & (S_IRGRP | S_IROTH)) != 0) {
		char message[256];

		(void)snprintf(message, sizeof(message),
			       "%s '%s' can be read by other users: chmod 600", what, path);
		show_warning(cli, path, ERR_PERMISSION, false, message);
	}
	for (;;) {
		ssize_t got = read(fd, p + n, size - n);

		if (got < 0 && errno == EINTR && signals_caught() == 0)
			continue;
		if (got < 0)
			return error_sys(err, ERR_IO, "read %s '%s'", what, path);
		if (got == 0)
			break;
		n += (size_t)got;
		if (n == size)
			return error_set(err, ERR_LIMIT, "%s '%s' is longer than %zu bytes", what,
					 path, size - 1);
	}
	*ret_n = n;
	return OK;
}

/* Without the line's end; what is left must be one line, and not empty. */
static int
check_password(const uint8_t *p, size_t n, const char *where, struct secret **ret,
	       struct error *err)
{
	if (n > 0 && p[n - 1] == '\n')
		n--;
	if (n > 0 && p[n - 1] == '\r')
		n--;
	if (n == 0)
		return error_set(err, ERR_USAGE, "the password%s is empty", where);
	if (memchr(p, '\n', n) != NULL || memchr(p, '\0', n) != NULL) {
		error_set(err, ERR_USAGE, "the password%s has more than one line", where);
		return error_hint(err, "a file of random bytes is given with --key-file");
	}
	return make_secret(p, n, ret, err);
}

int
password_from_file(const struct cli *cli, const char *path, struct secret **ret, struct error *err)
{
	uint8_t text[PASSWORD_MAX + 1];
	size_t n;
	int r = read_secret_file(cli, path, "password file", text, sizeof(text), &n, err);

	if (r == OK)
		r = check_password(text, n, " in the file", ret, err);
	crypto_wipe(text, sizeof(text));
	return r;
}

/* One line from the terminal, echo off. */
static int
ask(int tty, const char *prompt, uint8_t *text, size_t size, size_t *ret_n, struct error *err)
{
	struct termios before;
	struct termios silent;
	size_t n = 0;
	int r = OK;

	if (tcgetattr(tty, &before) < 0)
		return error_sys(err, ERR_IO, "read the terminal's settings");
	if (fs_write(tty, prompt, strlen(prompt), err) < 0)
		return error_prefix(err, "terminal");
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	if (tcsetattr(tty, TCSAFLUSH, &silent) < 0)
		return error_sys(err, ERR_IO, "switch off the terminal's echo");
	while (r == OK && n < size) {
		ssize_t got = read(tty, text + n, 1);

		if (got < 0 && errno == EINTR && signals_caught() == 0)
			continue;
		if (got < 0 && errno == EINTR)
			r = error_set(err, ERR_CANCELLED, "stopped on request");
		else if (got < 0)
			r = error_sys(err, ERR_IO, "read the terminal");
		else if (got == 0 || text[n] == '\n')
			break;
		else
			n++;
	}
	(void)tcsetattr(tty, TCSAFLUSH, &before);
	(void)!write(tty, "\n", 1);
	if (r == OK && n == size)
		r = error_set(err, ERR_LIMIT, "the password is longer than %zu bytes", size - 1);
	*ret_n = n;
	return r;
}

int
password_from_terminal(const char *prompt, const char *otherwise, bool confirm, struct secret **ret,
		       struct error *err)
{
	CLEAN(fd_close) int tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	uint8_t text[2][PASSWORD_MAX + 1];
	size_t n[2];
	int r;

	if (tty < 0) {
		error_set(err, ERR_USAGE, "there is no terminal to ask for the password on");
		return error_hint(err, "%s", otherwise);
	}
	r = ask(tty, prompt, text[0], sizeof(text[0]), &n[0], err);
	if (r == OK && confirm)
		r = ask(tty, "once more: ", text[1], sizeof(text[1]), &n[1], err);
	if (r == OK && confirm && (n[0] != n[1] || !crypto_equal(text[0], text[1], n[0])))
		r = error_set(err, ERR_USAGE, "the two passwords are not the same");
	if (r == OK)
		r = check_password(text[0], n[0], "", ret, err);
	crypto_wipe(text, sizeof(text));
	return r;
}

static int
create_key_file(const char *path, struct secret **ret, struct error *err)
{
	CLEAN(secret_freep) struct secret *key = NULL;
	CLEAN(fd_close) int fd = -1;
	int r;

	if (secret_random(KEY_FILE_NEW, &key, err) < 0)
		return err->code;
	/* Never over an existing file, and never a moment readable by others. */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_sys(err, ERR_IO, "create key file '%s'", path);
	r = fs_write(fd, secret_view(key), KEY_FILE_NEW, err);
	if (r == OK && fsync(fd) < 0)
		r = error_sys(err, ERR_IO, "fsync");
	if (r == OK && close(STEAL_FD(fd)) < 0)
		r = error_sys(err, ERR_IO, "close");
	if (r == OK)
		r = fs_sync_parent(AT_FDCWD, path, err);
	if (r < 0) {
		(void)unlink(path);
		return error_prefix(err, "create key file '%s'", path);
	}
	*ret = STEAL_PTR(key);
	return OK;
}

int
password_key_file(const struct cli *cli, const char *path, bool create, struct secret **ret,
		  bool *ret_created, struct error *err)
{
	uint8_t bytes[KEY_FILE_MAX + 1];
	size_t n;
	int r;

	*ret_created = false;
	if (create && access(path, F_OK) < 0 && errno == ENOENT) {
		if (create_key_file(path, ret, err) < 0)
			return err->code;
		*ret_created = true;
		return OK;
	}
	r = read_secret_file(cli, path, "key file", bytes, sizeof(bytes), &n, err);
	if (r == OK && n < KEY_FILE_MIN) {
		r = error_set(err, ERR_USAGE, "key file '%s' has only %zu bytes", path, n);
		error_hint(err, "a key file holds at least %d random bytes", KEY_FILE_MIN);
	}
	if (r == OK)
		r = make_secret(bytes, n, ret, err);
	crypto_wipe(bytes, sizeof(bytes));
	return r;
}
