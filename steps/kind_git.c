/* SPDX-License-Identifier: Apache-2.0 */
/*
 * git.clone, git.branch, git.commit, git.push, git.diff: work on a clone in the run's workspace.
 *
 * All five are idempotent, which is what makes recovery need no person:
 *   clone, branch   change only the workspace. A clone appears whole or not at all, and knows by
 *                   which call it was made; a branch that stands where it was asked for is done.
 *   commit          carries the call's key in its message: a HEAD that has it is this commit.
 *   push            is a compare-and-swap of one ref. What the ref was when the attempt was first
 *                   sent, and which commit it was to become, are written down beforehand, so that
 *                   the same attempt, sent again, finds the ref at the commit (it happened), at
 *                   what it was (it did not: send), or elsewhere (somebody else moved it: a
 *                   failure that says so). The server refuses a swap from any other value.
 *   diff            changes nothing.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"
#include "schemas/name.h"
#include "steps/git_name.h"
#include "steps/kind_rows.h"
#include "steps/outgoing.h"
#include "steps/param.h"
#include "steps/reply.h"
#include "steps/text.h"

#define TIMEOUT_MS (10 * 60 * 1000)
#define URL_BYTES_MAX 2048
#define MESSAGE_BYTES_MAX 65536
#define TOKEN_BYTES_MAX 8192
#define PATHS_MAX 1000
#define DEPTH_MAX 1000000
#define DIFF_BYTES_MAX 4194304
#define DIFF_BYTES_DEFAULT 262144
#define INTO_DEFAULT "repo"

/* What the params of each may hold. */
static const char *const clone_fields[] = {"url",  "ref",   "depth",	  "into",
					   "user", "token", "submodules", NULL};
static const char *const branch_fields[] = {"name", "from", "into", "submodules", NULL};
static const char *const commit_fields[] = {"paths", "message", "author", "into", NULL};
static const char *const push_fields[] = {"remote", "branch", "force", "into",
					  "user",   "token",  NULL};
static const char *const diff_fields[] = {"from", "paths", "bytes_max", "into", NULL};
static const char *const *const fields_of[ST_GIT_OP_COUNT] = {
    [ST_GIT_OP_CLONE] = clone_fields,	[ST_GIT_OP_BRANCH] = branch_fields,
    [ST_GIT_OP_COMMIT] = commit_fields, [ST_GIT_OP_PUSH] = push_fields,
    [ST_GIT_OP_DIFF] = diff_fields,
};

static const char *read_branch(struct st_param_reader *reader, const char *key, bool required)
{
	const char *name = st_param_text(reader, key, required, 1024);
	const char *fault =
	    name != NULL && !st_param_is_open_text(reader, name) ? st_git_branch_fault(name) : NULL;
	if (fault != NULL) {
		char pointer[32];
		(void)snprintf(pointer, sizeof pointer, "/%s", key);
		(void)st_param_fail(reader, pointer, "\"%s\" %s", key, fault);
	}
	return name;
}

/* Where a repository is: http or https, or an absolute path of this machine. */
static const char *read_remote(struct st_param_reader *reader, const char *key, bool required)
{
	const char *url = st_param_text(reader, key, required, URL_BYTES_MAX);
	char pointer[32];
	(void)snprintf(pointer, sizeof pointer, "/%s", key);
	if (url == NULL || reader->code != ST_OK || st_param_is_open_text(reader, url)) {
		return url;
	}
	const char *path = strncmp(url, "file://", 7) == 0 ? url + 7 : url;
	bool named = !required && st_name_is_valid(url);
	if (named && strcmp(url, "origin") != 0) {
		(void)st_param_fail(reader, pointer,
				    "the only remote with a name is \"origin\", where the clone "
				    "came from; give a URL for another");
	} else if (strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0) {
		reader->code = st_outgoing_url(url, pointer, reader->diag);
		if (reader->code == ST_OK && strpbrk(url, "?#") != NULL) {
			(void)st_param_fail(reader, pointer, "a repository's URL has no query");
		}
	} else if (!named && (path[0] != '/' || st_git_path_fault(path + 1) != NULL)) {
		(void)st_param_fail(reader, pointer,
				    "only https:// and http:// URLs are taken, and absolute paths "
				    "that the operator allows");
	}
	return url;
}

