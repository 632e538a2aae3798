// What every client applet does: call a method, print the result.
#pragma once
#include "applet.h"
#include "rpc/client.h"
#include "rpc/json.h"

enum { NO_LIMIT = -1, ANSWER_MS = 5000 };

struct session {
	struct client client;
	unsigned next_id;
	bool lost; // no answer came: nothing more to be asked
	struct span result; // of the last call, as it came; valid until the next one
};

// The socket that was asked for, or NULL: the default.
const char *socket_path(const struct cli *cli);
// Connects. 0, or 1 after a message.
int session_open(struct session *s, const struct cli *cli);
void session_close(struct session *s);
// Calls METHOD with a params text (JSON; owned by the caller). 0 and s->result, or
// the exit status after a message. A daemon that says
// nothing for 5 s is an error; where `waits` is not NULL the call may take long
// and `service` is asked about meanwhile: one line on stderr every 5 s.
int session_call(struct session *s, const char *method, const char *params, const char *waits, const char *service);
// What `waits` is where the disk may be slow: nothing is asked that needs it too.
extern const char waits_for_file[];

// A call without parameters and without a result to be shown: the whole applet.
int call_plainly(struct cli *cli, const char *method);
// For a command of the form NAME: usage, connection and call. The exit status; the
// answer is s->result. session_close() either way.
int call_for_one(struct session *s, struct cli *cli, const char *method, const char *waits);
// For a follower: one who names a service that does not exist would wait for ever.
// NAME/test and zinit name lines too. 0, or 1 after a message.
int check_service(struct session *s, const char *name);
// Reads the notifications of a subscription and hands their results to print(),
// until a null or, where `follow`, for ever. What is printed is flushed when
// nothing more is there at once. The exit status.
int session_follow(struct session *s, bool follow, void (*print)(struct span result, void *ctx), void *ctx);

// '["a"]', '["a","b"]', ...: an array of strings for params. NULL-terminated list;
// to be freed.
char *json_strings(const char *first, ...);

// For a command of the form NAME...: one call for each, all are tried. `more` is
// appended to the name in params (",false") or "". at_once: all are asked before
// the first answer is waited for; else one is done before the next is asked.
int for_each_service(struct cli *cli, const char *method, const char *more, const char *waits, bool at_once);

// YAML of a result as the original prints it, after "---"; JSON on one line. The
// exit status.
int print_yaml(struct span value);
int print_json(struct span value);
// The member of an object, at NULL where there is none; a string decoded into out
// ("" for what is none).
struct span json_member(struct span object, const char *name);
void json_text(struct span value, char *out, size_t size);
// The whole part of a number; 0 for what is none.
long json_number(struct span value);
// A scalar, with quotes where YAML needs them.
void print_scalar(const char *text);
