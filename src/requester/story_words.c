/* SPDX-License-Identifier: Apache-2.0 */

/* Headline, cause and advice of each ending. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "requester/story_internal.h"

#define AGAIN "Run the backup again: what was copied is in the repository and is not copied twice. "

/* Text that grows to the end of its buffer. */
static void say(char *text, const char *format, ...) PRINTF_LIKE(2, 3);

static void
say(char *text, const char *format, ...)
{
	size_t n = strlen(text);
	va_list ap;

	if (STORY_TEXT_MAX - n < 8)
		return;
	va_start(ap, format);
	(void)text_vprintf(text + n, STORY_TEXT_MAX - n, format, ap);
	va_end(ap);
}

/* A duration as the configuration file has it: "30m", "90s". */
static void
setting_text(uint64_t s, char text[24])
{
	if (s % 3600 == 0)
		(void)text_printf(text, 24, "%" PRIu64 "h", s / 3600);
	else if (s % 60 == 0)
		(void)text_printf(text, 24, "%" PRIu64 "m", s / 60);
	else
		(void)text_printf(text, 24, "%" PRIu64 "s", s);
}

/* A round duration of at least a quarter more than this. */
static uint64_t
enough_s(uint64_t ms)
{
	uint64_t s = (ms + ms / 4 + 999) / 1000;
	uint64_t step = s <= 60 ? 5 : s <= 600 ? 60 : s <= 3600 ? 300 : 1800;

	return (s + step - 1) / step * step;
}

static const char *
field_or(const struct event *e, const char *name, const char *otherwise, char scratch[24])
{
	const char *value = e != NULL ? event_field(e, name, scratch) : "";

	return value[0] != '\0' ? value : otherwise;
}

/* Snapshot timeout ------------------------------------------------------------------------------ */

static uint64_t
silence_ms(const struct story_facts *f)
{
	uint64_t until = f->heard_again_ns != 0 ? f->heard_again_ns : f->expired_ns;

	return f->last_keep_ns != 0 && until > f->last_keep_ns
		       ? (until - f->last_keep_ns) / NS_PER_MS
		       : 0;
}

/* "10 s", "20 min (1200 s)": as people say it, and as it may have been set. */
static const char *
timeout_text(uint64_t ms, char text[32])
{
	char span[32];

	if (ms < 120 * 1000)
		(void)text_printf(text, 32, "%" PRIu64 " s", ms / 1000);
	else
		(void)text_printf(text, 32, "%s (%" PRIu64 " s)", story_span(ms, span), ms / 1000);
	return text;
}

/* "It expired at ..., after the last keep-alive of ...". */
static void
say_expiry(const struct story_facts *f, struct story *s)
{
	char a[24], b[24], ttl[32];

	if (f->last_keep_ns != 0 && f->ttl_ms != 0)
		say(s->cause,
		    "The protected host got its last keep-alive at %s and none for the %s of "
		    "snapshot_timeout after it. At %s it therefore let the snapshot go, as it must: "
		    "a snapshot whose owner is gone would otherwise stay for ever. ",
		    story_clock(f->last_keep_ns, a), timeout_text(f->ttl_ms, ttl),
		    story_clock(f->expired_ns, b));
	else
		say(s->cause,
		    "No keep-alive reached the protected host for the whole of snapshot_timeout. At "
		    "%s it therefore let the snapshot go. ",
		    story_clock(f->expired_ns, b));
}

/* What a late caller found. */
static void
say_too_late(const struct story_facts *f, struct story *s)
{
	char a[24], span[32];

	if (f->heard_again_ns <= f->expired_ns)
		return;
	say(s->cause,
	    "When the requester was heard again, at %s, it was %s too late: there was nothing left to "
	    "keep or to finish. That is what 0x800401fd (CO_E_OBJNOTCONNECTED) says. ",
	    story_clock(f->heard_again_ns, a),
	    story_span((f->heard_again_ns - f->expired_ns) / NS_PER_MS, span));
}

