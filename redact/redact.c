/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/redact.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "redact/chars.h"
#include "redact/clean_private.h"
#include "redact/redactor_private.h"
#include "redact/scan.h"
#include "redact/seek.h"
#include "redact/tree.h"
#include "schemas/mem.h"

#define WORD_SECRET_MIN 8 /* bytes of a secret of lower-case letters only */

/* Values that are in too many harmless texts to be hidden. */
static const char *const COMMON_VALUES[] = {
    "password", "localhost", "development", "production", "staging",  "undefined",
    "postgres", "username",  "changeme",    "redacted",	  "disabled", "default",
    "example",	"127.0.0.1", "anonymous",   "required",	  "internal", "database",
};

struct st_redactor *st_redactor_new(void)
{
	struct st_redactor *redactor = st_alloc(sizeof *redactor);
	redactor->tokens = st_tokens_new();
	return redactor;
}

void st_redactor_key(struct st_redactor *redactor, const uint8_t key[ST_REDACT_KEY_BYTES])
{
	assert(redactor->n == 0 && !redactor->built);
	memcpy(redactor->key.bytes, key, ST_REDACT_KEY_BYTES);
	redactor->key.set = true;
}

int st_redactor_rules(struct st_redactor *redactor, const json_t *rules, struct st_diag *diag)
{
	if (redactor->built || redactor->rules != NULL)
		return st_fail(diag, ST_ERR_CONFLICT,
			       "redaction rules are given once, before build");
	return st_rules_load(rules, &redactor->rules, diag);
}

static void bytes_trim(const char **bytes, size_t *len)
{
	while (*len > 0 && st_char_is_space((*bytes)[0])) {
		(*bytes)++;
		(*len)--;
	}
	while (*len > 0 && st_char_is_space((*bytes)[*len - 1]))
		(*len)--;
}

static bool name_is_valid(const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < len; i++)
		if (!st_char_is_ident(name[i]))
			return false;
	return len > 0 && len <= ST_REDACTOR_NAME_MAX;
}

static bool is_lower_word(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i] < 'a' || bytes[i] > 'z')
			return false;
	return true;
}

static bool is_common(const struct st_tokens *tokens, const char *bytes, size_t len)
{
	/* A value that stands in a marker would be found in every marker. */
	static const char IN_MARKERS[] = "[redacted:secret]";
	for (size_t i = 0; i + len < sizeof IN_MARKERS; i++)
		if (memcmp(IN_MARKERS + i, bytes, len) == 0)
			return true;
	for (size_t i = 0; i < sizeof COMMON_VALUES / sizeof COMMON_VALUES[0]; i++)
		if (st_text_is(bytes, len, COMMON_VALUES[i]))
			return true;
	for (size_t i = 0; i < tokens->n; i++)
		if (st_text_is(bytes, len, tokens->items[i].rule))
			return true;
	return false;
}

static int secret_check(const struct st_redactor *redactor, const char *name, const char *bytes,
			size_t len, struct st_diag *diag)
{
	if (!name_is_valid(name))
		return st_fail(diag, ST_ERR_INVALID,
			       "a secret's name may have 1 to %d of A-Z a-z 0-9 . _ -; rename it",
			       ST_REDACTOR_NAME_MAX);
	if (len < ST_REDACT_SECRET_MIN)
		return st_fail(diag, ST_ERR_INVALID,
			       "secret %s is shorter than %d bytes and cannot be hidden in logs; "
			       "use a longer one",
			       name, ST_REDACT_SECRET_MIN);
	if (len < WORD_SECRET_MIN && is_lower_word(bytes, len))
		return st_fail(diag, ST_ERR_INVALID,
			       "secret %s is a short word and cannot be hidden in logs; use a "
			       "random value",
			       name);
	if (is_common(redactor->tokens, bytes, len))
		return st_fail(diag, ST_ERR_INVALID,
			       "secret %s is a common word and cannot be hidden in logs; use a "
			       "random value",
			       name);
	if (len > ST_REDACT_SECRET_MAX)
		return st_fail(diag, ST_ERR_TOO_LARGE,
			       "secret %s has %zu bytes; at most %d can be hidden", name, len,
			       ST_REDACT_SECRET_MAX);
	return ST_OK;
}

