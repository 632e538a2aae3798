// What goes out: heads of answers, and bytes to the socket, as many at once as
// there are.
#include "http/server.h"
#include "base/clock.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEEP_CAP = 16 * 1024 };

static const char *status_text(int status)
{
	static const struct {
		int status;
		const char *text;
	} texts[] = { { 200, "200 OK" }, { 400, "400 Bad Request" }, { 401, "401 Unauthorized" },
		{ 403, "403 Forbidden" }, { 404, "404 Not Found" }, { 405, "405 Method Not Allowed" },
		{ 408, "408 Request Timeout" }, { 413, "413 Payload Too Large" }, { 414, "414 URI Too Long" },
		{ 415, "415 Unsupported Media Type" }, { 426, "426 Upgrade Required" },
		{ 429, "429 Too Many Requests" }, { 431, "431 Request Header Fields Too Large" },
		{ 501, "501 Not Implemented" }, { 503, "503 Service Unavailable" },
		{ 505, "505 HTTP Version Not Supported" } };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (texts[i].status == status)
			return texts[i].text;
	return "500 Internal Server Error";
}

// "date: Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 5.6.7), made once a second.
void http_add_date(struct http_conn *c)
{
	static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct http_server *s = c->server;
	uint64_t now = clock_wall_ms();
	if (!s->date[0] || now / 1000 != s->date_ms / 1000) {
		time_t t = (time_t)(now / 1000);
		struct tm tm;
		s->date_ms = now;
		s->date[0] = '\0';
		if (gmtime_r(&t, &tm))
			snprintf(s->date, sizeof(s->date), "date: %.3s, %02d %.3s %04d %02d:%02d:%02d GMT\r\n",
				days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon, tm.tm_year + 1900,
				tm.tm_hour, tm.tm_min, tm.tm_sec);
	}
	buf_add_str(&c->out, s->date);
}

struct buf *http_reply_begin(struct http_conn *c, int status, const char *headers, size_t len)
{
	struct buf *b = &c->out;
	enum { HEAD_ROOM = 512 };
	if (c->sent > b->len / 2) {
		buf_consume(b, c->sent);
		c->sent = 0;
	}
	if (!http_unsent(c))
		c->wrote_ms = c->server->loop->now_ms;
	buf_reserve(b, HEAD_ROOM + strlen(headers) + len);
	buf_add_str(b, c->http10 ? "HTTP/1.0 " : "HTTP/1.1 ");
	buf_add_str(b, status_text(status));
	buf_add(b, "\r\n", 2);
	buf_add_str(b, headers);
	if (c->closing && c->inflight == 1)
		buf_add_str(b, "connection: close\r\n");
	else if (c->http10)
		buf_add_str(b, "connection: keep-alive\r\n");
	buf_add_str(b, "content-length: ");
	buf_add_u64(b, len);
	buf_add(b, "\r\n", 2);
	http_add_date(c);
	buf_add(b, "\r\n", 2);
	return b;
}

void http_reply_end(struct http_conn *c)
{
	http_conn_busy(c, -1);
	c->alone = false;
	if (!c->inflight) {
		c->held = false;
		if (!c->head_len)
			c->since_ms = c->server->loop->now_ms;
	}
	http_conn_touch(c);
}

void http_reply(struct http_conn *c, int status, const char *headers, const void *body, size_t len)
{
	struct buf *b = http_reply_begin(c, status, headers, len);
	if (!c->no_body)
		buf_add(b, body, len);
	http_reply_end(c);
}

static ssize_t conn_write(struct http_conn *c)
{
	const char *data = c->out.data + c->sent;
	if (c->tls)
		return tls_write(c->tls, data, http_unsent(c));
	return send(c->source.fd, data, http_unsent(c), MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool http_conn_flush(struct http_conn *c)
{
	if (c->out.failed)
		return false;
	while (http_unsent(c)) {
		ssize_t n = conn_write(c);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		c->wrote_ms = c->server->loop->now_ms;
		c->sent += (size_t)n;
	}
	c->sent = 0;
	if (c->out.cap > KEEP_CAP)
		buf_release(&c->out);
	buf_clear(&c->out);
	return true;
}