/* The silence is over and its length known: which timeout would have bridged it? */
static void
propose_timeout(const struct story_facts *f, struct story *s)
{
	uint64_t ms = silence_ms(f);
	uint64_t proposed = MIN(enough_s(MAX(ms, f->ttl_ms)), (uint64_t)24 * 3600);
	char span[32];

	if (ms == 0 || f->heard_again_ns == 0) {
		say(s->advice,
		    "How long the silence would have lasted is not known. One that is to be "
		    "survived must be shorter than snapshot_timeout: a setting of the "
		    "requester, section [backup], or --snapshot-timeout for one backup. It "
		    "is read at the start of each backup; nothing needs to be restarted. ");
		return;
	}
	(void)text_printf(s->setting, sizeof(s->setting), "backup.snapshot_timeout");
	if (f->ttl_ms != 0)
		setting_text(f->ttl_ms / 1000, s->now);
	setting_text(proposed, s->proposed);
	say(s->advice,
	    "If such silences (this one lasted %s) are to be expected here, set snapshot_timeout "
	    "to %s: in the configuration of the requester, section [backup], or for one backup with "
	    "--snapshot-timeout %s. It is read at the start of each backup; nothing needs to be "
	    "restarted. The price: a requester that is really dead keeps its snapshot, and the "
	    "space it takes, for that long. ",
	    story_span(ms, span), s->proposed, s->proposed);
}

static void
words_network(const struct story_facts *f, struct story *s)
{
	char a[24], b[24];
	const struct event *broken = f->disconnected != NULL ? f->disconnected : f->unreachable;

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: the connection between requester and host was lost for longer "
			  "than snapshot_timeout.");
	if (f->expired_ns != 0)
		say_expiry(f, s);
	else
		say(s->cause, "The requester got no answer to its keep-alives for the whole of "
			      "snapshot_timeout, so the host must have let the snapshot go; it "
			      "stopped the copy. ");
	if (f->given_up != NULL)
		say(s->cause, "The requester got no answer either; at %s it stopped the copy. ",
		    story_clock(f->given_up->time_ns, a));
	if (broken != NULL)
		say(s->cause, "The connection was seen to break at %s. ",
		    story_clock(broken->time_ns, a));
	say_too_late(f, s);
	say(s->advice, AGAIN);
	if (f->last_keep_ns != 0)
		say(s->advice,
		    "Find out what was between the two machines from %s to %s: a switch, a "
		    "firewall that drops idle connections, a machine too busy to answer. ",
		    story_clock(f->last_keep_ns, a),
		    story_clock(f->heard_again_ns != 0 ? f->heard_again_ns : s->end_ns, b));
	propose_timeout(f, s);
}

static void
words_standstill(const struct story_facts *f, struct story *s)
{
	char a[24], b[24];

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: the requester was silent for longer than snapshot_timeout.");
	say_expiry(f, s);
	say(s->cause, "The connection was not seen to break: either the requester itself stood "
		      "still (stopped, suspended, its machine starved of processor or disk), or "
		      "the network swallowed everything without closing it. ");
	say_too_late(f, s);
	say(s->advice, AGAIN);
	if (f->last_keep_ns != 0)
		say(s->advice,
		    "Look at what the requester's machine and the network did from %s "
		    "to %s. ",
		    story_clock(f->last_keep_ns, a), story_clock(f->heard_again_ns, b));
	propose_timeout(f, s);
}

static void
words_gone(const struct story_facts *f, struct story *s)
{
	char a[24];

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: the requester vanished, and the host let the snapshot go.");
	say_expiry(f, s);
	if (f->disconnected != NULL)
		say(s->cause,
		    "Its connection ended at %s, and it never came back: its process was killed or "
		    "crashed, or its machine went down. ",
		    story_clock(f->disconnected->time_ns, a));
	else
		say(s->cause, "Its connection was never closed, and nothing was heard of it since: "
			      "its machine went down or was cut off, or its process is stopped. ");
	say(s->advice,
	    "See whether the requester's machine and process are still there, and why they ended. "
	    "On the host nothing is left to do: it has cleaned up by itself. A longer "
	    "snapshot_timeout would not have helped. " AGAIN);
}

/* The freeze ------------------------------------------------------------------------------------ */

