/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/schema_check.h"

#include <assert.h>
#include <string.h>

#include "schemas/mem.h"
#include "schemas/regex.h"
#include "schemas/value.h"

#define DEPTH_MAX 400
#define WORK_MAX 5000000

#define check_node st_schema_check

/* ---- what was looked at ---- */

static void seen_init(struct st_schema_seen *seen, const json_t *value)
{
	seen->n = json_is_array(value) ? json_array_size(value) : json_object_size(value);
	seen->few = 0;
	seen->bits = seen->n <= 64 ? NULL : st_alloc_array((seen->n + 63) / 64, sizeof(uint64_t));
}

static void seen_fini(struct st_schema_seen *seen)
{
	st_free(seen->bits);
}

static uint64_t *seen_word(struct st_schema_seen *seen, size_t i)
{
	assert(i < seen->n);
	return seen->bits == NULL ? &seen->few : &seen->bits[i / 64];
}

static void seen_mark(struct st_schema_seen *seen, size_t i)
{
	if (seen != NULL) {
		*seen_word(seen, i) |= UINT64_C(1) << (i % 64);
	}
}

static bool seen_has(struct st_schema_seen *seen, size_t i)
{
	return (*seen_word(seen, i) >> (i % 64) & 1) != 0;
}

static void seen_merge(struct st_schema_seen *to, struct st_schema_seen *from)
{
	for (size_t i = 0; i < from->n; i += 64) {
		*seen_word(to, i) |= *seen_word(from, i);
	}
}

