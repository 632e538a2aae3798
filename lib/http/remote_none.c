#include "http/remote.h"

bool remote_is_url(const char *socket)
{
	(void)socket;
	return false;
}

int remote_open(struct client *c, const struct remote_options *o, struct err *err)
{
	c->fd = -1;
	return err_set(err, ERR_INTERNAL, "%s: this zinit is built without remote commands", o->url);
}
