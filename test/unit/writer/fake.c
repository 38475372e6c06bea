/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The writers of fake.h. The hostile one keeps the state machine itself so that everything around
 * its one misdeed is right.
 */
#include "writer/fake.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <jansson.h>

#include "writer/server.h"
#include "writer/state.h"

static const char component_text[] =
	"{\"name\":\"main\",\"paths\":[{\"source\":\"/srv/db\",\"at\":\"\"}],"
	"\"exclude\":[\"tmp/*\"],\"metadata\":{\"version\":\"1\"}}";
static const char tail_text[] = "{\"files\":[{\"at\":\"label\",\"data\":\"x\\n\"}]}";

/* The good one. */

static int
good_nothing(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	(void)self;
	(void)request;
	(void)reply;
	(void)err;
	return OK;
}

static int
good_add(json_t *reply, const char *key, const char *text, struct error *err)
{
	if (json_object_set_new(reply, key, json_loads(text, 0, NULL)) < 0)
		return error_no_memory(err);
	return OK;
}

static int
good_identify(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	(void)self;
	(void)request;
	return good_add(reply, "metadata", "{\"name\":\"good\",\"version\":\"1\"}", err);
}

static int
good_prepare_snapshot(void *self, const struct writer_request *request, json_t *reply,
		      struct error *err)
{
	(void)self;
	(void)request;
	return good_add(reply, "component", component_text, err);
}

static int
good_post_copy(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	(void)self;
	(void)request;
	return good_add(reply, "tail", tail_text, err);
}

static int
good_pre_restore(void *self, const struct writer_request *request, json_t *reply, struct error *err)
{
	(void)self;
	(void)reply;
	if (strcmp(json_string_value(json_object_get(request->body, "target")), "/good") != 0)
		return error_set(err, ERR_TARGET, "not there");
	return OK;
}

static const struct writer_ops good_ops = {
	.name = "good",
	.start = good_nothing,
	.identify = good_identify,
	.prepare_backup = good_nothing,
	.prepare_snapshot = good_prepare_snapshot,
	.post_copy = good_post_copy,
	.backup_complete = good_nothing,
	.abort = good_nothing,
	.pre_restore = good_pre_restore,
};

/* The hostile one. */

struct fake {
	char at[32], what[32];
	struct state state;
	json_int_t seq;
};

static void
say(const char *text)
{
	(void)fputs(text, stdout);
	(void)fflush(stdout);
}

_Noreturn static void
wait_for_the_end(void)
{
	for (;;)
		(void)pause();
}

static void
repeat(FILE *to, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (fputs(text, to) < 0)
			break;
	(void)fflush(to);
}

static void
slow(const char *text)
{
	const struct timespec tick = {.tv_nsec = 20000000};

	for (; *text != 0; text++) {
		(void)putchar(*text);
		(void)fflush(stdout);
		(void)nanosleep(&tick, NULL);
	}
}

/* Until the requester has taken in what was said: what follows then finds it between two events. */
static void
await_reader(void)
{
	int left = 1;

	while (ioctl(STDOUT_FILENO, FIONREAD, &left) == 0 && left > 0)
		(void)sched_yield();
}

/* The right answer, as JSON with an end of line. */
static char *
right_reply(struct fake *f, enum writer_event event)
{
	json_t *reply = json_pack("{s:I, s:n}", "seq", f->seq, "error");

	state_done(&f->state, event);
	(void)json_object_set_new(reply, "state", json_integer((json_int_t)f->state.shown));
	if (event == EVENT_START) {
		(void)json_object_set_new(reply, "protocol", json_integer(1));
		(void)json_object_set_new(reply, "name", json_string("fake"));
	} else if (event == EVENT_IDENTIFY) {
		(void)json_object_set_new(reply, "metadata", json_pack("{s:s}", "name", "fake"));
	} else if (event == EVENT_PREPARE_SNAPSHOT) {
		(void)json_object_set_new(reply, "component", json_loads(component_text, 0, NULL));
	} else if (event == EVENT_POST_COPY) {
		(void)json_object_set_new(reply, "tail", json_loads(tail_text, 0, NULL));
	}
	char *text = json_dumps(reply, JSON_COMPACT);
	char *line;
	if (text == NULL || asprintf(&line, "%s\n", text) < 0)
		_exit(100);
	free(text);
	json_decref(reply);
	return line;
}

