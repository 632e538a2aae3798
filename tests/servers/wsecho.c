// wsecho [PORT]: a WebSocket that gives each message back, up to 16 MiB.
#include "echo.h"

enum { MESSAGE_MAX = 16 * 1024 * 1024 };

static int check(struct http_conn *c)
{
	return ws_is_attempt(&c->head) ? 0 : 426;
}

static void refuse(struct http_conn *c, int status)
{
	http_reply(c, status, "", "", 0);
}

static bool request(struct http_conn *c, char *body, size_t len)
{
	(void)body;
	(void)len;
	http_reply(c, 426, "", "", 0);
	return true;
}

static int ws_open(struct http_conn *c)
{
	(void)c;
	return 0;
}

static void ws_message(struct http_conn *c, char *data, size_t len, bool text)
{
	http_ws_send(c, text ? WS_TEXT : WS_BINARY, data, len);
}

static void ws_too_big(struct http_conn *c)
{
	http_ws_close(c, WS_CLOSE_TOO_BIG);
}

int main(int argc, char **argv)
{
	static const struct http_handler h = {
		.message_max = MESSAGE_MAX,
		.ws_max = MESSAGE_MAX,
		.check = check,
		.refuse = refuse,
		.request = request,
		.ws_open = ws_open,
		.ws_message = ws_message,
		.ws_too_big = ws_too_big,
	};
	return serve(argc, argv, &h);
}
