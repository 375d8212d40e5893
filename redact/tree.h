/* SPDX-License-Identifier: Apache-2.0 */
/* How is a JSON value written without its secrets? Only for redact/ itself. */
#ifndef ST_REDACT_TREE_H
#define ST_REDACT_TREE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "schemas/buf.h"

struct st_redactor;

/* One writing of one value. The caller fills in the first two. */
struct st_tree {
	const struct st_redactor *redactor;
	struct st_buf *out;
	size_t redactions;
	bool failed;
	unsigned depth;	 /* of arrays and objects */
	unsigned nested; /* of JSON within strings */
};

/* Adds the value, redacted, as compact JSON. */
void st_tree_add_value(struct st_tree *tree, const json_t *value);
/* Adds text, redacted, as a JSON string; text that is JSON itself is walked. */
void st_tree_add_string(struct st_tree *tree, const char *text, size_t len);

#endif