static uint64_t
limit_ms(const struct story_facts *f)
{
	if (f->freeze_limit != NULL && event_number(f->freeze_limit, "limit_ms") != 0)
		return event_number(f->freeze_limit, "limit_ms");
	return f->freeze_begun != NULL ? event_number(f->freeze_begun, "limit_ms") : 0;
}

static void
propose_limit(const struct story_facts *f, struct story *s)
{
	uint64_t now = limit_ms(f) / 1000;

	if (now == 0 || now >= 60)
		return;
	(void)text_printf(s->setting, sizeof(s->setting), "backup.freeze_limit");
	setting_text(now, s->now);
	setting_text(MIN(2 * now, (uint64_t)60), s->proposed);
	say(s->advice,
	    "If it just needs longer, set freeze_limit (section [backup]) from %s to %s; "
	    "applications wait for that long then. ",
	    s->now, s->proposed);
}

static void
words_freeze_limit(const struct story_facts *f, struct story *s)
{
	char span[32];

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: the freeze took longer than freeze_limit.");
	say(s->cause,
	    "Between freeze and thaw everything stands still, so that time has a limit that no "
	    "keep-alive extends. After %s the guard thawed everything by itself; a snapshot that was "
	    "not complete by then does not count. ",
	    limit_ms(f) != 0 ? story_span(limit_ms(f), span) : "that limit");
	say(s->advice, "See in the lines above what came last before the limit: a slow writer, the "
		       "flush of a busy file system, or the external create command. Back up when "
		       "less is written. ");
	propose_limit(f, s);
}

static void
words_agent_hung(const struct story_facts *f, struct story *s)
{
	char span[32];

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: the agent hung during the freeze; the guard thawed everything.");
	say(s->cause,
	    "The agent said nothing when freeze_limit%s%s was over, so it was stopped, starved or "
	    "stuck itself. The guard is a process of its own for this case: it thawed everything in "
	    "time, and nothing is left frozen. ",
	    limit_ms(f) != 0 ? " of " : "", limit_ms(f) != 0 ? story_span(limit_ms(f), span) : "");
	say(s->advice, "See whether the agent still hangs, and what the machine did at that time "
		       "(the kernel's log: hung tasks, storage errors, memory). " AGAIN);
}

/* Writers --------------------------------------------------------------------------------------- */

static void
words_writer_hung(const struct story_facts *f, struct story *s)
{
	char scratch[24], other[24], span[32];
	const struct event *e = f->writer_hung;
	const char *writer = field_or(e, "writer", "a writer", scratch);
	const char *step = field_or(e, "step", "", other);
	uint64_t limit = event_number(e, "limit_ms");

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: the writer %s did not answer in time.", writer);
	say(s->cause, "It was asked for '%s'%s%s and did not answer in time. ",
	    step[0] != '\0' ? step : "a step", limit != 0 ? ", had " : "",
	    limit != 0 ? story_span(limit, span) : "");
	say(s->cause, "It was ended, and with it its session in the database, which goes on as if "
		      "there had been no backup. That is what 0x800423f2 "
		      "(VSS_E_WRITERERROR_TIMEOUT) says. ");
	say(s->advice,
	    "Look at what the database was doing: locks, a long checkpoint, a slow disk. Wait ten "
	    "minutes and repeat the backup, up to three times. ");
	if (f->freeze_limit != NULL) {
		propose_limit(f, s);
	} else if (limit != 0) {
		(void)text_printf(s->setting, sizeof(s->setting), "writer.timeout");
		setting_text(MAX(limit / 1000, (uint64_t)1), s->now);
		setting_text(2 * MAX(limit / 1000, (uint64_t)1), s->proposed);
		say(s->advice,
		    "If it just needs longer, set timeout (section [writer]) from %s to "
		    "%s. ",
		    s->now, s->proposed);
	}
}

