/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/schema.h"

#include <assert.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/regex.h"
#include "schemas/schema_compile.h"
#include "schemas/uri.h"

#define DIALECT "https://json-schema.org/draft/2020-12/schema"
#define VOCABULARY "https://json-schema.org/draft/2020-12/vocab/"

/* Bounds on what a foreign schema may make us search through. */
#define RESOURCES_MAX 1000
#define ANCHORS_MAX 1000
#define DOCS_MAX 100

/* ---- resources ---- */

static struct st_schema_resource *resource_find(const struct st_schema *schema, const char *uri,
						size_t len)
{
	for (size_t i = 0; i < schema->n_resources; i++) {
		if (strlen(schema->resources[i]->uri) == len &&
		    memcmp(schema->resources[i]->uri, uri, len) == 0) {
			return schema->resources[i];
		}
	}
	return NULL;
}

static json_t *document_find(struct st_schema_compiler *compiler, const char *uri)
{
	struct st_schema *schema = compiler->schema;
	if (compiler->options->find == NULL || schema->n_docs >= DOCS_MAX) {
		return NULL;
	}
	json_t *doc = compiler->options->find(compiler->options->context, uri);
	if (doc != NULL) {
		schema->docs = st_realloc(schema->docs, (schema->n_docs + 1) * sizeof(json_t *));
		schema->docs[schema->n_docs++] = doc;
	}
	return doc;
}

static bool vocabulary_of(const char *uri, unsigned *bit)
{
	static const struct {
		const char *name;
		unsigned bit;
	} rows[] = {
	    {"core", ST_VOCABULARY_CORE},
	    {"applicator", ST_VOCABULARY_APPLICATOR},
	    {"unevaluated", ST_VOCABULARY_UNEVALUATED},
	    {"validation", ST_VOCABULARY_VALIDATION},
	    {"meta-data", 0},
	    {"format-annotation", 0},
	    {"content", 0},
	};
	if (strncmp(uri, VOCABULARY, strlen(VOCABULARY)) != 0) {
		return false;
	}
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		if (strcmp(uri + strlen(VOCABULARY), rows[i].name) == 0) {
			*bit = rows[i].bit;
			return true;
		}
	}
	return false;
}

/* A dialect of somebody's own lists the vocabularies that its schemas use. */
static int read_vocabularies(struct st_schema_compiler *compiler, json_t *listed, unsigned *out)
{
	unsigned bits = ST_VOCABULARY_CORE;
	for (void *at = json_object_iter(listed); at != NULL;
	     at = json_object_iter_next(listed, at)) {
		unsigned bit = 0;
		if (!vocabulary_of(json_object_iter_key(at), &bit) &&
		    json_is_true(json_object_iter_value(at))) {
			return st_fail_at(compiler->at.diag, ST_ERR_UNSUPPORTED,
					  compiler->at.pointer,
					  "the schema requires the vocabulary \"%.200s\", which is "
					  "not supported",
					  json_object_iter_key(at));
		}
		bits |= bit;
	}
	*out = bits;
	return ST_OK;
}

static int read_dialect(struct st_schema_compiler *compiler, const char *uri, unsigned *out)
{
	st_autofree char *plain = st_strndup(uri, st_uri_without_fragment(uri));
	if (strcmp(plain, DIALECT) == 0) {
		*out = ST_VOCABULARY_ALL;
		return ST_OK;
	}
	json_t *dialect = document_find(compiler, plain);
	json_t *listed = json_object_get(dialect, "$vocabulary");
	if (listed == NULL) {
		return st_fail_at(compiler->at.diag, ST_ERR_UNSUPPORTED, compiler->at.pointer,
				  "the dialect \"%.200s\" is not supported; use " DIALECT, uri);
	}
	return read_vocabularies(compiler, listed, out);
}

