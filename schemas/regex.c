/* SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "schemas/regex.h"

#include <assert.h>
#include <pcre2.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "schemas/buf.h"
#include "schemas/mem.h"

#define PATTERN_BYTES_MAX 8192
#define MATCH_STEPS_MAX 50000
#define MATCH_DEPTH_MAX 20000
#define MATCH_HEAP_KIB_MAX 4096

struct st_regex {
	pcre2_code *code;
	char *text;
};

struct st_regex_scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
};

/* Where the translation of a pattern stands. */
struct translation {
	const char *p;
	const char *end;
	bool in_class;
	struct st_buf out;
	const char *wrong; /* what cannot be translated, or NULL */
};

/* ECMA-262 knows general categories by their long names, too. */
static const struct {
	const char *name;
	const char *category;
} categories[] = {
    {"Letter", "L"},
    {"Cased_Letter", "L&"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"Format", "Cf"},
    {"Surrogate", "Cs"},
    {"Private_Use", "Co"},
    {"Unassigned", "Cn"},
};

static void add_property(struct translation *t, char kind)
{
	const char *close = memchr(t->p, '}', (size_t)(t->end - t->p));
	if (t->p == t->end || *t->p != '{' || close == NULL) {
		t->wrong = "\\p needs {…}";
		return;
	}
	const char *name = t->p + 1;
	for (const char *key = "General_Category=\0gc=\0"; *key != '\0'; key += strlen(key) + 1) {
		size_t len = strlen(key);
		if ((size_t)(close - name) > len && memcmp(name, key, len) == 0) {
			name += len;
		}
	}
	size_t len = (size_t)(close - name);
	t->p = close + 1;
	for (size_t i = 0; i < sizeof categories / sizeof categories[0]; i++) {
		if (strlen(categories[i].name) == len &&
		    memcmp(categories[i].name, name, len) == 0) {
			st_buf_addf(&t->out, "\\%c{%s}", kind, categories[i].category);
			return;
		}
	}
	st_buf_addf(&t->out, "\\%c{%.*s}", kind, (int)len, name);
}

static unsigned hex4(const char *p, const char *end)
{
	unsigned value = 0;
	for (int i = 0; i < 4; i++) {
		const char *digits = "0123456789abcdef";
		char c = p + i < end ? p[i] : '\0';
		char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
		const char *at = lower == '\0' ? NULL : strchr(digits, lower);
		if (at == NULL) {
			return 0;
		}
		value = value * 16 + (unsigned)(at - digits);
	}
	return value;
}

/* \uD83D\uDE00 is one character; the engine wants it written as one. */
static void add_unicode(struct translation *t)
{
	unsigned high = hex4(t->p, t->end);
	unsigned low = 0;
	if (t->end - t->p >= 10 && t->p[4] == '\\' && t->p[5] == 'u') {
		low = hex4(t->p + 6, t->end);
	}
	if (high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
		st_buf_addf(&t->out, "\\u{%x}", 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
		t->p += 10;
	} else {
		st_buf_add_text(&t->out, "\\u");
	}
}

static void add_escape(struct translation *t)
{
	if (t->p == t->end) {
		t->wrong = "it ends in a backslash";
		return;
	}
	char c = *t->p++;
	bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
	if (c == 'p' || c == 'P') {
		add_property(t, c);
	} else if (c == 'u') {
		add_unicode(t);
	} else if (c == 's') {
		/* All white space of Unicode, not only of ASCII. */
		st_buf_add_text(&t->out,
				t->in_class ? "\\s\\p{Z}\\u{feff}" : "[\\s\\p{Z}\\u{feff}]");
	} else if (c == 'S' && !t->in_class) {
		st_buf_add_text(&t->out, "[^\\s\\p{Z}\\u{feff}]");
	} else if (letter && strchr("dDwWSbBfnrtvcxk", c) == NULL) {
		t->wrong = "it has an escape that ECMA-262 does not know";
	} else {
		st_buf_add_char(&t->out, '\\');
		st_buf_add_char(&t->out, c);
	}
}

static void add_group(struct translation *t)
{
	size_t left = (size_t)(t->end - t->p);
	if (left > 0 && *t->p == '*') {
		t->wrong = "it has a verb (*…), which ECMA-262 does not know";
	} else if (left > 1 && *t->p == '?' && strchr(":=!<", t->p[1]) == NULL) {
		t->wrong = "it has a group (?…) that ECMA-262 does not know";
	}
	st_buf_add_char(&t->out, '(');
}

static void translate(struct translation *t)
{
	while (t->p < t->end && t->wrong == NULL) {
		char c = *t->p++;
		if (c == '\\') {
			add_escape(t);
		} else if (c == '\0') {
			st_buf_add_text(&t->out, "\\x00");
		} else if (t->in_class) {
			/* A bracket within brackets would begin a POSIX class. */
			st_buf_add_text(&t->out, c == '[' ? "\\" : "");
			st_buf_add_char(&t->out, c);
			t->in_class = c != ']';
		} else if (c == '(') {
			add_group(t);
		} else {
			st_buf_add_char(&t->out, c);
			t->in_class = c == '[';
		}
	}
}

static int compile(const struct st_buf *pattern, pcre2_code **out, struct st_diag *diag)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	assert(context != NULL);
	(void)pcre2_set_compile_extra_options(context, PCRE2_EXTRA_ALT_BSUX);
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
	const char *text = pattern->data != NULL ? pattern->data : "";
	int error = 0;
	PCRE2_SIZE at = 0;
	*out = pcre2_compile((PCRE2_SPTR)text, pattern->len,
			     PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS |
				 PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C,
			     &error, &at, context);
	pcre2_compile_context_free(context);
	if (*out == NULL) {
		char why[128] = "";
		(void)pcre2_get_error_message(error, (PCRE2_UCHAR *)why, sizeof why);
		return st_fail(diag, ST_ERR_INVALID, "not a regular expression: %s", why);
	}
	return ST_OK;
}

