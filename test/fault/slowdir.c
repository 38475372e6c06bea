/* SPDX-License-Identifier: Apache-2.0 */

/*
 * For LD_PRELOAD: while the file HF_SLOWDIR_FILE exists, every entry read from a folder takes as many
 * microseconds as that file says, for every process that has this library. As on a server whose disks are
 * busy: the more files, the longer it takes to list them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static unsigned
delay_us(void)
{
	const char *name = getenv("HF_SLOWDIR_FILE");
	char text[16] = "";
	int fd = name != NULL ? open(name, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n;

	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	return n > 0 ? (unsigned)strtoul(text, NULL, 10) : 0;
}

static void
delay(void)
{
	int before = errno; /* the end of a folder is told from a failure by it */
	unsigned us = delay_us();

	if (us != 0)
		(void)usleep(us);
	errno = before;
}

/* Both names there are: whoever is slowed down may use either. Their results are passed on. */
void *slowdir_readdir(void *dir) __asm__("readdir");
void *slowdir_readdir64(void *dir) __asm__("readdir64");

void *
slowdir_readdir(void *dir)
{
	static void *(*real)(void *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir");
	delay();
	return real(dir);
}

void *
slowdir_readdir64(void *dir)
{
	static void *(*real)(void *);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "readdir64");
	delay();
	return real(dir);
}
