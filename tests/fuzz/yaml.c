// libFuzzer: any bytes as a service file.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "conf/load.h"
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

static void take_finding(void *ctx, bool is_error, unsigned line, unsigned column, const char *text)
{
	unsigned *errors = ctx;

	*errors += is_error;
	take_warning(NULL, line, column, text);
}

// What unit_check() does: it refuses the same files, and says the same error first.
static void check_all(const char *data, size_t size, int rc, const struct err *first)
{
	struct err err = { .code = ERR_NONE };
	unsigned errors = 0;
	struct notes notes = { .label = "fuzz", .err = &err, .say = take_finding, .ctx = &errors };
	struct unit u;

	if (load_bytes(data, size, &u, &notes) != rc)
		abort();
	if (rc < 0 && (err.code != first->code || strcmp(err.text, first->text) != 0))
		abort();
	if (rc < 0 && size <= UNIT_FILE_MAX && !errors)
		abort();
	check_command(&u.exec);
	check_command(&u.test);
	unit_release(&u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = { .code = ERR_NONE };
	struct unit u;
	int rc = unit_parse((const char *)data, size, "fuzz", &u, take_warning, NULL, &err);

	check_all((const char *)data, size, rc, &err);
	if (rc == 0) {
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
