/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/parser.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"
#include "steps/literal.h"

/*
 * A parser by recursive descent that reads characters directly:
 *
 *	or	= and { "||" and }
 *	and	= compare { "&&" compare }
 *	compare	= unary [ operator unary ]
 *	unary	= "!" unary | path
 *	path	= primary { "." name | "[" or "]" }
 *	primary	= literal | "(" or ")" | function "(" [ or { "," or } ] ")" | root
 *
 * Each function returns a node, or 0 after filling the diag. Parentheses, brackets, arguments and
 * "!" count towards ST_EXPR_NESTING_MAX, which bounds the recursion here and in the evaluation;
 * chains of operators and path parts are lists, not trees.
 */
struct parser {
	const char *text;
	size_t end; /* the parser never looks at or behind this */
	size_t at;
	size_t mark;	      /* column_of stands here … */
	uint32_t mark_column; /* … in this column */
	bool cut;	      /* the expression may go on behind `end` */
	bool condition;
	int nesting;
	int optional; /* > 0: inside the first place of default() */
	struct st_expr *expr;
	struct st_diag *diag;
};

static bool begins_character(const struct parser *p, size_t at)
{
	return ((unsigned char)p->text[at] & 0xc0U) != 0x80U;
}

/* Counts on, or back, from the place that was asked for last: so all columns of an expression cost
 * about one walk over it, wherever in a long text it stands. */
static uint32_t column_of(struct parser *p, size_t at)
{
	for (; p->mark < at; p->mark++) {
		p->mark_column += begins_character(p, p->mark);
	}
	for (; p->mark > at; p->mark--) {
		p->mark_column -= begins_character(p, p->mark - 1);
	}
	return p->mark_column;
}

__attribute__((format(printf, 3, 4))) static uint32_t fail(struct parser *p, size_t at,
							   const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (p->cut && p->at >= p->end) {
		st_fail(p->diag, ST_ERR_TOO_LARGE, "an expression is longer than %d bytes",
			ST_EXPR_TEXT_MAX);
		return 0;
	}
	st_fail(p->diag, ST_ERR_INVALID, "column %u: %s", (unsigned)column_of(p, at), text);
	return 0;
}

static uint32_t add_node(struct parser *p, enum st_node_kind kind, size_t at)
{
	struct st_expr *expr = p->expr;
	if (expr->n == expr->cap) {
		expr->cap = expr->cap == 0 ? 16 : expr->cap * 2;
		expr->nodes = st_realloc(expr->nodes, expr->cap * sizeof *expr->nodes);
	}
	expr->nodes[expr->n] =
	    (struct st_node){.kind = kind, .column = column_of(p, at), .optional = p->optional > 0};
	return expr->n++;
}

/* Puts `child` behind the children that node `to` has; *last is the last of them, 0 for none. */
static void append(struct parser *p, uint32_t to, uint32_t child, uint32_t *last)
{
	if (*last == 0) {
		p->expr->nodes[to].first = child;
	} else {
		p->expr->nodes[*last].next = child;
	}
	*last = child;
}

static char peek(const struct parser *p)
{
	return p->at < p->end ? p->text[p->at] : '\0';
}

static void skip_space(struct parser *p)
{
	char c = peek(p);
	while (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
		p->at++;
		c = peek(p);
	}
}

/* Takes the token if it is next. */
static bool take(struct parser *p, const char *token)
{
	skip_space(p);
	size_t len = strlen(token);
	if (p->end - p->at < len || memcmp(p->text + p->at, token, len) != 0) {
		return false;
	}
	p->at += len;
	return true;
}

static size_t name_length(const struct parser *p)
{
	size_t len = 0;
	while (p->at + len < p->end && st_literal_is_name(p->text[p->at + len])) {
		len++;
	}
	return len;
}

/* ST_EXPR_NESTING_MAX bounds every way back to parse_or and parse_unary.
 * NOLINTBEGIN(misc-no-recursion) */
static uint32_t parse_or(struct parser *p);

/* What stands in brackets, parentheses or an argument, one level deeper. */
static uint32_t parse_nested(struct parser *p)
{
	if (p->nesting == ST_EXPR_NESTING_MAX) {
		return fail(p, p->at, "nested more than %d deep", ST_EXPR_NESTING_MAX);
	}
	p->nesting++;
	uint32_t node = parse_or(p);
	p->nesting--;
	return node;
}

