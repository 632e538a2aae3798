// The line protocol of the older generation (docs/api.md): one command, one
// answer, and the end of the connection.
#include "rpc/server.h"
#include "base/words.h"
#include <stdlib.h>
#include <string.h>

void rpc_text_begin(struct buf *b, bool ok)
{
	buf_add_str(b, ok ? "{\"state\":\"ok\",\"body\":" : "{\"state\":\"error\",\"body\":");
}

static void fail(struct rpc_conn *c, const char *text, size_t len)
{
	rpc_text_begin(&c->out, false);
	json_add_str(&c->out, text, len);
	buf_add_char(&c->out, '}');
	rpc_conn_wrote(c);
}

// A name as the original prints it: in quotes, with the escapes of its language.
static void add_quoted(struct buf *b, const char *text)
{
	buf_add_char(b, '"');
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		static const char from[] = "\"\\\n\r\t", to[] = "\"\\nrt";
		const char *special = strchr(from, *p);
		if (special) {
			buf_add_char(b, '\\');
			buf_add_char(b, to[special - from]);
		} else if (*p < 0x20 || *p == 0x7f) {
			buf_printf(b, "\\u{%x}", *p);
		} else {
			buf_add_char(b, (char)*p);
		}
	}
	buf_add_char(b, '"');
}

static void add_about(struct buf *b, const char *before, const char *service, const char *after)
{
	buf_add_str(b, before);
	add_quoted(b, service ? service : "");
	buf_add_str(b, after);
}

static void add_message(struct buf *b, const struct err *err, const char *service)
{
	switch (err->code) {
	case ERR_SERVICE_NOT_FOUND:
		add_about(b, "service name ", service, " unknown");
		break;
	case ERR_SERVICE_ALREADY_MONITORED:
		add_about(b, "service ", service, " already monitored");
		break;
	case ERR_SERVICE_IS_UP:
		add_about(b, "service ", service, " is up");
		break;
	case ERR_SERVICE_IS_DOWN:
		add_about(b, "service ", service, " is down");
		break;
	case ERR_SHUTTING_DOWN:
		buf_add_str(b, "zinit is shutting down");
		break;
	case ERR_INVALID_SIGNAL:
		buf_add_str(b, "EINVAL: Invalid argument");
		break;
	case ERR_CONFIG:
	case ERR_INVALID_NAME:
		buf_add_str(b, "failed to load service config");
		break;
	case ERR_NONE:
	case ERR_INTERNAL:
	case ERR_FILE_NOT_FOUND:
	case ERR_FILE_SYNTAX:
	case ERR_FILE_SHAPE:
	case ERR_SERVICE_ALREADY_EXISTS:
	case ERR_SERVICE_FILE:
		buf_add_str(b, err->text);
		break;
	}
}

void rpc_text_error(struct buf *b, const struct err *err, const char *service)
{
	struct buf message = BUF_INIT;
	add_message(&message, err, service);
	rpc_text_begin(b, false);
	json_add_str(b, message.len ? message.data : "", message.len);
	buf_add_char(b, '}');
	buf_release(&message);
}

// ---- one line ----

static const struct rpc_verb *find_verb(const struct rpc_server *s, const char *name, unsigned nargs)
{
	for (size_t i = 0; i < s->nverbs; i++)
		if (!strcmp(s->verbs[i].name, name))
			return s->verbs[i].nargs == RPC_ANY_ARGS || s->verbs[i].nargs == nargs ? &s->verbs[i] : NULL;
	return NULL;
}

static void unknown(struct rpc_conn *c, const char *verb)
{
	struct buf b = BUF_INIT;
	buf_printf(&b, "unknown command '%s' or wrong arguments count", verb);
	fail(c, b.len ? b.data : "", b.len);
	buf_release(&b);
}

static void run(struct rpc_conn *c, const char *words, unsigned nargs)
{
	struct param p[PARAM_MAX] = { 0 };
	const struct rpc_verb *v = find_verb(c->server, words, nargs);
	if (!v) {
		unknown(c, words);
		return;
	}
	const char *at = words + strlen(words) + 1;
	for (unsigned i = 0; i < nargs && i < PARAM_MAX; i++) {
		p[i] = (struct param){ .set = true, .text = at, .len = strlen(at) };
		at += p[i].len + 1;
	}
	struct rpc_call call = { .server = c->server, .conn = c, .text = true };
	list_init(&call.link);
	if (v->flags & RPC_CHANGES)
		rpc_log_change(c, v->name, p[0].text);
	v->fn(&call, p);
}

void rpc_text_line(struct rpc_conn *c, const char *line, size_t len)
{
	static const char syntax[] = "invalid command syntax", nothing[] = "unknown command",
			  too_long[] = "the command is longer than 64 KiB";
	if (len > RPC_LINE_MAX) {
		fail(c, too_long, sizeof(too_long) - 1);
		return;
	}
	if (len && line[len - 1] == '\r')
		len--;
	char *words = malloc(len + 1);
	if (!words) {
		fail(c, "out of memory", strlen("out of memory"));
		return;
	}
	size_t used, at;
	const char *why;
	int n = words_split(len ? line : "", len, words, &used, &at, &why);
	if (n < 0)
		fail(c, syntax, sizeof(syntax) - 1);
	else if (n == 0)
		fail(c, nothing, sizeof(nothing) - 1);
	else
		run(c, words, (unsigned)n - 1);
	free(words);
}