int st_redactor_secret(struct st_redactor *redactor, const char *name, const void *bytes,
		       size_t len, struct st_diag *diag)
{
	const char *text = bytes;
	bytes_trim(&text, &len);
	int rc = secret_check(redactor, name, text, len, diag);
	if (rc != ST_OK)
		return rc;
	if (redactor->built)
		return st_fail(diag, ST_ERR_CONFLICT,
			       "secret %s came after the redactor was built; build a new one",
			       name);
	if (!st_forms_add(&redactor->forms, (const uint8_t *)text, len, (uint32_t)redactor->n,
			  ST_REDACT_NEEDLE_BYTES_MAX))
		return st_fail(diag, ST_ERR_TOO_LARGE,
			       "secret %s does not fit: all spellings of all secrets may have %d "
			       "bytes; declare fewer or shorter ones",
			       name, ST_REDACT_NEEDLE_BYTES_MAX);
	if (redactor->n == redactor->cap) {
		redactor->cap = redactor->cap == 0 ? 16 : 2 * redactor->cap;
		redactor->names =
		    st_realloc(redactor->names, redactor->cap * sizeof *redactor->names);
		redactor->fingerprints = st_realloc(redactor->fingerprints,
						    redactor->cap * sizeof *redactor->fingerprints);
	}
	redactor->fingerprints[redactor->n] = st_fingerprint(&redactor->key, text, len);
	memset(redactor->names[redactor->n], 0, sizeof redactor->names[0]);
	memcpy(redactor->names[redactor->n], name, strlen(name));
	redactor->n++;
	return ST_OK;
}

static bool holds_secret(const struct st_redactor *redactor, const char *text)
{
	struct st_seek view = {0};
	struct st_seek_hit hit;
	const struct st_known known = {text, strlen(text), true};
	bool found = st_seek_run(&view, redactor->exact, &known, known.len, &hit);
	st_seek_fini(&view);
	return found;
}

/* A name that is a secret itself, or holds one, would be shown in markers. */
static void names_check(struct st_redactor *redactor)
{
	for (size_t i = 0; i < redactor->n; i++) {
		struct st_buf marker = {0};
		st_redact_marker(&marker, redactor->names[i], 0);
		if (holds_secret(redactor, marker.data))
			memcpy(redactor->names[i], "secret", sizeof "secret");
		st_buf_fini(&marker);
	}
}

int st_redactor_build(struct st_redactor *redactor, struct st_diag *diag)
{
	if (redactor->built)
		return st_fail(diag, ST_ERR_CONFLICT, "the redactor is built already");
	redactor->anchors = st_anchors_new(redactor->tokens, redactor->rules);
	if (redactor->n > 0) {
		struct st_needle *needles = st_forms_needles(&redactor->forms);
		redactor->exact = st_automaton_new(needles, redactor->forms.n);
		st_free(needles);
		names_check(redactor);
	}
	st_forms_fini(&redactor->forms);
	redactor->built = true;
	return ST_OK;
}

void st_redactor_free(struct st_redactor *redactor)
{
	if (redactor == NULL)
		return;
	st_automaton_free(redactor->exact);
	st_anchors_free(redactor->anchors);
	st_tokens_free(redactor->tokens);
	st_rules_free(redactor->rules);
	st_forms_fini(&redactor->forms);
	st_free(redactor->names);
	st_free(redactor->fingerprints);
	sodium_memzero(&redactor->key, sizeof redactor->key);
	st_free(redactor);
}

struct st_clean *st_redact_text(const struct st_redactor *redactor, const char *text, size_t len)
{
	struct st_buf out;
	if (len > ST_REDACT_TEXT_MAX) {
		st_clean_buf_start(&out, sizeof ST_REDACT_ERROR);
		st_buf_add_text(&out, ST_REDACT_ERROR);
		return st_clean_buf_finish(&out, 1, true);
	}
	struct st_scan scan;
	st_scan_init(&scan, redactor);
	st_clean_buf_start(&out, len);
	st_scan_advance(&scan, text, len, true, &out);
	st_scan_fini(&scan);
	return st_clean_buf_finish(&out, scan.redactions, false);
}

struct explaining {
	void (*found)(void *arg, const struct st_redact_found *found);
	void *arg;
};

static void explain(void *arg, const struct st_span *span)
{
	const struct explaining *to = arg;
	to->found(to->arg, &(struct st_redact_found){.start = span->start,
						     .end = span->end,
						     .rule = span->rule,
						     .declared = span->declared,
						     .fingerprint = span->fingerprint});
}

void st_redact_explain(const struct st_redactor *redactor, const char *text, size_t len,
		       void (*found)(void *arg, const struct st_redact_found *found), void *arg)
{
	struct explaining to = {found, arg};
	struct st_buf out = {0};
	struct st_scan scan;
	st_scan_init(&scan, redactor);
	scan.told = explain;
	scan.told_arg = &to;
	st_scan_advance(&scan, text, len, true, &out);
	st_scan_fini(&scan);
	st_buf_fini(&out);
}

struct st_clean *st_redact_json(const struct st_redactor *redactor, const json_t *value)
{
	struct st_buf out;
	st_clean_buf_start(&out, 256);
	struct st_tree tree = {.redactor = redactor, .out = &out};
	st_tree_add_value(&tree, value);
	return st_clean_buf_finish(&out, tree.redactions, tree.failed);
}
