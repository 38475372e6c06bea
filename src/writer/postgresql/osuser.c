/* SPDX-License-Identifier: Apache-2.0 */

/* Changing the user of this process, completely and for good. */
#include "writer/postgresql/osuser.h"

#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* Where servers put their socket by default: Debian's and others' choice, then PostgreSQL's own. */
static const char *const socket_dirs[] = {"/var/run/postgresql", "/tmp"};

/* The rest of the way, when we may still be root: then no way leads back. */
static int
drop(uid_t uid, gid_t gid, pid_t parent, struct error *err)
{
	if (setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
		return error_sys(err, ERR_PERMISSION, "become user %u", (unsigned)uid);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_sys(err, ERR_IO, "ask to die with the requester");
	if (getppid() != parent)
		return error_set(err, ERR_CANCELLED, "the requester is gone");
	return OK;
}

static int
become(const struct passwd *pw, pid_t parent, struct error *err)
{
	if (initgroups(pw->pw_name, pw->pw_gid) < 0)
		return error_sys(err, ERR_PERMISSION, "take the groups of user '%s'", pw->pw_name);
	int rc = drop(pw->pw_uid, pw->pw_gid, parent, err);
	if (rc < 0)
		return rc;
	/* For libpq, which looks for its files there; root's are none of ours any more. */
	if (setenv("HOME", pw->pw_dir, 1) < 0)
		return error_no_memory(err);
	(void)!chdir("/");
	return OK;
}

/* The owner of the socket in `dir`, if there is one. */
static bool
socket_owner(const char *dir, const char *port, uid_t *ret)
{
	struct stat st;
	char path[4096];

	int n = snprintf(path, sizeof(path), "%s/.s.PGSQL.%s", dir, port);
	if (n < 0 || (size_t)n >= sizeof(path) || stat(path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	*ret = st.st_uid;
	return true;
}

/* The port libpq will use. */
static const char *
port_of(const struct pgsettings *s)
{
	const char *env = getenv("PGPORT");

	if (s->port != NULL)
		return s->port;
	return env != NULL && env[0] != 0 ? env : "5432";
}

/* Whose socket it is that we are going to connect to, and its folder. False: none is found. */
static bool
find_socket(const struct pgsettings *s, const char **ret_dir, uid_t *ret_uid)
{
	const char *host = s->host != NULL ? s->host : getenv("PGHOST");

	if (host != NULL && host[0] != 0) {
		*ret_dir = host;
		return host[0] == '/' && socket_owner(host, port_of(s), ret_uid);
	}
	for (size_t i = 0; i < ARRAY_SIZE(socket_dirs); i++) {
		*ret_dir = socket_dirs[i];
		if (socket_owner(socket_dirs[i], port_of(s), ret_uid))
			return true;
	}
	return false;
}

static int
become_named(const char *name, pid_t parent, struct error *err)
{
	errno = 0;
	const struct passwd *pw = getpwnam(name);
	if (pw == NULL) {
		(void)error_set(err, ERR_CONFIG, "there is no user '%s' on this machine", name);
		return error_hint(err, "correct writer.postgresql.os_user");
	}
	if (geteuid() == pw->pw_uid)
		return OK;
	if (geteuid() != 0) {
		(void)error_set(err, ERR_PERMISSION, "only root can become user '%s'", name);
		return error_hint(err, "run as root or as %s, or remove writer.postgresql.os_user",
				  name);
	}
	return become(pw, parent, err);
}

int
osuser_for_connecting(const struct pgsettings *settings, pid_t parent, char **ret_host,
		      struct error *err)
{
	const char *dir = NULL;
	char *host = NULL;
	uid_t uid = 0;

	bool found = find_socket(settings, &dir, &uid);
	if (found && settings->host == NULL) {
		host = strdup(dir);
		if (host == NULL)
			return error_no_memory(err);
	}
	int rc = OK;
	if (settings->os_user != NULL) {
		rc = become_named(settings->os_user, parent, err);
	} else if (geteuid() == 0 && found && uid != 0) {
		const struct passwd *pw = getpwuid(uid);
		/* A number without a name is somebody in a container: nobody "peer" would know. */
		if (pw != NULL)
			rc = become(pw, parent, err);
	}
	if (rc < 0) {
		free(host);
		return rc;
	}
	*ret_host = host;
	return OK;
}

int
osuser_for_files(uid_t uid, gid_t gid, pid_t parent, struct error *err)
{
	if (geteuid() != 0 || uid == 0)
		return OK;
	if (setgroups(0, NULL) < 0)
		return error_sys(err, ERR_PERMISSION, "give up groups");
	return drop(uid, gid, parent, err);
}
