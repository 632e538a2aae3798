// JSON-RPC 2.0 (https://www.jsonrpc.org/specification): one request out of
// checked JSON, its parameters by table, and the texts of errors.
// Answers to malformed requests are those that the original gives: docs/api.md.
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "rpc/json.h"
#include <stdbool.h>
#include <stdint.h>

enum {
	RPC_PARSE_ERROR = -32700,
	RPC_INVALID_REQUEST = -32600,
	RPC_METHOD_NOT_FOUND = -32601,
	RPC_INVALID_PARAMS = -32602,
	RPC_INTERNAL_ERROR = -32603,
	RPC_TOO_BIG = -32007,
	RPC_RESPONSE_TOO_BIG = -32008,
	RPC_BATCH_TOO_BIG = -32011,
};

enum { RPC_MESSAGE_MAX = 10 * 1024 * 1024 };

enum rpc_kind {
	RPC_CALL,
	RPC_NOTIFICATION, // or an id that cannot be answered: nothing is done
	RPC_INVALID, // answered with RPC_INVALID_REQUEST (id given) ...
	RPC_UNREADABLE, // ... or, without an id, with RPC_PARSE_ERROR
};

struct rpc_request {
	enum rpc_kind kind;
	struct span id; // raw text, may be "null"
	struct span method; // with its quotes
	struct span params; // at = NULL: absent
};

void rpc_parse(struct span object, struct rpc_request *r);
// The id as it stands in an answer: digits as they came, strings escaped anew.
void rpc_add_id(struct buf *b, struct span id);

// Is the number a whole one from 0 to 2^64-1, written with digits only?
bool rpc_is_u64(struct span number);
// The leading digits as a number; what does not fit wraps around.
uint64_t rpc_u64(struct span digits);

enum param_type { PARAM_STRING, PARAM_BOOL, PARAM_NUMBER, PARAM_MAP };
enum { PARAM_MAX = 6 };

struct param_spec {
	const char *name;
	enum param_type type;
	bool required;
};

struct param {
	bool set; // given and not null
	bool flag; // PARAM_BOOL
	uint64_t number; // PARAM_NUMBER
	const char *text; // PARAM_STRING, NUL-terminated
	size_t len;
	struct span json; // PARAM_MAP, raw: lives as long as the request's text
};

// Fills out[] from `params` by the table. Strings are decoded into *scratch.
// 0, or -1 with *why = the `data` of the -32602 answer (a JSON string is to be
// made of it). Unknown names and further positions are ignored.
int rpc_params(struct span params, const struct param_spec *specs, size_t n, struct param *out, struct buf *scratch,
	struct buf *why);

// {"jsonrpc":"2.0","id":ID,"error":{"code":C,"message":"M"[,"data":D]}}; data is
// raw JSON or NULL.
void rpc_add_error(struct buf *b, struct span id, int code, const char *message, const char *data);
// The same for an error of ours: message "ACTION: TEXT" and all of its data, in
// which `step` (NULL: the usual one) names what exactly was being done.
// `service` may be NULL (null on the wire).
void rpc_add_err(struct buf *b, struct span id, const struct err *err, const char *action, const char *step,
	const char *service);
