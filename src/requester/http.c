/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Each connection has a multi handle of its own with one transfer in it: that way the waiting is ours, so
 * that deadlines are kept to the millisecond and another thread can end it.
 */
#include "requester/http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum {
	CONNECT_MS = 10000,
	BUFFER_BYTES = 512 << 10,
	LOOK_MS = 500, /* how often deadlines are looked at, at least */
	CHECK_MS = 100,
	/* A peer that vanished without a word is noticed even while nothing is asked of it. */
	KEEPALIVE_IDLE_S = 15,
	KEEPALIVE_INTERVAL_S = 5,
};

struct http {
	const struct http_place *place;
	CURLM *multi;
	CURL *easy;
	struct curl_slist *headers;
	char problem[CURL_ERROR_SIZE];
	bool refused; /* the peer is not the one we mean */
	_Atomic bool cancelled;

	/* Of the request that runs. */
	const struct http_request *request;
	struct buf *reply;
	bool streaming; /* known once its status is */
	bool judged;
	struct error failed; /* why a callback gave up */
	uint64_t moved_ns; /* when the last byte did */
	curl_off_t sent;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void
init_library(void)
{
	(void)curl_global_init(CURL_GLOBAL_ALL);
}

/* What curl calls ----------------------------------------------------------------------------- */

static int
hand_on_lines(struct http *h)
{
	struct buf *b = h->reply;
	size_t from = 0;
	uint8_t *end;

	while ((end = memchr(b->p + from, '\n', b->n - from)) != NULL) {
		struct slice line = SLICE(b->p + from, end - (b->p + from));

		if (h->request->line(h->request->line_arg, line, &h->failed) < 0)
			return h->failed.code;
		from += line.n + 1;
	}
	memmove(b->p, b->p + from, b->n - from);
	b->n -= from;
	return OK;
}

static size_t
take(char *p, size_t one, size_t n, void *arg)
{
	struct http *h = arg;
	long status = 0;

	(void)one;
	h->moved_ns = clock_boot_ns();
	if (!h->judged) {
		(void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
		h->streaming = h->request->line != NULL && status == 200;
		h->judged = true;
	}
	if (n == 0)
		return 0;
	if (buf_append(h->reply, p, n, &h->failed) < 0 || (h->streaming && hand_on_lines(h) < 0))
		return CURL_WRITEFUNC_ERROR;
	return n;
}

static bool
admit(void *arg, const uint8_t fingerprint[TLS_FINGERPRINT_SIZE])
{
	struct http *h = arg;

	h->refused = !h->place->admit(h->place->admit_arg, fingerprint);
	return !h->refused;
}

static CURLcode
pin(CURL *easy, void *ssl_ctx, void *arg)
{
	struct http *h = arg;

	(void)easy;
	return tls_pin_ctx(ssl_ctx, h->place->identity, admit, h, &h->failed) < 0
		       ? CURLE_SSL_CERTPROBLEM
		       : CURLE_OK;
}

/* Its life ------------------------------------------------------------------------------------ */

static bool
set_place(struct http *h)
{
	CURL *e = h->easy;

	if (h->place->unix_path != NULL)
		return curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, h->place->unix_path) ==
		       CURLE_OK;
	/* Certificates are judged by fingerprint, in `pin`; names and authorities mean nothing. */
	return curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSL_SESSIONID_CACHE, 0L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, pin) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, h) == CURLE_OK;
}

/* Nothing of the environment (proxies, netrc) has a say here. */
static bool
set_up(struct http *h)
{
	CURL *e = h->easy;

	return curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_ERRORBUFFER, h->problem) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_WRITEDATA, h) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)BUFFER_BYTES) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, (long)BUFFER_BYTES) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, (long)KEEPALIVE_IDLE_S) == CURLE_OK &&
	       curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, (long)KEEPALIVE_INTERVAL_S) == CURLE_OK &&
	       set_place(h);
}

int
http_open(const struct http_place *place, struct http **ret, struct error *err)
{
	CLEAN(http_closep) struct http *h = calloc(1, sizeof(*h));

	(void)pthread_once(&once, init_library);
	if (h == NULL)
		return error_no_memory(err);
	h->place = place;
	h->multi = curl_multi_init();
	h->easy = curl_easy_init();
	if (h->multi == NULL || h->easy == NULL || !set_up(h))
		return error_no_memory(err);
	*ret = STEAL_PTR(h);
	return OK;
}