int st_schema_resource_add(struct st_schema_compiler *compiler, const json_t *source,
			   const char *uri, unsigned inherited, struct st_schema_resource **out)
{
	struct st_schema *schema = compiler->schema;
	size_t len = st_uri_without_fragment(uri);
	if (schema->n_resources >= RESOURCES_MAX) {
		return st_fail_at(compiler->at.diag, ST_ERR_TOO_LARGE, compiler->at.pointer,
				  "more than %d parts with an $id", RESOURCES_MAX);
	}
	unsigned vocabularies = inherited;
	const json_t *dialect = json_object_get(source, "$schema");
	if (json_is_string(dialect)) {
		size_t mark = st_decode_enter(&compiler->at, "$schema");
		int code = read_dialect(compiler, json_string_value(dialect), &vocabularies);
		st_decode_leave(&compiler->at, mark);
		if (code != ST_OK) {
			return code;
		}
	}
	if (resource_find(schema, uri, len) != NULL) {
		return st_fail_at(compiler->at.diag, ST_ERR_INVALID, compiler->at.pointer,
				  "a second part has the $id \"%.200s\"", uri);
	}
	struct st_schema_resource *resource = st_alloc(sizeof *resource);
	resource->uri = st_strndup(uri, len);
	resource->source = source;
	resource->vocabularies = vocabularies;
	size_t n = schema->n_resources;
	schema->resources =
	    st_realloc(schema->resources, (n + 1) * sizeof(struct st_schema_resource *));
	schema->resources[n] = resource;
	schema->n_resources = n + 1;
	*out = resource;
	return ST_OK;
}

static const struct st_schema_anchor *anchor_find(const struct st_schema_resource *resource,
						  const char *name)
{
	for (size_t i = 0; i < resource->n_anchors; i++) {
		if (strcmp(resource->anchors[i].name, name) == 0) {
			return &resource->anchors[i];
		}
	}
	return NULL;
}

int st_schema_anchor_add(struct st_schema_compiler *compiler, struct st_schema_resource *resource,
			 const struct st_schema_anchor *anchor)
{
	size_t n = resource->n_anchors;
	if (n >= ANCHORS_MAX) {
		return st_fail_at(compiler->at.diag, ST_ERR_TOO_LARGE, compiler->at.pointer,
				  "more than %d anchors", ANCHORS_MAX);
	}
	/* $anchor and $dynamicAnchor of one node may share their name. */
	const struct st_schema_anchor *other = anchor_find(resource, anchor->name);
	if (other != NULL && other->node != anchor->node) {
		return st_fail_at(compiler->at.diag, ST_ERR_INVALID, compiler->at.pointer,
				  "a second anchor \"%.200s\"", anchor->name);
	}
	resource->anchors = st_realloc(resource->anchors, (n + 1) * sizeof resource->anchors[0]);
	resource->anchors[n] = *anchor;
	resource->n_anchors = n + 1;
	return ST_OK;
}

/* ---- references ---- */

void st_schema_pending_add(struct st_schema_compiler *compiler, struct st_schema_node *node,
			   const char *ref, bool dynamic)
{
	if (compiler->n_pending == compiler->pending_cap) {
		compiler->pending_cap = compiler->pending_cap == 0 ? 32 : 2 * compiler->pending_cap;
		compiler->pending = st_realloc(compiler->pending,
					       compiler->pending_cap * sizeof compiler->pending[0]);
	}
	compiler->pending[compiler->n_pending++] = (struct st_schema_pending){
	    .node = node,
	    .uri = st_uri_resolve(node->resource->uri, ref),
	    .dynamic = dynamic,
	    .pointer = st_strdup(compiler->at.pointer),
	};
}

