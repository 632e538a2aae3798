// libFuzzer: any bytes as a service file.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "conf/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void take_warning(void *ctx, unsigned line, unsigned column, const char *text)
{
	(void)ctx;
	if (line == 0 || column == 0 || !*text)
		abort();
}

static void check_command(const struct unit_command *c)
{
	if (c->text && !c->argv == !c->broken)
		abort();
	for (size_t i = 0; c->argv && i <= c->argc; i++) {
		if (!c->argv[i] != (i == c->argc))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { .code = ERR_NONE };
	struct unit u;

	if (unit_parse((const char *)data, size, "fuzz", &u, take_warning, NULL, &err) == 0) {
		if (!u.exec.text || u.shutdown_timeout == 0)
			abort();
		check_command(&u.exec);
		check_command(&u.test);
	} else if (err.code == ERR_NONE || strncmp(err.text, "fuzz:", 5) != 0 || u.blocks) {
		abort();
	}
	unit_release(&u);
	return 0;
}
