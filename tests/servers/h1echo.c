// h1echo [PORT]: answers any method with the body of the request.
#include "echo.h"

static int check(struct http_conn *c)
{
	(void)c;
	return 0;
}

static void refuse(struct http_conn *c, int status)
{
	http_reply(c, status, "", "", 0);
}

static bool request(struct http_conn *c, char *body, size_t len)
{
	http_reply(c, 200, "content-type: application/octet-stream\r\n", body, len);
	return true;
}

int main(int argc, char **argv)
{
	static const struct http_handler h = {
		.message_max = 10 * 1024 * 1024, .check = check, .refuse = refuse, .request = request
	};
	return serve(argc, argv, &h);
}
