// Frames, the strict check, views and writing of JSON; requests and parameters.
// Every text is also fed at every split point, and ends at a guard page.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "rpc/frame.h"
#include "rpc/jsonrpc.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// The bytes at the end of a page behind which nothing can be read.
static char *at_guard(const char *text, size_t len)
{
	static char *page;
	size_t size = 64 * 1024, one = (size_t)sysconf(_SC_PAGESIZE);
	if (!page) {
		page = mmap(NULL, size + one, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(page, MAP_FAILED);
		assert_int_equal(mprotect(page + size, one, PROT_NONE), 0);
	}
	assert_true(len <= size);
	char *p = page + size - len;
	memcpy(p, text, len);
	return p;
}

static bool check(const char *text)
{
	return json_check(at_guard(text, strlen(text)), strlen(text));
}

static void good_json(void **state)
{
	(void)state;
	static const char *const good[] = { "{}", "[]", "0", "-0", "1.5e+3", "\"\"", "true", "false", "null", " [ ] ",
		"{\"a\":[1,2,{\"b\":null}],\"c\":\"\\u00e9\\ud83d\\ude00\"}", "[1,[2,[3]]]",
		"\"\xc3\xa9\xf0\x9f\x98\x80\"", "{\"a\":{},\"b\":[]}", "1E9", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"" };
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!check(good[i]))
			fail_msg("refused: %s", good[i]);
}

static void bad_json(void **state)
{
	(void)state;
	static const char *const bad[] = { "", " ", "{", "}", "[", "]", "[1,]", "{,}", "{\"a\"}", "{\"a\":}", "{a:1}",
		"{\"a\":1,}", "01", "2.", ".5", "-", "1e", "1e+", "+1", "tru", "nul", "truex", "\"", "\"\\x\"",
		"\"\\u12\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\t\"", "\"\n\"",
		"\"\x01\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"",
		"[1 2]", "{} {}", "\xef\xbb\xbf{}", "{\"a\":1]", "[1}", "\f[]", "[\"a\":1]", "{\"a\",1}", "'a'", "NaN",
		"\"\\" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (check(bad[i]))
			fail_msg("accepted: %s", bad[i]);
}

static void depth_is_limited(void **state)
{
	(void)state;
	char text[2 * JSON_DEPTH_MAX + 3];
	for (int depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
		memset(text, '[', (size_t)depth);
		memset(text + depth, ']', (size_t)depth);
		assert_int_equal(
			json_check(at_guard(text, 2 * (size_t)depth), 2 * (size_t)depth), depth <= JSON_DEPTH_MAX);
	}
}

static void strings_go_both_ways(void **state)
{
	(void)state;
	static const struct {
		const char *json, *text, *again;
	} t[] = {
		{ "\"a\"", "a", "\"a\"" },
		{ "\"\\u00e9\\u20ac\\ud83d\\ude00\"", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
			"\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\"", "\"\\/\b\f\n\r\t\x01\x1f\x7f",
			"\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"" },
	};
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		char out[128];
		struct buf b = BUF_INIT;
		struct span s = { t[i].json, strlen(t[i].json) };
		assert_int_equal(json_decode(s, out), strlen(t[i].text));
		assert_string_equal(out, t[i].text);
		json_add_str(&b, out, strlen(out));
		assert_string_equal(buf_text(&b), t[i].again);
		buf_release(&b);
	}
}

static void any_bytes_become_text(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++)
		for (unsigned c = 0; c < 256; c++) {
			char two[2] = { (char)a, (char)c };
			struct buf b = BUF_INIT;
			json_add_str(&b, at_guard(two, 2), 2);
			bool has_nul = !a || !c;
			if (!has_nul)
				assert_true(json_check(b.data, b.len));
			buf_release(&b);
		}
}

// For readers that want every byte: there and back.
static void any_bytes_come_back(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++)
		for (unsigned c = 0; c < 256; c++) {
			char two[2] = { (char)a, (char)c }, out[64];
			struct buf b = BUF_INIT;
			json_add_bytes(&b, two, 2);
			assert_true(json_check_answer(b.data, b.len));
			assert_int_equal(json_decode((struct span){ b.data, b.len }, out), 2);
			assert_memory_equal(out, two, 2);
			buf_release(&b);
		}
	assert_false(json_check("\"\\udcff\"", 8));
}

