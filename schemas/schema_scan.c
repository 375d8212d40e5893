/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/schema_compile.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/regex.h"
#include "schemas/uri.h"
#include "schemas/value.h"

/* Reads the keywords of one subschema into its node, following a table. */

#define NODES_MAX 200000

/* What a keyword's value is, and so how it is read. */
enum shape {
	SHAPE_SCHEMA,	/* struct st_schema_node * */
	SHAPE_LIST,	/* struct st_schema_list, not empty */
	SHAPE_KEYS,	/* struct st_schema_keys */
	SHAPE_DEFS,	/* subschemas that are only referred to */
	SHAPE_PATTERNS, /* struct st_schema_patterns */
	SHAPE_COUNT,	/* int64_t >= 0 */
	SHAPE_NUMBER,	/* const json_t * */
	SHAPE_POSITIVE, /* const json_t * > 0 */
	SHAPE_ANY,	/* const json_t * */
	SHAPE_ARRAY,	/* const json_t * */
	SHAPE_NAMES,	/* const json_t *, array of strings */
	SHAPE_NAMES_OF, /* const json_t *, object of arrays of strings */
	SHAPE_BOOL,	/* bool */
	SHAPE_REGEX,	/* struct st_regex * */
	SHAPE_TYPES,	/* unsigned */
	SHAPE_REF,
	SHAPE_DYNAMIC_REF,
	SHAPE_ANCHOR,
	SHAPE_DYNAMIC_ANCHOR,
};

struct keyword {
	const char *name;
	unsigned vocabulary;
	unsigned has;
	enum shape shape;
	size_t offset; /* in struct st_schema_node */
};

#define AT(member) offsetof(struct st_schema_node, member)
#define CORE ST_VOCABULARY_CORE
#define APPLICATOR ST_VOCABULARY_APPLICATOR
#define UNEVALUATED ST_VOCABULARY_UNEVALUATED
#define VALIDATION ST_VOCABULARY_VALIDATION
#define VALUE ST_SCHEMA_HAS_VALUE
#define NUMBER ST_SCHEMA_HAS_NUMBER
#define STRING ST_SCHEMA_HAS_STRING
#define ITEMS ST_SCHEMA_HAS_ITEMS
#define MEMBERS ST_SCHEMA_HAS_MEMBERS
#define PARTS ST_SCHEMA_HAS_PARTS

/* Sorted by name. then and else only act behind an if, minContains and maxContains behind a
 * contains: they set no group of their own. */
