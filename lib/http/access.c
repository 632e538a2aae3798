#include "http/access.h"
#include "base/file.h"
#include "http/digest.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { TOKEN_FILE_MAX = 64 * 1024, TOKEN_MIN = 8, UID_UNASKED = -1 };

// ---- set up ----

#define VARY "vary: origin, access-control-request-method, access-control-request-headers\r\n"

// "*" is what the original answers everybody; a named origin gets what it needs. To
// browsers "*" does not mean the header that carries a token.
static int add_cors(struct access *a, const char *origin)
{
	struct access_cors *c = &a->cors[a->ncors];
	char allow[320] = "";
	if (origin)
		snprintf(allow, sizeof(allow), "access-control-allow-origin: %s\r\n", origin);
	const char *more = "access-control-allow-methods: POST, GET, OPTIONS\r\n"
			   "access-control-allow-headers: content-type, authorization\r\n";
	if (!origin)
		more = "";
	else if (!strcmp(origin, "*") && a->token_file)
		more = "access-control-allow-methods: *\r\naccess-control-allow-headers: *, authorization\r\n";
	else if (!strcmp(origin, "*"))
		more = "access-control-allow-methods: *\r\naccess-control-allow-headers: *\r\n";
	c->origin = origin;
	if (asprintf(&c->json, "content-type: application/json; charset=utf-8\r\n" VARY "%s", allow) < 0 ||
		asprintf(&c->text, "content-type: text/plain\r\n" VARY "%s", allow) < 0 ||
		asprintf(&c->preflight, "%s" VARY "%s", allow, more) < 0 || asprintf(&c->bare, VARY "%s", allow) < 0)
		return -1;
	a->ncors++;
	return 0;
}

int access_init(struct access *a, size_t hosts, size_t origins)
{
	*a = (struct access){ .tokens = { .max = TOKEN_FILE_MAX }, .diag_fd = peer_open() };
	a->hosts = calloc(hosts + 1, sizeof(*a->hosts));
	a->cors = calloc(origins + 1, sizeof(*a->cors));
	return a->hosts && a->cors ? add_cors(a, NULL) : -1;
}

int access_allow_host(struct access *a, const char *name)
{
	a->any_host = a->any_host || !strcmp(name, "*");
	a->hosts[a->nhosts++] = name;
	return 0;
}

int access_allow_origin(struct access *a, const char *origin, struct err *err)
{
	const char *rest = strstr(origin, "://");
	a->any_origin = a->any_origin || !strcmp(origin, "*");
	bool good = !strcmp(origin, "*") || (rest && rest > origin && rest[3] && !strchr(rest + 3, '/'));
	for (const char *p = origin; *p; p++)
		good = good && *p > 0x20 && *p < 0x7f;
	if (!good || strlen(origin) > 255)
		return err_set(err, ERR_INTERNAL, "'%s' is no origin: expected scheme://host[:port], or *", origin);
	return add_cors(a, origin) < 0 ? err_set(err, ERR_INTERNAL, "out of memory") : 0;
}

void access_release(struct access *a)
{
	for (size_t i = 0; i < a->ncors; i++) {
		free(a->cors[i].json);
		free(a->cors[i].text);
		free(a->cors[i].preflight);
		free(a->cors[i].bare);
	}
	free(a->cors);
	free(a->hosts);
	if (a->diag_fd >= 0)
		close(a->diag_fd);
	buf_release(&a->tokens);
}

// ---- tokens ----

// The next line without blanks around it; false at the end.
static bool next_line(const struct buf *b, size_t *at, const char **line, size_t *len)
{
	if (*at >= b->len)
		return false;
	const char *from = b->data + *at, *end = memchr(from, '\n', b->len - *at);
	const char *to = end ? end : b->data + b->len;
	*at = (size_t)(to - b->data) + 1;
	while (from < to && strchr(" \t\r", *from))
		from++;
	while (to > from && strchr(" \t\r", to[-1]))
		to--;
	*line = from;
	*len = (size_t)(to - from);
	return true;
}

int access_read_tokens(struct access *a, struct err *err)
{
	struct buf text = { .max = TOKEN_FILE_MAX }, tokens = { .max = TOKEN_FILE_MAX + 1 };
	const char *line, *why;
	struct stat st;
	size_t at = 0, len;
	// One that is cut off would be a weak token.
	int rc = file_read(a->token_file, &text, &st, &why);
	if (rc < 0)
		err_set(err, ERR_INTERNAL, "cannot read the tokens in %s: %s", a->token_file, why);
	else
		a->tokens_public = st.st_mode & S_IROTH;
	while (rc == 0 && next_line(&text, &at, &line, &len)) {
		if (!len || *line == '#')
			continue;
		if (len < TOKEN_MIN)
			rc = err_set(err, ERR_INTERNAL, "%s: a token is shorter than %d characters", a->token_file,
				TOKEN_MIN);
		buf_add(&tokens, line, len);
		buf_add_char(&tokens, '\n');
	}
	if (rc == 0 && tokens.failed)
		rc = err_set(err, ERR_INTERNAL, "%s: out of memory", a->token_file);
	if (rc == 0 && !tokens.len)
		rc = err_set(err, ERR_INTERNAL, "%s holds no token; expected one a line", a->token_file);
	if (rc == 0) {
		buf_release(&a->tokens);
		a->tokens = tokens;
		tokens = BUF_INIT;
	}
	buf_release(&tokens);
	buf_release(&text);
	return rc;
}

