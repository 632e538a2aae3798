// libFuzzer: any bytes as a line of the older protocol: one answer, always the
// same envelope, whatever the words are.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/server.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(struct rpc_call *c, const struct param *p)
{
	struct err err;
	c->action = "starting service";
	err_set(&err, strlen(p[0].text) % 2 ? ERR_SERVICE_NOT_FOUND : ERR_SERVICE_IS_UP, "no '%s'", p[0].text);
	rpc_fail(c, &err, p[0].text);
}

static void give_back(struct rpc_call *c, const struct param *p)
{
	struct buf *b = rpc_result_begin(c);
	buf_add_char(b, '[');
	for (size_t i = 0; i < PARAM_MAX && p[i].set; i++) {
		if (i)
			buf_add_char(b, ',');
		json_add_str(b, p[i].text, p[i].len);
	}
	buf_add_char(b, ']');
	rpc_result_end(c);
}

static const struct rpc_verb verbs[] = {
	{ "start", fail, RPC_READS, 1 },
	{ "kill", give_back, RPC_READS, 2 },
	{ "list", give_back, RPC_READS, RPC_ANY_ARGS },
};

static void noted(struct work *w)
{
	(void)w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct loop loop = { 0 };
	struct rpc_server server = { .loop = &loop, .verbs = verbs, .nverbs = sizeof(verbs) / sizeof(verbs[0]) };
	struct rpc_conn conn = { .server = &server };
	char *line = malloc(size ? size : 1);
	if (!line)
		abort();
	if (size)
		memcpy(line, data, size);
	list_init(&loop.works);
	list_init(&conn.calls);
	work_init(&conn.more, noted);
	rpc_text_line(&conn, line, size);

	struct span key, value, message = { conn.out.data, conn.out.len };
	if (!message.len || !json_check_answer(message.at, message.len) || json_type(message) != JSON_OBJECT)
		abort();
	struct json_iter it = json_iter(message);
	if (!json_next(&it, &key, &value) || !json_is(key, "state") ||
		!(json_is(value, "ok") || json_is(value, "error")))
		abort();
	bool failed = json_is(value, "error");
	if (!json_next(&it, &key, &value) || !json_is(key, "body") ||
		json_type(value) != (failed ? JSON_STRING : JSON_ARRAY))
		abort();
	if (json_next(&it, &key, &value))
		abort();
	work_cancel(&conn.more);
	buf_release(&conn.out);
	free(line);
	return 0;
}
