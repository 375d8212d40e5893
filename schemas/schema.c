/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/schema.h"

#include <assert.h>
#include <string.h>

#include "schemas/json.h"
#include "schemas/mem.h"
#include "schemas/regex.h"
#include "schemas/schema_compile.h"
#include "schemas/uri.h"

/* ---- references ---- */

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
	*out = st_schema_resource_find(compiler->schema, own, len);
	if (*out != NULL) {
		return ST_OK;
	}
	int code = st_schema_resource_add(compiler, doc, own, ST_VOCABULARY_ALL, out);
	return code == ST_OK ? st_schema_scan(compiler, doc, *out, root) : code;
}

static int target_resource(struct st_schema_compiler *compiler, const char *uri,
			   struct st_schema_resource **out)
{
	*out = st_schema_resource_find(compiler->schema, uri, strlen(uri));
	if (*out != NULL) {
		return ST_OK;
	}
	json_t *doc = uri[0] == '\0' ? NULL : st_schema_document_find(compiler, uri);
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
	const struct st_schema_anchor *anchor = st_schema_anchor_find(resource, fragment);
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