static const struct keyword keywords[] = {
    {"$anchor", CORE, 0, SHAPE_ANCHOR, 0},
    {"$defs", CORE, 0, SHAPE_DEFS, 0},
    {"$dynamicAnchor", CORE, 0, SHAPE_DYNAMIC_ANCHOR, 0},
    {"$dynamicRef", CORE, PARTS, SHAPE_DYNAMIC_REF, 0},
    {"$ref", CORE, PARTS, SHAPE_REF, 0},
    {"additionalProperties", APPLICATOR, MEMBERS, SHAPE_SCHEMA, AT(additional_properties)},
    {"allOf", APPLICATOR, PARTS, SHAPE_LIST, AT(all_of)},
    {"anyOf", APPLICATOR, PARTS, SHAPE_LIST, AT(any_of)},
    {"const", VALIDATION, VALUE, SHAPE_ANY, AT(const_value)},
    {"contains", APPLICATOR, ITEMS, SHAPE_SCHEMA, AT(contains)},
    {"dependentRequired", VALIDATION, MEMBERS, SHAPE_NAMES_OF, AT(dependent_required)},
    {"dependentSchemas", APPLICATOR, PARTS, SHAPE_KEYS, AT(dependent_schemas)},
    {"else", APPLICATOR, 0, SHAPE_SCHEMA, AT(else_schema)},
    {"enum", VALIDATION, VALUE, SHAPE_ARRAY, AT(enum_values)},
    {"exclusiveMaximum", VALIDATION, NUMBER, SHAPE_NUMBER, AT(exclusive_maximum)},
    {"exclusiveMinimum", VALIDATION, NUMBER, SHAPE_NUMBER, AT(exclusive_minimum)},
    {"if", APPLICATOR, PARTS, SHAPE_SCHEMA, AT(if_schema)},
    {"items", APPLICATOR, ITEMS, SHAPE_SCHEMA, AT(items)},
    {"maxContains", VALIDATION, 0, SHAPE_COUNT, AT(max_contains)},
    {"maxItems", VALIDATION, ITEMS, SHAPE_COUNT, AT(max_items)},
    {"maxLength", VALIDATION, STRING, SHAPE_COUNT, AT(max_length)},
    {"maxProperties", VALIDATION, MEMBERS, SHAPE_COUNT, AT(max_properties)},
    {"maximum", VALIDATION, NUMBER, SHAPE_NUMBER, AT(maximum)},
    {"minContains", VALIDATION, 0, SHAPE_COUNT, AT(min_contains)},
    {"minItems", VALIDATION, ITEMS, SHAPE_COUNT, AT(min_items)},
    {"minLength", VALIDATION, STRING, SHAPE_COUNT, AT(min_length)},
    {"minProperties", VALIDATION, MEMBERS, SHAPE_COUNT, AT(min_properties)},
    {"minimum", VALIDATION, NUMBER, SHAPE_NUMBER, AT(minimum)},
    {"multipleOf", VALIDATION, NUMBER, SHAPE_POSITIVE, AT(multiple_of)},
    {"not", APPLICATOR, PARTS, SHAPE_SCHEMA, AT(not_schema)},
    {"oneOf", APPLICATOR, PARTS, SHAPE_LIST, AT(one_of)},
    {"pattern", VALIDATION, STRING, SHAPE_REGEX, AT(pattern)},
    {"patternProperties", APPLICATOR, MEMBERS, SHAPE_PATTERNS, AT(pattern_properties)},
    {"prefixItems", APPLICATOR, ITEMS, SHAPE_LIST, AT(prefix_items)},
    {"properties", APPLICATOR, MEMBERS, SHAPE_KEYS, AT(properties)},
    {"propertyNames", APPLICATOR, MEMBERS, SHAPE_SCHEMA, AT(property_names)},
    {"required", VALIDATION, MEMBERS, SHAPE_NAMES, AT(required)},
    {"then", APPLICATOR, 0, SHAPE_SCHEMA, AT(then_schema)},
    {"type", VALIDATION, 0, SHAPE_TYPES, AT(types)},
    {"unevaluatedItems", UNEVALUATED, ST_SCHEMA_HAS_UNEVALUATED, SHAPE_SCHEMA,
     AT(unevaluated_items)},
    {"unevaluatedProperties", UNEVALUATED, ST_SCHEMA_HAS_UNEVALUATED, SHAPE_SCHEMA,
     AT(unevaluated_properties)},
    {"uniqueItems", VALIDATION, ITEMS, SHAPE_BOOL, AT(unique_items)},
};

static int compare_keyword(const void *name, const void *keyword)
{
	return strcmp(name, ((const struct keyword *)keyword)->name);
}

static int malformed(struct st_schema_compiler *compiler, const char *expected, const json_t *value)
{
	return st_decode_mismatch(&compiler->at, expected, value);
}

/* ---- from values to nodes ---- */

static size_t place_hash(const json_t *source)
{
	uint64_t hash = (uint64_t)(uintptr_t)source * UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(hash >> 20);
}

static struct st_schema_place *place_of(const struct st_schema_compiler *compiler,
					const json_t *source)
{
	size_t mask = compiler->places_cap - 1;
	size_t at = place_hash(source) & mask;
	while (compiler->places[at].source != NULL && compiler->places[at].source != source) {
		at = (at + 1) & mask;
	}
	return &compiler->places[at];
}

struct st_schema_node *st_schema_node_of(const struct st_schema_compiler *compiler,
					 const json_t *source)
{
	return compiler->places_cap == 0 ? NULL : place_of(compiler, source)->node;
}

static void places_grow(struct st_schema_compiler *compiler)
{
	struct st_schema_place *old = compiler->places;
	size_t n = compiler->places_cap;
	compiler->places_cap = n == 0 ? 64 : 2 * n;
	compiler->places = st_alloc_array(compiler->places_cap, sizeof old[0]);
	for (size_t i = 0; i < n; i++) {
		if (old[i].source != NULL) {
			*place_of(compiler, old[i].source) = old[i];
		}
	}
	st_free(old);
}

static struct st_schema_node *node_new(struct st_schema_compiler *compiler, const json_t *source)
{
	struct st_schema *schema = compiler->schema;
	if (schema->n_nodes == schema->nodes_cap) {
		schema->nodes_cap = schema->nodes_cap == 0 ? 64 : 2 * schema->nodes_cap;
		schema->nodes =
		    st_realloc(schema->nodes, schema->nodes_cap * sizeof(struct st_schema_node *));
	}
	if (2 * compiler->n_places >= compiler->places_cap) {
		places_grow(compiler);
	}
	struct st_schema_node *node = st_alloc(sizeof *node);
	node->source = source;
	node->max_length = INT64_MAX;
	node->max_items = INT64_MAX;
	node->max_properties = INT64_MAX;
	node->min_contains = 1;
	node->max_contains = INT64_MAX;
	schema->nodes[schema->n_nodes++] = node;
	*place_of(compiler, source) = (struct st_schema_place){source, node};
	compiler->n_places++;
	return node;
}

