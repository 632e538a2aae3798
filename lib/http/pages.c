// GET /, /healthz and /metrics. What services there are is asked first, then
// each of them; the page is made of the answers.
#include "http/gateway.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char about[] =
	"zinit: JSON-RPC 2.0 over HTTP (POST, any path, Content-Type: application/json) and over\n"
	"WebSocket (GET with Upgrade, any path). GET /metrics: OpenMetrics. GET /healthz: 200 while\n"
	"every service that should be up is up. Ask the method rpc.discover for what there is.\n";

#define METRICS_TYPE "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"

static void reply_text(struct http_conn *c, int status, const struct access_cors *cors, const char *text)
{
	http_reply(c, status, cors->text, text, strlen(text));
}

// ---- one service, out of its answers ----

struct row {
	char name[160]; // as a label, escaped
	char state[24]; // its first word
	bool wanted, up, measured;
	unsigned long long restarts, uptime, memory;
	char cpu[24]; // as it came
};

static void read_number(struct span v, char out[24])
{
	size_t n = v.len < 23 ? v.len : 23;
	memcpy(out, v.at, n);
	out[n] = '\0';
}

// The whole part.
static unsigned long long number_of(struct span v)
{
	char text[24];
	read_number(v, text);
	return strtoull(text, NULL, 10);
}

// Label values escape \, " and newline; nothing else.
static void read_name(struct span v, char *out, size_t size)
{
	char plain[512];
	size_t n = 0;
	if (v.len > sizeof(plain))
		return;
	json_decode(v, plain);
	for (const char *p = plain; *p && n + 3 < size; p++) {
		if (*p == '"' || *p == '\\' || *p == '\n')
			out[n++] = '\\';
		out[n++] = *p == '\n' ? 'n' : *p;
	}
	out[n] = '\0';
}

static void read_state(struct span v, struct row *r)
{
	size_t n = 0;
	for (; n + 2 < v.len && n < sizeof(r->state) - 1 && v.at[n + 1] != '('; n++)
		r->state[n] = v.at[n + 1];
	r->state[n] = '\0';
	r->up = !strcmp(r->state, "Running") || !strcmp(r->state, "Success");
}

static void read_member(struct span key, struct span v, struct row *r)
{
	if (json_is(key, "name"))
		read_name(v, r->name, sizeof(r->name));
	else if (json_is(key, "state"))
		read_state(v, r);
	else if (json_is(key, "target"))
		r->wanted = json_is(v, "Up");
	else if (json_is(key, "restarts"))
		r->restarts = number_of(v);
	else if (json_is(key, "uptime"))
		r->uptime = number_of(v);
	else if (json_is(key, "memory_usage"))
		r->memory = number_of(v), r->measured = true;
	else if (json_is(key, "cpu_usage"))
		read_number(v, r->cpu);
}

static bool read_row(struct span answer, struct row *r)
{
	struct span key, value, result = { NULL, 0 };
	for (struct json_iter it = json_iter(answer); json_next(&it, &key, &value);)
		if (json_is(key, "result"))
			result = value;
	if (!result.at || json_type(result) != JSON_OBJECT)
		return false;
	for (struct json_iter it = json_iter(result); json_next(&it, &key, &value);)
		read_member(key, value, r);
	return r->name[0];
}

// Answers of status and of stats about one service stand behind one another.
static size_t read_rows(struct batch *b, struct row **rows)
{
	size_t n = 0, room = 0;
	struct span key, answer;
	*rows = NULL;
	buf_add_char(&b->out, ']');
	if (b->out.failed || b->out.len < 2 || !json_check_answer(b->out.data, b->out.len))
		return 0;
	struct json_iter it = json_iter((struct span){ b->out.data, b->out.len });
	while (json_next(&it, &key, &answer)) {
		struct row now = { 0 };
		if (!read_row(answer, &now))
			continue;
		if (now.measured && n && !strcmp((*rows)[n - 1].name, now.name)) {
			(*rows)[n - 1].memory = now.memory;
			memcpy((*rows)[n - 1].cpu, now.cpu, sizeof(now.cpu));
			(*rows)[n - 1].measured = true;
			continue;
		}
		if (n == room) {
			room = room ? 2 * room : 16;
			struct row *more = realloc(*rows, room * sizeof(now));
			if (!more)
				return n;
			*rows = more;
		}
		(*rows)[n++] = now;
	}
	return n;
}

