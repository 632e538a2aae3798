// The content of a service file: JSON to YAML and back gives the same, and any
// YAML that is read becomes JSON that passes the check.
#include "control/convert.h"
#include <stdlib.h>
#include <string.h>

static void check(bool good)
{
	if (!good)
		abort();
}

// YAML as it was written may hold more than the reader takes: then nothing follows.
static int there_and_back(struct span json, struct buf *out)
{
	struct buf yaml = BUF_INIT;
	struct err err;
	convert_to_yaml(json, &yaml);
	check(!yaml.failed);
	int rc = convert_to_json(yaml.data, yaml.len, "x.yaml", out, &err);
	buf_release(&yaml);
	return rc;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
	struct buf once = BUF_INIT, twice = BUF_INIT;
	struct err err;
	const char *text = (const char *)data;
	if (len && (*text == '{' || *text == '[') && json_check(text, len)) {
		if (there_and_back((struct span){ text, len }, &once) == 0) {
			check(json_check(once.data, once.len));
			check(there_and_back((struct span){ once.data, once.len }, &twice) == 0);
			check(once.len == twice.len && !memcmp(once.data, twice.data, once.len));
		}
	} else if (convert_to_json(text, len, "x.yaml", &once, &err) == 0) {
		check(json_check(once.data, once.len));
	}
	buf_release(&once);
	buf_release(&twice);
	return 0;
}
