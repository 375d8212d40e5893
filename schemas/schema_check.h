/* SPDX-License-Identifier: Apache-2.0 */
/* How is a value checked, and how is the failure told? Only for the schema_*.c files. */
#ifndef ST_SCHEMAS_SCHEMA_CHECK_H
#define ST_SCHEMAS_SCHEMA_CHECK_H

#include "schemas/schema_node.h"

/*
 * A value is checked without any report first. Only when that fails it is checked once more, this
 * time with a report: valid values, which are nearly all, never pay for messages.
 */

/* Where in the value the check is: on the stack, innermost first. */
struct st_schema_path {
	const struct st_schema_path *outer; /* NULL: this is the root */
	const char *key;		    /* NULL: an item of an array */
	size_t key_len;
	size_t index;
	int depth;
};

/* How much a failure says: the best of several alternatives' failures is told. */
enum st_schema_rank {
	ST_SCHEMA_RANK_NONE,
	ST_SCHEMA_RANK_TYPE,	/* it is not even of the right type */
	ST_SCHEMA_RANK_PATTERN, /* a text of the wrong form */
	ST_SCHEMA_RANK_OTHER,
};

struct st_schema_report {
	int depth; /* of the value that was wrong; deeper is better */
	enum st_schema_rank rank;
	char pointer[ST_DIAG_POINTER_MAX];
	char text[ST_DIAG_TEXT_MAX];
};

/* Which members or items the keywords so far have looked at, for unevaluated*. */
struct st_schema_seen {
	uint64_t *bits;
	uint64_t few; /* the bits themselves when there are at most 64 */
	size_t n;     /* members or items of the value */
};

#define ST_SCHEMA_SCOPE_MAX 512

struct st_schema_check {
	const struct st_schema *schema;
	struct st_regex_scratch *scratch; /* made when the first pattern is met */
	const struct st_schema_path *path;
	struct st_schema_report *report; /* NULL: nobody wants to know */
	int depth;
	uint64_t work;
	const char *broken; /* a bound that was passed: the answer means nothing */
	const struct st_schema_resource *scope[ST_SCHEMA_SCOPE_MAX]; /* dynamic scope, outermost
								      * first */
	size_t n_scope;
};

/* Does the value follow the node? seen may be NULL. A report is filled by the first failure. */
bool st_schema_check(struct st_schema_check *check, const struct st_schema_node *node,
		     const json_t *value, struct st_schema_seen *seen);

/* Gives up: a bound was passed. Returns false. */
bool st_schema_broken(struct st_schema_check *check, const char *why);

unsigned st_schema_types_of(const struct st_schema *schema, const json_t *value);
bool st_schema_matches(struct st_schema_check *check, const struct st_regex *regex,
		       const char *text, size_t len);
bool st_schema_assert_value(struct st_schema_check *check, const struct st_schema_node *node,
			    const json_t *value);
bool st_schema_assert_number(struct st_schema_check *check, const struct st_schema_node *node,
			     const json_t *value);
bool st_schema_assert_string(struct st_schema_check *check, const struct st_schema_node *node,
			     const json_t *value);
bool st_schema_assert_count(struct st_schema_check *check, size_t n, const int64_t range[2],
			    const char *what);
/* because: the member that asks for the names, or NULL. */
bool st_schema_assert_present(struct st_schema_check *check, const json_t *names,
			      const json_t *value, const char *because);
bool st_schema_assert_dependent(struct st_schema_check *check, const json_t *dependent,
				const json_t *value);

/* All of these return false and, when there is a report, fill it. */
bool st_schema_fail(struct st_schema_check *check, enum st_schema_rank rank, const char *format,
		    ...) __attribute__((format(printf, 3, 4)));
bool st_schema_fail_never(struct st_schema_check *check, const struct st_schema_node *node);
bool st_schema_fail_type(struct st_schema_check *check, const struct st_schema_node *node,
			 const json_t *value);
bool st_schema_fail_value(struct st_schema_check *check, const struct st_schema_node *node,
			  const json_t *value);
bool st_schema_fail_pattern(struct st_schema_check *check, const struct st_schema_node *node,
			    const json_t *value);
bool st_schema_fail_number(struct st_schema_check *check, const char *expected, const json_t *bound,
			   const json_t *value);
/* The member at check->path is not known; `keys` are those that are. */
bool st_schema_fail_unknown(struct st_schema_check *check, const struct st_schema_keys *keys,
			    const char *name);
bool st_schema_fail_not(struct st_schema_check *check, const struct st_schema_node *node);
/* None of the alternatives fits, and none came near: names all that would do. */
bool st_schema_fail_any(struct st_schema_check *check, const struct st_schema_list *list,
			const json_t *value, enum st_schema_rank rank);

#endif