/* ---- shapes ---- */

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_scan counts the depth */
static int read_list(struct st_schema_compiler *compiler, const json_t *value,
		     struct st_schema_resource *resource, struct st_schema_list *to)
{
	size_t n = json_array_size(value);
	if (n == 0) {
		return malformed(compiler, "an array of subschemas, at least one", value);
	}
	to->items = st_alloc_array(n, sizeof(struct st_schema_node *));
	to->n = n;
	for (size_t i = 0; i < n; i++) {
		size_t mark = st_decode_enter_index(&compiler->at, i);
		int code =
		    st_schema_scan(compiler, json_array_get(value, i), resource, &to->items[i]);
		if (code != ST_OK) {
			return code;
		}
		st_decode_leave(&compiler->at, mark);
	}
	return ST_OK;
}

static int compare_keys(const void *a, const void *b)
{
	const struct st_schema_key *x = a;
	const struct st_schema_key *y = b;
	if (x->len != y->len) {
		return x->len < y->len ? -1 : 1;
	}
	return memcmp(x->text, y->text, x->len);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_scan counts the depth */
static int read_keys(struct st_schema_compiler *compiler, json_t *value,
		     struct st_schema_resource *resource, struct st_schema_keys *to)
{
	if (!json_is_object(value)) {
		return malformed(compiler, "an object of subschemas", value);
	}
	to->items = st_alloc_array(json_object_size(value), sizeof to->items[0]);
	for (void *at = json_object_iter(value); at != NULL;
	     at = json_object_iter_next(value, at)) {
		struct st_schema_key *key = &to->items[to->n++];
		key->text = json_object_iter_key(at);
		key->len = json_object_iter_key_len(at);
		size_t mark = st_decode_enter(&compiler->at, key->text);
		int code =
		    st_schema_scan(compiler, json_object_iter_value(at), resource, &key->node);
		if (code != ST_OK) {
			return code;
		}
		st_decode_leave(&compiler->at, mark);
	}
	qsort(to->items, to->n, sizeof to->items[0], compare_keys);
	return ST_OK;
}

const struct st_schema_key *st_schema_keys_find(const struct st_schema_keys *keys, const char *text,
						size_t len)
{
	size_t low = 0;
	size_t high = keys->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct st_schema_key *key = &keys->items[middle];
		int order =
		    len != key->len ? (len < key->len ? -1 : 1) : memcmp(text, key->text, len);
		if (order == 0) {
			return key;
		}
		if (order < 0) {
			high = middle;
		} else {
			low = middle + 1;
		}
	}
	return NULL;
}

static int read_regex(struct st_schema_compiler *compiler, const char *text, size_t len,
		      struct st_regex **to)
{
	struct st_diag why = {0};
	int code = st_regex_new(text, len, to, &why);
	return code == ST_OK ? ST_OK
			     : st_fail_at(compiler->at.diag, (enum st_err)code,
					  compiler->at.pointer, "%s", why.text);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_scan counts the depth */
static int read_patterns(struct st_schema_compiler *compiler, json_t *value,
			 struct st_schema_resource *resource, struct st_schema_patterns *to)
{
	if (!json_is_object(value)) {
		return malformed(compiler, "an object of subschemas", value);
	}
	to->items = st_alloc_array(json_object_size(value), sizeof to->items[0]);
	for (void *at = json_object_iter(value); at != NULL;
	     at = json_object_iter_next(value, at)) {
		struct st_schema_pattern *pattern = &to->items[to->n++];
		size_t mark = st_decode_enter(&compiler->at, json_object_iter_key(at));
		int code = read_regex(compiler, json_object_iter_key(at),
				      json_object_iter_key_len(at), &pattern->regex);
		if (code == ST_OK) {
			code = st_schema_scan(compiler, json_object_iter_value(at), resource,
					      &pattern->node);
		}
		if (code != ST_OK) {
			return code;
		}
		st_decode_leave(&compiler->at, mark);
	}
	return ST_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_scan counts the depth */
static int read_defs(struct st_schema_compiler *compiler, json_t *value,
		     struct st_schema_resource *resource)
{
	struct st_schema_keys unused = {0};
	int code = read_keys(compiler, value, resource, &unused);
	st_free(unused.items);
	return code;
}

static int read_count(struct st_schema_compiler *compiler, const json_t *value, int64_t *to)
{
	if (!json_is_number(value) || !st_number_is_whole(value) || json_number_value(value) < 0) {
		return malformed(compiler, "a whole number that is not negative", value);
	}
	if (json_is_integer(value)) {
		*to = json_integer_value(value);
	} else {
		*to = json_real_value(value) < 9e18 ? (int64_t)json_real_value(value) : INT64_MAX;
	}
	return ST_OK;
}

static bool are_strings(const json_t *array)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (!json_is_string(json_array_get(array, i))) {
			return false;
		}
	}
	return json_is_array(array);
}

