/* SPDX-License-Identifier: Apache-2.0 */

/* The provider contract on every provider there is, and what only one of them has to keep. */
#include "provider_contract.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

static void
make_subvolume(const char *path)
{
	struct btrfs_ioctl_vol_args args = {0};
	char folder[256];

	(void)snprintf(folder, sizeof(folder), "%s", path);
	char *slash = strrchr(folder, '/');
	*slash = '\0';
	(void)snprintf(args.name, sizeof(args.name), "%s", slash + 1);
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, BTRFS_IOC_SUBVOL_CREATE, &args), 0);
	(void)close(fd);
}

int
main(void)
{
	static const struct provider_subject subjects[] = {
		{.name = "btrfs",
		 .provider = "btrfs",
		 .file_system = "btrfs",
		 .make_source = make_subvolume},
		{.name = "reflink on xfs",
		 .provider = "reflink",
		 .file_system = "xfs",
		 .writable = true},
		{.name = "reflink on btrfs",
		 .provider = "reflink",
		 .file_system = "btrfs",
		 .writable = true},
	};
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++)
		failed += provider_contract_run(&subjects[i]);
	return failed;
}
