/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Preparing a child. The search in PATH is our own because execvp() hands a file it cannot execute
 * to a shell, and looks into folders that are not absolute.
 */
#include "base/spawn_plan.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

extern char **environ;

enum { PASSWD_BUF_FIRST = 1024, PASSWD_BUF_MAX = 1024 * 1024, GROUPS_FIRST = 32 };

static bool
is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* DIR/NAME, or NULL when out of memory. */
static char *
join_path(const char *folder, size_t folder_len, const char *name)
{
	char *path = NULL;

	if (asprintf(&path, "%.*s/%s", (int)folder_len, folder, name) < 0)
		return NULL;
	return path;
}

static int
find_program(const char *program, char **ret, struct error *err)
{
	const char *folder = getenv("PATH");

	if (strchr(program, '/') != NULL) {
		*ret = strdup(program);
		return *ret != NULL ? OK : error_no_memory(err);
	}
	if (folder == NULL)
		folder = "/usr/local/bin:/usr/bin:/bin";
	for (size_t len; *folder != '\0'; folder += len + (folder[len] == ':')) {
		len = strcspn(folder, ":");
		if (folder[0] != '/')
			continue;
		CLEAN(free_ptr) char *path = join_path(folder, len, program);
		if (path == NULL)
			return error_no_memory(err);
		if (is_program(path)) {
			*ret = STEAL_PTR(path);
			return OK;
		}
	}
	return error_set(err, ERR_SPAWN, "no such program in PATH");
}

/* The user's entry; its texts are in *ret_texts. */
static int
find_user(const char *user, struct passwd *ret, char **ret_texts, struct error *err)
{
	for (size_t size = PASSWD_BUF_FIRST; size <= PASSWD_BUF_MAX; size *= 2) {
		CLEAN(free_ptr) char *texts = malloc(size);
		struct passwd *found = NULL;

		if (texts == NULL)
			return error_no_memory(err);
		int sys = getpwnam_r(user, ret, texts, size, &found);
		if (sys == ERANGE)
			continue;
		if (found == NULL && sys == 0)
			return error_set(err, ERR_SPAWN, "no user '%s'", user);
		if (found == NULL) {
			errno = sys;
			return error_sys(err, ERR_SPAWN, "look up user '%s'", user);
		}
		*ret_texts = STEAL_PTR(texts);
		return OK;
	}
	return error_set(err, ERR_SPAWN, "look up user '%s': entry too long", user);
}

/* getgrouplist, because initgroups may not be called after fork. */
static int
find_groups(struct spawn_plan *plan, const char *user, struct error *err)
{
	int room = GROUPS_FIRST;

	for (;;) {
		int n = room;
		gid_t *groups = reallocarray(plan->groups, (size_t)room, sizeof(*groups));

		if (groups == NULL)
			return error_no_memory(err);
		plan->groups = groups;
		if (getgrouplist(user, plan->gid, groups, &n) >= 0) {
			plan->n_groups = n;
			return OK;
		}
		/* n is now the number wanted; it may have grown in between. */
		room = MAX(n, room + GROUPS_FIRST);
	}
}

/* "NAME=value" of one of the entries that own_env replaces. */
static bool
is_replaced(const struct spawn_plan *plan, const char *entry)
{
	for (size_t i = 0; i < ARRAY_SIZE(plan->own_env); i++) {
		size_t name_len = strcspn(plan->own_env[i], "=") + 1;
		if (strncmp(entry, plan->own_env[i], name_len) == 0)
			return true;
	}
	return false;
}

/* Our environment with the user's own home and name: programs keep their settings there. */
static int
make_env(struct spawn_plan *plan, const struct passwd *pw, struct error *err)
{
	size_t n = 0, used = 0;

	if (asprintf(&plan->own_env[0], "HOME=%s", pw->pw_dir) < 0)
		plan->own_env[0] = NULL;
	if (asprintf(&plan->own_env[1], "USER=%s", pw->pw_name) < 0)
		plan->own_env[1] = NULL;
	if (asprintf(&plan->own_env[2], "LOGNAME=%s", pw->pw_name) < 0)
		plan->own_env[2] = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(plan->own_env); i++)
		if (plan->own_env[i] == NULL)
			return error_no_memory(err);

	while (environ != NULL && environ[n] != NULL)
		n++;
	plan->env = calloc(n + ARRAY_SIZE(plan->own_env) + 1, sizeof(*plan->env));
	if (plan->env == NULL)
		return error_no_memory(err);
	for (size_t i = 0; i < n; i++)
		if (!is_replaced(plan, environ[i]))
			plan->env[used++] = environ[i];
	for (size_t i = 0; i < ARRAY_SIZE(plan->own_env); i++)
		plan->env[used++] = plan->own_env[i];
	return OK;
}

int
spawn_plan_make(struct spawn_plan *plan, const char *program, const char *user, struct error *err)
{
	CLEAN(free_ptr) char *texts = NULL;
	struct passwd pw;

	int rc = find_program(program, &plan->path, err);
	if (rc < 0)
		return rc;
	if (user == NULL) {
		plan->env = environ;
		return OK;
	}
	rc = find_user(user, &pw, &texts, err);
	if (rc < 0)
		return rc;
	plan->change_user = true;
	plan->uid = pw.pw_uid;
	plan->gid = pw.pw_gid;
	rc = find_groups(plan, user, err);
	if (rc < 0)
		return rc;
	return make_env(plan, &pw, err);
}

void
spawn_plan_done(struct spawn_plan *plan)
{
	if (plan->env != environ)
		free(plan->env);
	for (size_t i = 0; i < ARRAY_SIZE(plan->own_env); i++)
		free(plan->own_env[i]);
	free(plan->path);
	free(plan->groups);
	*plan = (struct spawn_plan){0};
}

int
spawn_plan_become(const struct spawn_plan *plan)
{
	if (!plan->change_user)
		return 0;
	/* Groups first: without root neither of them can be given up any more. */
	if (setgroups((size_t)plan->n_groups, plan->groups) < 0 ||
	    setresgid(plan->gid, plan->gid, plan->gid) < 0 ||
	    setresuid(plan->uid, plan->uid, plan->uid) < 0)
		return -1;
	return 0;
}
