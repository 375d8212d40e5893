/* SPDX-License-Identifier: Apache-2.0 */
/* What is a JSON Schema once it is compiled? Only for the schema_*.c files. */
#ifndef ST_SCHEMAS_SCHEMA_NODE_H
#define ST_SCHEMAS_SCHEMA_NODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/schema.h"

/* Set of types. A whole number has both NUMBER and INTEGER. */
#define ST_SCHEMA_NULL 1U
#define ST_SCHEMA_BOOLEAN 2U
#define ST_SCHEMA_OBJECT 4U
#define ST_SCHEMA_ARRAY 8U
#define ST_SCHEMA_NUMBER 16U
#define ST_SCHEMA_STRING 32U
#define ST_SCHEMA_INTEGER 64U

/* Which groups of keywords a node has, so that checking skips the others. */
#define ST_SCHEMA_HAS_VALUE 1U	      /* const, enum */
#define ST_SCHEMA_HAS_NUMBER 2U	      /* minimum … */
#define ST_SCHEMA_HAS_STRING 4U	      /* pattern … */
#define ST_SCHEMA_HAS_ITEMS 8U	      /* items, minItems … */
#define ST_SCHEMA_HAS_MEMBERS 16U     /* properties, required … */
#define ST_SCHEMA_HAS_PARTS 32U	      /* $ref, allOf, if … on the same value */
#define ST_SCHEMA_HAS_UNEVALUATED 64U /* unevaluatedItems, unevaluatedProperties */

struct st_regex;
struct st_schema_node;

struct st_schema_list {
	struct st_schema_node **items;
	size_t n;
};

struct st_schema_key {
	const char *text; /* borrowed from the document */
	size_t len;
	struct st_schema_node *node;
};

/* Sorted by length, then bytes. */
struct st_schema_keys {
	struct st_schema_key *items;
	size_t n;
};

struct st_schema_pattern {
	struct st_regex *regex;
	struct st_schema_node *node;
};

struct st_schema_patterns {
	struct st_schema_pattern *items;
	size_t n;
};

struct st_schema_anchor {
	const char *name; /* borrowed */
	struct st_schema_node *node;
	bool dynamic;
};

/* A schema document, or a part of one that has an $id. */
struct st_schema_resource {
	char *uri; /* absolute, without fragment; "" where none is known */
	const json_t *source;
	unsigned vocabularies; /* bits of schema_keyword.h */
	struct st_schema_anchor *anchors;
	size_t n_anchors;
};

enum st_schema_always { ST_SCHEMA_BY_KEYWORDS, ST_SCHEMA_ALWAYS, ST_SCHEMA_NEVER };

/* All json_t are borrowed from documents that the schema keeps. */
struct st_schema_node {
	enum st_schema_always always;
	unsigned types; /* 0: any */
	unsigned has;
	const json_t *source;
	const struct st_schema_resource *resource;

	const json_t *const_value;
	const json_t *enum_values;
	const json_t *multiple_of;
	const json_t *minimum;
	const json_t *maximum;
	const json_t *exclusive_minimum;
	const json_t *exclusive_maximum;
	int64_t min_length;
	int64_t max_length;
	struct st_regex *pattern;

	int64_t min_items;
	int64_t max_items;
	int64_t min_contains;
	int64_t max_contains;
	bool unique_items;
	struct st_schema_list prefix_items;
	struct st_schema_node *items;
	struct st_schema_node *contains;

	int64_t min_properties;
	int64_t max_properties;
	const json_t *required;		  /* array of strings */
	const json_t *dependent_required; /* object of arrays of strings */
	struct st_schema_keys properties;
	struct st_schema_patterns pattern_properties;
	struct st_schema_node *additional_properties;
	struct st_schema_node *property_names;

	struct st_schema_node *ref;
	struct st_schema_node *dynamic_ref;
	const char *dynamic_anchor; /* looked for in the dynamic scope; NULL: dynamic_ref it is */
	struct st_schema_list all_of;
	struct st_schema_list any_of;
	struct st_schema_list one_of;
	struct st_schema_node *not_schema;
	struct st_schema_node *if_schema;
	struct st_schema_node *then_schema;
	struct st_schema_node *else_schema;
	struct st_schema_keys dependent_schemas;

	struct st_schema_node *unevaluated_items;
	struct st_schema_node *unevaluated_properties;
};

struct st_schema {
	bool strict_integers;
	struct st_schema_node *root;
	struct st_schema_node any;  /* the schema `true` */
	struct st_schema_node none; /* the schema `false` */
	struct st_schema_node **nodes;
	size_t n_nodes;
	size_t nodes_cap;
	struct st_schema_resource **resources;
	size_t n_resources;
	json_t **docs;
	size_t n_docs;
};

/* The key's entry, or NULL. */
const struct st_schema_key *st_schema_keys_find(const struct st_schema_keys *keys, const char *text,
						size_t len);

#endif