/* A document becomes a resource under the URI it was found by and, if it has one, under its $id. */
static int document_scan(struct st_schema_compiler *compiler, json_t *doc, const char *uri,
			 struct st_schema_resource **out, struct st_schema_node **root)
{
	const json_t *id = json_object_get(doc, "$id");
	if (id != NULL && !json_is_string(id)) {
		return st_fail_at(compiler->at.diag, ST_ERR_INVALID, "/$id",
				  "expected a string, got %s", st_json_type_text(id));
	}
	st_autofree char *own =
	    st_uri_resolve(uri, json_is_string(id) ? json_string_value(id) : "");
	size_t len = st_uri_without_fragment(own);
	*out = resource_find(compiler->schema, own, len);
	if (*out != NULL) {
		return ST_OK;
	}
	int code = st_schema_resource_add(compiler, doc, own, ST_VOCABULARY_ALL, out);
	return code == ST_OK ? st_schema_scan(compiler, doc, *out, root) : code;
}

static int target_resource(struct st_schema_compiler *compiler, const char *uri,
			   struct st_schema_resource **out)
{
	*out = resource_find(compiler->schema, uri, strlen(uri));
	if (*out != NULL) {
		return ST_OK;
	}
	json_t *doc = uri[0] == '\0' ? NULL : document_find(compiler, uri);
	if (doc == NULL) {
		return st_fail_at(compiler->at.diag, ST_ERR_INVALID, compiler->at.pointer,
				  "there is no schema \"%.200s\"", uri);
	}
	struct st_schema_node *root = NULL;
	return document_scan(compiler, doc, uri, out, &root);
}

static const json_t *step_into(const json_t *value, const char *token)
{
	if (json_is_object(value)) {
		return json_object_get(value, token);
	}
	size_t index = 0;
	for (const char *p = token; *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || index > 100000000) {
			return NULL;
		}
		index = index * 10 + (size_t)(*p - '0');
	}
	return token[0] == '\0' ? NULL : json_array_get(value, index);
}

/* Undoes ~1 and ~0 in place and returns where the next token begins, or NULL. */
static char *cut_token(char *token)
{
	char *to = token;
	char *p = token;
	for (; *p != '\0' && *p != '/'; p++) {
		if (p[0] == '~' && (p[1] == '0' || p[1] == '1')) {
			*to++ = *++p == '0' ? '~' : '/';
		} else {
			*to++ = *p;
		}
	}
	char *next = *p == '/' ? p + 1 : NULL;
	*to = '\0';
	return next;
}

/* Follows a JSON pointer. A target outside of all keywords becomes a schema by being referred to.
 */
static int target_at_pointer(struct st_schema_compiler *compiler,
			     struct st_schema_resource *resource, char *pointer,
			     struct st_schema_node **out)
{
	const json_t *value = resource->source;
	char *token = pointer[0] == '/' ? pointer + 1 : NULL;
	while (token != NULL && value != NULL) {
		char *next = cut_token(token);
		value = step_into(value, token);
		const struct st_schema_node *node =
		    json_is_object(value) ? st_schema_node_of(compiler, value) : NULL;
		for (size_t i = 0; node != NULL && i < compiler->schema->n_resources; i++) {
			if (compiler->schema->resources[i] == node->resource) {
				resource = compiler->schema->resources[i];
			}
		}
		token = next;
	}
	if (value == NULL) {
		return st_fail_at(compiler->at.diag, ST_ERR_INVALID, compiler->at.pointer,
				  "the reference leads nowhere");
	}
	return st_schema_scan(compiler, (json_t *)value, resource, out);
}

static int target_find(struct st_schema_compiler *compiler, const struct st_schema_pending *pending,
		       struct st_schema_node **out, const char **dynamic_anchor)
{
	size_t len = st_uri_without_fragment(pending->uri);
	st_autofree char *uri = st_strndup(pending->uri, len);
	st_autofree char *fragment =
	    st_strdup(pending->uri[len] == '#' ? pending->uri + len + 1 : "");
	st_uri_unescape(fragment);
	struct st_schema_resource *resource = NULL;
	int code = target_resource(compiler, uri, &resource);
	if (code != ST_OK) {
		return code;
	}
	if (fragment[0] == '\0' || fragment[0] == '/') {
		return target_at_pointer(compiler, resource, fragment, out);
	}
	const struct st_schema_anchor *anchor = anchor_find(resource, fragment);
	if (anchor == NULL) {
		return st_fail_at(compiler->at.diag, ST_ERR_INVALID, compiler->at.pointer,
				  "there is no anchor \"%.200s\"", fragment);
	}
	for (size_t i = 0; i < resource->n_anchors; i++) {
		if (resource->anchors[i].dynamic &&
		    strcmp(resource->anchors[i].name, fragment) == 0) {
			*dynamic_anchor = resource->anchors[i].name;
		}
	}
	*out = anchor->node;
	return ST_OK;
}