void
http_close(struct http *h)
{
	if (h == NULL)
		return;
	curl_easy_cleanup(h->easy);
	if (h->multi != NULL)
		(void)curl_multi_cleanup(h->multi);
	curl_slist_free_all(h->headers);
	free(h);
}

void
http_closep(struct http **h)
{
	http_close(*h);
}

void
http_cancel(struct http *h)
{
	atomic_store(&h->cancelled, true);
	(void)curl_multi_wakeup(h->multi);
}

/* A request ----------------------------------------------------------------------------------- */

static bool
set_url(struct http *h, const char *path)
{
	const struct http_place *p = h->place;
	char url[512];
	int n;

	if (p->unix_path != NULL)
		n = snprintf(url, sizeof(url), "http://agent%s", path);
	else if (strchr(p->host, ':') != NULL)
		n = snprintf(url, sizeof(url), "https://[%s]:%u%s", p->host, p->port, path);
	else
		n = snprintf(url, sizeof(url), "https://%s:%u%s", p->host, p->port, path);
	return n > 0 && (size_t)n < sizeof(url) &&
	       curl_easy_setopt(h->easy, CURLOPT_URL, url) == CURLE_OK;
}

/* No "Expect: 100-continue", which would cost a round trip for every part. */
static bool
set_headers(struct http *h, const char *content_type)
{
	struct curl_slist *list = NULL, *more;
	char type[128];

	(void)snprintf(type, sizeof(type), "Content-Type: %s",
		       content_type != NULL ? content_type : "application/json");
	list = curl_slist_append(NULL, type);
	more = list != NULL ? curl_slist_append(list, "Expect:") : NULL;
	if (more == NULL) {
		curl_slist_free_all(list);
		return false;
	}
	curl_slist_free_all(h->headers);
	h->headers = more;
	return curl_easy_setopt(h->easy, CURLOPT_HTTPHEADER, more) == CURLE_OK;
}

static int
prepare(struct http *h, const struct http_request *request, struct error *err)
{
	static const char nothing[] = "";
	int left_ms = clock_left_ms(request->deadline_ns);
	long connect_ms = left_ms < 0 ? CONNECT_MS : MIN(MAX(left_ms, 1), (int)CONNECT_MS);
	const void *body = request->body.n > 0 ? (const void *)request->body.p : nothing;

	if (!set_url(h, request->path) || !set_headers(h, request->content_type) ||
	    curl_easy_setopt(h->easy, CURLOPT_CONNECTTIMEOUT_MS, connect_ms) != CURLE_OK ||
	    curl_easy_setopt(h->easy, CURLOPT_POST, 1L) != CURLE_OK ||
	    curl_easy_setopt(h->easy, CURLOPT_POSTFIELDS, body) != CURLE_OK ||
	    curl_easy_setopt(h->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n) !=
		    CURLE_OK)
		return error_no_memory(err);
	h->problem[0] = '\0';
	h->refused = false;
	h->judged = h->streaming = false;
	h->failed = ERROR_INIT;
	h->moved_ns = clock_boot_ns();
	h->sent = 0;
	return OK;
}

/* Should it go on? */
static int
look(struct http *h, struct error *err)
{
	uint64_t now = clock_boot_ns();
	curl_off_t sent = 0;

	if (atomic_load(&h->cancelled))
		return error_set(err, ERR_CANCELLED, "stopped on request");
	if (now >= h->request->deadline_ns)
		return error_set(err, ERR_TIMEOUT, "no answer in time");
	(void)curl_easy_getinfo(h->easy, CURLINFO_SIZE_UPLOAD_T, &sent);
	if (sent != h->sent) {
		h->sent = sent;
		h->moved_ns = now;
	}
	if (h->request->silence_ns != 0 && now > h->moved_ns &&
	    now - h->moved_ns >= h->request->silence_ns)
		return error_set(err, ERR_AGENT_LOST, "nothing was heard for %llu s",
				 (unsigned long long)((now - h->moved_ns) / NS_PER_S));
	return h->request->check != NULL ? h->request->check(h->request->check_arg, err) : OK;
}

