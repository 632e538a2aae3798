// Kconfig files -> entries and symbols.
//
// Each line begins with a keyword; the table near the end says which function
// reads the rest of the line and where the keyword may stand. What the table does
// not list (tristate, imply, option, macros...) is an error, never skipped.
#include "kconfig.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { MAX_SOURCES = 16, MAX_PARENS = 64, MAX_TERMS = 200 };

struct input {
	struct input *parent;
	const char *name, *pos, *end; // *end is NUL
	int line, depth;
	struct node *block; // innermost open one where the file began
};

struct parser {
	struct kconfig *k;
	struct input *in;
	const struct keyword *kw; // of the current line
	struct node **nodes_end;
	struct node *block; // innermost open menu, if or choice
	struct node *node; // takes the option lines, or NULL
	struct choice *choice; // the open one
	int parens;
};

struct keyword {
	const char *word;
	void (*parse)(struct parser *p);
	unsigned nodes; // an option: bits of the node kinds that take it; a statement: 0
	int arg;
	bool fits_choice; // a statement that may stand inside a choice
};

static struct where here(const struct parser *p)
{
	return (struct where){ p->in->name, p->in->line };
}

// The next byte that is no blank, at most the end of the line.
static const char *peek(struct parser *p)
{
	struct input *in = p->in;
	for (; *in->pos == ' ' || *in->pos == '\t' || !strncmp(in->pos, "\\\n", 2); in->pos++) {
		if (*in->pos == '\\') {
			in->pos++;
			in->line++;
		}
	}
	if (*in->pos == '#') {
		const char *eol = memchr(in->pos, '\n', in->end - in->pos);
		in->pos = eol ? eol : in->end;
	}
	return in->pos;
}

static bool is_line_end(struct parser *p)
{
	return *peek(p) == '\n' || p->in->pos == p->in->end;
}

// Length of the word that is next, 0 for anything else.
static int word_len(struct parser *p)
{
	const char *end = peek(p);
	while (isalnum((unsigned char)*end) || (*end && strchr("_-/.", *end)))
		end++;
	return (int)(end - p->in->pos);
}

static bool is_word(struct parser *p, const char *word)
{
	return word_len(p) == (int)strlen(word) && !memcmp(p->in->pos, word, strlen(word));
}

static _Noreturn void unexpected(struct parser *p, const char *expected)
{
	char c = *peek(p);
	if (is_line_end(p))
		die_at(here(p), "found the end of the %s, expected %s", c ? "line" : "file", expected);
	if (c == '$')
		die_at(here(p), "found '$', but macros are not supported, expected %s", expected);
	if (!isprint((unsigned char)c))
		die_at(here(p), "found byte 0x%02x, expected %s", (unsigned char)c, expected);
	die_at(here(p), "found '%.*s', expected %s", word_len(p) ? word_len(p) : 1, p->in->pos, expected);
}

static bool accept(struct parser *p, const char *operator)
{
	if (strncmp(peek(p), operator, strlen(operator)))
		return false;
	p->in->pos += strlen(operator);
	return true;
}

static bool accept_word(struct parser *p, const char *word)
{
	return is_word(p, word) && accept(p, word);
}

static const char *take_word(struct parser *p, const char *expected)
{
	int len = word_len(p);
	if (!len)
		unexpected(p, expected);
	p->in->pos += len;
	return xprintf("%.*s", len, p->in->pos - len);
}

static bool is_quote(struct parser *p)
{
	return *peek(p) == '"' || *peek(p) == '\'';
}

static const char *take_text(struct parser *p, const char *expected)
{
	if (!is_quote(p))
		unexpected(p, expected);
	struct input *in = p->in;
	char quote = *in->pos++;
	char *text = xzalloc(strcspn(in->pos, "\n") + 1), *out = text;
	for (; *in->pos != quote; in->pos++) {
		if (in->pos[0] == '\\' && in->pos[1])
			in->pos++;
		if (iscntrl((unsigned char)*in->pos) && *in->pos != '\t')
			die_at(here(p), "quoted text does not end, expected %c before the end of the line", quote);
		*out++ = *in->pos;
	}
	in->pos++;
	return text;
}

// A title that begins with blanks is shown without them.
static const char *take_title(struct parser *p)
{
	const char *text = take_text(p, "a text in quotes");
	return text + strspn(text, " \t");
}

struct sym *kconfig_find(const struct kconfig *k, const char *name)
{
	struct sym *s = k->syms;
	while (s && strcmp(s->name, name))
		s = s->next;
	return s;
}

static struct sym *sym_get(struct parser *p, const char *name)
{
	struct sym **end = &p->k->syms;
	while (*end && strcmp((*end)->name, name))
		end = &(*end)->next;
	if (!*end) {
		*end = xzalloc(sizeof(**end));
		(*end)->name = name;
	}
	return *end;
}

