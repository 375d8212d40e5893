/* SPDX-License-Identifier: Apache-2.0 */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "redact/rules.h"

#include <assert.h>
#include <pcre2.h>
#include <stdbool.h>
#include <string.h>

#include "redact/chars.h"
#include "redact/entropy.h"
#include "schemas/buf.h"
#include "schemas/mem.h"

#define MATCH_LIMIT 200000
#define HEAP_LIMIT_KIB 4096
#define REGEX_MAX 4096
#define KEYWORDS_MAX 16
#define KEYWORDS_ALL_MAX 2000
#define PROBE_BYTES 16384
#define ENTROPY_UNIT 1024

struct st_rule {
	const char *id; /* this and the keywords are borrowed from the document */
	const char *keywords[KEYWORDS_MAX + 1];
	pcre2_code *code;
	pcre2_match_context *limits;
	unsigned entropy_mibits;
	uint32_t group;
	size_t number;
};

struct st_rules {
	struct st_rule *items;
	size_t n;
	pcre2_match_context *limits;
	json_t *doc;
};

static int bad(struct st_diag *diag, const char *id, const char *what)
{
	return st_fail(diag, ST_ERR_INVALID, "redaction rule %.64s: %s", id, what);
}

static bool id_is_valid(const char *id)
{
	size_t len = id != NULL ? strlen(id) : 0;
	for (size_t i = 0; i < len; i++)
		if (!st_char_is_ident(id[i]))
			return false;
	return len > 0 && len <= ST_RULE_ID_MAX;
}

static int keywords_read(struct st_rule *rule, const json_t *row, struct st_diag *diag)
{
	const json_t *list = json_object_get(row, "keywords");
	size_t n = json_array_size(list);
	if (n == 0 || n > KEYWORDS_MAX)
		return bad(diag, rule->id, "needs 1 to 16 keywords: texts that every match has");
	for (size_t i = 0; i < n; i++) {
		const char *keyword = json_string_value(json_array_get(list, i));
		if (keyword == NULL || strlen(keyword) < ST_RULE_KEYWORD_MIN)
			return bad(diag, rule->id,
				   "a keyword must have 4 bytes or more; shorter ones stand in "
				   "every text");
		rule->keywords[i] = keyword;
	}
	return ST_OK;
}

static int regex_compile(struct st_rule *rule, const json_t *row, struct st_diag *diag)
{
	const char *regex = json_string_value(json_object_get(row, "regex"));
	if (regex == NULL || strlen(regex) > REGEX_MAX)
		return bad(diag, rule->id, "needs a regex of at most 4096 bytes");
	int error;
	PCRE2_SIZE at;
	rule->code = pcre2_compile((PCRE2_SPTR)regex, PCRE2_ZERO_TERMINATED,
				   PCRE2_NEVER_BACKSLASH_C, &error, &at, NULL);
	if (rule->code == NULL) {
		PCRE2_UCHAR why[128];
		(void)pcre2_get_error_message(error, why, sizeof why);
		return st_fail(diag, ST_ERR_INVALID,
			       "redaction rule %.64s: the regex is wrong at byte %zu: %s", rule->id,
			       (size_t)at, (const char *)why);
	}
	(void)pcre2_jit_compile(rule->code, PCRE2_JIT_COMPLETE);
	uint32_t groups = 0;
	(void)pcre2_pattern_info(rule->code, PCRE2_INFO_CAPTURECOUNT, &groups);
	json_int_t group = json_integer_value(json_object_get(row, "secretGroup"));
	if (group < 0 || group > groups)
		return bad(diag, rule->id, "secretGroup is no group of the regex");
	rule->group = (uint32_t)group;
	double entropy = json_number_value(json_object_get(row, "entropy"));
	if (!(entropy >= 0 && entropy <= 8))
		return bad(diag, rule->id, "entropy is bits for each byte, 0 to 8");
	rule->entropy_mibits = (unsigned)(entropy * ENTROPY_UNIT);
	return ST_OK;
}

bool st_rule_match(const struct st_rule *rule, const char *data, struct st_stretch part,
		   struct st_find *find)
{
	pcre2_match_data *match = pcre2_match_data_create_from_pattern(rule->code, NULL);
	bool found = false;
	size_t at = part.from;
	while (!found && at < part.to) {
		int rc = pcre2_match(rule->code, (PCRE2_SPTR)data + part.from, part.to - part.from,
				     at - part.from, PCRE2_NOTEMPTY, match, rule->limits);
		if (rc == PCRE2_ERROR_NOMATCH)
			break;
		*find = (struct st_find){
		    .start = part.from, .end = part.to, .next = part.to, .rule = rule->id};
		found = rc < 0;
		if (found)
			break;
		const PCRE2_SIZE *pairs = pcre2_get_ovector_pointer(match);
		uint32_t group = rule->group;
		/* Of a group that took no part, the whole match is the secret. */
		if (pairs[2 * group] == PCRE2_UNSET)
			group = 0;
		find->start = part.from + pairs[2 * group];
		find->end = part.from + pairs[2 * group + 1];
		find->next = part.from + pairs[1];
		at = find->next > at ? find->next : at + 1;
		size_t len = find->end - find->start;
		found = find->end > find->start &&
			st_entropy_mibits(data + find->start, len) >= rule->entropy_mibits;
	}
	pcre2_match_data_free(match);
	return found;
}

static bool finds(const struct st_rule *rule, const char *text, size_t len)
{
	struct st_find find;
	return st_rule_match(rule, text, (struct st_stretch){0, len}, &find);
}

