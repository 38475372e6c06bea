/* SPDX-License-Identifier: Apache-2.0 */

/* See restore_scene.h. */
#include "restore_scene.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "mover/beneath.h"
#include "repo/map.h"

enum { CHUNK = 64 << 10, FIXED_TIME_S = 1600000000, FIXED_TIME_NS = 123456789 };

static void
write_down(void *arg, const char *path, enum err code, bool serious, const char *message)
{
	struct scene *s = arg;

	(void)code;
	if (serious)
		s->serious++;
	else
		s->notes++;
	assert_int_equal(buf_printf(&s->warnings, NULL, "%s: %s\n", path, message), OK);
}

int
scene_setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->rig = rig_new(false);
	/* Not in /dev/shm: a tmpfs may keep no extended attributes of users. */
	(void)snprintf(s->base, sizeof(s->base), "/tmp/holdfast-test-XXXXXX");
	assert_non_null(mkdtemp(s->base));
	(void)snprintf(s->target, sizeof(s->target), "%s/target", s->base);
	s->warnings = BUF_INIT(1 << 20);
	s->options = (struct restore_options){
		.mode = RESTORE_EMPTY,
		.workers = 3,
		.no_sync = true,
		.warn = write_down,
		.warn_arg = s,
		.progress = &s->progress,
	};
	rig_begin(s->rig, NULL);
	*state = s;
	return 0;
}

int
scene_teardown(void **state)
{
	struct scene *s = *state;
	uint64_t removed = 0;
	int dirfd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	rig_free(s->rig);
	for (size_t i = 0; i < s->n_held; i++)
		free(s->held[i]);
	free(s->held);
	buf_done(&s->warnings);
	int rc = beneath_remove(dirfd, strrchr(s->base, '/') + 1, &removed, &s->err);
	(void)close(dirfd);
	if (rc < 0)
		print_error("%s: %s\n", s->base, s->err.msg);
	free(s);
	return rc < 0 ? -1 : 0;
}

void *
scene_hold(struct scene *s, void *memory)
{
	assert_non_null(memory);
	s->held = realloc(s->held, (s->n_held + 1) * sizeof(*s->held));
	assert_non_null(s->held);
	s->held[s->n_held++] = memory;
	return memory;
}

struct node
scene_plain(const char *name, enum node_type type)
{
	return (struct node){
		.name = SLICE(name, strlen(name)),
		.type = (uint8_t)type,
		.mode = type == NODE_DIR ? 0755 : 0644,
		.uid = geteuid(),
		.gid = getegid(),
		.mtime_ns = FIXED_TIME_S * INT64_C(1000000000) + FIXED_TIME_NS,
		.nlink = 1,
	};
}

static bool
all_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

/* The encoded map, in memory of the scene. */
static void
set_content(struct scene *s, struct node *node, struct buf *content)
{
	node->content = buf_slice(content);
	(void)scene_hold(s, content->p);
}

/* The segment at p: chunks of 64 KiB. */
static struct blob_id
put_chunks(struct scene *s, const uint8_t *p, size_t n, bool holes, struct buf *inline_content)
{
	struct map_segment segment = {.length = n};
	struct blob_id id = {0};

	segment.chunks = calloc(n / CHUNK + 1, sizeof(*segment.chunks));
	assert_non_null(segment.chunks);
	for (size_t at = 0; at < n; at += CHUNK) {
		struct map_chunk *c = &segment.chunks[segment.n_chunks++];

		c->length = MIN(n - at, (size_t)CHUNK);
		if (!holes || !all_zero(p + at, c->length))
			c->id = rig_put(s->rig, BLOB_DATA, p + at, c->length);
	}
	if (inline_content != NULL)
		rig_ok(s->rig, map_encode_inline(&segment, inline_content, &s->rig->err));
	else
		rig_ok(s->rig, map_put_segment(s->rig->sink, &segment, &id, &s->rig->err));
	free(segment.chunks);
	return id;
}

struct node
scene_file(struct scene *s, const char *name, const void *p, size_t n, bool holes)
{
	struct node node = scene_plain(name, NODE_FILE);
	struct buf content = BUF_INIT(NODE_CONTENT_MAX);
	struct blob_id ids[16];
	size_t n_ids = 0;

	node.size = n;
	if (n == 0)
		return node;
	if (n <= (size_t)CHUNK * MAP_INLINE_CHUNKS) {
		(void)put_chunks(s, p, n, holes, &content);
	} else {
		for (size_t at = 0; at < n; at += SEGMENT_SIZE) {
			assert_true(n_ids < ARRAY_SIZE(ids));
			ids[n_ids++] = put_chunks(s, (const uint8_t *)p + at,
						  MIN(n - at, (size_t)SEGMENT_SIZE), holes, NULL);
		}
		rig_ok(s->rig,
		       map_encode_segments(s->rig->sink, ids, n_ids, &content, &s->rig->err));
	}
	set_content(s, &node, &content);
	return node;
}