static bool are_objects_of_strings(json_t *object)
{
	for (void *at = json_object_iter(object); at != NULL;
	     at = json_object_iter_next(object, at)) {
		if (!are_strings(json_object_iter_value(at))) {
			return false;
		}
	}
	return json_is_object(object);
}

static bool read_type(const json_t *name, unsigned *to)
{
	static const struct {
		const char *name;
		unsigned bit;
	} rows[] = {
	    {"null", ST_SCHEMA_NULL},	    {"boolean", ST_SCHEMA_BOOLEAN},
	    {"object", ST_SCHEMA_OBJECT},   {"array", ST_SCHEMA_ARRAY},
	    {"number", ST_SCHEMA_NUMBER},   {"string", ST_SCHEMA_STRING},
	    {"integer", ST_SCHEMA_INTEGER},
	};
	for (size_t i = 0; json_is_string(name) && i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(rows[i].name, json_string_value(name)) == 0) {
			*to |= rows[i].bit;
			return true;
		}
	}
	return false;
}

static int read_types(struct st_schema_compiler *compiler, const json_t *value, unsigned *to)
{
	bool known = true;
	if (json_is_array(value)) {
		for (size_t i = 0; i < json_array_size(value); i++) {
			known = read_type(json_array_get(value, i), to) && known;
		}
	} else {
		known = read_type(value, to);
	}
	return known && *to != 0
		   ? ST_OK
		   : malformed(compiler, "the name of a type, or an array of them", value);
}

static int read_json(struct st_schema_compiler *compiler, enum shape shape, json_t *value,
		     const json_t **to)
{
	const char *expected = NULL;
	if ((shape == SHAPE_NUMBER || shape == SHAPE_POSITIVE) && !json_is_number(value)) {
		expected = "a number";
	} else if (shape == SHAPE_POSITIVE && !(json_number_value(value) > 0)) {
		expected = "a number above 0";
	} else if (shape == SHAPE_ARRAY && !json_is_array(value)) {
		expected = "an array";
	} else if (shape == SHAPE_NAMES && !are_strings(value)) {
		expected = "an array of strings";
	} else if (shape == SHAPE_NAMES_OF && !are_objects_of_strings(value)) {
		expected = "an object of arrays of strings";
	}
	if (expected != NULL) {
		return malformed(compiler, expected, value);
	}
	*to = value;
	return ST_OK;
}

