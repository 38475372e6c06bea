/* SPDX-License-Identifier: Apache-2.0 */

/* 24 bytes, little-endian. */
#include "provider/origin.h"

#include <sys/xattr.h>

#include "base/le.h"

enum { ORIGIN_SIZE = 24 };

int
provider_origin_read(int fd, struct provider_origin *ret)
{
	uint8_t b[ORIGIN_SIZE];

	if (fgetxattr(fd, PROVIDER_ORIGIN_XATTR, b, sizeof(b)) != (ssize_t)sizeof(b))
		return 0;
	*ret = (struct provider_origin){le64_get(b), le64_get(b + 8), le64_get(b + 16)};
	return 1;
}

int
provider_origin_write(int fd, const struct provider_origin *o)
{
	uint8_t b[ORIGIN_SIZE];

	le64_put(b, o->inode);
	le64_put(b + 8, o->ctime_ns);
	le64_put(b + 16, o->mtime_ns);
	return fsetxattr(fd, PROVIDER_ORIGIN_XATTR, b, sizeof(b), 0);
}
