// Service files between YAML and JSON.
#pragma once
#include "base/buf.h"
#include "base/err.h"
#include "rpc/json.h"

// The file as compact JSON, keys sorted by their bytes. Numbers keep their digits;
// hexadecimal and the like become decimal, infinities null. 0, or -1 with *err:
// ERR_SERVICE_FILE for bytes that are not UTF-8 or too many, ERR_FILE_SYNTAX for what
// is no YAML document (also a key that is set twice), ERR_FILE_SHAPE for a key that
// is a list or a map, ERR_INTERNAL without memory. `label` names it in messages.
int convert_to_json(const char *bytes, size_t len, const char *label, struct buf *out, struct err *err);
// Checked JSON as YAML in block style, keys sorted; of a key that is set twice the
// last value counts. out->failed without memory.
void convert_to_yaml(struct span json, struct buf *out);