/* A literal node that takes over the value. */
static uint32_t add_literal(struct parser *p, size_t at, json_t *value)
{
	uint32_t node = add_node(p, ST_NODE_LITERAL, at);
	p->expr->nodes[node].of.value = value;
	return node;
}

static uint32_t parse_literal(struct parser *p,
			      json_t *(*read)(const char *, size_t, size_t *, const char **))
{
	size_t from = p->at;
	const char *wrong = NULL;
	json_t *value = read(p->text, p->end, &p->at, &wrong);
	return value == NULL ? fail(p, p->at, "%s", wrong) : add_literal(p, from, value);
}

static uint32_t unknown_function(struct parser *p, size_t at, size_t len)
{
	char names[160] = "";
	size_t n = 0;
	const struct st_function *all = st_function_all(&n);
	for (size_t i = 0; i < n; i++) {
		size_t used = strlen(names);
		if (!all[i].status || p->condition) {
			(void)snprintf(names + used, sizeof names - used, " %s", all[i].name);
		}
	}
	return fail(p, at, "unknown function \"%.*s\"; there are%s", (int)(len < 40 ? len : 40),
		    p->text + at, names);
}

/* The arguments up to the closing parenthesis. */
static uint32_t parse_arguments(struct parser *p, uint32_t call, size_t at)
{
	const struct st_function *function = p->expr->nodes[call].of.function;
	uint32_t last = 0;
	size_t n = 0;
	bool done = take(p, ")");
	while (!done) {
		bool optional = function->call == NULL && n == 0;
		p->optional += optional;
		uint32_t argument = parse_nested(p);
		p->optional -= optional;
		if (argument == 0) {
			return 0;
		}
		append(p, call, argument, &last);
		n++;
		done = take(p, ")");
		if (!done && !take(p, ",")) {
			return fail(p, p->at, "\",\" or \")\" is missing in %s", function->usage);
		}
	}
	if (n < function->args_min || n > function->args_max) {
		return fail(p, at, "wrong number of arguments; it is %s", function->usage);
	}
	return call;
}

static uint32_t parse_call(struct parser *p, size_t at, size_t len)
{
	const struct st_function *function = st_function_find(p->text + at, len);
	if (function == NULL) {
		return unknown_function(p, at, len);
	}
	if (function->status && !p->condition) {
		return fail(p, at, "%s can stand only in a condition (\"if\")", function->usage);
	}
	p->expr->uses_status |= function->status;
	uint32_t call = add_node(p, ST_NODE_CALL, at);
	p->expr->nodes[call].of.function = function;
	return parse_arguments(p, call, at);
}

static bool is_word(const struct parser *p, size_t at, size_t len, const char *word)
{
	return strlen(word) == len && memcmp(p->text + at, word, len) == 0;
}

static uint32_t parse_root(struct parser *p, size_t at, size_t len)
{
	static const char *const roots[] = {[ST_ROOT_PARAMS] = "params",
					    [ST_ROOT_STEPS] = "steps",
					    [ST_ROOT_ITEM] = "item",
					    [ST_ROOT_RUN] = "run"};
	for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
		if (is_word(p, at, len, roots[i])) {
			uint32_t path = add_node(p, ST_NODE_PATH, at);
			p->expr->nodes[path].of.root = (enum st_root)i;
			return path;
		}
	}
	if (is_word(p, at, len, "secrets")) {
		return fail(p, at,
			    "a secret can not take part in an expression; write "
			    "${{ secrets.NAME }} by itself in a field of \"with\"");
	}
	return fail(p, at,
		    "unknown name \"%.*s\"; a path begins with params, steps, item or run, and "
		    "text stands in quotes",
		    (int)(len < 40 ? len : 40), p->text + at);
}

static uint32_t parse_word(struct parser *p)
{
	size_t at = p->at;
	size_t len = name_length(p);
	p->at += len;
	if (is_word(p, at, len, "true") || is_word(p, at, len, "false")) {
		return add_literal(p, at, json_boolean(len == strlen("true")));
	}
	if (is_word(p, at, len, "null")) {
		return add_literal(p, at, json_null());
	}
	return take(p, "(") ? parse_call(p, at, len) : parse_root(p, at, len);
}

static uint32_t parse_parentheses(struct parser *p)
{
	size_t from = p->at++;
	uint32_t node = parse_nested(p);
	if (node != 0 && !take(p, ")")) {
		return fail(p, from, "the \"(\" is never closed");
	}
	return node;
}