static void
fail_with(struct fake *f, enum writer_event event, const char *code, const char *message,
	  int retryable)
{
	if (event != EVENT_NONE)
		state_failed(&f->state, event);
	json_t *reply = json_pack("{s:I, s:i, s:{s:s, s:s, s:b}}", "seq", f->seq, "state",
				  (int)f->state.shown, "error", "code", code, "message", message,
				  "retryable", retryable);
	char *text = json_dumps(reply, JSON_COMPACT);
	say(text);
	say("\n");
	free(text);
	json_decref(reply);
}

/* A process of the writer's own that keeps its pipes, and goes on as the writer if it is to. */
static void
leave_child(bool goes_on)
{
	pid_t parent = getpid(), pid = fork();

	/* It answers as a child whose parent has ended, not while that is still about to. */
	while (pid == 0 && goes_on && getppid() == parent)
		(void)usleep(1000);
	if (pid == 0 && goes_on)
		return;
	if (pid == 0)
		wait_for_the_end();
	_exit(5);
}

/* Misdeeds that end the writer or leave it silent. */
static void
misbehave_for_good(struct fake *f, enum writer_event event, const char *what)
{
	if (strcmp(what, "hang") == 0)
		wait_for_the_end();
	if (strcmp(what, "exit") == 0) {
		(void)fputs("first line\nout of \033[31mcoffee\n", stderr);
		_exit(3);
	}
	if (strcmp(what, "stubborn") == 0) {
		for (int sig = 1; sig < NSIG; sig++)
			(void)signal(sig, SIG_IGN);
		wait_for_the_end();
	}
	if (strcmp(what, "stop") == 0)
		(void)raise(SIGSTOP);
	if (strcmp(what, "late") == 0)
		(void)nanosleep(&(struct timespec){.tv_nsec = 900000000}, NULL);
	if (strcmp(what, "orphan") == 0)
		leave_child(false);
	if (strcmp(what, "daemon") == 0)
		leave_child(true);
	if (strcmp(what, "kill") == 0)
		(void)raise(SIGKILL);
	if (strcmp(what, "close") == 0) {
		(void)close(STDOUT_FILENO);
		wait_for_the_end();
	}
	if (strcmp(what, "slow") == 0)
		slow(right_reply(f, event));
	if (strcmp(what, "long") == 0) {
		repeat(stdout, "x", 70000);
		wait_for_the_end();
	}
	if (strcmp(what, "very-long") == 0) {
		repeat(stdout, "0123456789abcdefghijklmnopqrstuvwxyz", 500000);
		wait_for_the_end();
	}
	if (strcmp(what, "flood") == 0)
		repeat(stdout, "{\"state\":1,\"error\":null}\n", SIZE_MAX);
	if (strcmp(what, "complain") == 0) {
		repeat(stderr, "no, no, no, no\n", SIZE_MAX);
	}
}

/* Wrong lines in place of the right one; true if it was one of these. */
static bool
answer_wrongly(struct fake *f, enum writer_event event, const char *what)
{
	char *text;

	if (strcmp(what, "garbage") == 0) {
		say("hello\n");
	} else if (strcmp(what, "array") == 0) {
		say("[1]\n");
	} else if (strcmp(what, "deep") == 0) {
		repeat(stdout, "[", 60000);
		say("\n");
	} else if (strcmp(what, "no-state") == 0) {
		say("{\"seq\":1,\"error\":null}\n");
	} else if (strcmp(what, "state-16") == 0) {
		say("{\"state\":16}\n");
	} else if (strcmp(what, "error-text") == 0) {
		say("{\"state\":1,\"error\":\"no\"}\n");
	} else if (strcmp(what, "seq") == 0) {
		f->seq += 1;
		say(right_reply(f, event));
	} else if (strcmp(what, "seq-old") == 0) {
		f->seq -= 1;
		say(right_reply(f, event));
	} else if (strcmp(what, "twice") == 0) {
		text = right_reply(f, event);
		say(text);
		say(text);
	} else if (strcmp(what, "state") == 0) {
		if (asprintf(&text, "{\"seq\":%lld,\"state\":5,\"error\":null}\n",
			     (long long)f->seq) > 0)
			say(text);
	} else if (strcmp(what, "empty") == 0) {
		state_done(&f->state, event);
		if (asprintf(&text, "{\"seq\":%lld,\"state\":%d,\"error\":null}\n",
			     (long long)f->seq, (int)f->state.shown) > 0)
			say(text);
	} else if (strcmp(what, "novel") == 0) {
		fail_with(f, event, "NOVEL", "a \033[2Jnew\nfailure \xc2\x9b!", 1);
	} else if (strcmp(what, "novel-final") == 0) {
		fail_with(f, event, "USAGE", "", 0);
	} else if (strcmp(what, "config") == 0) {
		fail_with(f, event, "DB_CONFIG", "wal_level is minimal", 1);
	} else {
		return false;
	}
	return true;
}

