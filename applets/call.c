#include "call.h"
#include "conf/unit.h"
#include "conf/yaml.h"
#include "http/remote.h"
#include "rpc/json.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *socket_path(const struct cli *cli)
{
	const char *env = getenv("ZINIT_SOCKET");
	return cli->socket ? cli->socket : env && *env ? env : NULL;
}

int session_open(struct session *s, const struct cli *cli)
{
	struct err err;
	const char *path = socket_path(cli), *tokens = getenv("ZINIT_TOKEN_FILE");
	const struct remote_options o = { path, cli->token_file ? cli->token_file : tokens, cli->tls_ca };
	s->next_id = 1;
	s->lost = false;
	if ((path && remote_is_url(path) ? remote_open(&s->client, &o, &err) : client_open(&s->client, path, &err)) ==
		0)
		return 0;
	return fail("%s", err.text);
}

void session_close(struct session *s)
{
	client_close(&s->client);
}

static int send_request(struct session *s, unsigned id, const char *method, const char *params)
{
	struct buf b = BUF_INIT;
	struct err err = { 0 };
	buf_printf(&b, "{\"jsonrpc\":\"2.0\",\"id\":%u,\"method\":\"%s\"", id, method);
	if (params) {
		buf_add_str(&b, ",\"params\":");
		buf_add_str(&b, params);
	}
	buf_add_str(&b, "}");
	int rc = b.failed ? err_set(&err, ERR_INTERNAL, "out of memory") : client_send(&s->client, b.data, b.len, &err);
	buf_release(&b);
	return rc < 0 ? fail("%s", err.text) : 0;
}

// The text of a string, to be freed; NULL for what is none.
static char *text_of(struct span value)
{
	char *text = value.at && json_type(value) == JSON_STRING ? malloc(value.len) : NULL;
	if (text)
		json_decode(value, text);
	return text;
}

// "zinit: waits for 'a' to stop (Running, waits for 2 processes)"
static void say_waiting(struct span status, const char *waits, const char *service)
{
	char *state = text_of(json_member(status, "state")), *reason = text_of(json_member(status, "reason"));
	fprintf(stderr, "zinit: %s '%s'%s%s%s%s%s\n", waits, service, state ? " (" : "", state ? state : "",
		reason ? ", " : "", reason ? reason : "", state ? ")" : "");
	free(state);
	free(reason);
}

static int print_error(struct session *s, struct span error, const char *service);

static int wrong_answer(struct session *s)
{
	return fail("the program at %s does not speak JSON-RPC", s->client.path);
}

const char waits_for_file[] = "waits for the file of";

static int ask_meanwhile(struct session *s, const char *waits, const char *service)
{
	if (waits == waits_for_file)
		return send_request(s, s->next_id++, "service_list", NULL);
	char *params = json_strings(service, NULL);
	int rc = params ? send_request(s, s->next_id++, "service_status", params) : fail("out of memory");
	free(params);
	return rc;
}

// The answer to `id`; answers to questions asked meanwhile prove that the daemon lives.
static int await(struct session *s, unsigned id, const char *waits, const char *service, struct span *answer)
{
	bool asked = false;
	for (;;) {
		struct err err;
		char *line;
		size_t len;
		int rc = client_line(&s->client, ANSWER_MS, &line, &len, &err);
		if (rc < 0)
			return fail("%s", err.text);
		if (rc == 0 && (!waits || asked))
			return fail("no answer from the daemon at %s within %d s", s->client.path, ANSWER_MS / 1000);
		if (rc == 0) {
			asked = true;
			if (ask_meanwhile(s, waits, service))
				return 1;
			continue;
		}
		*answer = (struct span){ line, len };
		struct span got = json_check_answer(line, len) ? json_member(*answer, "id") : (struct span){ NULL, 0 };
		if (!got.at || (json_type(got) != JSON_NUMBER && json_type(got) != JSON_NULL))
			return wrong_answer(s);
		if (json_type(got) == JSON_NULL || (unsigned)json_number(got) == id)
			return 0;
		if (asked)
			say_waiting(waits == waits_for_file ? (struct span){ NULL, 0 } : json_member(*answer, "result"),
				waits, service);
		asked = false;
	}
}

