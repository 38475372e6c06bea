/* SPDX-License-Identifier: Apache-2.0 */

/* The provider contract on every provider there is, and what only one of them has to keep. */
#include "provider_contract.h"

#include <fcntl.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static char program[128], example[1024];

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

/* The example of the documentation, on an image file behind a loop device. */
static void
use_example(struct provider_world *w)
{
	static const char *const verbs[] = {"create", "expose", "remove"};
	char *const to[] = {w->settings.external.create, w->settings.external.expose,
			    w->settings.external.remove};
	const char *root = getenv("SOURCE_ROOT");

	if (provider_world_run("blkid", "--version", NULL) != 0) {
		provider_world_lacks(w, "blkid: not installed");
		return;
	}
	/* Programs have to be root's, which a checkout need not be. */
	(void)snprintf(program, sizeof(program), "%s/external image", w->folder);
	(void)snprintf(example, sizeof(example), "%s/doc/examples/external-image",
		       root != NULL ? root : ".");
	if (provider_world_run("install", "-m", "0755", "-o", "root", example, program, NULL) != 0)
		fail_msg("install %s", example);
	for (size_t i = 0; i < 3; i++)
		(void)snprintf(to[i], PROVIDER_COMMAND_MAX, "'%s' %s", program, verbs[i]);
}

int
main(void)
{
	static const struct provider_subject subjects[] = {
		{.name = "btrfs",
		 .provider = "btrfs",
		 .file_system = "btrfs",
		 .make_source = make_subvolume},
		{.name = "external on ext4",
		 .provider = "external",
		 .file_system = "ext4",
		 .open = use_example,
		 .source_is_top = true},
		{.name = "external on xfs",
		 .provider = "external",
		 .file_system = "xfs",
		 .open = use_example,
		 .source_is_top = true},
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
