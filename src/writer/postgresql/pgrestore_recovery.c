/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A restored cluster that is to be brought to a moment: what the server finds when it is started.
 *
 *	holdfast_recovery/		the logs, whole segments, put there before by the requester
 *	holdfast_recovery/end		run by the server when recovery has ended
 *	postgresql.auto.conf		the recovery's settings, between two marks, at its end
 *	recovery.signal			last: without it the server would not recover so
 *
 * The logs do not go into pg_wal: an image has no label, and a server that finds none first replays all that
 * is in pg_wal before it takes any of it for consistent, which might be beyond the moment.
 *
 * No server stops in the middle: it reaches the position, or says that it did not and ends. Afterwards
 * nothing of this is left, so that neither a standby made of the cluster nor its next backup inherits it.
 *
 * hot_standby is off meanwhile: nobody gets to see what is not the moment yet, and limits such as
 * max_connections that were raised after the backup stop nothing.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/text.h"
#include "postgresql/walrange.h"
#include "writer/postgresql/pgconfig.h"
#include "writer/postgresql/pgrestore_internal.h"

#define FOLDER "holdfast_recovery"
#define AUTO_CONF "postgresql.auto.conf"
#define MARK_BEGIN "# holdfast recovery: begin"
#define MARK_END "# holdfast recovery: end"

/* The server runs both in its data folder, by sh. '%' is its own. */
#define FETCH_COMMAND "test -f " FOLDER "/%f && cp " FOLDER "/%f \"%p\""
#define END_COMMAND "sh " FOLDER "/end"

static const char end_script[] =
	"# Written by Holdfast, run by the server when its recovery has ended: takes the recovery's\n"
	"# settings out of " AUTO_CONF " again, and removes its logs.\n"
	"sed '/^" MARK_BEGIN "$/,/^" MARK_END "$/d' " AUTO_CONF " >" FOLDER "/conf &&\n"
	"\tsync " FOLDER "/conf && mv " FOLDER "/conf " AUTO_CONF "\n"
	"rm -rf " FOLDER "\n";

struct recovery {
	uint32_t timeline;
	bool to_position;
	uint64_t position;
	bool inclusive;
	char wanted[256]; /* for people */
};

static int
parse(const json_t *j, struct recovery *ret, struct error *err)
{
	struct recovery r = {0};
	const char *folder, *position, *wanted;
	uint64_t timeline;

	if (json_get_str(j, "folder", &folder, err) < 0 ||
	    json_get_u64(j, "timeline", &timeline, err) < 0 ||
	    json_opt_str(j, "position", NULL, &position, err) < 0 ||
	    json_opt_bool(j, "inclusive", false, &r.inclusive, err) < 0 ||
	    json_opt_str(j, "wanted", "", &wanted, err) < 0)
		return error_prefix(err, "recovery");
	(void)text_printf(r.wanted, sizeof(r.wanted), "%s", wanted);
	text_without_controls(r.wanted);
	r.to_position = position != NULL;
	r.timeline = (uint32_t)timeline;
	if (strcmp(folder, FOLDER) != 0 || timeline == 0 || timeline > UINT32_MAX ||
	    (position != NULL && !walrange_parse_lsn(position, &r.position)))
		return error_set(err, ERR_PROTOCOL, "recovery: a field makes no sense");
	*ret = r;
	return OK;
}

int
pgrestore_recovery_check(const json_t *recovery, const struct pgrestore_plan *p, struct error *err)
{
	struct recovery r;

	(void)p;
	return parse(recovery, &r, err);
}

