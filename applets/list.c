#include "call.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_JSON = OPT_FIRST_LONG };

APPLET(list, "", "all services and their states") = {
	{ 'l', "long", NULL, "a table with state, target, pid, uptime and restarts" },
	{ 'n', "names", NULL, "only the names, one a line" },
	{ OPT_JSON, "json", NULL, "print JSON" },
	{ 0, NULL, NULL, NULL },
};
//config: depends on CLIENT

static void print_uptime(const cJSON *seconds)
{
	char text[32] = "-";
	if (cJSON_IsNumber(seconds)) {
		unsigned long s = (unsigned long)seconds->valuedouble;
		if (s >= 86400)
			snprintf(text, sizeof(text), "%lud%02luh", s / 86400, s % 86400 / 3600);
		else if (s >= 3600)
			snprintf(text, sizeof(text), "%luh%02lum", s / 3600, s % 3600 / 60);
		else if (s >= 60)
			snprintf(text, sizeof(text), "%lum%02lus", s / 60, s % 60);
		else
			snprintf(text, sizeof(text), "%lus", s);
	}
	printf(" %8s", text);
}

static const char *text_of(const cJSON *status, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(status, name);
	return cJSON_IsString(v) ? v->valuestring : "";
}

static double number_of(const cJSON *status, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(status, name);
	return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

// In characters, not bytes.
static int width_of(const char *text)
{
	int n = 0;
	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static void widen(int *width, const char *text)
{
	int n = width_of(text);
	if (n > *width)
		*width = n;
}

static void print_column(const char *text, int width)
{
	printf("%s%*s ", text, width - width_of(text), "");
}

static void print_row(const cJSON *status, int name_width, int state_width)
{
	const cJSON *why = cJSON_GetObjectItemCaseSensitive(status, "blocked_by");
	print_column(text_of(status, "name"), name_width);
	print_column(text_of(status, "state"), state_width);
	printf("%-6s %7.0f", text_of(status, "target"), number_of(status, "pid"));
	print_uptime(cJSON_GetObjectItemCaseSensitive(status, "uptime"));
	printf(" %8.0f", number_of(status, "restarts"));
	if (why && why->child)
		printf("  waits for %s%s", why->child->valuestring, why->child->next ? ", ..." : "");
	else if (*text_of(status, "reason"))
		printf("  %s", text_of(status, "reason"));
	putchar('\n');
}

// A service that was forgotten meanwhile is left out.
static int print_table(struct session *s, const cJSON *list)
{
	cJSON *rows = cJSON_CreateArray();
	int name_width = 4, state_width = 5, rc = 0;
	for (const cJSON *i = list->child; i && rows && !rc; i = i->next) {
		char *params = json_strings(i->string, NULL);
		cJSON *status = NULL;
		rc = params ? session_call(s, "service_status", params, NULL, NULL, &status) : fail("out of memory");
		free(params);
		if (!status)
			continue;
		widen(&name_width, text_of(status, "name"));
		widen(&state_width, text_of(status, "state"));
		cJSON_AddItemToArray(rows, status);
	}
	printf("%-*s %-*s %-6s %7s %8s %8s\n", name_width, "NAME", state_width, "STATE", "TARGET", "PID", "UPTIME",
		"RESTARTS");
	for (const cJSON *row = rows ? rows->child : NULL; row; row = row->next)
		print_row(row, name_width, state_width);
	cJSON_Delete(rows);
	return rc ? rc : finish_output();
}

static int run(struct cli *cli)
{
	struct session s;
	cJSON *result = NULL;
	if (cli->argc)
		return usage_error(cli, "unexpected argument '%s'", cli->argv[0]);
	if (session_open(&s, cli))
		return 1;
	int rc = session_call(&s, "service_list", NULL, NULL, NULL, &result);
	if (rc == 0 && cli_flag(cli, 'n')) {
		for (const cJSON *i = result->child; i; i = i->next)
			puts(i->string);
		rc = finish_output();
	} else if (rc == 0 && cli_flag(cli, OPT_JSON)) {
		rc = print_json(s.result);
	} else if (rc == 0 && cli_flag(cli, 'l')) {
		rc = print_table(&s, result);
	} else if (rc == 0) {
		rc = print_yaml(s.result);
	}
	cJSON_Delete(result);
	session_close(&s);
	return rc;
}