int st_regex_new(const char *pattern, size_t len, struct st_regex **out, struct st_diag *diag)
{
	if (len > PATTERN_BYTES_MAX) {
		return st_fail(diag, ST_ERR_TOO_LARGE, "a pattern has at most %d bytes",
			       PATTERN_BYTES_MAX);
	}
	struct translation t = {.p = pattern, .end = pattern + len};
	translate(&t);
	pcre2_code *code = NULL;
	int result = ST_OK;
	if (t.wrong != NULL) {
		result = st_fail(diag, ST_ERR_INVALID, "not a regular expression: %s", t.wrong);
	} else {
		result = compile(&t.out, &code, diag);
	}
	st_buf_fini(&t.out);
	if (result != ST_OK) {
		return result;
	}
	struct st_regex *regex = st_alloc(sizeof *regex);
	*regex = (struct st_regex){code, st_strndup(pattern, len)};
	*out = regex;
	return ST_OK;
}

void st_regex_free(struct st_regex *regex)
{
	if (regex != NULL) {
		pcre2_code_free(regex->code);
		st_free(regex->text);
		st_free(regex);
	}
}

const char *st_regex_text(const struct st_regex *regex)
{
	return regex->text;
}

struct st_regex_scratch *st_regex_scratch_new(void)
{
	struct st_regex_scratch *scratch = st_alloc(sizeof *scratch);
	scratch->data = pcre2_match_data_create(1, NULL);
	scratch->context = pcre2_match_context_create(NULL);
	assert(scratch->data != NULL);
	assert(scratch->context != NULL);
	(void)pcre2_set_match_limit(scratch->context, MATCH_STEPS_MAX);
	(void)pcre2_set_depth_limit(scratch->context, MATCH_DEPTH_MAX);
	(void)pcre2_set_heap_limit(scratch->context, MATCH_HEAP_KIB_MAX);
	return scratch;
}

void st_regex_scratch_free(struct st_regex_scratch *scratch)
{
	if (scratch != NULL) {
		pcre2_match_data_free(scratch->data);
		pcre2_match_context_free(scratch->context);
		st_free(scratch);
	}
}

int st_regex_match(const struct st_regex *regex, struct st_regex_scratch *scratch, const char *text,
		   size_t len)
{
	int n =
	    pcre2_match(regex->code, (PCRE2_SPTR)text, len, 0, 0, scratch->data, scratch->context);
	if (n >= 0) {
		return 1;
	}
	return n == PCRE2_ERROR_NOMATCH ? 0 : ST_ERR_TOO_LARGE;
}