static void read_paths(struct st_param_reader *reader, bool required, struct st_git_spec *out)
{
	const json_t *given = json_object_get(reader->object, "paths");
	out->paths = st_param_value(reader, "paths");
	if (out->paths == NULL && (given != NULL || !required)) {
		return;
	}
	size_t n = json_array_size(out->paths);
	if (n == 0 || n > PATHS_MAX) {
		(void)st_param_fail(reader, "/paths",
				    "\"paths\" must be an array of 1 to %d paths; [\".\"] is all",
				    PATHS_MAX);
	}
	for (size_t i = 0; i < n && reader->code == ST_OK; i++) {
		const json_t *item = json_array_get(out->paths, i);
		const char *path = json_string_value(item);
		bool whole = path != NULL && strlen(path) == json_string_length(item);
		const char *fault = whole ? NULL : "is no text";
		if (whole && !st_param_is_open_text(reader, path)) {
			fault = st_git_path_fault(path);
		}
		if (fault != NULL) {
			char pointer[32];
			(void)snprintf(pointer, sizeof pointer, "/paths/%zu", i);
			(void)st_param_fail(reader, pointer, "the path %s", fault);
		}
	}
}

static bool is_signature(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f || *p == '<' || *p == '>') {
			return false;
		}
	}
	return *text != '\0' && strlen(text) <= 200;
}

static void read_author(struct st_param_reader *reader, struct st_git_spec *out)
{
	const json_t *author = st_param_value(reader, "author");
	out->author_name = "stint";
	out->author_email = "stint@localhost";
	if (author == NULL) {
		return;
	}
	const char *name = json_string_value(json_object_get(author, "name"));
	const char *email = json_string_value(json_object_get(author, "email"));
	if (json_object_size(author) != 2 || name == NULL || email == NULL) {
		(void)st_param_fail(reader, "/author",
				    "\"author\" must be {\"name\": …, \"email\": …}");
		return;
	}
	out->author_name = name;
	out->author_email = email;
	if ((!is_signature(name) && !st_param_is_open_text(reader, name)) ||
	    (!is_signature(email) && !st_param_is_open_text(reader, email))) {
		(void)st_param_fail(
		    reader, "/author",
		    "name and email are 1 to 200 bytes without < > and line breaks");
	}
}

static void read_token(struct st_param_reader *reader, struct st_git_spec *out)
{
	out->user = st_param_text(reader, "user", false, 256);
	out->token = st_param_text(reader, "token", false, TOKEN_BYTES_MAX);
	bool open = st_param_is_open_text(reader, out->user);
	if (out->user != NULL && !open && !is_signature(out->user)) {
		(void)st_param_fail(reader, "/user", "\"user\" is no name");
	} else if (out->user != NULL && !open && strchr(out->user, ':') != NULL) {
		(void)st_param_fail(reader, "/user", "\"user\" has a \":\"");
	} else if (out->user != NULL && out->token == NULL) {
		(void)st_param_fail(reader, "/user", "\"user\" needs a \"token\"");
	}
}

static void read_own(struct st_param_reader *reader, struct st_git_spec *out)
{
	switch (out->op) {
	case ST_GIT_OP_CLONE:
		out->url = read_remote(reader, "url", true);
		out->ref = read_branch(reader, "ref", false);
		out->depth = st_param_int(reader, "depth", 1, DEPTH_MAX, 0);
		read_token(reader, out);
		return;
	case ST_GIT_OP_BRANCH:
		out->branch = read_branch(reader, "name", true);
		out->from = read_branch(reader, "from", false);
		return;
	case ST_GIT_OP_COMMIT:
		out->message = st_param_text(reader, "message", true, MESSAGE_BYTES_MAX);
		read_paths(reader, true, out);
		read_author(reader, out);
		return;
	case ST_GIT_OP_PUSH:
		out->url = read_remote(reader, "remote", false);
		out->branch = read_branch(reader, "branch", true);
		out->force = st_param_bool(reader, "force", false);
		read_token(reader, out);
		return;
	case ST_GIT_OP_DIFF:
		out->from = read_branch(reader, "from", false);
		read_paths(reader, false, out);
		out->text_bytes_max =
		    st_param_int(reader, "bytes_max", 0, DIFF_BYTES_MAX, DIFF_BYTES_DEFAULT);
		return;
	case ST_GIT_OP_COUNT:
		break;
	}
	assert(false && "no such operation");
}

