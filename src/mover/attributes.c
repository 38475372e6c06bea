/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Attributes of files through descriptors. The one thing to know is the order in which they are
 * applied: a change of owner drops set-user-ID bits and capabilities, so it comes first; an access
 * ACL and the mode's group bits are two views of one thing, and the mode as it was saved agrees with
 * both, so it comes after; times come last because everything else moves them.
 */
#include "mover/attributes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

#include "base/clock.h"
#include "provider/origin.h"

/* The kernel's own bounds: XATTR_LIST_MAX, XATTR_SIZE_MAX, XATTR_NAME_MAX. */
enum { LIST_MAX = 65536, VALUE_MAX = 65536, NAME_MAX_XATTR = 255, LIST_SMALL = 1024 };

#define LABEL "security.selinux"

/* A descriptor in the form each call wants it. */
struct handle {
	int fd;
	bool opath;
	char path[32]; /* /proc/self/fd/N */
};

static struct handle
handle_of(int fd, enum attributes_fd kind)
{
	struct handle h = {.fd = fd, .opath = kind == ATTRIBUTES_OPATH};

	(void)snprintf(h.path, sizeof(h.path), "/proc/self/fd/%d", fd);
	return h;
}

bool
attributes_stat(const struct stat *st, struct node *ret)
{
	uint8_t type;

	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		type = NODE_FILE;
		break;
	case S_IFDIR:
		type = NODE_DIR;
		break;
	case S_IFLNK:
		type = NODE_SYMLINK;
		break;
	case S_IFIFO:
		type = NODE_FIFO;
		break;
	case S_IFCHR:
		type = NODE_CHAR;
		break;
	case S_IFBLK:
		type = NODE_BLOCK;
		break;
	default:
		return false;
	}
	ret->type = type;
	ret->mode = (uint16_t)(st->st_mode & 07777);
	ret->uid = st->st_uid;
	ret->gid = st->st_gid;
	ret->mtime_ns = st->st_mtim.tv_sec * (int64_t)NS_PER_S + st->st_mtim.tv_nsec;
	ret->ctime_ns = st->st_ctim.tv_sec * (int64_t)NS_PER_S + st->st_ctim.tv_nsec;
	ret->dev = st->st_dev;
	ret->ino = st->st_ino;
	ret->nlink = st->st_nlink;
	ret->rdev = 0;
	if (type == NODE_CHAR || type == NODE_BLOCK)
		ret->rdev = (uint64_t)major(st->st_rdev) << 32 | minor(st->st_rdev);
	ret->size = type == NODE_FILE ? (uint64_t)st->st_size : 0;
	return true;
}

/* Is this a kind of attribute that is kept? Our own mark of a clone is no part of the file. */
static bool
kept(const char *name)
{
	if (strcmp(name, PROVIDER_ORIGIN_XATTR) == 0)
		return false;
	return strncmp(name, "user.", 5) == 0 || strncmp(name, "trusted.", 8) == 0 ||
	       strcmp(name, "security.capability") == 0 || strcmp(name, LABEL) == 0 ||
	       strcmp(name, "system.posix_acl_access") == 0 ||
	       strcmp(name, "system.posix_acl_default") == 0;
}

/* The names of a file's attributes that are kept, sorted. */
struct names {
	char *text; /* what the kernel gave, zero after each name */
	const char **list; /* into text */
	size_t n;
};