static struct sym *take_value(struct parser *p, const char *expected)
{
	bool is_quoted = is_quote(p);
	if (is_word(p, "if"))
		unexpected(p, expected);
	if (is_word(p, "m"))
		die_at(here(p), "found 'm', but tristate is not supported, expected y or n");
	const char *text = is_quoted ? take_text(p, expected) : take_word(p, expected);
	if (!is_quoted && strcmp(text, "y") && strcmp(text, "n"))
		return sym_get(p, text);
	struct sym *s = xzalloc(sizeof(*s));
	s->name = text;
	s->is_literal = true;
	s->on = !strcmp(text, "y");
	return s;
}

static struct expr *expr_new(struct parser *p, enum op op, struct expr *left, struct expr *right)
{
	struct expr *e = xzalloc(sizeof(*e));
	int left_depth = left ? left->depth : 0, right_depth = right ? right->depth : 0;
	e->op = op;
	e->left = left;
	e->right = right;
	e->depth = 1 + (left_depth > right_depth ? left_depth : right_depth);
	if (e->depth > MAX_TERMS)
		die_at(here(p), "conditions nest too deep, expected at most %d terms", MAX_TERMS);
	return e;
}

static struct expr *expr_sym(struct parser *p, struct sym *s)
{
	struct expr *e = expr_new(p, OP_SYM, NULL, NULL);
	e->sym = s;
	return e;
}

static struct expr *expr_and(struct parser *p, struct expr *left, struct expr *right)
{
	return left ? expr_new(p, OP_AND, left, right) : right;
}

static struct expr *parse_or(struct parser *p);

static struct expr *parse_term(struct parser *p)
{
	if (accept(p, "(")) {
		if (++p->parens > MAX_PARENS)
			die_at(here(p), "parentheses nest too deep, expected at most %d", MAX_PARENS);
		struct expr *inner = parse_or(p);
		if (!accept(p, ")"))
			unexpected(p, "&&, || or )");
		p->parens--;
		return inner;
	}
	struct expr *e = expr_sym(p, take_value(p, "a symbol, y or n"));
	bool is_equal = accept(p, "=");
	if (is_equal || accept(p, "!=")) {
		e->op = is_equal ? OP_EQUAL : OP_UNEQUAL;
		e->right_sym = take_value(p, "a value to compare with");
	}
	return e;
}

static struct expr *parse_not(struct parser *p)
{
	bool is_negated = false;
	while (accept(p, "!"))
		is_negated = !is_negated;
	struct expr *e = parse_term(p);
	return is_negated ? expr_new(p, OP_NOT, e, NULL) : e;
}

static struct expr *parse_and(struct parser *p)
{
	struct expr *e = parse_not(p);
	while (accept(p, "&&"))
		e = expr_new(p, OP_AND, e, parse_not(p));
	return e;
}

static struct expr *parse_or(struct parser *p)
{
	struct expr *e = parse_and(p);
	while (accept(p, "||"))
		e = expr_new(p, OP_OR, e, parse_and(p));
	return e;
}

static struct expr *parse_condition(struct parser *p)
{
	struct where at = here(p);
	struct expr *e = parse_or(p);
	note_condition(e, at);
	return e;
}

static struct expr *parse_if(struct parser *p)
{
	return accept_word(p, "if") ? parse_condition(p) : NULL;
}

static struct node *node_new(struct parser *p, enum node_kind kind)
{
	struct node *n = xzalloc(sizeof(*n));
	n->kind = kind;
	n->at = here(p);
	n->parent = p->block;
	if (p->block)
		n->dep = p->block->choice ? expr_sym(p, &p->block->choice->on) : p->block->dep;
	*p->nodes_end = n;
	p->nodes_end = &n->next;
	return p->node = n;
}

static void sym_add_node(struct sym *s, struct node *n)
{
	struct node **end = &s->nodes;
	while (*end)
		end = &(*end)->next_of_sym;
	*end = n;
	n->sym = s;
	if (s->nodes == n)
		s->at = n->at;
}

static struct prop *prop_new(struct parser *p, struct sym *s, enum prop_kind kind)
{
	struct prop **end = &s->props;
	while (*end)
		end = &(*end)->next;
	*end = xzalloc(sizeof(**end));
	(*end)->kind = kind;
	(*end)->at = here(p);
	(*end)->node = p->node;
	return *end;
}

static void opt_prompt(struct parser *p)
{
	for (struct prop *old = p->node->sym->props; old; old = old->next) {
		if (old->kind == PROP_PROMPT && old->node == p->node)
			die_at(here(p), "second prompt, expected one for each entry");
	}
	struct prop *prop = prop_new(p, p->node->sym, PROP_PROMPT);
	take_title(p);
	prop->cond = parse_if(p);
}