static uint32_t parse_primary(struct parser *p)
{
	skip_space(p);
	char c = peek(p);
	if (c == '(') {
		return parse_parentheses(p);
	}
	if (c == '\'' || c == '"') {
		return parse_literal(p, st_literal_string);
	}
	if (st_literal_is_digit(c) ||
	    (c == '-' && p->at + 1 < p->end && st_literal_is_digit(p->text[p->at + 1]))) {
		return parse_literal(p, st_literal_number);
	}
	if (st_literal_is_name(c) && c != '-') {
		return parse_word(p);
	}
	return fail(p, p->at,
		    p->at >= p->end ? "a value is missing at the end"
				    : "a path, literal or function is missing here");
}

static uint32_t parse_name_part(struct parser *p)
{
	skip_space(p);
	size_t len = name_length(p);
	if (len == 0) {
		return fail(p, p->at,
			    "a name is missing behind \".\"; other names are written "
			    "['name']");
	}
	uint32_t part = add_node(p, ST_NODE_NAME, p->at);
	p->expr->nodes[part].of.value = json_stringn(p->text + p->at, len);
	p->at += len;
	return part;
}

static uint32_t parse_index_part(struct parser *p)
{
	size_t from = p->at - 1;
	uint32_t inner = parse_nested(p);
	if (inner == 0) {
		return 0;
	}
	if (!take(p, "]")) {
		return fail(p, from, "the \"[\" is never closed");
	}
	struct st_node *node = &p->expr->nodes[inner];
	if (node->kind == ST_NODE_LITERAL && json_is_string(node->of.value)) {
		node->kind = ST_NODE_NAME;
		return inner;
	}
	uint32_t part = add_node(p, ST_NODE_INDEX, from);
	p->expr->nodes[part].first = inner;
	return part;
}

/* steps.ID.FIELD: which step must be known before the run starts, and its fields are known. */
static uint32_t check_step_path(struct parser *p, uint32_t path)
{
	const struct st_node *nodes = p->expr->nodes;
	uint32_t id = nodes[path].first;
	if (id == 0 || nodes[id].kind != ST_NODE_NAME ||
	    json_string_length(nodes[id].of.value) >= ST_EXPR_NAME_MAX) {
		st_fail(p->diag, ST_ERR_INVALID,
			"column %u: name the step: steps.ID.output or steps['ID'].output",
			(unsigned)nodes[path].column);
		return 0;
	}
	uint32_t field = nodes[id].next;
	if (field == 0) {
		return path;
	}
	const char *name =
	    nodes[field].kind == ST_NODE_NAME ? json_string_value(nodes[field].of.value) : "";
	if (strcmp(name, "output") != 0 && strcmp(name, "state") != 0 &&
	    strcmp(name, "error") != 0) {
		st_fail(p->diag, ST_ERR_INVALID,
			"column %u: of a step there are .output, .state and .error",
			(unsigned)nodes[field].column);
		return 0;
	}
	return path;
}

static uint32_t parse_path(struct parser *p)
{
	skip_space(p);
	size_t from = p->at;
	bool grouped = peek(p) == '(';
	uint32_t path = parse_primary(p);
	if (path == 0) {
		return 0;
	}
	bool rooted = !grouped && p->expr->nodes[path].kind == ST_NODE_PATH;
	uint32_t last = 0;
	while (true) {
		bool dot = take(p, ".");
		if (!dot && !take(p, "[")) {
			break;
		}
		if (!rooted) {
			uint32_t base = path;
			path = add_node(p, ST_NODE_PATH, from);
			p->expr->nodes[path].of.root = ST_ROOT_VALUE;
			append(p, path, base, &last);
			rooted = true;
		}
		uint32_t part = dot ? parse_name_part(p) : parse_index_part(p);
		if (part == 0) {
			return 0;
		}
		append(p, path, part, &last);
	}
	const struct st_node *node = &p->expr->nodes[path];
	bool step = node->kind == ST_NODE_PATH && node->of.root == ST_ROOT_STEPS;
	return step ? check_step_path(p, path) : path;
}

static uint32_t parse_unary(struct parser *p)
{
	skip_space(p);
	size_t from = p->at;
	bool is_not = peek(p) == '!' && (p->at + 1 == p->end || p->text[p->at + 1] != '=');
	if (!is_not) {
		return parse_path(p);
	}
	if (p->nesting == ST_EXPR_NESTING_MAX) {
		return fail(p, from, "nested more than %d deep", ST_EXPR_NESTING_MAX);
	}
	p->at++;
	p->nesting++;
	uint32_t inner = parse_unary(p);
	p->nesting--;
	if (inner == 0) {
		return 0;
	}
	uint32_t node = add_node(p, ST_NODE_NOT, from);
	p->expr->nodes[node].first = inner;
	return node;
}