static int read_name(struct st_schema_compiler *compiler, struct st_schema_node *node,
		     struct st_schema_resource *resource, const struct keyword *keyword,
		     const json_t *value)
{
	if (!json_is_string(value)) {
		return malformed(compiler, "a string", value);
	}
	const char *text = json_string_value(value);
	if (keyword->shape == SHAPE_REF || keyword->shape == SHAPE_DYNAMIC_REF) {
		st_schema_pending_add(compiler, node, text, keyword->shape == SHAPE_DYNAMIC_REF);
		return ST_OK;
	}
	const struct st_schema_anchor anchor = {text, node, keyword->shape == SHAPE_DYNAMIC_ANCHOR};
	return st_schema_anchor_add(compiler, resource, &anchor);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_scan counts the depth */
static int read_keyword(struct st_schema_compiler *compiler, struct st_schema_node *node,
			struct st_schema_resource *resource, const struct keyword *keyword,
			json_t *value)
{
	void *to = (char *)node + keyword->offset;
	node->has |= keyword->has;
	switch (keyword->shape) {
	case SHAPE_SCHEMA:
		return st_schema_scan(compiler, value, resource, to);
	case SHAPE_LIST:
		return read_list(compiler, value, resource, to);
	case SHAPE_KEYS:
		return read_keys(compiler, value, resource, to);
	case SHAPE_DEFS:
		return read_defs(compiler, value, resource);
	case SHAPE_PATTERNS:
		return read_patterns(compiler, value, resource, to);
	case SHAPE_COUNT:
		return read_count(compiler, value, to);
	case SHAPE_NUMBER:
	case SHAPE_POSITIVE:
	case SHAPE_ANY:
	case SHAPE_ARRAY:
	case SHAPE_NAMES:
	case SHAPE_NAMES_OF:
		return read_json(compiler, keyword->shape, value, to);
	case SHAPE_BOOL:
		*(bool *)to = json_is_true(value);
		return json_is_boolean(value) ? ST_OK : malformed(compiler, "a boolean", value);
	case SHAPE_REGEX:
		return json_is_string(value) ? read_regex(compiler, json_string_value(value),
							  json_string_length(value), to)
					     : malformed(compiler, "a string", value);
	case SHAPE_TYPES:
		return read_types(compiler, value, to);
	case SHAPE_REF:
	case SHAPE_DYNAMIC_REF:
	case SHAPE_ANCHOR:
	case SHAPE_DYNAMIC_ANCHOR:
		return read_name(compiler, node, resource, keyword, value);
	}
	return ST_ERR_INVALID;
}

/* ---- subschemas ---- */

/* An $id begins a resource of its own, whose base URI it is. */
static int enter_resource(struct st_schema_compiler *compiler, const json_t *source,
			  struct st_schema_resource **resource)
{
	const json_t *id = json_object_get(source, "$id");
	if (id == NULL || (*resource)->source == source) {
		return ST_OK;
	}
	if (!json_is_string(id)) {
		size_t mark = st_decode_enter(&compiler->at, "$id");
		int code = malformed(compiler, "a string", id);
		st_decode_leave(&compiler->at, mark);
		return code;
	}
	st_autofree char *uri = st_uri_resolve((*resource)->uri, json_string_value(id));
	uri[st_uri_without_fragment(uri)] = '\0';
	if (strcmp(uri, (*resource)->uri) == 0) {
		return ST_OK;
	}
	return st_schema_resource_add(compiler, source, uri, (*resource)->vocabularies, resource);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_scan counts the depth */
static int scan_object(struct st_schema_compiler *compiler, json_t *source,
		       struct st_schema_resource *resource, struct st_schema_node **out)
{
	if (compiler->schema->n_nodes >= NODES_MAX) {
		return st_fail_at(compiler->at.diag, ST_ERR_TOO_LARGE, compiler->at.pointer,
				  "more than %d subschemas", NODES_MAX);
	}
	int code = enter_resource(compiler, source, &resource);
	if (code != ST_OK) {
		return code;
	}
	struct st_schema_node *node = node_new(compiler, source);
	node->resource = resource;
	*out = node;
	for (void *at = json_object_iter(source); at != NULL;
	     at = json_object_iter_next(source, at)) {
		const struct keyword *keyword = bsearch(json_object_iter_key(at), keywords,
							sizeof keywords / sizeof keywords[0],
							sizeof keywords[0], compare_keyword);
		if (keyword == NULL || (keyword->vocabulary & resource->vocabularies) == 0) {
			continue;
		}
		size_t mark = st_decode_enter(&compiler->at, keyword->name);
		code = read_keyword(compiler, node, resource, keyword, json_object_iter_value(at));
		if (code != ST_OK) {
			return code;
		}
		st_decode_leave(&compiler->at, mark);
	}
	return ST_OK;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most ST_SCHEMA_DEPTH_MAX */
int st_schema_scan(struct st_schema_compiler *compiler, json_t *source,
		   struct st_schema_resource *resource, struct st_schema_node **out)
{
	if (json_is_boolean(source)) {
		*out = json_is_true(source) ? &compiler->schema->any : &compiler->schema->none;
		return ST_OK;
	}
	if (!json_is_object(source)) {
		return malformed(compiler, "a schema, which is an object or a boolean", source);
	}
	struct st_schema_node *known = st_schema_node_of(compiler, source);
	if (known != NULL) {
		*out = known;
		return ST_OK;
	}
	if (compiler->depth >= ST_SCHEMA_DEPTH_MAX) {
		return st_fail_at(compiler->at.diag, ST_ERR_TOO_LARGE, compiler->at.pointer,
				  "nested deeper than %d levels", ST_SCHEMA_DEPTH_MAX);
	}
	compiler->depth++;
	int code = scan_object(compiler, source, resource, out);
	compiler->depth--;
	return code;
}
