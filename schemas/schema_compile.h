/* SPDX-License-Identifier: Apache-2.0 */
/* How is a JSON Schema compiled? Only for the schema_*.c files. */
#ifndef ST_SCHEMAS_SCHEMA_COMPILE_H
#define ST_SCHEMAS_SCHEMA_COMPILE_H

#include "schemas/decode.h"
#include "schemas/schema_node.h"

#define ST_VOCABULARY_CORE 1U
#define ST_VOCABULARY_APPLICATOR 2U
#define ST_VOCABULARY_UNEVALUATED 4U
#define ST_VOCABULARY_VALIDATION 8U
#define ST_VOCABULARY_ALL 15U

/* Deeper than any document that st_json_parse accepts. */
#define ST_SCHEMA_DEPTH_MAX 64

/* A $ref or $dynamicRef that is resolved when all that is known has been read. */
struct st_schema_pending {
	struct st_schema_node *node;
	char *uri; /* absolute, with fragment */
	bool dynamic;
	char *pointer; /* of the keyword, for errors */
};

/* From the address of a JSON value to the node made of it. */
struct st_schema_place {
	const json_t *source;
	struct st_schema_node *node;
};

struct st_schema_compiler {
	struct st_schema *schema;
	const struct st_schema_options *options;
	struct st_decode at;
	int depth;
	struct st_schema_place *places; /* open addressing, a power of two */
	size_t places_cap;
	size_t n_places;
	struct st_schema_pending *pending;
	size_t n_pending;
	size_t pending_cap;
};

/* Makes the node of a subschema and of all subschemas in it, at compiler->at. */
int st_schema_scan(struct st_schema_compiler *compiler, json_t *source,
		   struct st_schema_resource *resource, struct st_schema_node **out);
/* The node that was made of this value, or NULL. Not for true and false. */
struct st_schema_node *st_schema_node_of(const struct st_schema_compiler *compiler,
					 const json_t *source);

/* Makes a resource; its dialect is `inherited` unless the source names one. */
int st_schema_resource_add(struct st_schema_compiler *compiler, const json_t *source,
			   const char *uri, unsigned inherited, struct st_schema_resource **out);
/* The resource of this URI, of which `len` bytes count; or NULL. */
struct st_schema_resource *st_schema_resource_find(const struct st_schema *schema, const char *uri,
						   size_t len);
/* Fetches a document, which the schema then keeps; or NULL. */
json_t *st_schema_document_find(struct st_schema_compiler *compiler, const char *uri);
const struct st_schema_anchor *st_schema_anchor_find(const struct st_schema_resource *resource,
						     const char *name); /* or NULL */
int st_schema_anchor_add(struct st_schema_compiler *compiler, struct st_schema_resource *resource,
			 const struct st_schema_anchor *anchor);
/* Remembers a reference of node, seen from its resource. */
void st_schema_pending_add(struct st_schema_compiler *compiler, struct st_schema_node *node,
			   const char *ref, bool dynamic);
/* Resolves all pending references, fetching the documents they need. */
int st_schema_resolve(struct st_schema_compiler *compiler);

#endif