// Half of the answers would say that all is well.
static bool is_whole(struct batch *b)
{
	if (!b->starved && !b->out.failed && b->out.len <= RPC_MESSAGE_MAX && link_is_open(&b->gateway->slow.link))
		return true;
	reply_text(b->conn, 503, b->cors, "init could not be asked about all services\n");
	return false;
}

// ---- /healthz ----

static void health_done(struct batch *b)
{
	struct row *rows;
	struct buf out = BUF_INIT;
	if (!b->conn || !is_whole(b))
		return;
	size_t n = read_rows(b, &rows);
	for (size_t i = 0; i < n; i++)
		if (rows[i].wanted && !rows[i].up)
			buf_printf(&out, "%s: %s\n", rows[i].name, rows[i].state);
	if (out.len)
		http_reply(b->conn, 503, b->cors->text, out.data, out.len);
	else
		reply_text(b->conn, 200, b->cors, "ok\n");
	buf_release(&out);
	free(rows);
}

// ---- /metrics ----

static void family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# TYPE zinit_%s %s\n# HELP zinit_%s %s\n", name, type, name, help);
}

static void add_states(struct buf *b, const struct row *rows, size_t n)
{
	family(b, "services", "gauge", "Services by state.");
	for (size_t i = 0; i < n; i++) {
		size_t same = 0;
		bool first = true;
		for (size_t k = 0; k < n; k++) {
			bool is_same = !strcmp(rows[k].state, rows[i].state);
			same += is_same;
			first = first && !(is_same && k < i);
		}
		if (first)
			buf_printf(b, "zinit_services{state=\"%s\"} %zu\n", rows[i].state, same);
	}
}

static void add_services(struct buf *b, const struct row *rows, size_t n)
{
	family(b, "service_up", "gauge", "1 while the service is up, or a oneshot has succeeded.");
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "zinit_service_up{service=\"%s\"} %d\n", rows[i].name, rows[i].up);
	family(b, "service_wanted", "gauge", "1 while the service should be up.");
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "zinit_service_wanted{service=\"%s\"} %d\n", rows[i].name, rows[i].wanted);
	family(b, "service_restarts", "counter", "Restarts since the service was loaded.");
	for (size_t i = 0; i < n; i++)
		buf_printf(b, "zinit_service_restarts_total{service=\"%s\"} %llu\n", rows[i].name, rows[i].restarts);
	family(b, "service_uptime_seconds", "gauge", "Since the service was started.");
	for (size_t i = 0; i < n; i++)
		if (rows[i].uptime > 0)
			buf_printf(
				b, "zinit_service_uptime_seconds{service=\"%s\"} %llu\n", rows[i].name, rows[i].uptime);
	family(b, "service_memory_bytes", "gauge", "Memory of the service's processes.");
	for (size_t i = 0; i < n; i++)
		if (rows[i].measured)
			buf_printf(
				b, "zinit_service_memory_bytes{service=\"%s\"} %llu\n", rows[i].name, rows[i].memory);
	family(b, "service_cpu_percent", "gauge", "Processor use of the service's processes.");
	for (size_t i = 0; i < n; i++)
		if (rows[i].measured)
			buf_printf(b, "zinit_service_cpu_percent{service=\"%s\"} %s\n", rows[i].name, rows[i].cpu);
}

// Of proc_pid_stat(5): utime, stime and rss, the fields 14, 15 and 24. What stands
// before the last ')' may be anything.
static bool read_times(const char *path, unsigned long *user, unsigned long *sys, unsigned long *rss)
{
	char text[1024];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	const char *at = strrchr(text, ')');
	return at &&
	       sscanf(at + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %lu %lu %*s %*s %*s %*s %*s %*s %*s %*s %lu",
		       user, sys, rss) == 3;
}

// Of init itself, the peer of our connection.
static void add_init(struct buf *b, int fd)
{
	struct ucred peer = { .pid = 0 };
	socklen_t size = sizeof(peer);
	char path[64];
	unsigned long user = 0, sys = 0, rss = 0;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)peer.pid);
	if (peer.pid <= 0 || !read_times(path, &user, &sys, &rss))
		return;
	unsigned long ticks = user + sys, a_second = (unsigned long)sysconf(_SC_CLK_TCK);
	family(b, "init_cpu_seconds", "counter", "Processor time of zinit itself.");
	buf_printf(b, "zinit_init_cpu_seconds_total %lu.%02lu\n", ticks / a_second, ticks % a_second * 100 / a_second);
	family(b, "init_memory_bytes", "gauge", "Resident memory of zinit itself.");
	buf_printf(b, "zinit_init_memory_bytes %lu\n", rss * (unsigned long)sysconf(_SC_PAGESIZE));
}