int st_schema_resolve(struct st_schema_compiler *compiler)
{
	/* A document that a reference brings in may add references of its own. */
	for (size_t i = 0; i < compiler->n_pending; i++) {
		struct st_schema_pending pending = compiler->pending[i];
		compiler->at.pointer[0] = '\0';
		memcpy(compiler->at.pointer, pending.pointer, strlen(pending.pointer) + 1);
		struct st_schema_node *target = NULL;
		const char *anchor = NULL;
		int code = target_find(compiler, &pending, &target, &anchor);
		if (code != ST_OK) {
			return code;
		}
		if (pending.dynamic) {
			pending.node->dynamic_ref = target;
			pending.node->dynamic_anchor = anchor;
		} else {
			pending.node->ref = target;
		}
	}
	return ST_OK;
}

/* ---- the whole ---- */

static void compiler_fini(struct st_schema_compiler *compiler)
{
	for (size_t i = 0; i < compiler->n_pending; i++) {
		st_free(compiler->pending[i].uri);
		st_free(compiler->pending[i].pointer);
	}
	st_free(compiler->pending);
	st_free(compiler->places);
}

int st_schema_compile(json_t *doc, const struct st_schema_options *options, struct st_schema **out,
		      struct st_diag *diag)
{
	static const struct st_schema_options no_options = {0};
	assert(doc != NULL);
	assert(out != NULL);
	struct st_schema *schema = st_alloc(sizeof *schema);
	struct st_schema_compiler compiler = {
	    .schema = schema,
	    .options = options != NULL ? options : &no_options,
	    .at = {.diag = diag},
	};
	schema->strict_integers = compiler.options->strict_integers;
	schema->any.always = ST_SCHEMA_ALWAYS;
	schema->none.always = ST_SCHEMA_NEVER;
	schema->docs = st_alloc(sizeof(json_t *));
	schema->docs[schema->n_docs++] = json_incref(doc);
	struct st_schema_resource *resource = NULL;
	int code = document_scan(&compiler, doc, "", &resource, &schema->root);
	if (code == ST_OK) {
		code = st_schema_resolve(&compiler);
	}
	compiler_fini(&compiler);
	if (code != ST_OK) {
		st_schema_free(schema);
		return code;
	}
	*out = schema;
	return ST_OK;
}

static void node_free(struct st_schema_node *node)
{
	st_regex_free(node->pattern);
	for (size_t i = 0; i < node->pattern_properties.n; i++) {
		st_regex_free(node->pattern_properties.items[i].regex);
	}
	st_free(node->pattern_properties.items);
	st_free(node->properties.items);
	st_free(node->dependent_schemas.items);
	st_free(node->prefix_items.items);
	st_free(node->all_of.items);
	st_free(node->any_of.items);
	st_free(node->one_of.items);
	st_free(node);
}

void st_schema_free(struct st_schema *schema)
{
	if (schema == NULL) {
		return;
	}
	for (size_t i = 0; i < schema->n_nodes; i++) {
		node_free(schema->nodes[i]);
	}
	for (size_t i = 0; i < schema->n_resources; i++) {
		st_free(schema->resources[i]->uri);
		st_free(schema->resources[i]->anchors);
		st_free(schema->resources[i]);
	}
	for (size_t i = 0; i < schema->n_docs; i++) {
		json_decref(schema->docs[i]);
	}
	st_free(schema->nodes);
	st_free(schema->resources);
	st_free(schema->docs);
	st_free(schema);
}