static void
words_writer_failed(const struct story_facts *f, struct story *s)
{
	char scratch[24], other[24], third[24];
	const struct event *e = f->writer_failed;
	bool retry = strcmp(event_field(e, "retry", scratch), "yes") == 0;
	const char *step = event_field(e, "step", other);

	(void)text_printf(s->headline, sizeof(s->headline), "Failed: the writer %s failed%s%s.",
			  field_or(e, "writer", "", scratch), step[0] != '\0' ? " at " : "", step);
	say(s->cause, "%s ", field_or(e, "error", "It did not say why.", third));
	if (retry)
		say(s->advice, "The writer says that this is likely gone when the whole backup is "
			       "repeated: wait ten minutes, at most three times. ");
	else
		say(s->advice, "It will likely fail again until the cause is found. See the log of "
			       "the application. ");
}

/* Processes and the rest ------------------------------------------------------------------------ */

static void
words_agent_lost(const struct story_facts *f, struct story *s)
{
	char scratch[24], span[32];
	const char *cause = event_field(f->agent_lost, "cause", scratch);

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: the process that ran the backup on the host was lost.");
	say(s->cause,
	    "It ended without a word%s%s%s: killed, crashed, or taken by the OOM killer. ",
	    cause[0] != '\0' ? " (" : "", cause, cause[0] != '\0' ? ")" : "");
	if (f->thawed_by_guard != NULL)
		say(s->cause, "That was during the freeze; the guard thawed everything%s%s. ",
		    event_has(f->thawed_by_guard, "frozen_ms") ? ", which had stood still for "
							       : "",
		    event_has(f->thawed_by_guard, "frozen_ms")
			    ? story_span(event_number(f->thawed_by_guard, "frozen_ms"), span)
			    : "");
	say(s->cause, "The guard let the snapshot go; nothing is left frozen or held. ");
	say(s->advice, "Find out who ended it: the kernel's log names the OOM killer's victims, "
		       "the journal crashes and services that were restarted. " AGAIN);
}

static void
words_guard_lost(struct story *s)
{
	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: the guard was lost before the snapshot was held.");
	say(s->cause,
	    "The guard ended without a word: killed, crashed, or taken by the OOM killer. "
	    "Another took over at once and thawed what was frozen; but what had not got "
	    "as far as 'held' cannot go on. ");
	say(s->advice, "Find out who ended it: the kernel's log, the journal. " AGAIN);
}

static void
words_no_space(const struct story_facts *f, struct story *s)
{
	char scratch[24];
	const char *source = event_field(f->no_space, "source", scratch);
	uint64_t mib = 1 << 20;

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: space ran low, and production goes before the snapshot.");
	say(s->cause, "While the snapshot was held, what changed had to be kept twice. ");
	say(s->cause,
	    "%s%shad %" PRIu64 " MiB free, below the floor of %" PRIu64
	    " MiB (space.min_free): the "
	    "host let the snapshot go before applications ran out of space. ",
	    source[0] != '\0' ? source : "The file system", source[0] != '\0' ? " " : " ",
	    event_number(f->no_space, "free_bytes") / mib,
	    event_number(f->no_space, "floor_bytes") / mib);
	say(s->advice, "Free space, or back up when less is written, or make the volume larger. "
		       "space.min_free is the floor; lowering it takes the space from "
		       "applications. ");
	(void)text_printf(s->setting, sizeof(s->setting), "space.min_free");
}

static void
words_by_hand(const struct story_facts *f, struct story *s)
{
	char scratch[24], a[24];

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: an administrator let the snapshot go.");
	say(s->cause, "At %s %s ran 'holdfast release', or the like, on the host. ",
	    story_clock(f->by_hand->time_ns, a), field_or(f->by_hand, "user", "somebody", scratch));
	say(s->advice, AGAIN);
}

static void
words_foreign(const struct story_facts *f, struct story *s)
{
	char scratch[24];
	bool thaw = f->foreign->id == EVENT_FOREIGN_THAW;

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Failed: another program %s a file system during the freeze.",
			  thaw ? "thawed" : "had frozen");
	say(s->cause, "%s was %s by somebody else, so the snapshot is not one moment. ",
	    field_or(f->foreign, "source", "A file system", scratch),
	    thaw ? "thawed" : "already frozen");
	say(s->advice, "Look for another backup program, a hypervisor's guest agent or a script "
		       "with fsfreeze that runs at the same time, and let them take turns. ");
}