static bool has_keyword(const struct st_rule *rule, const char *text)
{
	size_t len = strlen(text);
	for (size_t k = 0; rule->keywords[k] != NULL; k++) {
		size_t keyword_len = strlen(rule->keywords[k]);
		for (size_t i = 0; i + keyword_len <= len; i++) {
			size_t j = 0;
			while (j < keyword_len &&
			       st_char_lower(text[i + j]) == st_char_lower(rule->keywords[k][j]))
				j++;
			if (j == keyword_len)
				return true;
		}
	}
	return false;
}

static int examples_try(const struct st_rule *rule, const json_t *row, struct st_diag *diag)
{
	size_t i;
	json_t *text;
	json_array_foreach(json_object_get(row, "examples"), i, text)
	{
		const char *example = json_string_value(text);
		if (example == NULL || !finds(rule, example, strlen(example)))
			return bad(diag, rule->id, "does not find one of its examples");
		if (!has_keyword(rule, example))
			return bad(diag, rule->id, "one of its examples has none of its keywords");
	}
	json_array_foreach(json_object_get(row, "counter_examples"), i, text)
	{
		const char *counter = json_string_value(text);
		if (counter == NULL || finds(rule, counter, strlen(counter)))
			return bad(diag, rule->id, "finds one of its counter-examples");
	}
	return ST_OK;
}

/* Texts on which a careless expression takes too many steps. */
static int cost_try(const struct st_rule *rule, struct st_diag *diag)
{
	static const char *const PIECES[] = {"a", "a1", " ", "=", "a=", "\"", "A.", "-"};
	int err = ST_OK;
	for (size_t i = 0; i < sizeof PIECES / sizeof PIECES[0] && err == ST_OK; i++) {
		struct st_buf text = {0};
		st_buf_add_text(&text, rule->keywords[0]);
		while (text.len < PROBE_BYTES)
			st_buf_add_text(&text, PIECES[i]);
		struct st_find find;
		/* The whole text is found only when the steps ran out, or when it really matches.
		 */
		bool found =
		    st_rule_match(rule, text.data, (struct st_stretch){0, text.len}, &find);
		if (found && find.start == 0 && find.end == text.len)
			err = bad(diag, rule->id,
				  "takes too many steps, or matches anything behind its keyword; "
				  "bound its repetitions");
		st_buf_fini(&text);
	}
	return err;
}

static int rule_load(struct st_rules *rules, const json_t *row, struct st_diag *diag)
{
	struct st_rule *rule = &rules->items[rules->n];
	rule->id = json_string_value(json_object_get(row, "id"));
	rule->number = rules->n;
	rule->limits = rules->limits;
	if (!id_is_valid(rule->id))
		return bad(diag, rule->id != NULL ? rule->id : "?",
			   "needs an id of 1 to 64 of A-Z a-z 0-9 . _ -");
	rules->n++;
	int err = keywords_read(rule, row, diag);
	if (err == ST_OK)
		err = regex_compile(rule, row, diag);
	if (err == ST_OK && finds(rule, "", 0))
		err = bad(diag, rule->id, "matches nothing at all");
	if (err == ST_OK)
		err = examples_try(rule, row, diag);
	return err == ST_OK ? cost_try(rule, diag) : err;
}

int st_rules_load(const json_t *doc, struct st_rules **out, struct st_diag *diag)
{
	size_t n = json_array_size(doc);
	if (!json_is_array(doc) || n > ST_RULES_MAX)
		return st_fail(diag, ST_ERR_INVALID,
			       "redaction rules are a JSON array of at most %d objects",
			       ST_RULES_MAX);
	struct st_rules *rules = st_alloc(sizeof *rules);
	rules->items = st_alloc_array(n, sizeof *rules->items);
	rules->doc = json_deep_copy(doc);
	rules->limits = pcre2_match_context_create(NULL);
	assert(rules->limits != NULL);
	(void)pcre2_set_match_limit(rules->limits, MATCH_LIMIT);
	(void)pcre2_set_heap_limit(rules->limits, HEAP_LIMIT_KIB);
	int err = ST_OK;
	size_t keywords = 0;
	for (size_t i = 0; i < n && err == ST_OK; i++) {
		const json_t *row = json_array_get(rules->doc, i);
		keywords += json_array_size(json_object_get(row, "keywords"));
		err = rule_load(rules, row, diag);
	}
	if (err == ST_OK && keywords > KEYWORDS_ALL_MAX)
		err = st_fail(diag, ST_ERR_TOO_LARGE,
			      "redaction rules may have %d keywords in all, not %zu",
			      KEYWORDS_ALL_MAX, keywords);
	if (err != ST_OK) {
		st_rules_free(rules);
		return err;
	}
	*out = rules;
	return ST_OK;
}

void st_rules_free(struct st_rules *rules)
{
	if (rules == NULL)
		return;
	for (size_t i = 0; i < rules->n; i++)
		pcre2_code_free(rules->items[i].code);
	pcre2_match_context_free(rules->limits);
	json_decref(rules->doc);
	st_free(rules->items);
	st_free(rules);
}

size_t st_rules_count(const struct st_rules *rules)
{
	return rules != NULL ? rules->n : 0;
}

const struct st_rule *st_rules_get(const struct st_rules *rules, size_t i)
{
	assert(i < rules->n);
	return &rules->items[i];
}

size_t st_rule_number(const struct st_rule *rule)
{
	return rule->number;
}

const char *st_rule_keyword(const struct st_rule *rule, size_t n)
{
	return rule->keywords[n];
}