// ---- frames ----

struct seen {
	char text[4096];
};

static void feed(struct seen *out, const char *data, size_t len, size_t split)
{
	struct frame f = { 0 };
	struct buf in = BUF_INIT;
	out->text[0] = '\0';
	size_t n = 0;
	for (int part = 0; part < 2; part++) {
		buf_add(&in, part ? data + split : data, part ? len - split : split);
		for (;;) {
			size_t start, used;
			enum frame_result r = frame_next(&f, in.data, in.len, &start, &used);
			if (r == FRAME_VALUE)
				n += (size_t)snprintf(out->text + n, sizeof(out->text) - n, "<%.*s>",
					(int)(used - start), in.data + start);
			else if (r == FRAME_JUNK)
				n += (size_t)snprintf(out->text + n, sizeof(out->text) - n, "!");
			buf_consume(&in, used);
			if (r == FRAME_MORE)
				break;
		}
	}
	buf_release(&in);
}

static void frames_at_every_split(void **state)
{
	(void)state;
	static const char *const t[][2] = {
		{ "{}", "<{}>" },
		{ "{}{}[1]", "<{}><{}><[1]>" },
		{ " \n{\"a\":\"}\"}\n\n[{}]\n", "<{\"a\":\"}\"}><[{}]>" },
		{ "{\"a\":\"\\\"}{\\\\\"} {}", "<{\"a\":\"\\\"}{\\\\\"}><{}>" },
		{ "hello\n{}", "!<{}>" },
		{ "{}xyz\n{}", "<{}>!<{}>" },
		{ "xyz{}\n{}", "!<{}>" },
		{ "}\n{}", "!<{}>" },
		{ "{\"a\":[1,2,{\"b\":[]}]}", "<{\"a\":[1,2,{\"b\":[]}]}>" },
		{ "{\"unfinished\":", "" },
		{ "", "" },
	};
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		for (size_t split = 0; split <= strlen(t[i][0]); split++) {
			struct seen s;
			feed(&s, t[i][0], strlen(t[i][0]), split);
			assert_string_equal(s.text, t[i][1]);
		}
}

// ---- requests ----

static void kinds_of_requests(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		enum rpc_kind kind;
		const char *id;
	} t[] = {
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"a\"}", RPC_CALL, "1" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":18446744073709551615,\"method\":\"a\"}", RPC_CALL,
			"18446744073709551615" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":18446744073709551616,\"method\":\"a\"}", RPC_NOTIFICATION, NULL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"a\"}", RPC_CALL, "null" },
		{ "{\"jsonrpc\":\"2.0\",\"id\":-1,\"method\":\"a\"}", RPC_NOTIFICATION, NULL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1.0,\"method\":\"a\"}", RPC_NOTIFICATION, NULL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":1,\"id\":2,\"method\":\"a\"}", RPC_NOTIFICATION, NULL },
		{ "{\"jsonrpc\":\"2.0\",\"method\":\"a\"}", RPC_NOTIFICATION, NULL },
		{ "{\"jsonrpc\":\"1.0\",\"method\":\"a\"}", RPC_UNREADABLE, NULL },
		{ "{\"jsonrpc\":\"1.0\",\"id\":\"x\",\"method\":\"a\"}", RPC_INVALID, "\"x\"" },
		{ "{\"id\":7}", RPC_INVALID, "7" },
		{ "{}", RPC_UNREADABLE, NULL },
		{ "[]", RPC_UNREADABLE, NULL },
		{ "{\"jsonrpc\":\"2.0\",\"id\":\"a\\u00e9\\/\",\"meth\\u006fd\":\"a\"}", RPC_CALL, "\"a\xc3\xa9/\"" },
	};
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct rpc_request r;
		size_t len = strlen(t[i].text);
		char *text = at_guard(t[i].text, len);
		assert_true(json_check(text, len));
		rpc_parse((struct span){ text, len }, &r);
		assert_int_equal(r.kind, t[i].kind);
		struct buf b = BUF_INIT;
		rpc_add_id(&b, r.id);
		assert_string_equal(buf_text(&b), t[i].id ? t[i].id : "null");
		buf_release(&b);
	}
}