static int read_spec(enum st_git_op op, const json_t *with, bool open, struct st_git_spec *out,
		     struct st_diag *diag)
{
	struct st_param_reader reader;
	*out = (struct st_git_spec){.op = op};
	st_param_start(&reader, with, open, fields_of[op], diag);
	const char *into = st_param_text(&reader, "into", false, 1024);
	out->into = into != NULL ? into : INTO_DEFAULT;
	if (!st_param_is_open_text(&reader, into) &&
	    (!st_name_is_valid(out->into) ||
	     st_git_entry_fault(out->into, strlen(out->into)) != NULL)) {
		(void)st_param_fail(&reader, "/into", "\"into\" is no name: " ST_NAME_RULE);
	}
	const char *submodules = fields_of[op] == clone_fields || fields_of[op] == branch_fields
				     ? st_param_text(&reader, "submodules", false, 64)
				     : NULL;
	out->ignore_submodules = submodules != NULL && strcmp(submodules, "ignore") == 0;
	if (submodules != NULL && !out->ignore_submodules && strcmp(submodules, "refuse") != 0 &&
	    !st_param_is_open_text(&reader, submodules)) {
		(void)st_param_fail(&reader, "/submodules",
				    "\"submodules\" is \"refuse\" or \"ignore\"");
	}
	read_own(&reader, out);
	return reader.code;
}

/* Which repositories of this machine may be reached is for the operator to say. */
static int check_local(const struct st_git_spec *spec, const struct st_config *config,
		       struct st_diag *diag)
{
	const char *url = spec->url != NULL ? spec->url : "";
	const char *path = strncmp(url, "file://", 7) == 0 ? url + 7 : url;
	if (path[0] != '/' || st_config_has_repository(config, path)) {
		return ST_OK;
	}
	return st_fail_at(diag, ST_ERR_INVALID, spec->op == ST_GIT_OP_PUSH ? "/remote" : "/url",
			  "the operator lets no step reach the repository \"%.160s\": add it, or "
			  "one above it, to \"git\": {\"local\": […]} in the config",
			  path);
}

static int check(enum st_git_op op, const json_t *with, const struct st_config *config,
		 struct st_diag *diag)
{
	struct st_git_spec spec;
	int rc = read_spec(op, with, true, &spec, diag);
	if (rc != ST_OK || (spec.url != NULL && strstr(spec.url, "${{") != NULL)) {
		return rc;
	}
	return check_local(&spec, config, diag);
}

static void describe(const struct st_git_spec *spec, struct st_plan *out)
{
	char paths[128] = "";
	const char *url = spec->url != NULL ? spec->url : "origin";
	size_t n = json_array_size(spec->paths);
	if (n > 0) {
		(void)snprintf(paths, sizeof paths, " %s%s",
			       json_string_value(json_array_get(spec->paths, 0)),
			       n > 1 ? " …" : "");
	}
	switch (spec->op) {
	case ST_GIT_OP_CLONE:
		(void)snprintf(out->intent, sizeof out->intent, "clone %s%s%s", url,
			       spec->ref != NULL ? " at " : "", spec->ref != NULL ? spec->ref : "");
		break;
	case ST_GIT_OP_BRANCH:
		(void)snprintf(out->intent, sizeof out->intent, "branch %s from %s", spec->branch,
			       spec->from != NULL ? spec->from : "HEAD");
		break;
	case ST_GIT_OP_COMMIT:
		(void)snprintf(out->intent, sizeof out->intent, "commit%s", paths);
		break;
	case ST_GIT_OP_PUSH:
		(void)snprintf(out->intent, sizeof out->intent, "push%s %s refs/heads/%s",
			       spec->force ? " with force" : "", url, spec->branch);
		break;
	case ST_GIT_OP_DIFF:
		(void)snprintf(out->intent, sizeof out->intent, "diff from %s%s",
			       spec->from != NULL ? spec->from : "HEAD", paths);
		break;
	case ST_GIT_OP_COUNT:
		break;
	}
	st_text_mend(out->intent);
}

static const struct st_kind *const kind_of[ST_GIT_OP_COUNT] = {
    [ST_GIT_OP_CLONE] = &st_kind_git_clone,   [ST_GIT_OP_BRANCH] = &st_kind_git_branch,
    [ST_GIT_OP_COMMIT] = &st_kind_git_commit, [ST_GIT_OP_PUSH] = &st_kind_git_push,
    [ST_GIT_OP_DIFF] = &st_kind_git_diff,
};

/* What a plan is made of. */
struct asked {
	const json_t *with;
	const struct st_config *config;
	int64_t step_timeout_ms;
};