static void
names_done(struct names *names)
{
	free(names->list);
	free(names->text);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static ssize_t
list_into(const struct handle *h, char *text, size_t size)
{
	ssize_t n = h->opath ? listxattr(h->path, text, size) : flistxattr(h->fd, text, size);

	/* A file system that knows no attributes has none. */
	return n < 0 && errno == ENOTSUP ? 0 : n;
}

/* All names as the kernel gives them; most files have none, and then nothing is allocated. */
static int
list_all(const struct handle *h, char **ret_text, size_t *ret_n, struct error *err)
{
	char small[LIST_SMALL];
	ssize_t n = list_into(h, small, sizeof(small));

	if (n == 0) {
		*ret_n = 0;
		return OK;
	}
	if (n < 0 && errno != ERANGE)
		return error_sys(err, ERR_IO, "list extended attributes");

	CLEAN(free_ptr) char *text = malloc(n > 0 ? (size_t)n : LIST_MAX);
	if (text == NULL)
		return error_no_memory(err);
	if (n > 0)
		memcpy(text, small, (size_t)n);
	else
		n = list_into(h, text, LIST_MAX);
	if (n < 0)
		return error_sys(err, ERR_IO, "list extended attributes");
	*ret_text = STEAL_PTR(text);
	*ret_n = (size_t)n;
	return OK;
}

static int
names_read(const struct handle *h, struct names *ret, struct error *err)
{
	CLEAN(names_done) struct names names = {0};
	size_t size = 0, total = 0;

	int rc = list_all(h, &names.text, &size, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < size; i++)
		total += names.text[i] == '\0';
	if (total > 0) {
		names.list = calloc(total, sizeof(*names.list));
		if (names.list == NULL)
			return error_no_memory(err);
	}
	for (const char *p = names.text; total > 0; total--, p += strlen(p) + 1)
		if (kept(p))
			names.list[names.n++] = p;
	if (names.n > 1)
		qsort(names.list, names.n, sizeof(*names.list), compare_names);
	*ret = names;
	names = (struct names){0};
	return OK;
}

static ssize_t
get_value(const struct handle *h, const char *name, void *value, size_t size)
{
	return h->opath ? getxattr(h->path, name, value, size)
			: fgetxattr(h->fd, name, value, size);
}

/* Remember that something was left out; only the first one is worded. */
static void
note_left_out(struct error *first, const struct error *one, size_t *count)
{
	if ((*count)++ == 0)
		*first = *one;
}

/* Say how many more there are behind the first. */
static int
finish_count(struct error *err, const struct error *first, size_t count)
{
	if (count == 0)
		return OK;
	if (err != NULL)
		*err = *first;
	if (count > 1)
		return error_prefix(err, "%zu problems, the first", count);
	return first->code;
}

/* Append one attribute. 1 done or gone meanwhile, 0 left out and *err says why, < 0 failed. */
static int
append_one(const struct handle *h, const char *name, uint8_t *value, struct buf *xattrs,
	   size_t start, struct error *err)
{
	ssize_t n = get_value(h, name, value, VALUE_MAX);
	size_t before = xattrs->n;

	if (n < 0 && (errno == ENODATA || errno == ENOTSUP))
		return 1;
	if (n < 0) {
		(void)error_sys(err, ERR_IO, "read extended attribute '%s'", name);
		return 0;
	}
	int rc = tree_xattr_add(xattrs, SLICE(name, strlen(name)), SLICE(value, n), err);
	if (rc == ERR_NO_MEMORY)
		return rc;
	if (rc == OK && xattrs->n - start <= NODE_XATTRS_MAX)
		return 1;
	xattrs->n = before;
	(void)error_set(err, ERR_LIMIT,
			"extended attribute '%s' left out: more than %d bytes together", name,
			(int)NODE_XATTRS_MAX);
	return 0;
}

int
attributes_read(int fd, enum attributes_fd kind, struct buf *xattrs, struct error *err)
{
	CLEAN(names_done) struct names names = {0};
	CLEAN(free_ptr) uint8_t *value = NULL;
	struct handle h = handle_of(fd, kind);
	struct error first = ERROR_INIT, one = ERROR_INIT;
	size_t start = xattrs->n, left_out = 0;

	int rc = names_read(&h, &names, err);
	if (rc < 0)
		return rc;
	if (names.n == 0)
		return 1;
	value = malloc(VALUE_MAX);
	if (value == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < names.n; i++) {
		rc = append_one(&h, names.list[i], value, xattrs, start, &one);
		if (rc < 0) {
			xattrs->n = start;
			if (err != NULL)
				*err = one;
			return rc;
		}
		if (rc == 0)
			note_left_out(&first, &one, &left_out);
	}
	(void)finish_count(err, &first, left_out);
	return left_out == 0 ? 1 : 0;
}

/* One file being given its attributes. */
struct apply {
	struct handle h;
	const struct node *node;
	struct stat st; /* as it is; read again after changes that move the mode */
	struct error first;
	size_t failures;
};

#define NOTE_FAILURE(a, ...)                                                                       \
	do {                                                                                       \
		struct error one_ = ERROR_INIT;                                                    \
		(void)error_sys(&one_, ERR_PERMISSION, __VA_ARGS__);                               \
		note_left_out(&(a)->first, &one_, &(a)->failures);                                 \
	} while (0)

static int
look_again(struct apply *a, struct error *err)
{
	if (fstat(a->h.fd, &a->st) < 0)
		return error_sys(err, ERR_IO, "stat");
	return OK;
}

static int
apply_owner(struct apply *a, struct error *err)
{
	const struct node *node = a->node;

	if (a->st.st_uid == node->uid && a->st.st_gid == node->gid)
		return OK;
	int rc = a->h.opath ? fchownat(a->h.fd, "", node->uid, node->gid, AT_EMPTY_PATH)
			    : fchown(a->h.fd, node->uid, node->gid);
	if (rc < 0) {
		NOTE_FAILURE(a, "set owner %u:%u", node->uid, node->gid);
		return OK;
	}
	return look_again(a, err);
}

static int
set_mode(const struct handle *h, mode_t mode)
{
	return h->opath ? chmod(h->path, mode) : fchmod(h->fd, mode);
}

/* One saved attribute, its name as text. */
struct xattr {
	char name[NAME_MAX_XATTR + 1];
	struct slice value;
};

/* 1 the next one of the node's list, 0 its end, < 0 the list is damaged. */
static int
next_wanted(struct slice *list, struct xattr *ret, struct error *err)
{
	struct slice name;

	int rc = tree_xattr_next(list, &name, &ret->value, err);
	if (rc <= 0)
		return rc;
	if (name.n == 0 || name.n > NAME_MAX_XATTR || memchr(name.p, '\0', name.n) != NULL)
		return error_set(err, ERR_CORRUPT, "extended attribute with a name of %zu bytes",
				 name.n);
	memcpy(ret->name, name.p, name.n);
	ret->name[name.n] = '\0';
	return 1;
}

static bool
value_is(const struct handle *h, const struct xattr *x)
{
	CLEAN(free_ptr) uint8_t *value = malloc(x->value.n + 1);

	/* Without memory, or if it cannot be read, it is set again: never wrong. */
	if (value == NULL)
		return false;
	ssize_t n = get_value(h, x->name, value, x->value.n + 1);
	return n >= 0 && (size_t)n == x->value.n &&
	       (n == 0 || memcmp(value, x->value.p, x->value.n) == 0);
}

static void
set_one(struct apply *a, const struct xattr *x)
{
	const void *value = x->value.n > 0 ? x->value.p : (const uint8_t *)"";

	if (!kept(x->name)) {
		errno = EINVAL;
		NOTE_FAILURE(a, "extended attribute '%s' is not of a kind that is restored",
			     x->name);
		return;
	}
	int rc = a->h.opath ? setxattr(a->h.path, x->name, value, x->value.n, 0)
			    : fsetxattr(a->h.fd, x->name, value, x->value.n, 0);
	if (rc < 0)
		NOTE_FAILURE(a, "set extended attribute '%s'", x->name);
}

static void
remove_one(struct apply *a, const char *name)
{
	/* Every file has a label where labels are in use; the system gave it. */
	if (strcmp(name, LABEL) == 0)
		return;
	int rc = a->h.opath ? removexattr(a->h.path, name) : fremovexattr(a->h.fd, name);
	if (rc < 0 && errno != ENODATA && errno != ENOTSUP)
		NOTE_FAILURE(a, "remove extended attribute '%s'", name);
}

/* Walk what is there and what is wanted side by side; both are sorted. With a == NULL just tell
 * whether they differ: 1 they do, 0 they do not. */
static int
merge_xattrs(const struct handle *h, const struct names *names, struct slice list, struct apply *a,
	     struct error *err)
{
	struct xattr x;
	size_t i = 0;

	int rc = next_wanted(&list, &x, err);
	while (rc > 0 || (rc == 0 && i < names->n)) {
		int order = rc == 0 ? -1 : i == names->n ? 1 : strcmp(names->list[i], x.name);
		bool change = order < 0 ? strcmp(names->list[i], LABEL) != 0
					: order > 0 || !value_is(h, &x);
		if (change && a == NULL)
			return 1;
		if (change && order < 0)
			remove_one(a, names->list[i]);
		else if (change)
			set_one(a, &x);
		if (order <= 0)
			i++;
		if (order >= 0)
			rc = next_wanted(&list, &x, err);
	}
	return rc;
}

static int
apply_xattrs(struct apply *a, struct error *err)
{
	CLEAN(names_done) struct names names = {0};

	int rc = names_read(&a->h, &names, err);
	if (rc < 0)
		return rc;
	rc = merge_xattrs(&a->h, &names, a->node->xattrs, NULL, err);
	if (rc <= 0)
		return rc;
	/* user.* can only be changed by who may write, owner or not; the mode is set afterwards. */
	if (a->node->type != NODE_SYMLINK && (a->st.st_mode & S_IWUSR) == 0)
		(void)set_mode(&a->h, (a->st.st_mode & 07777) | S_IWUSR);
	rc = merge_xattrs(&a->h, &names, a->node->xattrs, a, err);
	if (rc < 0)
		return rc;
	return look_again(a, err);
}

static void
apply_mode(struct apply *a)
{
	mode_t mode = a->node->mode & 07777;

	if (a->node->type == NODE_SYMLINK)
		return;
	if (a->st.st_uid != a->node->uid)
		mode &= ~(mode_t)S_ISUID;
	/* On a folder the bit only says which group new files get. */
	if (a->st.st_gid != a->node->gid && a->node->type != NODE_DIR)
		mode &= ~(mode_t)S_ISGID;
	if ((a->st.st_mode & 07777) != mode && set_mode(&a->h, mode) < 0)
		NOTE_FAILURE(a, "set mode %04o", (unsigned)mode);
}

static void
apply_times(struct apply *a)
{
	int64_t ns = a->node->mtime_ns % (int64_t)NS_PER_S;
	int64_t s = a->node->mtime_ns / (int64_t)NS_PER_S;
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}};

	/* Before 1970 the remainder is negative, and tv_nsec may not be. */
	if (ns < 0) {
		ns += (int64_t)NS_PER_S;
		s--;
	}
	times[1] = (struct timespec){.tv_sec = s, .tv_nsec = ns};
	if (a->st.st_mtim.tv_sec == s && a->st.st_mtim.tv_nsec == ns)
		return;
	/* By path it is the link itself that is meant: a link in /proc leads to no further one. */
	int rc = a->h.opath ? utimensat(AT_FDCWD, a->h.path, times, 0) : futimens(a->h.fd, times);
	if (rc < 0)
		NOTE_FAILURE(a, "set modification time");
}

/* A damaged list of attributes is one more failure among others; being out of memory ends it all. */
static int
weigh(struct apply *a, int rc, const struct error *one)
{
	if (rc >= 0 || rc == ERR_NO_MEMORY)
		return rc;
	note_left_out(&a->first, one, &a->failures);
	return OK;
}

int
attributes_apply(int fd, enum attributes_fd kind, const struct node *node, unsigned set,
		 struct error *err)
{
	struct apply a = {.h = handle_of(fd, kind), .node = node};
	struct error one = ERROR_INIT;

	int rc = look_again(&a, err);
	if (rc < 0)
		return rc;
	if ((set & ATTRIBUTES_OWNER) != 0)
		rc = weigh(&a, apply_owner(&a, &one), &one);
	if (rc >= 0 && (set & ATTRIBUTES_XATTRS) != 0)
		rc = weigh(&a, apply_xattrs(&a, &one), &one);
	if (rc < 0) {
		if (err != NULL)
			*err = one;
		return rc;
	}
	if ((set & ATTRIBUTES_MODE) != 0)
		apply_mode(&a);
	if ((set & ATTRIBUTES_TIMES) != 0)
		apply_times(&a);
	return finish_count(err, &a.first, a.failures);
}
