/* SPDX-License-Identifier: Apache-2.0 */

/* A ring of stretches. sync_file_range() is about data only and gives no durability, which is not what
 * it is used for: that is syncfs() at the end. */
#include "mover/restore_writeout.h"

#include <errno.h>
#include <fcntl.h>

enum {
	STRETCH_MIN = 256 << 10,
	ON_THE_WAY_MAX = 16 << 20,
};

static int
settle_oldest(struct restore_writeout *out, struct error *err)
{
	struct restore_stretch *s = &out->slots[out->first];
	int rc = OK;

	if (sync_file_range(s->fd, (off_t)s->offset, (off_t)s->length,
			    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				    SYNC_FILE_RANGE_WAIT_AFTER) == 0)
		(void)posix_fadvise(s->fd, (off_t)s->offset, (off_t)s->length, POSIX_FADV_DONTNEED);
	else if (errno != ENOSYS && errno != EINVAL && errno != ESPIPE)
		rc = error_sys(err, ERR_TARGET, "write to disk");
	(void)close(STEAL_FD(s->fd));
	out->bytes -= s->length;
	out->first = (out->first + 1) % RESTORE_WRITEOUT_SLOTS;
	out->n--;
	return rc;
}

int
restore_writeout_add(struct restore_writeout *out, int fd, uint64_t offset, uint64_t length,
		     struct error *err)
{
	if (length < STRETCH_MIN)
		return OK;
	while (out->n == RESTORE_WRITEOUT_SLOTS ||
	       (out->n > 0 && out->bytes + length > ON_THE_WAY_MAX)) {
		int rc = settle_oldest(out, err);
		if (rc < 0)
			return rc;
	}
	(void)sync_file_range(fd, (off_t)offset, (off_t)length, SYNC_FILE_RANGE_WRITE);
	/* Without a descriptor to spare it just stays in memory. */
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (own < 0)
		return OK;
	out->slots[(out->first + out->n) % RESTORE_WRITEOUT_SLOTS] = (struct restore_stretch){
		.fd = own,
		.offset = offset,
		.length = length,
	};
	out->n++;
	out->bytes += length;
	return OK;
}

void
restore_writeout_done(struct restore_writeout *out)
{
	while (out->n > 0) {
		(void)close(out->slots[out->first].fd);
		out->first = (out->first + 1) % RESTORE_WRITEOUT_SLOTS;
		out->n--;
	}
	out->bytes = 0;
}
