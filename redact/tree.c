/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/tree.h"

#include <assert.h>
#include <string.h>

#include "redact/chars.h"
#include "redact/clean_private.h"
#include "redact/keyname.h"
#include "redact/redact.h"
#include "redact/redactor_private.h"
#include "redact/scan.h"
#include "redact/value.h"
#include "schemas/json.h"

#define NESTED_MAX 3
#define NESTED_BYTES_MAX (1024 * 1024)

static void value_add(struct st_tree *tree, const json_t *value, enum st_keyname key);

static void marker_add(struct st_tree *tree, const char *rule, const char *text, size_t len)
{
	st_buf_add_char(tree->out, '"');
	st_redact_marker(tree->out, rule, st_fingerprint(&tree->redactor->key, text, len));
	st_buf_add_char(tree->out, '"');
	tree->redactions++;
}

static void error_add(struct st_tree *tree)
{
	st_buf_add_text(tree->out, "\"" ST_REDACT_ERROR "\"");
	tree->failed = true;
}

/* Scans text as text. *changed: fixed holds it without its secrets. */
static void text_scan(struct st_tree *tree, const char *text, size_t len, struct st_buf *fixed,
		      bool *changed)
{
	struct st_scan scan;
	st_scan_init(&scan, tree->redactor);
	st_scan_advance(&scan, text, len, true, fixed);
	*changed = scan.redactions > 0;
	tree->redactions += scan.redactions;
	st_scan_fini(&scan);
}

static void plain_string_add(struct st_tree *tree, const char *text, size_t len)
{
	struct st_buf fixed = {0};
	bool changed;
	if (len > ST_REDACT_TEXT_MAX) {
		error_add(tree);
		return;
	}
	/* Nothing shorter can be a secret: by shape, by key, or declared. */
	if (len < ST_REDACT_SECRET_MIN) {
		st_clean_buf_add_string(tree->out, text, len);
		return;
	}
	text_scan(tree, text, len, &fixed, &changed);
	if (changed)
		st_clean_buf_add_string(tree->out, fixed.data, fixed.len);
	else
		st_clean_buf_add_string(tree->out, text, len);
	st_buf_fini(&fixed);
}

static json_t *nested_parse(const struct st_tree *tree, const char *text, size_t len)
{
	size_t i = 0;
	while (i < len && st_char_is_space(text[i]))
		i++;
	if (i == len || (text[i] != '{' && text[i] != '[') || len > NESTED_BYTES_MAX ||
	    tree->nested >= NESTED_MAX)
		return NULL;
	json_t *value = NULL;
	if (st_json_parse(text, len, NESTED_BYTES_MAX, &value, NULL) != ST_OK)
		return NULL;
	return value;
}

/* NOLINTBEGIN(misc-no-recursion): ST_REDACT_DEPTH_MAX levels, NESTED_MAX times one in the other. */
void st_tree_add_string(struct st_tree *tree, const char *text, size_t len)
{
	json_t *value = nested_parse(tree, text, len);
	if (value == NULL) {
		plain_string_add(tree, text, len);
		return;
	}
	struct st_buf inner = {0};
	struct st_tree nested = *tree;
	nested.out = &inner;
	nested.redactions = 0;
	nested.nested++;
	value_add(&nested, value, ST_KEYNAME_PLAIN);
	json_decref(value);
	tree->failed |= nested.failed;
	if (nested.redactions == 0 && !nested.failed) {
		/* The walk sees only decoded strings: what lies across their borders is left. */
		plain_string_add(tree, text, len);
	} else {
		tree->redactions += nested.redactions;
		plain_string_add(tree, inner.data, inner.len);
	}
	st_buf_fini(&inner);
}

static void leaf_add(struct st_tree *tree, const json_t *value, enum st_keyname key)
{
	const char *text = json_string_value(value);
	size_t len = json_string_length(value);
	if (st_value_is_secret_json(key, text, len))
		marker_add(tree, st_keyname_rule(key), text, len);
	else
		st_tree_add_string(tree, text, len);
}

static void number_add(struct st_tree *tree, const json_t *value, enum st_keyname key)
{
	char text[64];
	size_t len = json_dumpb(value, text, sizeof text, JSON_ENCODE_ANY | JSON_COMPACT);
	if (key == ST_KEYNAME_PASSWORD || key == ST_KEYNAME_TOKEN) {
		marker_add(tree, st_keyname_rule(key), text, len <= sizeof text ? len : 0);
		return;
	}
	if (len > 0 && len <= sizeof text)
		st_buf_add(tree->out, text, len);
	else
		error_add(tree);
}