static bool take_operator(struct parser *p, enum st_operator *out)
{
	/* Longer ones first. */
	static const struct {
		const char *text;
		enum st_operator operation;
	} operators[] = {
	    {"==", ST_OPERATOR_EQUAL},	       {"!=", ST_OPERATOR_UNEQUAL},
	    {"<=", ST_OPERATOR_LESS_EQUAL},    {"<", ST_OPERATOR_LESS},
	    {">=", ST_OPERATOR_GREATER_EQUAL}, {">", ST_OPERATOR_GREATER},
	};
	for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++) {
		if (take(p, operators[i].text)) {
			*out = operators[i].operation;
			return true;
		}
	}
	return false;
}

static uint32_t parse_compare(struct parser *p)
{
	uint32_t left = parse_unary(p);
	size_t at = p->at;
	enum st_operator operation = ST_OPERATOR_EQUAL;
	if (left == 0 || !take_operator(p, &operation)) {
		return left;
	}
	uint32_t right = parse_unary(p);
	if (right == 0) {
		return 0;
	}
	uint32_t node = add_node(p, ST_NODE_COMPARE, at);
	p->expr->nodes[node].of.operation = operation;
	p->expr->nodes[node].first = left;
	p->expr->nodes[left].next = right;
	size_t again = p->at;
	if (take_operator(p, &operation)) {
		return fail(p, again, "compares two at a time; use && and parentheses");
	}
	return node;
}

/* left { token right }: one node with all of them, or just left. */
static uint32_t parse_chain(struct parser *p, const char *token, enum st_node_kind kind,
			    uint32_t (*parse_part)(struct parser *))
{
	uint32_t chain = 0;
	uint32_t last = 0;
	uint32_t part = parse_part(p);
	while (part != 0 && take(p, token)) {
		if (chain == 0) {
			chain = add_node(p, kind, p->at);
			append(p, chain, part, &last);
		}
		part = parse_part(p);
		if (part != 0) {
			append(p, chain, part, &last);
		}
	}
	return part == 0 || chain == 0 ? part : chain;
}

static uint32_t parse_and(struct parser *p)
{
	return parse_chain(p, "&&", ST_NODE_AND, parse_compare);
}

static uint32_t parse_or(struct parser *p)
{
	return parse_chain(p, "||", ST_NODE_OR, parse_and);
}

/* NOLINTEND(misc-no-recursion) */

static uint32_t parse_whole(struct parser *p, bool embedded)
{
	size_t from = p->at;
	skip_space(p);
	bool ends = p->at >= p->end;
	bool closes = embedded && !ends && p->text[p->at] == '}';
	if (closes || (ends && !embedded)) {
		return fail(p, from, "the expression is empty");
	}
	uint32_t root = ends ? 0 : parse_or(p);
	skip_space(p);
	if (embedded && p->at >= p->end && (root != 0 || ends)) {
		return fail(p, from, "the \"${{\" before this is never closed with \"}}\"");
	}
	if (root == 0) {
		return 0;
	}
	bool done = embedded ? take(p, "}}") : p->at >= p->end;
	return done ? root : fail(p, p->at, "an operator or the end is missing here");
}

int st_expr_parse_source(const struct st_expr_source *source, struct st_expr **out, size_t *end,
			 struct st_diag *diag)
{
	struct st_diag scratch;
	struct parser p = {.text = source->text,
			   .at = source->from,
			   .end = source->len,
			   .mark = source->from,
			   .mark_column = source->column,
			   .condition = source->condition,
			   .diag = diag != NULL ? diag : &scratch};
	if (source->len - source->from > ST_EXPR_TEXT_MAX) {
		p.end = source->from + ST_EXPR_TEXT_MAX;
		p.cut = true;
	}
	p.expr = st_alloc(sizeof *p.expr);
	/* Node 0 is never used: 0 means none. */
	(void)add_node(&p, ST_NODE_LITERAL, source->from);
	p.expr->root = parse_whole(&p, source->embedded);
	if (p.expr->root == 0) {
		st_expr_free(p.expr);
		return p.diag->code;
	}
	assert(p.at <= source->len);
	*end = p.at;
	*out = p.expr;
	return ST_OK;
}