// The answer to the request that was sent first.
static int finish(struct session *s, unsigned id, const char *waits, const char *service)
{
	struct span answer = { NULL, 0 };
	s->result = (struct span){ NULL, 0 };
	int rc = await(s, id, waits, service, &answer);
	s->lost = rc != 0;
	if (rc)
		return rc;
	struct span error = json_member(answer, "error");
	if (error.at)
		return print_error(s, error, service);
	s->result = json_member(answer, "result");
	return s->result.at ? 0 : wrong_answer(s);
}

int session_call(struct session *s, const char *method, const char *params, const char *waits, const char *service)
{
	unsigned id = s->next_id++;
	int rc = send_request(s, id, method, params);
	return rc ? rc : finish(s, id, waits, service);
}

int call_plainly(struct cli *cli, const char *method)
{
	struct session s;
	if (cli->argc)
		return usage_error(cli, "unexpected argument '%s'", cli->argv[0]);
	if (session_open(&s, cli))
		return 1;
	int rc = session_call(&s, method, NULL, NULL, NULL);
	session_close(&s);
	return rc;
}

int call_for_one(struct session *s, struct cli *cli, const char *method, const char *waits)
{
	s->client = (struct client){ .fd = -1 };
	if (cli->argc != 1)
		return usage_error(cli, cli->argc ? "one service only" : "the name of a service is missing");
	if (session_open(s, cli))
		return 1;
	char *params = json_strings(cli->argv[0], NULL);
	int rc = params ? session_call(s, method, params, waits, cli->argv[0]) : fail("out of memory");
	free(params);
	return rc;
}

// 1 printed, 0 the end or no notification.
static int print_note(const char *text, size_t len, void (*print)(struct span result, void *ctx), void *ctx)
{
	struct span line = { text, len };
	if (!json_check_answer(text, len))
		return 0;
	struct span result = json_member(json_member(line, "params"), "result");
	if (!result.at || json_type(result) == JSON_NULL)
		return 0;
	print(result, ctx);
	return 1;
}

int check_service(struct session *s, const char *name)
{
	size_t len = strlen(name);
	char plain[256];
	if (!strcmp(name, "zinit") || len >= sizeof(plain))
		return 0;
	if (len > 5 && !strcmp(name + len - 5, "/test"))
		len -= 5;
	snprintf(plain, sizeof(plain), "%.*s", (int)len, name);
	char *params = json_strings(plain, NULL);
	int rc = params ? session_call(s, "service_status", params, NULL, plain) : fail("out of memory");
	free(params);
	return rc;
}

int session_follow(struct session *s, bool follow, void (*print)(struct span result, void *ctx), void *ctx)
{
	for (;;) {
		struct err err;
		char *text;
		size_t len;
		int rc = client_line(&s->client, 0, &text, &len, &err);
		if (rc == 0) {
			if (finish_output())
				return 1;
			if (ferror(stdout))
				return 0;
			rc = client_line(&s->client, follow ? NO_LIMIT : ANSWER_MS, &text, &len, &err);
			if (rc == 0)
				return fail("no answer from the daemon at %s within %d s", s->client.path,
					ANSWER_MS / 1000);
		}
		if (rc < 0)
			return fail("the connection to the daemon at %s has ended", s->client.path);
		if (!print_note(text, len, print, ctx) || ferror(stdout))
			return finish_output();
	}
}

// ---- names ----

enum { CODE_NOT_FOUND = -32000, CODE_CONFIG = -32005, CODE_INVALID_PARAMS = -32602 };