static void set_type(struct parser *p)
{
	struct sym *s = p->node->sym;
	enum type type = p->kw->arg;
	if (s->type != TYPE_NONE && s->type != type)
		die_at(here(p), "second type of %s, expected the one it has already", s->name);
	s->type = type;
}

static void opt_type(struct parser *p)
{
	set_type(p);
	if (!is_line_end(p))
		opt_prompt(p);
}

static void opt_default(struct parser *p)
{
	struct choice *c = p->node->choice;
	struct prop *prop = prop_new(p, c ? &c->pick : p->node->sym, PROP_DEFAULT);
	if (p->kw->arg)
		set_type(p);
	prop->value = c ? expr_sym(p, take_value(p, "a value of the choice")) : parse_or(p);
	prop->cond = parse_if(p);
}

static void opt_depends(struct parser *p)
{
	if (!accept_word(p, "on"))
		unexpected(p, "'on'");
	p->node->dep = expr_and(p, p->node->dep, parse_condition(p));
}

static void opt_select(struct parser *p)
{
	struct prop *prop = prop_new(p, p->node->sym, PROP_SELECT);
	prop->sym = sym_get(p, take_word(p, "a symbol"));
	prop->next_select = prop->sym->selects;
	prop->sym->selects = prop;
	note_use(prop->sym, prop->at, true);
	prop->cond = parse_if(p);
}

static void opt_range(struct parser *p)
{
	struct prop *prop = prop_new(p, p->node->sym, PROP_RANGE);
	prop->sym = take_value(p, "the smallest value");
	prop->high = take_value(p, "the largest value");
	prop->cond = parse_if(p);
}

// The text lasts while lines are indented at least as far as its first one.
static void opt_help(struct parser *p)
{
	struct input *in = p->in;
	struct where at = here(p);
	int first = 0;
	while (is_line_end(p) && in->pos < in->end) {
		const char *c = in->pos + 1;
		int indent = 0;
		for (; *c == ' ' || *c == '\t'; c++)
			indent = *c == '\t' ? (indent | 7) + 1 : indent + 1;
		bool is_blank = c == in->end || *c == '\n';
		if (!is_blank && (!indent || indent < first))
			break;
		if (!is_blank && !first)
			first = indent;
		const char *eol = memchr(c, '\n', in->end - c);
		in->pos = eol ? eol : in->end;
		in->line++;
	}
	if (is_line_end(p) && !first)
		die_at(at, "help has no text, expected indented lines after it");
}

static void st_mainmenu(struct parser *p)
{
	if (p->k->nodes || p->k->title)
		die_at(here(p), "misplaced mainmenu, expected it once, before everything else");
	p->k->title = take_title(p);
}

static void choice_add(struct parser *p, struct sym *s)
{
	struct choice *c = p->choice;
	struct sym **end = &c->members;
	while (*end)
		end = &(*end)->next_member;
	*end = s;
	s->choice = c;
	if (p->block->choice)
		c->on.type = TYPE_BOOL;
}

static void st_config(struct parser *p)
{
	struct node *n = node_new(p, NODE_ENTRY);
	const char *name = take_word(p, "the name of a symbol");
	if (strpbrk(name, "-/.") || (strchr("ymn", *name) && !name[1]))
		die_at(n->at, "'%s', expected a name of letters, digits and _ other than y, m, n", name);
	struct sym *s = sym_get(p, name);
	if (s->nodes && (p->choice || s->choice))
		die_at(n->at, "%s is also at %s:%d, expected one entry for a value of a choice", name, s->at.file,
			s->at.line);
	sym_add_node(s, n);
	if (p->choice)
		choice_add(p, s);
}

static void st_menu(struct parser *p)
{
	p->block = node_new(p, NODE_MENU);
	p->block->text = take_title(p);
}

static void st_comment(struct parser *p)
{
	struct node *n = node_new(p, NODE_COMMENT);
	n->text = take_title(p);
}

static void st_if(struct parser *p)
{
	struct node *n = node_new(p, NODE_IF);
	n->dep = expr_and(p, n->dep, parse_condition(p));
	p->block = n;
}

static void st_choice(struct parser *p)
{
	struct node *n = node_new(p, NODE_CHOICE);
	struct choice *c = xzalloc(sizeof(*c)), **end = &p->k->choices;
	while (*end)
		end = &(*end)->next;
	*end = p->choice = n->choice = c;
	c->on.name = c->pick.name = xprintf("choice at %s:%d", n->at.file, n->at.line);
	c->on.has_user = c->on.user_on = true;
	c->pick.choice = c;
	c->pick.at = n->at;
	sym_add_node(&c->on, n);
	p->block = n;
}