/* Logs and histories only, each whole. */
static int
check_logs(const struct pgrestore_finishing *f, int dir, struct error *err)
{
	int fd = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *e;
	size_t n = 0;
	int rc = OK;

	if (d == NULL) {
		fd_close(&fd);
		return error_sys(err, ERR_TARGET, "open '%s/" FOLDER "'", f->r->target);
	}
	rewinddir(d);
	while (rc == OK && (e = readdir(d)) != NULL) {
		bool segment = strlen(e->d_name) == WALRANGE_NAME_LEN &&
			       strspn(e->d_name, "0123456789ABCDEF") == WALRANGE_NAME_LEN;
		struct stat st;

		if (fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			rc = error_sys(err, ERR_TARGET, "look at '%s'", e->d_name);
		else if (segment &&
			 (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != f->p.wal_segment_bytes))
			rc = pgrestore_incomplete(f, "a log of the wrong size", err);
		n += segment;
	}
	(void)closedir(d);
	if (rc == OK && n == 0)
		rc = pgrestore_incomplete(f, "there are no logs in " FOLDER, err);
	return rc;
}

/* Without what an earlier recovery left there. */
static int
copy_without_marks(struct slice text, struct buf *out, struct error *err)
{
	bool skipping = false;

	while (text.n > 0) {
		const uint8_t *newline = memchr(text.p, '\n', text.n);
		size_t n = newline != NULL ? (size_t)(newline - text.p) + 1 : text.n;
		size_t line = newline != NULL ? n - 1 : n;
		bool begin = line == strlen(MARK_BEGIN) && memcmp(text.p, MARK_BEGIN, line) == 0;
		bool end = line == strlen(MARK_END) && memcmp(text.p, MARK_END, line) == 0;

		skipping = skipping || begin;
		if (!skipping && (buf_append(out, text.p, n, err) < 0 ||
				  (newline == NULL && buf_append(out, "\n", 1, err) < 0)))
			return err->code;
		skipping = skipping && !end;
		text = SLICE(text.p + n, text.n - n);
	}
	return OK;
}

/* Whatever else may be set: a cluster that was once restored so has been backed up with its settings. Only
 * one target may be set at a time, so the empty ones come first. */
static int
settings(const struct recovery *r, struct buf *out, struct error *err)
{
	static const char *const none[] = {"recovery_target", "recovery_target_name",
					   "recovery_target_time", "recovery_target_xid",
					   "recovery_target_lsn"};
	char position[WALRANGE_LSN_LEN + 1], timeline[16];

	if (buf_printf(out, err, "%s\n# %s. Removed by the server when it is there.\n", MARK_BEGIN,
		       r->wanted) < 0)
		return err->code;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		if (pgconfig_line(none[i], "", out, err) < 0)
			return err->code;
	(void)snprintf(timeline, sizeof(timeline), "%" PRIu32, r->timeline);
	if (pgconfig_line("restore_command", FETCH_COMMAND, out, err) < 0 ||
	    pgconfig_line("recovery_end_command", END_COMMAND, out, err) < 0 ||
	    pgconfig_line("recovery_target_timeline", timeline, out, err) < 0 ||
	    pgconfig_line("recovery_target_action", "promote", out, err) < 0 ||
	    pgconfig_line("recovery_target_inclusive", r->inclusive ? "on" : "off", out, err) < 0 ||
	    pgconfig_line("hot_standby", "off", out, err) < 0)
		return err->code;
	if (r->to_position &&
	    pgconfig_line("recovery_target_lsn", walrange_format_lsn(r->position, position), out,
			  err) < 0)
		return err->code;
	return buf_printf(out, err, "%s\n", MARK_END);
}

static int
write_settings(const struct pgrestore_finishing *f, const struct recovery *r, struct error *err)
{
	CLEAN(buf_done) struct buf text = BUF_INIT(PGRESTORE_FILE_MAX + 1);
	CLEAN(buf_done) struct buf out = BUF_INIT(2 * PGRESTORE_FILE_MAX);

	int rc = pgrestore_read(f, AUTO_CONF, &text, err);
	if (rc == OK)
		rc = copy_without_marks(buf_slice(&text), &out, err);
	if (rc == OK)
		rc = settings(r, &out, err);
	if (rc == OK)
		rc = fs_write_file(f->dir, AUTO_CONF, buf_slice(&out), (mode_t)f->p.dir_mode & 0640,
				   err);
	return rc < 0 ? (int)error_prefix(err, "'%s/" AUTO_CONF "'", f->r->target) : OK;
}

int
pgrestore_recovery(const struct pgrestore_finishing *f, struct error *err)
{
	struct recovery r;

	int rc = parse(f->r->recovery, &r, err);
	if (rc < 0)
		return rc;
	CLEAN(fd_close) int dir = pgrestore_open(f->dir, FOLDER, O_RDONLY | O_DIRECTORY);
	if (dir < 0)
		return error_sys(err, ERR_TARGET, "open '%s/" FOLDER "'", f->r->target);
	rc = check_logs(f, dir, err);
	if (rc == OK)
		rc = pgrestore_replay(f, dir, r.to_position ? r.position : UINT64_MAX, err);
	if (rc == OK)
		rc = fs_write_file(dir, "end", SLICE(end_script, sizeof(end_script) - 1), 0600,
				   err);
	if (rc == OK)
		rc = write_settings(f, &r, err);
	if (rc == OK)
		rc = fs_write_file(f->dir, "recovery.signal", SLICE("", 0), 0600, err);
	return rc;
}