/* How many bytes come and go is bounded by the operator; what is held is the one step. */
static int plan(enum st_git_op op, const struct asked *asked, struct st_plan *out,
		struct st_diag *diag)
{
	struct st_git_spec spec;
	int rc = read_spec(op, asked->with, false, &spec, diag);
	rc = rc == ST_OK ? check_local(&spec, asked->config, diag) : rc;
	if (rc != ST_OK) {
		return rc;
	}
	st_kind_plan_begin(kind_of[op], asked->step_timeout_ms, TIMEOUT_MS, out);
	out->dangerous = spec.force;
	out->bound.of[ST_METER_TOOL_STEPS] = 1;
	out->bound.of[ST_METER_DANGEROUS_OPS] = spec.force ? 1 : 0;
	describe(&spec, out);
	return ST_OK;
}

static int make_spec(enum st_git_op op, const json_t *with, const struct st_plan *plan,
		     struct st_git_spec *out, struct st_diag *diag)
{
	int rc = read_spec(op, with, false, out, diag);
	if (out->url != NULL && strcmp(out->url, "origin") == 0) {
		out->url = NULL;
	}
	out->timeout_ms = plan->timeout_ms;
	return rc;
}

/* ---- what came of it ---- */

static json_t *text_or_null(const char *text)
{
	return text[0] != '\0' ? st_text_json(text, strlen(text), strlen(text), NULL) : json_null();
}

static json_t *output_of(enum st_git_op op, const struct st_git_result *result)
{
	json_t *out = json_pack("{s:o, s:o}", "commit", text_or_null(result->commit), "branch",
				text_or_null(result->branch));
	int rc = 0;
	if (op == ST_GIT_OP_CLONE || op == ST_GIT_OP_PUSH) {
		rc |= json_object_set_new(out, "url", text_or_null(result->url));
	}
	if (op == ST_GIT_OP_CLONE || op == ST_GIT_OP_DIFF) {
		rc |= json_object_set_new(out, "files", json_integer(result->files));
	}
	if (op == ST_GIT_OP_CLONE) {
		rc |= json_object_set_new(out, "bytes", json_integer(result->bytes));
	}
	if (op == ST_GIT_OP_COMMIT || op == ST_GIT_OP_PUSH) {
		rc |= json_object_set_new(out, "changed", json_boolean(result->changed));
	}
	if (op == ST_GIT_OP_DIFF) {
		bool cut = result->truncated;
		json_t *text =
		    st_text_json(result->text.data, result->text.len, result->text.len, &cut);
		rc |= json_object_set_new(out, "diff", text);
		rc |= json_object_set_new(out, "insertions", json_integer(result->insertions));
		rc |= json_object_set_new(out, "deletions", json_integer(result->deletions));
		rc |= json_object_set_new(out, "truncated", json_boolean(result->truncated));
	}
	assert(rc == 0);
	return out;
}

/* The pages of forges whose addresses are known; others may do as they like. */
static const char *page_of(const struct st_git_result *result, const char *what, const char *id,
			   char *out, size_t size)
{
	static const char *const forges[][2] = {{"https://github.com/", ""},
						{"https://gitlab.com/", "/-"}};
	for (size_t i = 0; i < sizeof forges / sizeof forges[0]; i++) {
		size_t len = strlen(result->url);
		if (strncmp(result->url, forges[i][0], strlen(forges[i][0])) == 0) {
			len -= len > 4 && strcmp(result->url + len - 4, ".git") == 0 ? 4 : 0;
			(void)snprintf(out, size, "%.*s%s/%s/%s", (int)len, result->url,
				       forges[i][1], what, id);
			return out;
		}
	}
	return NULL;
}

static void add_external_ids(enum st_git_op op, const struct st_git_result *result,
			     struct st_outcome *out)
{
	char page[2600];
	char name[2400];
	if (op == ST_GIT_OP_COMMIT && result->changed) {
		st_outcome_external_id(out, "git.commit", result->commit, NULL);
	} else if (op == ST_GIT_OP_PUSH) {
		(void)snprintf(name, sizeof name, "%s refs/heads/%s", result->url, result->branch);
		st_outcome_external_id(out, "git.branch", name,
				       page_of(result, "tree", result->branch, page, sizeof page));
		st_outcome_external_id(
		    out, "git.commit", result->commit,
		    page_of(result, "commit", result->commit, page, sizeof page));
	}
}