// A service of a similar name, or a file that waits to be loaded.
static void hint_missing(struct session *s, const char *service, char *out, size_t size)
{
	const char *names[1024];
	size_t n = 0;
	if (session_call(s, "service_list", NULL, NULL, NULL) || json_type(s->result) != JSON_OBJECT)
		return;
	struct json_iter it = json_iter(s->result);
	for (struct span key, value; n < 1024 && json_next(&it, &key, &value);) {
		char *name = (char *)key.at; // decoding never makes it longer: it is done in its place
		json_decode(key, name);
		names[n++] = name;
	}
	const char *near = nearest(service, names, n);
	char file[sizeof(CONFIG_CONFIG_DIR) + UNIT_NAME_MAX + 8];
	snprintf(file, sizeof(file), CONFIG_CONFIG_DIR "/%s.yaml", service);
	if (near)
		snprintf(out, size, "; did you mean '%s'?", near);
	else if (!unit_name_problem(service, strlen(service)) && access(file, F_OK) == 0)
		snprintf(out, size, "; 'zinit monitor' loads %s", file);
}

// The first of the causes, or the data itself where that is a text.
static char *cause_of(struct span error)
{
	struct span data = json_member(error, "data"), chain = json_member(data, "cause_chain"), key, first;
	struct json_iter it = json_iter(chain);
	return text_of(json_next(&it, &key, &first) ? first : data);
}

static void hint(struct session *s, int code, const char *service, char *out, size_t size)
{
	const char *problem = unit_name_problem(service, strlen(service));
	size_t stem = unit_name_of_file(service);
	*out = '\0';
	if (code == CODE_NOT_FOUND)
		hint_missing(s, service, out, size);
	else if (code == CODE_INVALID_PARAMS && problem)
		snprintf(out, size, ": %s", problem);
	else if (code == CODE_CONFIG && stem)
		snprintf(out, size, "; names stand without the ending: '%.*s'", (int)stem, service);
}

// Prints the message of an error the daemon answered, and the nearest name of a
// service where the name was wrong. Returns 1.
static int print_error(struct session *s, struct span error, const char *service)
{
	long code = json_number(json_member(error, "code"));
	char *message = text_of(json_member(error, "message")), *cause = cause_of(error), more[512] = "";
	if (service)
		hint(s, (int)code, service, more, sizeof(more)); // the answer is gone after it
	int rc = fail("%s%s%s%s", message ? message : "the daemon answered with an error", cause ? ": " : "",
		cause ? cause : "", more);
	free(message);
	free(cause);
	return rc;
}

char *json_strings(const char *first, ...)
{
	struct buf b = BUF_INIT;
	va_list ap;
	va_start(ap, first);
	for (const char *text = first; text; text = va_arg(ap, const char *)) {
		buf_add_char(&b, b.len ? ',' : '[');
		json_add_str(&b, text, strlen(text));
	}
	va_end(ap);
	buf_add_char(&b, ']');
	char *text = buf_text(&b);
	if (!text)
		buf_release(&b);
	return text;
}

static void print_warnings(struct span warnings, const char *name)
{
	struct json_iter it = json_iter(warnings);
	for (struct span key, w; json_next(&it, &key, &w);) {
		char *text = text_of(w);
		if (text)
			fprintf(stderr, "zinit: WARN %s.yaml:%s\n", name, text);
		free(text);
	}
}

static int send_name(struct session *s, const char *name, const char *method, const char *more)
{
	struct buf params = BUF_INIT;
	buf_add_char(&params, '[');
	json_add_str(&params, name, strlen(name));
	buf_add_str(&params, more);
	buf_add_char(&params, ']');
	const char *text = buf_text(&params);
	int rc = text ? send_request(s, s->next_id++, method, text) : fail("out of memory");
	buf_release(&params);
	return rc;
}

enum { AT_ONCE = 16, FIRST_ID = 1 };

static int ask(struct session *s, const struct cli *cli, const char *name, const char *method, const char *more)
{
	if (session_open(s, cli))
		return 1;
	int rc = send_name(s, name, method, more);
	if (rc)
		session_close(s);
	return rc;
}

static int answer(struct session *s, const char *name, const char *waits)
{
	int rc = finish(s, FIRST_ID, waits, name);
	if (rc == 0)
		print_warnings(json_member(s->result, "warnings"), name);
	return rc;
}

