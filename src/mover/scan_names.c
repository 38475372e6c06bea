/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Listing a folder: getdents64 into the worker's large buffer, a few system calls even for a million
 * names. All names are kept (a sorted walk needs them), packed, about 40 bytes each; what is known of
 * each file is not: that comes window by window.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "mover/scan.h"

enum { LIST_BUFFER = 256 << 10 };

static int
add_name(struct folder *folder, size_t *cap, const struct dirent64 *d, struct error *err)
{
	size_t n = strlen(d->d_name);

	/* A file system could say anything; a repository takes only names. */
	if (n == 0 || n > NODE_NAME_MAX || memchr(d->d_name, '/', n) != NULL)
		return OK;
	if (folder->n_refs == *cap) {
		size_t more = *cap == 0 ? 64 : *cap * 2;
		struct folder_name *refs = reallocarray(folder->refs, more, sizeof(*refs));

		if (refs == NULL)
			return error_no_memory(err);
		folder->refs = refs;
		*cap = more;
	}
	folder->refs[folder->n_refs] = (struct folder_name){
		.ino = d->d_ino,
		.at = (uint32_t)folder->names.n,
		.length = (uint8_t)n,
	};
	if (buf_append(&folder->names, d->d_name, n + 1, err) < 0)
		return err->code;
	folder->n_refs++;
	return OK;
}

static int
by_name(const void *a, const void *b, void *names)
{
	const struct folder_name *x = a, *y = b;
	const uint8_t *p = names;

	return folder_name_order(SLICE(p + x->at, x->length), SLICE(p + y->at, y->length));
}

static bool
is_dots(const char *name)
{
	return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* A name may come twice when the folder changes while it is listed. */
static void
drop_doubles(struct folder *folder)
{
	size_t n = 0;

	for (size_t i = 0; i < folder->n_refs; i++) {
		if (n > 0 && by_name(&folder->refs[n - 1], &folder->refs[i], folder->names.p) == 0)
			continue;
		folder->refs[n++] = folder->refs[i];
	}
	folder->n_refs = n;
}

int
scan_names(struct mover_worker *w, struct folder *folder, int fd, struct error *err)
{
	size_t cap = 0;

	for (;;) {
		ssize_t n = getdents64(fd, w->buffer, LIST_BUFFER);

		if (n < 0 && (errno == ENOENT || errno == EINTR)) /* removed meanwhile: empty */
			n = errno == EINTR ? 1 : 0;
		else if (n < 0) {
			char reason[128];

			worker_warn(w, folder->entry, ERR_SOURCE, true,
				    "list the folder: %s; what was listed before is kept",
				    strerror_r(errno, reason, sizeof(reason)));
			n = 0;
		} else {
			for (ssize_t at = 0; at < n;) {
				const struct dirent64 *d = (const void *)(w->buffer + at);

				if (!is_dots(d->d_name) && add_name(folder, &cap, d, err) < 0)
					return err->code;
				at += d->d_reclen;
			}
		}
		if (n == 0)
			break;
	}
	if (folder->n_refs > 1) {
		qsort_r(folder->refs, folder->n_refs, sizeof(*folder->refs), by_name,
			folder->names.p);
		drop_doubles(folder);
	}
	return OK;
}