static void git_answer(enum st_git_op op, const struct st_plan *plan,
		       const struct st_git_result *result, struct st_outcome *out)
{
	st_reply_begin(out, NULL);
	out->retryable = result->retryable;
	switch (result->end) {
	case ST_GIT_DONE:
		out->state = ST_OUTCOME_SUCCEEDED;
		out->output = output_of(op, result);
		add_external_ids(op, result, out);
		break;
	case ST_GIT_FAILED:
		st_reply_end(out, ST_OUTCOME_FAILED, result->code, "%s", result->error);
		break;
	case ST_GIT_NOT_MADE:
		st_reply_end(out, ST_OUTCOME_NOT_MADE, result->code, "%s", result->error);
		return;
	case ST_GIT_UNKNOWN:
		st_reply_end(out, ST_OUTCOME_UNKNOWN, result->code, "%s", result->error);
		return;
	}
	out->usage_known = true;
	out->usage = plan->bound;
}

/* ---- the rows ---- */

/* X(OP, name of the functions, name of the kind's struct) */
#define GIT_KIND_X(X)                                                                              \
	X(CLONE, clone) X(BRANCH, branch) X(COMMIT, commit) X(PUSH, push) X(DIFF, diff)

#define X(OP, op)                                                                                  \
	static int check_##op(const json_t *with, const struct st_config *config,                  \
			      struct st_diag *diag)                                                \
	{                                                                                          \
		return check(ST_GIT_OP_##OP, with, config, diag);                                  \
	}                                                                                          \
	static int plan_##op(const json_t *with, const struct st_config *config,                   \
			     const struct st_room *room, int64_t step_timeout_ms,                  \
			     int64_t counted_input, struct st_plan *out, struct st_diag *diag)     \
	{                                                                                          \
		(void)room;                                                                        \
		(void)counted_input;                                                               \
		const struct asked asked = {with, config, step_timeout_ms};                        \
		return plan(ST_GIT_OP_##OP, &asked, out, diag);                                    \
	}                                                                                          \
	static int git_##op(const json_t *with, const struct st_plan *plan,                        \
			    struct st_git_spec *out, struct st_diag *diag)                         \
	{                                                                                          \
		return make_spec(ST_GIT_OP_##OP, with, plan, out, diag);                           \
	}                                                                                          \
	static void answer_##op(const json_t *with, const struct st_plan *plan,                    \
				const struct st_git_result *result, struct st_outcome *out)        \
	{                                                                                          \
		(void)with;                                                                        \
		git_answer(ST_GIT_OP_##OP, plan, result, out);                                     \
	}
GIT_KIND_X(X)
#undef X

#define GIT_KIND(OP, op)                                                                           \
	.name = "git." #op, .via = ST_VIA_GIT, .idempotence = ST_IDEMPOTENT, .check = check_##op,  \
	.plan = plan_##op, .git = git_##op, .git_answer = answer_##op

const struct st_kind st_kind_git_clone = {
    GIT_KIND(CLONE, clone),
    .summary = "Clones a repository into the run's workspace.",
    .meters = ST_METER_BIT(TOOL_STEPS),
    .in_doubt = "Begun again: a clone is there whole or not at all.",
};

const struct st_kind st_kind_git_branch = {
    GIT_KIND(BRANCH, branch),
    .summary = "Makes a branch in the run's clone and goes over to it.",
    .meters = ST_METER_BIT(TOOL_STEPS),
    .in_doubt = "Done again: a branch that stands where it was asked for is done.",
};

const struct st_kind st_kind_git_commit = {
    GIT_KIND(COMMIT, commit),
    .summary = "Commits files of the run's clone, naming run and step.",
    .meters = ST_METER_BIT(TOOL_STEPS),
    .in_doubt = "Done again: a commit that carries the call's key is not made twice.",
};

const struct st_kind st_kind_git_push = {
    GIT_KIND(PUSH, push),
    .summary = "Pushes a branch; with force it is dangerous.",
    .meters = ST_METER_BIT(TOOL_STEPS) | ST_METER_BIT(DANGEROUS_OPS),
    .side_effects = true,
    .in_doubt = "The remote is asked: a branch that stands at the commit was pushed, one that has "
		"not moved is pushed again, one that somebody else moved is a failure.",
};

const struct st_kind st_kind_git_diff = {
    GIT_KIND(DIFF, diff),
    .summary = "Shows what differs between a commit and the files of the clone.",
    .meters = ST_METER_BIT(TOOL_STEPS),
    .in_doubt = "Done again: it changes nothing.",
};