// All are compared, whichever fits.
static bool is_token(const struct access *a, const char *given, size_t given_len)
{
	const char *line;
	size_t at = 0, len;
	bool found = false;
	while (next_line(&a->tokens, &at, &line, &len))
		found |= equal_in_constant_time(given, given_len, line, len);
	return found;
}

// Basic: the password counts, whatever the user is called.
static bool is_basic(const struct access *a, const char *text, size_t len)
{
	uint8_t plain[1024];
	if (len > sizeof(plain))
		return false;
	int n = base64_decode(text, len, plain);
	const uint8_t *colon = n > 0 ? memchr(plain, ':', (size_t)n) : NULL;
	return colon && is_token(a, (const char *)colon + 1, (size_t)(plain + n - colon - 1));
}

static bool has_token(const struct access *a, const struct http_conn *c)
{
	const char *p = c->data + c->head.authorization.at, *end = p + c->head.authorization.len;
	const char *space = c->head.authorization.at ? memchr(p, ' ', (size_t)(end - p)) : NULL;
	if (!space)
		return false;
	const char *rest = space;
	while (rest < end && *rest == ' ')
		rest++;
	if (space - p == 6 && !strncasecmp(p, "bearer", 6))
		return is_token(a, rest, (size_t)(end - rest));
	return space - p == 5 && !strncasecmp(p, "basic", 5) && is_basic(a, rest, (size_t)(end - rest));
}

// ---- names ----

// Is it the address that the client has really reached?
static bool is_own_address(const struct http_conn *c, int family, const void *addr)
{
	union net_address own = { .any = { .sa_family = AF_UNSPEC } };
	socklen_t size = sizeof(own);
	if (getsockname(c->source.fd, &own.any, &size) < 0)
		return false;
	const uint8_t *six = own.in6.sin6_addr.s6_addr;
	if (family == AF_INET && own.any.sa_family == AF_INET)
		return !memcmp(addr, &own.in.sin_addr, 4);
	if (family == AF_INET)
		return IN6_IS_ADDR_V4MAPPED(&own.in6.sin6_addr) && !memcmp(addr, six + 12, 4);
	return own.any.sa_family == AF_INET6 && !memcmp(addr, six, 16);
}

static bool is_good_name(const struct access *a, const struct http_conn *c, const char *name)
{
	struct in6_addr six;
	struct in_addr four;
	if (!strcasecmp(name, "localhost"))
		return true;
	for (size_t i = 0; i < a->nhosts; i++)
		if (!strcasecmp(name, a->hosts[i]))
			return true;
	if (inet_pton(AF_INET, name, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127 || is_own_address(c, AF_INET, &four);
	if (inet_pton(AF_INET6, name, &six) == 1)
		return IN6_IS_ADDR_LOOPBACK(&six) || is_own_address(c, AF_INET6, &six);
	return false;
}

// The name in "name:port" or "[address]:port"; any port will do.
static bool is_good_host(const struct access *a, const struct http_conn *c)
{
	char name[256];
	const char *p = c->data + c->head.host.at;
	size_t len = c->head.host.len;
	if (a->any_host || !c->head.host.at || c->peer.any.sa_family == AF_UNIX)
		return true;
	const char *end = len && *p == '[' ? memchr(p, ']', len) : memchr(p, ':', len);
	if (len && *p == '[')
		p++;
	size_t n = end ? (size_t)(end - p) : len;
	if (!n || n >= sizeof(name))
		return false;
	memcpy(name, p, n);
	name[n] = '\0';
	return is_good_name(a, c, name);
}

// A page that came from this very server (its Host has been checked).
static bool is_same_origin(const struct http_conn *c)
{
	static const char *const schemes[] = { "http://", "https://" };
	const char *scheme = schemes[c->tls != NULL];
	const char *origin = c->data + c->head.origin.at;
	size_t n = strlen(scheme);
	return c->head.host.len && c->head.origin.len == n + c->head.host.len && !strncasecmp(origin, scheme, n) &&
	       !strncasecmp(origin + n, c->data + c->head.host.at, c->head.host.len);
}

const struct access_cors *access_cors(const struct access *a, const struct http_conn *c)
{
	for (size_t i = 1; i < a->ncors; i++)
		if (!strcmp(a->cors[i].origin, "*") || http_span_is(c->data, c->head.origin, a->cors[i].origin))
			return &a->cors[i];
	return &a->cors[0];
}

static bool is_good_origin(const struct access *a, const struct http_conn *c)
{
	return !c->head.origin.at || a->any_origin || access_cors(a, c) != &a->cors[0] ||
	       (!a->any_host && is_same_origin(c));
}

// ---- users ----

// Where this is asked we listen on loopback only, so whoever comes is of this
// machine, whatever address it comes from.
static bool is_good_user(const struct access *a, struct http_conn *c)
{
	if (a->any_user || c->peer.any.sa_family == AF_UNIX)
		return true;
	if (c->uid == UID_UNASKED) {
		int uid = peer_uid(a->diag_fd, c->source.fd);
		c->uid = uid < 0 ? UID_UNASKED : uid;
	}
	return c->uid == 0 || c->uid == (int)geteuid();
}

// A preflight carries no token, and its answer tells nothing.
enum access_verdict access_check(const struct access *a, struct http_conn *c)
{
	bool preflight = http_method_is(&c->head, c->data, "OPTIONS");
	if (!is_good_host(a, c))
		return ACCESS_HOST;
	if (!preflight && !is_good_origin(a, c))
		return ACCESS_ORIGIN;
	if (!preflight && a->token_file && !has_token(a, c))
		return ACCESS_TOKEN;
	return a->token_file || is_good_user(a, c) ? ACCESS_OK : ACCESS_USER;
}