static void metrics_done(struct batch *b)
{
	struct row *rows;
	struct buf out = BUF_INIT, headers = BUF_INIT;
	if (!b->conn || !is_whole(b))
		return;
	size_t n = read_rows(b, &rows);
	buf_printf(&headers, METRICS_TYPE "%s", b->cors->bare);
	add_states(&out, rows, n);
	add_services(&out, rows, n);
	add_init(&out, b->gateway->slow.link.source.fd);
	buf_add_str(&out, "# EOF\n");
	if (out.failed || !buf_text(&headers))
		reply_text(b->conn, 503, b->cors, "out of memory\n");
	else
		http_reply(b->conn, 200, headers.data, out.data, out.len);
	buf_release(&headers);
	buf_release(&out);
	free(rows);
}

// ---- the questions ----

static void ask(struct buf *b, const char *method, struct span name)
{
	buf_add_char(b, b->len ? ',' : '[');
	buf_printf(b, "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"%s\",\"params\":[", method);
	buf_add(b, name.at, name.len);
	buf_add_str(b, "]}");
}

// The result of service_list, {"name":"state",...}, or at = NULL.
static struct span names_of(struct span rest)
{
	static const char member[] = ",\"result\":";
	size_t n = sizeof(member) - 1;
	if (rest.len < n + 3 || memcmp(rest.at, member, n) != 0)
		return (struct span){ NULL, 0 };
	struct span list = { rest.at + n, rest.len - n - 1 };
	bool good = json_check_answer(list.at, list.len) && json_type(list) == JSON_OBJECT;
	return good ? list : (struct span){ NULL, 0 };
}

// Whose page asked is in the head, which is gone by now.
static void go_on(struct call *call, struct span rest, bool metrics)
{
	struct http_conn *c = call->owner;
	struct buf text = BUF_INIT;
	struct span list = names_of(rest), name, state;
	for (struct json_iter it = list.at ? json_iter(list) : (struct json_iter){ 0 };
		list.at && json_next(&it, &name, &state);) {
		ask(&text, "service_status", name);
		if (metrics && json_is(state, "Running"))
			ask(&text, "service_stats", name);
	}
	buf_add_str(&text, text.len ? "]" : "[]");
	struct batch *b = NULL;
	if (list.at && !text.failed)
		b = batch_new(gateway_of(c), c, text.data, text.len, metrics ? metrics_done : health_done);
	else
		buf_release(&text);
	if (!b) {
		reply_text(c, 503, call->more, "init cannot be reached\n");
		return;
	}
	b->cors = call->more;
	batch_go(b);
}

static void listed_for_metrics(struct call *call, struct span rest)
{
	go_on(call, rest, true);
}

static void listed_for_health(struct call *call, struct span rest)
{
	go_on(call, rest, false);
}

static void begin(struct http_conn *c, call_fn *listed)
{
	static const struct span method = { "\"service_list\"", 14 }, none = { NULL, 0 };
	struct gateway *g = gateway_of(c);
	const struct access_cors *cors = access_cors(&g->access, c);
	struct span rest;
	struct call *call = pool_call(&g->slow, none, method, none, listed, c, &rest);
	http_alone(c);
	if (call)
		call->more = cors;
	else
		reply_text(c, 503, cors, "init cannot be reached\n");
}

// The path, whatever query is behind it.
static bool is_path(const struct http_conn *c, const char *path)
{
	size_t n = strlen(path);
	const char *target = c->data + c->head.target.at;
	return c->head.target.len >= n && !memcmp(target, path, n) && (c->head.target.len == n || target[n] == '?');
}

bool page_is_there(const struct http_conn *c)
{
	return is_path(c, "/") || is_path(c, "/metrics") || is_path(c, "/healthz");
}

void page_request(struct http_conn *c)
{
	if (is_path(c, "/metrics"))
		begin(c, listed_for_metrics);
	else if (is_path(c, "/healthz"))
		begin(c, listed_for_health);
	else
		reply_text(c, 200, access_cors(&gateway_of(c)->access, c), about);
}