static void
words_failed(const struct story_facts *f, struct story *s)
{
	char scratch[24], other[24];
	const char *step = event_field(f->failed, "step", scratch);

	if (story_group_words(f->failed, s))
		return;
	(void)text_printf(s->headline, sizeof(s->headline), "Failed%s%s.",
			  step[0] != '\0' ? " at: " : "", step);
	say(s->cause, "%s ", field_or(f->failed, "error", "The log does not say why.", other));
}

static void
words_end(const struct story_facts *f, struct story *s)
{
	char scratch[24], other[24], span[32];
	const char *point = event_field(f->finished, "point", scratch);
	const char *consistency = event_field(f->finished, "consistency", other);

	/* Logs have none. */
	(void)text_printf(s->headline, sizeof(s->headline), "Done: restore point %.8s%s%s.", point,
			  consistency[0] != '\0' ? ", consistency " : "", consistency);
	if (f->guard_lost != NULL)
		say(s->cause, "The guard was lost on the way and replaced; the snapshot stayed "
			      "held. ");
	if (f->weaker != NULL) {
		say(s->cause, "The restore point is less consistent than was asked for: %s ",
		    field_or(f->weaker, "cause", "the log does not say why.", scratch));
		say(s->advice, "Do not rely on it for the databases in it before you have tried a "
			       "restore. ");
	}
	/* A gap that was nearly too long is a warning. */
	if (f->ttl_ms != 0 && f->longest_gap_ms > f->ttl_ms / 2) {
		say(s->cause,
		    "Between two keep-alives there were once %s, more than half of "
		    "snapshot_timeout: the next backup may not be so lucky. ",
		    story_span(f->longest_gap_ms, span));
		say(s->advice, "Find out why the requester was silent, or raise "
			       "snapshot_timeout. ");
	}
}

static void
words_unfinished(struct story *s)
{
	char a[24];

	(void)text_printf(s->headline, sizeof(s->headline),
			  "Not finished: it is running, or ended without a word.");
	say(s->cause, "The last that the log knows of it is from %s. ", story_clock(s->end_ns, a));
	say(s->advice, "'holdfast snapshots' shows what is held now. If the requester runs on "
		       "another machine, its own log knows more. ");
}

/* What was said ends in a blank, for what might have followed. */
static void
trim(char *text)
{
	size_t n = strlen(text);

	if (n > 0 && text[n - 1] == ' ')
		text[n - 1] = '\0';
}

static void
tell_ending(const struct story_facts *f, struct story *s)
{
	switch (s->ending) {
	case STORY_UNFINISHED:
		words_unfinished(s);
		break;
	case STORY_GOOD:
	case STORY_WEAKER:
		words_end(f, s);
		break;
	case STORY_NETWORK:
		words_network(f, s);
		break;
	case STORY_STANDSTILL:
		words_standstill(f, s);
		break;
	case STORY_REQUESTER_GONE:
		words_gone(f, s);
		break;
	case STORY_FREEZE_LIMIT:
		words_freeze_limit(f, s);
		break;
	case STORY_AGENT_HUNG:
		words_agent_hung(f, s);
		break;
	case STORY_WRITER_HUNG:
		words_writer_hung(f, s);
		break;
	case STORY_WRITER_FAILED:
		words_writer_failed(f, s);
		break;
	case STORY_AGENT_LOST:
		words_agent_lost(f, s);
		break;
	case STORY_GUARD_LOST:
		words_guard_lost(s);
		break;
	case STORY_NO_SPACE:
		words_no_space(f, s);
		break;
	case STORY_BY_HAND:
		words_by_hand(f, s);
		break;
	case STORY_FOREIGN:
		words_foreign(f, s);
		break;
	case STORY_CANCELLED:
		(void)text_printf(s->headline, sizeof(s->headline), "Stopped on request.");
		say(s->advice, AGAIN);
		break;
	case STORY_FAILED:
		words_failed(f, s);
		break;
	}
}

void
story_words(const struct story_facts *f, struct story *s)
{
	tell_ending(f, s);
	trim(s->cause);
	trim(s->advice);
}
