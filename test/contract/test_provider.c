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

/* Logical volumes that somebody else made. There is no device mapper
 * where this is built; test/support/vm has one. */
static void
mount_lvm(struct provider_world *w, const char *variable, const char *type)
{
	const char *device = getenv(variable);
	char mkfs[32];

	if (device == NULL) {
		provider_world_lacks(w, "no logical volume is given by %s", variable);
		return;
	}
	(void)snprintf(mkfs, sizeof(mkfs), "mkfs.%s", type);
	if (provider_world_run(mkfs, "-q", strcmp(type, "xfs") == 0 ? "-f" : "-F", device, NULL) !=
		    0 ||
	    provider_world_run("mount", "-t", type, device, w->top, NULL) != 0)
		provider_world_lacks(w, "no %s on '%s'", type, device);
}

static void
mount_thin(struct provider_world *w)
{
	mount_lvm(w, "HOLDFAST_TEST_LVM_THIN", "ext4");
}

static void
mount_classic(struct provider_world *w)
{
	mount_lvm(w, "HOLDFAST_TEST_LVM_CLASSIC", "xfs");
}

/* test_contract_provider [PROVIDER]: all of them, or one. */
int
main(int argc, char *argv[])
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
		{.name = "lvm, thin, ext4",
		 .provider = "lvm",
		 .mount = mount_thin,
		 .source_is_top = true},
		{.name = "lvm, classic, xfs",
		 .provider = "lvm",
		 .mount = mount_classic,
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
		if (argc < 2 || strcmp(argv[1], subjects[i].provider) == 0)
			failed += provider_contract_run(&subjects[i]);
	return failed;
}
