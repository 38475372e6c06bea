/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A stage for tests of restoring: a repository in memory, nodes and trees made from plain C values, a
 * target folder of its own, and all warnings written down. Nodes live as long as the scene.
 */
#ifndef HF_TEST_UNIT_MOVER_RESTORE_SCENE_H
#define HF_TEST_UNIT_MOVER_RESTORE_SCENE_H

#include <pthread.h>
#include <stdbool.h>

#include "repo/rig.h"

#include "mover/restore.h"
#include "repo/tree.h"

struct scene {
	struct rig *rig;
	char base[64]; /* an empty folder */
	char target[80]; /* BASE/target: not made by the scene */
	struct restore_options options; /* of the next restore: mode EMPTY, the warnings below */
	struct progress progress;
	struct restore_stats stats;
	struct error err;
	unsigned serious, notes; /* warnings since the last scene_restore() began */
	struct buf warnings; /* their text: "path: message\n" */
	size_t n_held;
	void **held;
};

int scene_setup(void **state); /* *state: struct scene, its repository open for writing */
int scene_teardown(void **state);

/* Nodes: 0644 (folders 0755), of the caller's user and group, at a fixed time; change what you like.
 * Holes in content: any aligned 64 KiB (chunks) or page of zeros, if `holes`. */
struct node scene_file(struct scene *s, const char *name, const void *p, size_t n, bool holes);
struct node scene_paged(struct scene *s, const char *name, const void *p, size_t n,
			unsigned page_shift);
struct node scene_text(struct scene *s, const char *name, const char *text);
struct node scene_symlink(struct scene *s, const char *name, const char *target);
struct node scene_plain(const char *name, enum node_type type); /* FIFO, CHAR, BLOCK */
struct node scene_dir(struct scene *s, const char *name, const struct node *nodes, size_t n);
struct blob_id scene_tree(struct scene *s, const struct node *nodes, size_t n);
/* A folder whose page is as given, whatever it says. */
struct blob_id scene_raw_tree(struct scene *s, const struct buf *page);
/* Encoded attributes of one name and value, added to what the node has. */
void scene_xattr(struct scene *s, struct node *node, const char *name, const void *p, size_t n);
void *scene_hold(struct scene *s, void *memory); /* freed with the scene */
uint8_t *scene_noise(struct scene *s, size_t n, uint64_t seed); /* freed with it, too */
/* Another byte there, with the file's times as they were. */
void scene_change_byte(struct scene *s, const char *path, off_t at);

/* Make what was put readable. Called by the first restore; further nodes need scene_write(). */
void scene_read(struct scene *s);
void scene_write(struct scene *s);

int scene_restore(struct scene *s, const struct blob_id *tree);
/* It must succeed, without any warning. */
void scene_restore_clean(struct scene *s, const struct blob_id *tree, enum restore_mode mode);

/* Things of the target (paths relative to it). */
void scene_expect(struct scene *s, const char *path, const void *p, size_t n);
void scene_expect_text(struct scene *s, const char *path, const char *text);
void scene_expect_absent(struct scene *s, const char *path);
struct stat scene_stat(struct scene *s, const char *path);
/* Mode, owner and time are the node's. */
void scene_expect_like(struct scene *s, const char *path, const struct node *node);
void scene_put(struct scene *s, const char *path, const char *text); /* parents are made */
char *scene_path(struct scene *s, const char *path, char text[4096]);
bool scene_warned(const struct scene *s, const char *text);

#endif