static void
serve(struct fake *f, enum writer_event event)
{
	bool now = strcmp(f->at, state_event_name(event)) == 0;

	if (now)
		misbehave_for_good(f, event, f->what);
	if (now && answer_wrongly(f, event, f->what))
		return;
	if (!state_accepts(&f->state, event)) {
		fail_with(f, EVENT_NONE, "BAD_STATE", "not now", 0);
		return;
	}
	say(right_reply(f, event));
	if (now && strcmp(f->what, "then-lost") == 0) {
		state_lost(&f->state);
		await_reader();
		printf("{\"state\":%d,\"error\":{\"code\":\"DB_SESSION_LOST\",\"message\":"
		       "\"the server went away\",\"hint\":\"again\"}}\n",
		       (int)f->state.shown);
		(void)fflush(stdout);
	}
	if (now && strcmp(f->what, "then-exit") == 0)
		_exit(4);
	if (now && strcmp(f->what, "then-orphan") == 0)
		leave_child(false);
	if (now && strcmp(f->what, "then-stop") == 0)
		(void)raise(SIGSTOP);
	if (now && strcmp(f->what, "then-deaf") == 0)
		wait_for_the_end();
	if (now && strcmp(f->what, "then-flood") == 0) {
		await_reader();
		repeat(stdout, "{\"state\":5,\"error\":null}\n", SIZE_MAX);
	}
	if (now && strcmp(f->what, "then-chat") == 0)
		repeat(stdout, "{\"state\":5,\"error\":null}\n", 100);
}

/* Ends with _exit: what a hostile program leaves allocated is not what the tests look for. */
_Noreturn static void
fake_main(void)
{
	struct fake f = {.state = STATE_INIT};
	char *line = NULL;
	size_t cap = 0;

	while (getline(&line, &cap, stdin) > 0) {
		json_t *body = json_loads(line, 0, NULL);
		enum writer_event event = state_event_find(
			json_string_value(json_object_get(body, "event")));

		f.seq = json_integer_value(json_object_get(body, "seq"));
		if (event == EVENT_START) {
			const json_t *settings = json_object_get(body, "settings");
			const char *at = json_string_value(json_object_get(settings, "at"));
			const char *what = json_string_value(json_object_get(settings, "do"));

			(void)snprintf(f.at, sizeof(f.at), "%s", at != NULL ? at : "");
			(void)snprintf(f.what, sizeof(f.what), "%s", what != NULL ? what : "");
		}
		serve(&f, event);
		json_decref(body);
	}
	/* One that does not go when it should. */
	if (strcmp(f.what, "stay") == 0)
		wait_for_the_end();
	_exit(0);
}

bool
fake_run(const char *argv0, int *ret_status)
{
	const char *slash = strrchr(argv0, '/');
	const char *name = slash != NULL ? slash + 1 : argv0;

	if (strcmp(name, "holdfast-writer-good") == 0) {
		*ret_status = server_run(&good_ops, NULL, STDIN_FILENO, STDOUT_FILENO, NULL) < 0;
		return true;
	}
	if (strcmp(name, "holdfast-writer-fake") == 0)
		fake_main();
	return false;
}

static const char *const links[] = {"holdfast-writer-fake", "holdfast-writer-good"};

char *
fake_dir_new(void)
{
	char dir[] = "/tmp/hf-fake-XXXXXX";
	char self[4096], path[128];

	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (n < 0 || mkdtemp(dir) == NULL)
		return NULL;
	self[n] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, links[i]);
		if (symlink(self, path) < 0)
			return NULL;
	}
	return strdup(dir);
}

void
fake_dir_remove(char *dir)
{
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, links[i]);
		(void)unlink(path);
	}
	(void)rmdir(dir);
	free(dir);
}