static const struct param_spec specs[] = {
	{ "name", PARAM_STRING, true },
	{ "wait", PARAM_BOOL, false },
	{ "lines", PARAM_NUMBER, false },
};

static void parameters(void **state)
{
	(void)state;
	static const char *const t[][2] = {
		{ "[\"a\"]", "a - -" },
		{ "[\"a\",true,5]", "a 1 5" },
		{ "[\"a\",null,5,{}]", "a - 5" },
		{ "{\"wait\":false,\"name\":\"b\\u002dc\",\"x\":1}", "b-c 0 -" },
		{ "{\"lines\":18446744073709551615,\"name\":\"\"}", " - 18446744073709551615" },
		{ "[]", "!No more params" },
		{ "null", "!No more params" },
		{ "{}", "!missing field `name` at line 1 column 2" },
		{ "{\"Name\":\"x\"}", "!missing field `name` at line 1 column 12" },
		{ "{\"name\":\"one-ok\",\"name\":\"sleeper\"}", "!duplicate field `name` at line 1 column 23" },
		{ "[1]", "!invalid type: integer `1`, expected a string at line 1 column 1" },
		{ "[-1]", "!invalid type: integer `-1`, expected a string at line 1 column 2" },
		{ "[1.5]", "!invalid type: floating point `1.5`, expected a string at line 1 column 3" },
		{ "[ \n 1]", "!invalid type: integer `1`, expected a string at line 2 column 2" },
		{ "[[\"a\"]]", "!invalid type: sequence, expected a string at line 1 column 0" },
		{ "{\"name\":[]}", "!invalid type: sequence, expected a string at line 1 column 8" },
		{ "{\"name\": true}", "!invalid type: boolean `true`, expected a string at line 1 column 13" },
		{ "[\"a\",  \"x\"]", "!invalid type: string \"x\", expected a boolean at line 1 column 5" },
		{ "\"x\"", "!Invalid params. Expected one of '[', ']' or ',' but found \"\\\"x\\\"\"" },
		{ "5", "!Invalid params. Expected one of '[', ']' or ',' but found \"5\"" },
	};
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct param p[PARAM_MAX];
		struct buf scratch = BUF_INIT, why = BUF_INIT;
		size_t len = strlen(t[i][0]);
		// Inside a request there is always a bracket behind the parameters.
		char text[256];
		snprintf(text, sizeof(text), "%s}", t[i][0]);
		char *at = at_guard(text, len + 1);
		char have[512];
		if (rpc_params((struct span){ at, len }, specs, 3, p, &scratch, &why) < 0) {
			snprintf(have, sizeof(have), "!%s", buf_text(&why));
		} else {
			char wait[8] = "-", lines[32] = "-";
			if (p[1].set)
				snprintf(wait, sizeof(wait), "%d", p[1].flag);
			if (p[2].set)
				snprintf(lines, sizeof(lines), "%llu", (unsigned long long)p[2].number);
			snprintf(have, sizeof(have), "%s %s %s", p[0].text, wait, lines);
		}
		assert_string_equal(have, t[i][1]);
		buf_release(&scratch);
		buf_release(&why);
	}
}

static void names_may_be_written_as_escapes(void **state)
{
	(void)state;
	static const char name[] = "system_start_http_server";
	struct buf text = BUF_INIT;
	buf_add_char(&text, '"');
	for (size_t i = 0; name[i]; i++)
		buf_printf(&text, "\\u00%02x", (unsigned)name[i]);
	buf_add_char(&text, '"');
	struct span s = { text.data, text.len };
	assert_true(json_is(s, name));
	assert_false(json_is(s, "system_start_http_serve"));
	assert_false(json_is(s, "system_start_http_servers"));
	s = (struct span){ "\"\\u0000\"", 8 };
	assert_false(json_is(s, ""));
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_json),
		cmocka_unit_test(bad_json),
		cmocka_unit_test(depth_is_limited),
		cmocka_unit_test(strings_go_both_ways),
		cmocka_unit_test(any_bytes_become_text),
		cmocka_unit_test(any_bytes_come_back),
		cmocka_unit_test(names_may_be_written_as_escapes),
		cmocka_unit_test(frames_at_every_split),
		cmocka_unit_test(kinds_of_requests),
		cmocka_unit_test(parameters),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
