// libFuzzer: any bytes as a request, its parameters read by several tables. Every
// answer that is made of it is JSON.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "rpc/jsonrpc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct param_spec tables[][3] = {
	{ { "name", PARAM_STRING, true } },
	{ { "name", PARAM_STRING, true }, { "signal", PARAM_STRING, true } },
	{ { "name", PARAM_STRING, true }, { "wait", PARAM_BOOL, false }, { "lines", PARAM_NUMBER, false } },
	{ { "filter", PARAM_STRING, false }, { "follow", PARAM_BOOL, false }, { "name", PARAM_STRING, false } },
};
static const size_t sizes[] = { 1, 2, 3, 3 };

static void check_answer(struct span id, const char *message, const char *data)
{
	struct buf b = BUF_INIT;
	rpc_add_error(&b, id, RPC_INVALID_PARAMS, message, data);
	if (b.failed || !json_check_answer(b.data, b.len))
		abort();
	buf_release(&b);
}

static void check_params(const struct rpc_request *r, size_t table)
{
	struct param p[PARAM_MAX];
	struct buf scratch = BUF_INIT, why = BUF_INIT, data = BUF_INIT;
	if (rpc_params(r->params, tables[table], sizes[table], p, &scratch, &why) == 0) {
		for (size_t i = 0; i < sizes[table]; i++) {
			if (tables[table][i].required && !p[i].set)
				abort();
			if (p[i].text && strlen(p[i].text) != p[i].len)
				abort();
		}
	} else {
		if (!why.len || json_add_str(&data, why.data, why.len) < 0)
			abort();
		check_answer(r->id, "Invalid params", buf_text(&data));
	}
	buf_release(&scratch);
	buf_release(&why);
	buf_release(&data);
}

static void check_request(struct span message)
{
	struct rpc_request r;
	rpc_parse(message, &r);
	if (r.kind == RPC_CALL && (!r.id.at || !r.method.at))
		abort();
	if (r.kind == RPC_INVALID && !r.id.at)
		abort();
	if (r.kind == RPC_CALL)
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			check_params(&r, i);
	if (r.kind != RPC_NOTIFICATION)
		check_answer(r.id, "Invalid request", NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);
	if (!text)
		abort();
	if (size)
		memcpy(text, data, size);
	struct span key, message = { text, size };
	if (json_check(text, size)) {
		if (json_type(message) == JSON_ARRAY) {
			struct json_iter it = json_iter(message);
			while (json_next(&it, &key, &message))
				check_request(message);
		} else {
			check_request(message);
		}
	}
	free(text);
	return 0;
}
