/* SPDX-License-Identifier: Apache-2.0 */

/* The thread that shows progress. */
#include "cli/progress_view.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/out.h"
#include "cli/printable.h"
#include "cli/progress_line.h"
#include "cli/show.h"
#include "cli/signals.h"

enum {
	RATE_SAMPLES = 26, /* five seconds of redrawing */
	COLUMNS_FALLBACK = 80,
};

enum style { STYLE_NONE = 1, STYLE_REDRAW, STYLE_LINES, STYLE_JSON };

struct progress_view {
	struct progress_source source;
	enum style style;
	pthread_t thread;
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t wake;
	bool stop;
	bool drawn; /* a line is on the screen */
	uint64_t start_ns;
	char phase[160];
	size_t n_samples; /* ring: the newest at (n_samples - 1) % RATE_SAMPLES */
	struct {
		uint64_t at_ns, bytes;
	} samples[RATE_SAMPLES];
};

static uint64_t
interval_ns(enum style style)
{
	switch (style) {
	case STYLE_REDRAW:
		return NS_PER_S / 5;
	case STYLE_LINES:
		return 10 * NS_PER_S;
	default:
		return NS_PER_S;
	}
}

static enum style
choose_style(const struct cli *cli)
{
	const char *when = settings_text(cli->settings, OPTION_OUTPUT_PROGRESS);

	if (cli->quiet || strcmp(when, "never") == 0)
		return STYLE_NONE;
	if (cli->json)
		return STYLE_JSON;
	if (strcmp(when, "always") == 0 || isatty(STDERR_FILENO))
		return STYLE_REDRAW;
	return STYLE_LINES;
}

static struct progress_sample
take_sample(struct progress_view *v)
{
	uint64_t now = clock_boot_ns();
	struct progress_sample s = {
		.elapsed_ns = now - v->start_ns,
		.counted = "files",
		.phase = v->phase,
	};
	size_t oldest = v->n_samples < RATE_SAMPLES ? 0 : v->n_samples % RATE_SAMPLES;

	v->source.read(v->source.arg, &s);
	/* The first time since the start, else over the last few. */
	if (v->n_samples == 0) {
		s.rate_bytes = s.bytes_done;
		s.rate_ns = s.elapsed_ns;
	} else {
		s.rate_bytes = s.bytes_done - MIN(v->samples[oldest].bytes, s.bytes_done);
		s.rate_ns = now - v->samples[oldest].at_ns;
	}
	v->samples[v->n_samples % RATE_SAMPLES].at_ns = now;
	v->samples[v->n_samples % RATE_SAMPLES].bytes = s.bytes_done;
	v->n_samples++;
	return s;
}

static size_t
terminal_columns(void)
{
	struct winsize size = {0};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return COLUMNS_FALLBACK;
	return size.ws_col;
}

/* Under the lock. */
static void
erase(struct progress_view *v)
{
	if (v->drawn)
		(void)fputs("\r\033[K", stderr);
	v->drawn = false;
}

/* Under the lock. */
static void
draw(struct progress_view *v)
{
	struct progress_sample s = take_sample(v);
	char raw[512];
	char line[512];

	if (v->style == STYLE_JSON) {
		out_json(progress_line_json(&s));
		return;
	}
	/* The last column stays free, or some terminals would begin a new line. */
	progress_line_text(&s, v->style == STYLE_REDRAW ? terminal_columns() - 1 : sizeof(raw) - 1,
			   raw, sizeof(raw));
	printable_message(raw, line, sizeof(line));
	if (v->style == STYLE_LINES) {
		(void)fprintf(stderr, "%s\n", line);
		return;
	}
	(void)fprintf(stderr, "\r%s\033[K", line);
	(void)fflush(stderr);
	v->drawn = true;
}

static void *
view_thread(void *arg)
{
	struct progress_view *v = arg;
	struct timespec until;

	pthread_mutex_lock(&v->lock);
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	while (!v->stop) {
		uint64_t next = (uint64_t)until.tv_nsec + interval_ns(v->style);

		until.tv_sec += (time_t)(next / NS_PER_S);
		until.tv_nsec = (long)(next % NS_PER_S);
		while (!v->stop && pthread_cond_timedwait(&v->wake, &v->lock, &until) == 0)
			;
		if (!v->stop)
			draw(v);
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

/* A message while a line may be on the screen. */
static void
put_above(void *arg, const char *line)
{
	struct progress_view *v = arg;

	pthread_mutex_lock(&v->lock);
	erase(v);
	(void)fprintf(stderr, "%s\n", line);
	pthread_mutex_unlock(&v->lock);
}

static void
read_progress(void *arg, struct progress_sample *s)
{
	const struct progress *p = arg;

	s->bytes_done = atomic_load(&p->bytes_done);
	s->bytes_total = atomic_load(&p->bytes_total);
	s->files_done = atomic_load(&p->files_done);
	s->files_total = atomic_load(&p->files_total);
	s->total_known = atomic_load(&p->total_known);
}

struct progress_source
progress_view_source(struct progress *progress)
{
	return (struct progress_source){
		.read = read_progress,
		.arg = progress,
		.cancelled = &progress->cancelled,
	};
}

int
progress_view_start(const struct cli *cli, const struct progress_source *source,
		    struct progress_view **ret, struct error *err)
{
	CLEAN(free_ptr) struct progress_view *v = calloc(1, sizeof(*v));
	pthread_condattr_t attr;
	int sys;

	if (v == NULL)
		return error_no_memory(err);
	v->source = *source;
	v->style = choose_style(cli);
	v->start_ns = clock_boot_ns();
	(void)text_printf(v->phase, sizeof(v->phase), "starting");
	(void)pthread_mutex_init(&v->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&v->wake, &attr);
	(void)pthread_condattr_destroy(&attr);
	if (v->style != STYLE_NONE) {
		sys = pthread_create(&v->thread, NULL, view_thread, v);
		if (sys != 0) {
			errno = sys;
			return error_sys(err, ERR_NO_MEMORY, "start a thread");
		}
		show_divert(put_above, v);
	}
	signals_watch(source->cancelled);
	*ret = STEAL_PTR(v);
	return OK;
}

void
progress_view_phase(void *arg, const char *what)
{
	struct progress_view *v = arg;

	pthread_mutex_lock(&v->lock);
	(void)text_printf(v->phase, sizeof(v->phase), "%s", what);
	if (v->style == STYLE_REDRAW)
		draw(v);
	pthread_mutex_unlock(&v->lock);
}

void
progress_view_stop(struct progress_view *v)
{
	if (v == NULL)
		return;
	signals_watch(NULL);
	if (v->style != STYLE_NONE) {
		show_divert(NULL, NULL);
		pthread_mutex_lock(&v->lock);
		v->stop = true;
		erase(v);
		(void)fflush(stderr);
		(void)pthread_cond_signal(&v->wake);
		pthread_mutex_unlock(&v->lock);
		(void)pthread_join(v->thread, NULL);
	}
	(void)pthread_cond_destroy(&v->wake);
	(void)pthread_mutex_destroy(&v->lock);
	free(v);
}

void
progress_view_stopp(struct progress_view **view)
{
	progress_view_stop(*view);
}