/* Checks an alternative: what it has looked at only counts when it fits.
 * NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_choice(struct st_schema_check *check, const struct st_schema_node *node,
			 const json_t *value, struct st_schema_seen *seen)
{
	if (seen == NULL) {
		return check_node(check, node, value, NULL);
	}
	struct st_schema_seen own;
	seen_init(&own, value);
	bool fits = check_node(check, node, value, &own);
	if (fits) {
		seen_merge(seen, &own);
	}
	seen_fini(&own);
	return fits;
}

/* As check_choice, for those whose failure is not an error by itself.
 * NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool probe(struct st_schema_check *check, const struct st_schema_node *node,
		  const json_t *value, struct st_schema_seen *seen)
{
	struct st_schema_report *report = check->report;
	check->report = NULL;
	bool fits = check_choice(check, node, value, seen);
	check->report = report;
	return fits;
}

/* ---- items ---- */

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_item(struct st_schema_check *check, const struct st_schema_node *node,
		       const json_t *array, size_t index)
{
	const struct st_schema_path *outer = check->path;
	const struct st_schema_path here = {outer, NULL, 0, index, outer->depth + 1};
	check->path = &here;
	bool fits = check_node(check, node, json_array_get(array, index), NULL);
	check->path = outer;
	return fits;
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_contains(struct st_schema_check *check, const struct st_schema_node *node,
			   const json_t *value, struct st_schema_seen *seen)
{
	struct st_schema_report *report = check->report;
	check->report = NULL;
	int64_t n = 0;
	for (size_t i = 0; i < json_array_size(value); i++) {
		if (check_item(check, node->contains, value, i)) {
			seen_mark(seen, i);
			n++;
		}
	}
	check->report = report;
	if (n >= node->min_contains && n <= node->max_contains) {
		return true;
	}
	bool few = n < node->min_contains;
	return st_schema_fail(
	    check, ST_SCHEMA_RANK_OTHER, "expected at %s %lld items of the required form, got %lld",
	    few ? "least" : "most", (long long)(few ? node->min_contains : node->max_contains),
	    (long long)n);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_items(struct st_schema_check *check, const struct st_schema_node *node,
			const json_t *value, struct st_schema_seen *seen)
{
	const int64_t range[2] = {node->min_items, node->max_items};
	size_t n = json_array_size(value);
	if (!st_schema_assert_count(check, n, range, "items")) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		const struct st_schema_node *item =
		    i < node->prefix_items.n ? node->prefix_items.items[i] : node->items;
		if (item == NULL) {
			break;
		}
		if (!check_item(check, item, value, i)) {
			return false;
		}
		seen_mark(seen, i);
	}
	if (node->unique_items && !st_value_is_unique(value)) {
		return st_schema_fail(check, ST_SCHEMA_RANK_OTHER,
				      "the items are not all "
				      "different");
	}
	return node->contains == NULL || check_contains(check, node, value, seen);
}

/* ---- members ---- */

/* A member of the object that is being checked. */
struct member {
	const char *key;
	size_t len;
	size_t index;
	const json_t *value;
};

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_name(struct st_schema_check *check, const struct st_schema_node *node,
		       const struct member *member)
{
	json_t *name = json_stringn_nocheck(member->key, member->len);
	assert(name != NULL);
	bool fits = check_node(check, node->property_names, name, NULL);
	json_decref(name);
	return fits;
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_member(struct st_schema_check *check, const struct st_schema_node *node,
			 const struct member *member, struct st_schema_seen *seen)
{
	bool known = false;
	const struct st_schema_key *key =
	    st_schema_keys_find(&node->properties, member->key, member->len);
	if (key != NULL) {
		known = true;
		if (!check_node(check, key->node, member->value, NULL)) {
			return false;
		}
	}
	for (size_t i = 0; i < node->pattern_properties.n; i++) {
		const struct st_schema_pattern *pattern = &node->pattern_properties.items[i];
		if (st_schema_matches(check, pattern->regex, member->key, member->len)) {
			known = true;
			if (!check_node(check, pattern->node, member->value, NULL)) {
				return false;
			}
		}
	}
	if (!known && node->additional_properties != NULL) {
		known = true;
		if (node->additional_properties->always == ST_SCHEMA_NEVER) {
			return st_schema_fail_unknown(check, &node->properties, member->key);
		}
		if (!check_node(check, node->additional_properties, member->value, NULL)) {
			return false;
		}
	}
	if (known) {
		seen_mark(seen, member->index);
	}
	return node->property_names == NULL || check_name(check, node, member);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_each_member(struct st_schema_check *check, const struct st_schema_node *node,
			      const json_t *value, struct st_schema_seen *seen)
{
	const struct st_schema_path *outer = check->path;
	struct st_schema_path here = {.outer = outer, .depth = outer->depth + 1};
	check->path = &here;
	bool fits = true;
	struct member member = {0};
	for (void *at = json_object_iter((json_t *)value); fits && at != NULL;
	     at = json_object_iter_next((json_t *)value, at)) {
		member.key = json_object_iter_key(at);
		member.len = json_object_iter_key_len(at);
		member.value = json_object_iter_value(at);
		here.key = member.key;
		here.key_len = member.len;
		fits = check_member(check, node, &member, seen);
		member.index++;
	}
	check->path = outer;
	return fits;
}

/* The other way round, for a condition on one or two of many members.
 * NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_each_property(struct st_schema_check *check, const struct st_schema_keys *keys,
				const json_t *value)
{
	const struct st_schema_path *outer = check->path;
	struct st_schema_path here = {.outer = outer, .depth = outer->depth + 1};
	check->path = &here;
	bool fits = true;
	for (size_t i = 0; fits && i < keys->n; i++) {
		const struct st_schema_key *key = &keys->items[i];
		const json_t *member = json_object_getn(value, key->text, key->len);
		here.key = key->text;
		here.key_len = key->len;
		fits = member == NULL || check_node(check, key->node, member, NULL);
	}
	check->path = outer;
	return fits;
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_members(struct st_schema_check *check, const struct st_schema_node *node,
			  const json_t *value, struct st_schema_seen *seen)
{
	const int64_t range[2] = {node->min_properties, node->max_properties};
	size_t n = json_object_size(value);
	if (!st_schema_assert_count(check, n, range, "members")) {
		return false;
	}
	bool only_properties = node->pattern_properties.n == 0 &&
			       node->additional_properties == NULL && node->property_names == NULL;
	/* Members first: a misspelt name explains why another one is missing. */
	bool fits = seen == NULL && only_properties && node->properties.n < n
			? check_each_property(check, &node->properties, value)
			: check_each_member(check, node, value, seen);
	return fits && st_schema_assert_present(check, node->required, value, NULL) &&
	       (node->dependent_required == NULL ||
		st_schema_assert_dependent(check, node->dependent_required, value));
}

/* ---- other subschemas for the same value ---- */

/* The outermost resource of the dynamic scope that has the anchor. */
static const struct st_schema_node *dynamic_target(const struct st_schema_check *check,
						   const struct st_schema_node *node)
{
	for (size_t i = 0; node->dynamic_anchor != NULL && i < check->n_scope; i++) {
		const struct st_schema_resource *resource = check->scope[i];
		for (size_t a = 0; a < resource->n_anchors; a++) {
			const struct st_schema_anchor *anchor = &resource->anchors[a];
			if (anchor->dynamic && strcmp(anchor->name, node->dynamic_anchor) == 0) {
				return anchor->node;
			}
		}
	}
	return node->dynamic_ref;
}

static bool is_better(const struct st_schema_report *a, const struct st_schema_report *b)
{
	return a->depth != b->depth ? a->depth > b->depth : a->rank > b->rank;
}

/* None of the alternatives fits: tells the failure of the one that came nearest.
 * NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool fail_nearest(struct st_schema_check *check, const struct st_schema_list *list,
			 const json_t *value)
{
	struct st_schema_report *outer = check->report;
	if (outer == NULL) {
		return false;
	}
	struct st_schema_report best = {0};
	struct st_schema_report one;
	check->report = &one;
	for (size_t i = 0; i < list->n; i++) {
		one = (struct st_schema_report){0};
		(void)st_schema_check(check, list->items[i], value, NULL);
		if (i == 0 || is_better(&one, &best)) {
			best = one;
		}
	}
	check->report = outer;
	if (best.depth > check->path->depth || best.rank > ST_SCHEMA_RANK_PATTERN) {
		*outer = best;
		return false;
	}
	return st_schema_fail_any(check, list, value, best.rank);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_any(struct st_schema_check *check, const struct st_schema_list *list,
		      const json_t *value, struct st_schema_seen *seen)
{
	bool any = false;
	for (size_t i = 0; i < list->n && (!any || seen != NULL); i++) {
		any = probe(check, list->items[i], value, seen) || any;
	}
	return any || fail_nearest(check, list, value);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_one(struct st_schema_check *check, const struct st_schema_list *list,
		      const json_t *value, struct st_schema_seen *seen)
{
	size_t n = 0;
	for (size_t i = 0; i < list->n && n < 2; i++) {
		n += probe(check, list->items[i], value, seen) ? 1 : 0;
	}
	if (n == 2) {
		return st_schema_fail(check, ST_SCHEMA_RANK_OTHER,
				      "it fits more than one of the forms, of which exactly one is "
				      "allowed");
	}
	return n == 1 || fail_nearest(check, list, value);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_condition(struct st_schema_check *check, const struct st_schema_node *node,
			    const json_t *value, struct st_schema_seen *seen)
{
	const struct st_schema_node *next =
	    probe(check, node->if_schema, value, seen) ? node->then_schema : node->else_schema;
	return next == NULL || check_node(check, next, value, seen);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_dependents(struct st_schema_check *check, const struct st_schema_node *node,
			     const json_t *value, struct st_schema_seen *seen)
{
	for (size_t i = 0; i < node->dependent_schemas.n; i++) {
		const struct st_schema_key *key = &node->dependent_schemas.items[i];
		if (json_object_getn(value, key->text, key->len) != NULL &&
		    !check_node(check, key->node, value, seen)) {
			return false;
		}
	}
	return true;
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_parts(struct st_schema_check *check, const struct st_schema_node *node,
			const json_t *value, struct st_schema_seen *seen)
{
	if (node->ref != NULL && !check_node(check, node->ref, value, seen)) {
		return false;
	}
	if (node->dynamic_ref != NULL &&
	    !check_node(check, dynamic_target(check, node), value, seen)) {
		return false;
	}
	for (size_t i = 0; i < node->all_of.n; i++) {
		if (!check_node(check, node->all_of.items[i], value, seen)) {
			return false;
		}
	}
	if (node->any_of.n > 0 && !check_any(check, &node->any_of, value, seen)) {
		return false;
	}
	if (node->one_of.n > 0 && !check_one(check, &node->one_of, value, seen)) {
		return false;
	}
	if (node->not_schema != NULL && probe(check, node->not_schema, value, NULL)) {
		return st_schema_fail_not(check, node->not_schema);
	}
	if (node->if_schema != NULL && !check_condition(check, node, value, seen)) {
		return false;
	}
	return check_dependents(check, node, value, seen);
}

/* ---- what nothing else has looked at ---- */

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_rest(struct st_schema_check *check, const struct st_schema_node *node,
		       const json_t *value, struct st_schema_seen *seen)
{
	if (json_is_array(value)) {
		for (size_t i = 0; node->unevaluated_items != NULL && i < seen->n; i++) {
			if (!seen_has(seen, i) &&
			    !check_item(check, node->unevaluated_items, value, i)) {
				return false;
			}
			seen_mark(seen, i);
		}
		return true;
	}
	const struct st_schema_path *outer = check->path;
	const struct st_schema_node *rest = node->unevaluated_properties;
	bool fits = true;
	size_t i = 0;
	for (void *at = json_object_iter((json_t *)value); fits && rest != NULL && at != NULL;
	     at = json_object_iter_next((json_t *)value, at), i++) {
		if (seen_has(seen, i)) {
			continue;
		}
		const struct st_schema_path here = {outer, json_object_iter_key(at),
						    json_object_iter_key_len(at), 0,
						    outer->depth + 1};
		check->path = &here;
		fits = rest->always == ST_SCHEMA_NEVER
			   ? st_schema_fail_unknown(check, &node->properties, here.key)
			   : check_node(check, rest, json_object_iter_value(at), NULL);
		seen_mark(seen, i);
	}
	check->path = outer;
	return fits;
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_groups(struct st_schema_check *check, const struct st_schema_node *node,
			 const json_t *value, struct st_schema_seen *seen)
{
	if (node->types != 0 && (node->types & st_schema_types_of(check->schema, value)) == 0) {
		return st_schema_fail_type(check, node, value);
	}
	if ((node->has & ST_SCHEMA_HAS_VALUE) != 0 && !st_schema_assert_value(check, node, value)) {
		return false;
	}
	if ((node->has & ST_SCHEMA_HAS_NUMBER) != 0 && json_is_number(value) &&
	    !st_schema_assert_number(check, node, value)) {
		return false;
	}
	if ((node->has & ST_SCHEMA_HAS_STRING) != 0 && json_is_string(value) &&
	    !st_schema_assert_string(check, node, value)) {
		return false;
	}
	if ((node->has & ST_SCHEMA_HAS_ITEMS) != 0 && json_is_array(value) &&
	    !check_items(check, node, value, seen)) {
		return false;
	}
	if ((node->has & ST_SCHEMA_HAS_MEMBERS) != 0 && json_is_object(value) &&
	    !check_members(check, node, value, seen)) {
		return false;
	}
	return (node->has & ST_SCHEMA_HAS_PARTS) == 0 || check_parts(check, node, value, seen);
}

/* NOLINTNEXTLINE(misc-no-recursion): st_schema_check counts the depth */
static bool check_with_rest(struct st_schema_check *check, const struct st_schema_node *node,
			    const json_t *value, struct st_schema_seen *seen)
{
	if (!json_is_array(value) && !json_is_object(value)) {
		return check_groups(check, node, value, NULL);
	}
	struct st_schema_seen own;
	seen_init(&own, value);
	bool fits = check_groups(check, node, value, &own) && check_rest(check, node, value, &own);
	if (fits && seen != NULL) {
		seen_merge(seen, &own);
	}
	seen_fini(&own);
	return fits;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most DEPTH_MAX */
bool st_schema_check(struct st_schema_check *check, const struct st_schema_node *node,
		     const json_t *value, struct st_schema_seen *seen)
{
	if (node->always != ST_SCHEMA_BY_KEYWORDS) {
		return node->always == ST_SCHEMA_ALWAYS || st_schema_fail_never(check, node);
	}
	if (check->broken != NULL || ++check->work > WORK_MAX) {
		return st_schema_broken(check, "it takes too long to check");
	}
	if (check->depth >= DEPTH_MAX) {
		return st_schema_broken(check, "it leads too deep into the schema");
	}
	assert(check->n_scope < ST_SCHEMA_SCOPE_MAX);
	check->depth++;
	size_t n_scope = check->n_scope;
	if (n_scope == 0 || check->scope[n_scope - 1] != node->resource) {
		check->scope[check->n_scope++] = node->resource;
	}
	bool fits = (node->has & ST_SCHEMA_HAS_UNEVALUATED) != 0
			? check_with_rest(check, node, value, seen)
			: check_groups(check, node, value, seen);
	check->n_scope = n_scope;
	check->depth--;
	return fits;
}

static bool check_root(const struct st_schema *schema, const json_t *value,
		       struct st_schema_report *report, const char **why_broken)
{
	const struct st_schema_path root = {0};
	struct st_schema_check check;
	/* The scope is large and needs no value before it is pushed to. */
	check.schema = schema;
	check.scratch = NULL;
	check.path = &root;
	check.report = report;
	check.depth = 0;
	check.work = 0;
	check.broken = NULL;
	check.n_scope = 0;
	bool fits = check_node(&check, schema->root, value, NULL);
	st_regex_scratch_free(check.scratch);
	*why_broken = check.broken;
	return fits && check.broken == NULL;
}

int st_schema_validate(const struct st_schema *schema, const json_t *value, struct st_diag *diag)
{
	const char *why_broken = NULL;
	assert(schema != NULL);
	assert(value != NULL);
	if (check_root(schema, value, NULL, &why_broken)) {
		return ST_OK;
	}
	if (why_broken != NULL) {
		return st_fail(diag, ST_ERR_TOO_LARGE, "the document was not accepted: %s",
			       why_broken);
	}
	if (diag == NULL) {
		return ST_ERR_INVALID;
	}
	struct st_schema_report report = {0};
	(void)check_root(schema, value, &report, &why_broken);
	return st_fail_at(diag, ST_ERR_INVALID, report.pointer, "%s",
			  report.text[0] != '\0' ? report.text : "it does not follow the schema");
}
