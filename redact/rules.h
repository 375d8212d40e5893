/* SPDX-License-Identifier: Apache-2.0 */
/* Which rules of its own did the operator write? */
#ifndef ST_REDACT_RULES_H
#define ST_REDACT_RULES_H

#include <jansson.h>
#include <stddef.h>

#include "redact/place.h"
#include "schemas/err.h"

#define ST_RULES_MAX 512
#define ST_RULE_ID_MAX 64
#define ST_RULE_KEYWORD_MIN 4 /* bytes */

/* PCRE2 expressions, each found by its keywords. Never changes after loading. */
struct st_rules;
struct st_rule;

/*
 * Takes [{"id", "regex", "keywords": [..], "entropy"?, "secretGroup"?, "examples"?: [..],
 * "counter_examples"?: [..]}]. Each rule is tried out before it is taken: it must compile, not
 * match nothing, find its examples and miss its counter-examples, and stay within its match limit
 * on texts made to be costly. ST_ERR_INVALID with the rule's id and what to do; *out is untouched
 * then.
 */
int st_rules_load(const json_t *doc, struct st_rules **out, struct st_diag *diag);
void st_rules_free(struct st_rules *rules); /* NULL is fine */

size_t st_rules_count(const struct st_rules *rules); /* NULL: 0 */
const struct st_rule *st_rules_get(const struct st_rules *rules, size_t i);
size_t st_rule_number(const struct st_rule *rule); /* i */
/* The n-th keyword, or NULL behind the last. */
const char *st_rule_keyword(const struct st_rule *rule, size_t n);
/*
 * The first find in data[at, end). find->next is where to go on. When the expression takes too
 * many steps the whole part is the find.
 */
bool st_rule_match(const struct st_rule *rule, const char *data, struct st_stretch part,
		   struct st_find *find);

#endif