/* The name of a {"name": "API_KEY", "value": "..."} pair, as lists of variables and headers have.
 */
static enum st_keyname pair_key(const json_t *object)
{
	const json_t *name = json_object_get(object, "name");
	if (name == NULL)
		name = json_object_get(object, "key");
	if (!json_is_string(name) || json_object_get(object, "value") == NULL)
		return ST_KEYNAME_PLAIN;
	return st_keyname_judge(json_string_value(name), json_string_length(name));
}

/* Keys are scanned too. Two that become the same get numbers, for keys must differ. */
static void key_add(struct st_tree *tree, const char *key, unsigned *changed_n)
{
	struct st_buf fixed = {0};
	bool changed = false;
	size_t len = strlen(key);
	if (len >= ST_REDACT_SECRET_MIN)
		text_scan(tree, key, len, &fixed, &changed);
	if (changed && ++*changed_n > 1)
		st_buf_addf(&fixed, "#%u", *changed_n);
	if (changed)
		st_clean_buf_add_string(tree->out, fixed.data, fixed.len);
	else
		st_clean_buf_add_string(tree->out, key, len);
	st_buf_fini(&fixed);
}

/* What a marker in a key replaced was judged when it was whole. */
static enum st_keyname key_judge(const char *key)
{
	const char *marker = strstr(key, ST_REDACT_MARKER_BEGIN);
	if (marker != NULL && st_redact_marker_len(marker, strlen(marker)) > 0)
		return ST_KEYNAME_PLAIN;
	return st_keyname_judge(key, strlen(key));
}

static void object_add(struct st_tree *tree, const json_t *object, enum st_keyname outer)
{
	enum st_keyname pair = pair_key(object);
	unsigned changed_n = 0;
	const char *separator = "{";
	/* Iterating does not change the object, but jansson asks for one that may be. */
	void *at = json_object_iter((json_t *)(uintptr_t)object);
	if (at == NULL)
		st_buf_add_char(tree->out, '{');
	while (at != NULL) {
		const char *key = json_object_iter_key(at);
		enum st_keyname judged = key_judge(key);
		if (judged == ST_KEYNAME_PLAIN && strcmp(key, "value") == 0)
			judged = pair;
		if (judged == ST_KEYNAME_PLAIN)
			judged = outer;
		st_buf_add_text(tree->out, separator);
		separator = ",";
		key_add(tree, key, &changed_n);
		st_buf_add_char(tree->out, ':');
		value_add(tree, json_object_iter_value(at), judged);
		at = json_object_iter_next((json_t *)(uintptr_t)object, at);
	}
	st_buf_add_char(tree->out, '}');
}

static void array_add(struct st_tree *tree, const json_t *array, enum st_keyname outer)
{
	size_t n = json_array_size(array);
	st_buf_add_char(tree->out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			st_buf_add_char(tree->out, ',');
		value_add(tree, json_array_get(array, i), outer);
	}
	st_buf_add_char(tree->out, ']');
}

static void value_add(struct st_tree *tree, const json_t *value, enum st_keyname key)
{
	if (tree->depth >= ST_REDACT_DEPTH_MAX || value == NULL) {
		error_add(tree);
		return;
	}
	tree->depth++;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		object_add(tree, value, key == ST_KEYNAME_HEADER ? ST_KEYNAME_TOKEN : key);
		break;
	case JSON_ARRAY:
		array_add(tree, value, key);
		break;
	case JSON_STRING:
		leaf_add(tree, value, key);
		break;
	case JSON_INTEGER:
	case JSON_REAL:
		number_add(tree, value, key);
		break;
	case JSON_TRUE:
		st_buf_add_text(tree->out, "true");
		break;
	case JSON_FALSE:
		st_buf_add_text(tree->out, "false");
		break;
	case JSON_NULL:
		st_buf_add_text(tree->out, "null");
		break;
	}
	tree->depth--;
}
/* NOLINTEND(misc-no-recursion) */

void st_tree_add_value(struct st_tree *tree, const json_t *value)
{
	value_add(tree, value, ST_KEYNAME_PLAIN);
}
