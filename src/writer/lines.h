/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Lines over pipes, for both ends of the writer protocol: what a peer sends is cut into lines of
 * bounded length, and a line is sent within a deadline whether or not the peer reads.
 */
#ifndef HF_WRITER_LINES_H
#define HF_WRITER_LINES_H

#include <stdbool.h>

#include "base/base.h"
#include "base/buf.h"
#include "base/error.h"

struct lines {
	struct buf buf;
	size_t at; /* what lies before it was handed out */
	size_t scanned; /* no line ends in at .. scanned */
	bool eof;
};

/* max: of any line; lines_next() may ask for less. */
void lines_init(struct lines *l, size_t max);
void lines_done(struct lines *l);

/* Read once from fd, which should be readable: 1 more bytes are here; 0 not now, or the end
 * (then l->eof is set). Ends the life of slices from lines_next(). ERR_LIMIT if a line outgrows
 * the max. */
CHECKED int lines_fill(struct lines *l, int fd, struct error *err);
/* 1: *ret is the next line without its end; 0: there is no whole line yet. ERR_LIMIT if it is, or
 * will be, longer than max bytes. */
CHECKED int lines_next(struct lines *l, size_t max, struct slice *ret, struct error *err);

/* One write to a pipe that is non-blocking, or that poll(2) found writable: *ret_n bytes were
 * taken, maybe 0. ERR_IO with sys EPIPE if nobody reads any more; no SIGPIPE is ever raised. */
CHECKED int lines_push(int fd, struct slice data, size_t *ret_n, struct error *err);
/* All of it, until the deadline (boot clock): ERR_TIMEOUT if the peer does not read. */
CHECKED int lines_write(int fd, struct slice data, uint64_t deadline_ns, struct error *err);

#endif