struct node
scene_text(struct scene *s, const char *name, const char *text)
{
	return scene_file(s, name, text, strlen(text), false);
}

static struct blob_id
put_region(struct scene *s, const uint8_t *p, size_t n, unsigned page_shift)
{
	CLEAN(free_ptr) struct region *g = calloc(1, sizeof(*g));
	struct blob_id id;
	size_t page = (size_t)1 << page_shift;

	assert_non_null(g);
	g->length = (uint32_t)n;
	g->page_shift = (uint8_t)page_shift;
	g->n_pages = (uint16_t)((n + page - 1) / page);
	g->n_blobs = 1;
	g->blobs[0] = rig_put(s->rig, BLOB_PAGES, p, n);
	for (size_t i = 0; i < g->n_pages; i++) {
		size_t length = MIN(n - i * page, page);

		g->pages[i] = (struct region_page){.page = (uint16_t)i};
		if (all_zero(p + i * page, length))
			g->pages[i] = (struct region_page){.blob = PAGE_HOLE};
		else
			rig_ok(s->rig,
			       repo_sink_fingerprint(s->rig->sink, SLICE(p + i * page, length),
						     g->fingerprints[i], &s->rig->err));
	}
	rig_ok(s->rig, map_put_region(s->rig->sink, g, &id, &s->rig->err));
	return id;
}

struct node
scene_paged(struct scene *s, const char *name, const void *p, size_t n, unsigned page_shift)
{
	struct node node = scene_plain(name, NODE_FILE);
	struct buf content = BUF_INIT(NODE_CONTENT_MAX);
	struct blob_id regions[SEGMENT_REGIONS], id;
	struct map_segment segment = {.length = n, .paged = true, .regions = regions};
	const uint8_t *bytes = p;

	assert_true(n > 0 && n <= SEGMENT_SIZE);
	for (size_t at = 0; at < n; at += REGION_SIZE) {
		size_t length = MIN(n - at, (size_t)REGION_SIZE);

		regions[segment.n_regions++] = all_zero(bytes + at, length)
						       ? (struct blob_id){0}
						       : put_region(s, bytes + at, length,
								    page_shift);
	}
	rig_ok(s->rig, map_put_segment(s->rig->sink, &segment, &id, &s->rig->err));
	rig_ok(s->rig, map_encode_segments(s->rig->sink, &id, 1, &content, &s->rig->err));
	node.size = n;
	node.flags = NODE_PAGED;
	set_content(s, &node, &content);
	return node;
}

struct node
scene_symlink(struct scene *s, const char *name, const char *target)
{
	struct node node = scene_plain(name, NODE_SYMLINK);

	(void)s;
	node.mode = 0777;
	node.target = SLICE(target, strlen(target));
	return node;
}

static int
by_name(const void *a, const void *b)
{
	const struct node *p = a, *q = b;
	int order = memcmp(p->name.p, q->name.p, MIN(p->name.n, q->name.n));

	return order != 0 ? order : (p->name.n > q->name.n) - (p->name.n < q->name.n);
}

struct blob_id
scene_tree(struct scene *s, const struct node *nodes, size_t n)
{
	CLEAN(tree_builder_freep) struct tree_builder *b = NULL;
	CLEAN(free_ptr) struct node *sorted = calloc(n + 1, sizeof(*sorted));
	struct blob_id id;

	assert_non_null(sorted);
	for (size_t i = 0; i < n; i++)
		sorted[i] = nodes[i];
	qsort(sorted, n, sizeof(*sorted), by_name);
	rig_ok(s->rig, tree_builder_new(s->rig->sink, &b, &s->rig->err));
	for (size_t i = 0; i < n; i++)
		rig_ok(s->rig, tree_builder_add(b, &sorted[i], &s->rig->err));
	rig_ok(s->rig, tree_builder_finish(b, &id, &s->rig->err));
	return id;
}

struct blob_id
scene_raw_tree(struct scene *s, const struct buf *page)
{
	return rig_put(s->rig, BLOB_META, page->p, page->n);
}

struct node
scene_dir(struct scene *s, const char *name, const struct node *nodes, size_t n)
{
	struct node node = scene_plain(name, NODE_DIR);

	node.tree = scene_tree(s, nodes, n);
	return node;
}