static void st_end(struct parser *p)
{
	struct node *block = p->block;
	if (!block || block->kind != (enum node_kind)p->kw->arg)
		die_at(here(p), "%s closes nothing, expected what it closes before it", p->kw->word);
	if (block == p->in->block)
		die_at(here(p), "%s closes a block of another file (%s:%d), expected both in one", p->kw->word,
			block->at.file, block->at.line);
	if (block->choice)
		p->choice = NULL;
	p->block = block->parent;
}

static void parse_file(struct parser *p, const char *path, struct where from);

static void st_source(struct parser *p)
{
	struct where at = here(p);
	const char *path = take_text(p, "a file name in quotes");
	if (strchr(path, '$'))
		die_at(at, "found '$', but macros are not supported, expected a plain file name");
	parse_file(p, path, at);
	p->node = NULL;
}

#define IN(kind) (1u << NODE_##kind)
static const struct keyword keywords[] = {
	{ "mainmenu", st_mainmenu, 0, 0, false },
	{ "config", st_config, 0, 0, true },
	{ "menuconfig", st_config, 0, 0, false },
	{ "menu", st_menu, 0, 0, false },
	{ "endmenu", st_end, 0, NODE_MENU, false },
	{ "comment", st_comment, 0, 0, true },
	{ "if", st_if, 0, 0, true },
	{ "endif", st_end, 0, NODE_IF, true },
	{ "choice", st_choice, 0, 0, false },
	{ "endchoice", st_end, 0, NODE_CHOICE, true },
	{ "source", st_source, 0, 0, true },
	{ "bool", opt_type, IN(ENTRY) | IN(CHOICE), TYPE_BOOL, false },
	{ "int", opt_type, IN(ENTRY), TYPE_INT, false },
	{ "string", opt_type, IN(ENTRY), TYPE_STRING, false },
	{ "prompt", opt_prompt, IN(ENTRY) | IN(CHOICE), 0, false },
	{ "default", opt_default, IN(ENTRY) | IN(CHOICE), 0, false },
	{ "def_bool", opt_default, IN(ENTRY), TYPE_BOOL, false },
	{ "depends", opt_depends, IN(ENTRY) | IN(CHOICE) | IN(MENU) | IN(COMMENT), 0, false },
	{ "select", opt_select, IN(ENTRY), 0, false },
	{ "range", opt_range, IN(ENTRY), 0, false },
	{ "help", opt_help, IN(ENTRY) | IN(CHOICE), 0, false },
	{ "---help---", opt_help, IN(ENTRY) | IN(CHOICE), 0, false },
};

static const struct keyword *find_keyword(struct parser *p)
{
	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		if (is_word(p, keywords[i].word))
			return &keywords[i];
	}
	unexpected(p, "a keyword such as config, bool or depends");
}

static void parse_line(struct parser *p)
{
	const struct keyword *kw = p->kw = find_keyword(p);
	if (kw->nodes && (!p->node || !(kw->nodes & (1u << p->node->kind))))
		die_at(here(p), "'%s' does not belong here, expected it in an entry that can have it", kw->word);
	if (!kw->nodes && p->choice && !kw->fits_choice)
		die_at(here(p), "'%s' inside a choice, expected config, comment, if, source or endchoice", kw->word);
	if (!kw->nodes)
		p->node = NULL;
	accept_word(p, kw->word);
	kw->parse(p);
	if (!is_line_end(p))
		unexpected(p, "the end of the line");
}

static void parse_file(struct parser *p, const char *path, struct where from)
{
	struct input in = { .parent = p->in, .name = path, .line = 1, .block = p->block };
	size_t len;
	in.depth = p->in ? p->in->depth + 1 : 0;
	if (in.depth >= MAX_SOURCES)
		die_at(from, "source nests too deep, expected at most %d files: does one read itself?", MAX_SOURCES);
	in.pos = read_file(path, &len);
	if (!in.pos)
		die_at(from, "cannot read %s: %s, expected a Kconfig file", path, strerror(errno));
	in.end = in.pos + len;
	p->in = &in;
	p->node = NULL;
	for (;; in.pos++, in.line++) {
		if (!is_line_end(p))
			parse_line(p);
		if (in.pos == in.end)
			break;
	}
	if (p->block != in.block)
		die_at(p->block->at, "block does not end, expected its end before the end of the file");
	p->in = in.parent;
}

void kconfig_parse(struct kconfig *k, const char *path)
{
	struct parser p = { .k = k, .nodes_end = &k->nodes };
	parse_file(&p, path, (struct where){ path, 1 });
	if (!k->title)
		k->title = "Configuration";
	kconfig_check(k);
}
