/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/schema_compile.h"

#include <string.h>

#include "schemas/mem.h"
#include "schemas/uri.h"

#define DIALECT "https://json-schema.org/draft/2020-12/schema"
#define VOCABULARY "https://json-schema.org/draft/2020-12/vocab/"

/* Bounds on what a foreign schema may make us search through. */
#define RESOURCES_MAX 1000
#define ANCHORS_MAX 1000
#define DOCS_MAX 100

struct st_schema_resource *st_schema_resource_find(const struct st_schema *schema, const char *uri,
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

json_t *st_schema_document_find(struct st_schema_compiler *compiler, const char *uri)
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
	json_t *dialect = st_schema_document_find(compiler, plain);
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
	if (st_schema_resource_find(schema, uri, len) != NULL) {
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

const struct st_schema_anchor *st_schema_anchor_find(const struct st_schema_resource *resource,
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
	const struct st_schema_anchor *other = st_schema_anchor_find(resource, anchor->name);
	if (other != NULL && other->node != anchor->node) {
		return st_fail_at(compiler->at.diag, ST_ERR_INVALID, compiler->at.pointer,
				  "a second anchor \"%.200s\"", anchor->name);
	}
	resource->anchors = st_realloc(resource->anchors, (n + 1) * sizeof resource->anchors[0]);
	resource->anchors[n] = *anchor;
	resource->n_anchors = n + 1;
	return ST_OK;
}

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