void
scene_xattr(struct scene *s, struct node *node, const char *name, const void *p, size_t n)
{
	struct buf list = BUF_INIT(NODE_XATTRS_MAX);

	rig_ok(s->rig, buf_append(&list, node->xattrs.p, node->xattrs.n, &s->rig->err));
	rig_ok(s->rig, tree_xattr_add(&list, SLICE(name, strlen(name)), SLICE(p, n), &s->rig->err));
	node->xattrs = buf_slice(&list);
	(void)scene_hold(s, list.p);
}

void
scene_read(struct scene *s)
{
	if (s->rig->writer == NULL)
		return;
	rig_end(s->rig);
	rig_look(s->rig);
}

void
scene_write(struct scene *s)
{
	rig_begin(s->rig, NULL);
}

int
scene_restore(struct scene *s, const struct blob_id *tree)
{
	scene_read(s);
	s->serious = s->notes = 0;
	buf_reset(&s->warnings);
	assert_int_equal(buf_printf(&s->warnings, NULL, "\n"), OK);
	memset(&s->stats, 0, sizeof(s->stats));
	memset(&s->progress, 0, sizeof(s->progress));
	return restore_tree(s->rig->repo, s->rig->index, tree, s->target, &s->options, &s->stats,
			    &s->err);
}

void
scene_restore_clean(struct scene *s, const struct blob_id *tree, enum restore_mode mode)
{
	s->options.mode = mode;
	int rc = scene_restore(s, tree);
	if (rc < 0)
		print_error("restore: %s\n", s->err.msg);
	if (s->serious + s->notes > 0)
		print_error("warnings: %s", (char *)s->warnings.p);
	assert_int_equal(rc, OK);
	assert_int_equal(s->serious + s->notes, 0);
}

char *
scene_path(struct scene *s, const char *path, char text[4096])
{
	assert_true(snprintf(text, 4096, "%s/%s", s->target, path) < 4096);
	return text;
}

void
scene_expect(struct scene *s, const char *path, const void *p, size_t n)
{
	CLEAN(buf_done) struct buf b = BUF_INIT((size_t)1 << 30);
	char text[4096];

	int rc = fs_read_file(AT_FDCWD, scene_path(s, path, text), &b, &s->err);
	if (rc < 0)
		print_error("%s\n", s->err.msg);
	assert_int_equal(rc, OK);
	assert_int_equal(b.n, n);
	if (n > 0)
		assert_memory_equal(b.p, p, n);
}

void
scene_expect_text(struct scene *s, const char *path, const char *text)
{
	scene_expect(s, path, text, strlen(text));
}

struct stat
scene_stat(struct scene *s, const char *path)
{
	char text[4096];
	struct stat st;

	if (lstat(scene_path(s, path, text), &st) < 0) {
		print_error("%s: %s\n", text, strerror(errno));
		fail();
	}
	return st;
}

void
scene_expect_absent(struct scene *s, const char *path)
{
	char text[4096];
	struct stat st;

	assert_int_equal(lstat(scene_path(s, path, text), &st), -1);
	assert_int_equal(errno, ENOENT);
}

void
scene_put(struct scene *s, const char *path, const char *text)
{
	char full[4096];

	(void)scene_path(s, path, full);
	char *slash = strrchr(full, '/');
	*slash = '\0';
	assert_int_equal(fs_mkdirs(AT_FDCWD, full, 0755, &s->err), OK);
	*slash = '/';
	assert_int_equal(fs_write_file(AT_FDCWD, full, SLICE(text, strlen(text)), 0644, &s->err),
			 OK);
}

bool
scene_warned(const struct scene *s, const char *text)
{
	return strstr((const char *)s->warnings.p, text) != NULL;
}

uint8_t *
scene_noise(struct scene *s, size_t n, uint64_t seed)
{
	uint8_t *p = scene_hold(s, malloc(n));

	rig_fill(p, n, seed);
	return p;
}

void
scene_expect_like(struct scene *s, const char *path, const struct node *node)
{
	struct stat st = scene_stat(s, path);

	if (node->type != NODE_SYMLINK)
		assert_int_equal(st.st_mode & 07777, node->mode);
	assert_int_equal(st.st_uid, node->uid);
	assert_int_equal(st.st_gid, node->gid);
	assert_true(st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec == node->mtime_ns);
}

void
scene_change_byte(struct scene *s, const char *path, off_t at)
{
	char text[4096];
	uint8_t byte;
	struct stat st = scene_stat(s, path);
	struct timespec times[2] = {st.st_atim, st.st_mtim};
	int fd = open(scene_path(s, path, text), O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	/* As if nothing had happened. */
	assert_int_equal(futimens(fd, times), 0);
	assert_int_equal(close(fd), 0);
}