// Each on a connection of its own: those who wait do not wait for each other.
// False when the daemon cannot be asked any more.
static bool call_some(
	struct cli *cli, char **names, int n, const char *method, const char *more, const char *waits, int *rc)
{
	struct session s[AT_ONCE];
	int sent = 0;
	while (sent < n && ask(&s[sent], cli, names[sent], method, more) == 0)
		sent++;
	bool lost = sent < n;
	for (int i = 0; i < sent; i++) {
		if (!lost)
			*rc |= answer(&s[i], names[i], waits);
		lost = lost || s[i].lost;
		session_close(&s[i]);
	}
	*rc |= lost;
	return !lost;
}

int for_each_service(struct cli *cli, const char *method, const char *more, const char *waits, bool at_once)
{
	int rc = 0, n = 1;
	if (!cli->argc)
		return usage_error(cli, "the name of a service is missing");
	for (int i = 0; i < cli->argc; i += n) {
		if (at_once)
			n = cli->argc - i < AT_ONCE ? cli->argc - i : AT_ONCE;
		if (!call_some(cli, cli->argv + i, n, method, more, waits, &rc))
			break;
	}
	return rc;
}

// ---- output ----

void print_scalar(const char *text)
{
	if (!yaml_needs_quotes(text)) {
		fputs(text, stdout);
		return;
	}
	struct buf b = BUF_INIT;
	json_add_str(&b, text, strlen(text));
	if (!b.failed)
		fwrite(b.data, 1, b.len, stdout);
	buf_release(&b);
}

static void print_string(struct span string)
{
	char *text = malloc(string.len);
	if (text) {
		json_decode(string, text);
		print_scalar(text);
	}
	free(text);
}

static void print_children(struct span container, int indent, bool inlined);

// Behind "key:" or "-". Numbers stay as they came.
static void print_value(struct span v, int indent, bool in_list)
{
	enum json_type t = json_type(v);
	struct json_iter it = json_iter(v);
	struct span key, value;
	bool is_container = t == JSON_OBJECT || t == JSON_ARRAY;
	if (is_container && json_next(&it, &key, &value)) {
		putchar(in_list ? ' ' : '\n');
		print_children(v, indent, in_list);
		return;
	}
	putchar(' ');
	if (is_container)
		fputs(t == JSON_OBJECT ? "{}" : "[]", stdout);
	else if (t == JSON_STRING)
		print_string(v);
	else if (t == JSON_NULL)
		putchar('~');
	else
		fwrite(v.at, 1, v.len, stdout);
	putchar('\n');
}

static void print_children(struct span container, int indent, bool inlined)
{
	struct json_iter it = json_iter(container);
	for (struct span key, value; json_next(&it, &key, &value); inlined = false) {
		if (!inlined)
			printf("%*s", indent, "");
		if (key.at)
			print_string(key);
		putchar(key.at ? ':' : '-');
		print_value(value, indent + 2, !key.at);
	}
}

int print_yaml(struct span value)
{
	struct json_iter it = json_iter(value);
	struct span key, first;
	puts("---");
	if (json_next(&it, &key, &first))
		print_children(value, 0, false);
	else
		puts(json_type(value) == JSON_ARRAY ? "[]" : "{}");
	return finish_output();
}

int print_json(struct span value)
{
	fwrite(value.at, 1, value.len, stdout);
	putchar('\n');
	return finish_output();
}

struct span json_member(struct span object, const char *name)
{
	if (!object.at || json_type(object) != JSON_OBJECT)
		return (struct span){ NULL, 0 };
	struct json_iter it = json_iter(object);
	for (struct span key, value; json_next(&it, &key, &value);)
		if (json_is(key, name))
			return value;
	return (struct span){ NULL, 0 };
}

long json_number(struct span value)
{
	return value.at && json_type(value) == JSON_NUMBER ? strtol(value.at, NULL, 10) : 0;
}

void json_text(struct span value, char *out, size_t size)
{
	*out = '\0';
	if (value.at && json_type(value) == JSON_STRING && value.len <= size)
		json_decode(value, out);
}