/* Until something happens, or has to be looked at. */
static int
wait_ms(const struct http *h)
{
	int ms = h->request->check != NULL ? CHECK_MS : LOOK_MS;
	int deadline = clock_left_ms(h->request->deadline_ns);

	if (deadline >= 0)
		ms = MIN(ms, deadline);
	if (h->request->silence_ns != 0)
		ms = MIN(ms, clock_left_ms(h->moved_ns + h->request->silence_ns));
	return ms;
}

/* Drive the transfer to its end; *ret_result is curl's. */
static int
drive(struct http *h, CURLcode *ret_result, struct error *err)
{
	int running = 1, left;

	for (;;) {
		CURLMcode m = curl_multi_perform(h->multi, &running);
		if (m != CURLM_OK)
			return error_set(err, ERR_INTERNAL, "%s", curl_multi_strerror(m));
		for (CURLMsg *msg; (msg = curl_multi_info_read(h->multi, &left)) != NULL;)
			if (msg->msg == CURLMSG_DONE) {
				*ret_result = msg->data.result;
				return OK;
			}
		if (look(h, err) < 0)
			return err->code;
		m = curl_multi_poll(h->multi, NULL, 0, wait_ms(h), NULL);
		if (m != CURLM_OK)
			return error_set(err, ERR_INTERNAL, "%s", curl_multi_strerror(m));
	}
}

static const char *
place_text(const struct http_place *p, char text[300])
{
	if (p->unix_path != NULL)
		(void)snprintf(text, 300, "unix:%s", p->unix_path);
	else
		(void)snprintf(text, 300, "tls://%s:%u", p->host, p->port);
	return text;
}

static int
explain(const struct http *h, CURLcode result, struct error *err)
{
	const char *why = h->problem[0] != '\0' ? h->problem : curl_easy_strerror(result);
	char place[300];
	long number = 0;

	if (h->failed.code != OK) {
		*err = h->failed;
		return err->code;
	}
	(void)place_text(h->place, place);
	if (h->refused)
		return error_set(err, ERR_AGENT_TRUST,
				 "who answers at %s is not the agent that was "
				 "enrolled",
				 place);
	/* TLS 1.3: the client learns by an alert that it was refused. */
	if (h->place->unix_path == NULL && strstr(why, "alert") != NULL) {
		error_set(err, ERR_AGENT_TRUST, "the agent at %s does not know this machine (%s)",
			  place, why);
		return error_hint(err, "Enroll this machine there ('holdfast agent enroll').");
	}
	(void)curl_easy_getinfo(h->easy, CURLINFO_OS_ERRNO, &number);
	if (result == CURLE_COULDNT_CONNECT && number != 0) {
		errno = (int)number;
		return error_sys(err, ERR_AGENT_LOST, "connect to %s", place);
	}
	return error_set(err, ERR_AGENT_LOST, "%s: %s", place, why);
}

static int
run(struct http *h, unsigned *ret_status, struct error *err)
{
	CURLcode result = CURLE_OK;
	long status = 0;

	if (drive(h, &result, err) < 0)
		return err->code;
	if (result != CURLE_OK)
		return explain(h, result, err);
	(void)curl_easy_getinfo(h->easy, CURLINFO_RESPONSE_CODE, &status);
	*ret_status = (unsigned)status;
	return OK;
}

int
http_post(struct http *h, const struct http_request *request, unsigned *ret_status,
	  struct buf *reply, struct error *err)
{
	struct error own = ERROR_INIT;

	reply->n = 0;
	reply->max = MAX(reply->max, request->reply_max);
	h->request = request;
	h->reply = reply;
	int rc = prepare(h, request, &own);
	if (rc == OK && curl_multi_add_handle(h->multi, h->easy) != CURLM_OK)
		rc = error_no_memory(&own);
	if (rc == OK) {
		rc = run(h, ret_status, &own);
		/* A transfer that is taken out before its end takes its connection along. */
		(void)curl_multi_remove_handle(h->multi, h->easy);
	}
	if (rc < 0 && err != NULL)
		*err = own;
	return rc;
}
