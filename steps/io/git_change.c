/* SPDX-License-Identifier: Apache-2.0 */
/* What changes in the workspace only: branches, commits; and what has changed there. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "schemas/mem.h"
#include "steps/io/git_work.h"

#define DIFF_FILE_BYTES_MAX (4 << 20) /* larger ones are told as binary */

/* ---- branch ---- */

static int exchange(struct st_git_work *work, const char *made)
{
	char place[128];
	char old[80];
	(void)snprintf(place, sizeof place, "files/%s", work->spec.into);
	(void)snprintf(old, sizeof old, "old/%s", made);
	if (renameat2(work->space_fd, made, work->space_fd, place, RENAME_EXCHANGE) != 0 ||
	    renameat2(work->space_fd, made, work->space_fd, old, RENAME_NOREPLACE) != 0) {
		return st_git_refuse(work, "git.io", "the files cannot be replaced: %s",
				     strerror(errno));
	}
	return 0;
}

/* The files become those of `to`, if nothing in them would be lost. */
static int go_over(struct st_git_work *work, const git_tree *from, const git_tree *to)
{
	git_oid now;
	char made[32];
	if (from != NULL && git_oid_equal(git_tree_id(from), git_tree_id(to))) {
		return 0;
	}
	int rc = st_git_read_files(work, from, NULL, &now);
	if (rc != 0 || git_oid_equal(&now, git_tree_id(to))) {
		return rc;
	}
	if (from == NULL || !git_oid_equal(&now, git_tree_id(from))) {
		return st_git_refuse(work, "git.uncommitted",
				     "files of the clone were changed: commit them first");
	}
	rc = st_git_write_files(work, to, made);
	return rc == 0 ? exchange(work, made) : rc;
}

/* A name that is there already must stand where it was asked for. */
static int make_branch(struct st_git_work *work, const git_commit *at)
{
	char full[300];
	git_reference *made = NULL;
	git_oid there;
	(void)snprintf(full, sizeof full, "refs/heads/%s", work->spec.branch);
	if (at == NULL) {
		return 0; /* of an empty clone: HEAD alone says so */
	}
	if (git_reference_name_to_id(&there, work->repo, full) == 0) {
		return git_oid_equal(&there, git_commit_id(at))
			   ? 0
			   : st_git_refuse(work, "git.exists",
					   "the clone has a branch \"%s\" that stands elsewhere",
					   work->spec.branch);
	}
	int rc = git_reference_create(&made, work->repo, full, git_commit_id(at), 0, NULL);
	git_reference_free(made);
	return rc < 0 ? st_git_failed(work, "the branch") : 0;
}

int st_git_branch(struct st_git_work *work)
{
	char full[300];
	git_commit *head = NULL;
	git_commit *at = NULL;
	git_tree *from = NULL;
	git_tree *to = NULL;
	(void)snprintf(full, sizeof full, "refs/heads/%s", work->spec.branch);
	int rc = st_git_open(work);
	rc = rc == 0 ? st_git_head(work, &head) : rc;
	if (rc == 0 && work->spec.from != NULL) {
		rc = st_git_find(work, work->spec.from, &at);
	} else if (rc == 0 && head != NULL && git_commit_dup(&at, head) < 0) {
		rc = st_git_failed(work, "HEAD");
	}
	rc = rc == 0 ? st_git_tree_of(work, head, &from) : rc;
	rc = rc == 0 ? st_git_tree_of(work, at, &to) : rc;
	rc = rc == 0 ? make_branch(work, at) : rc;
	rc = rc == 0 && to != NULL ? go_over(work, from, to) : rc;
	if (rc == 0 && git_repository_set_head(work->repo, full) < 0) {
		rc = st_git_failed(work, "HEAD");
	}
	git_tree_free(from);
	git_tree_free(to);
	git_commit_free(head);
	git_commit_free(at);
	if (rc == 0) {
		st_git_sync(work);
		st_git_tell_head(work);
	}
	return rc;
}

/* ---- commit ---- */

/* The same attempt made it before it was cut short. */
static bool made_it(const struct st_git_work *work, const git_commit *head)
{
	char line[200];
	(void)snprintf(line, sizeof line, "\nStint-Call: %s\n", work->key);
	return head != NULL && strstr(git_commit_message(head), line) != NULL;
}

static char *message_of(const struct st_git_work *work)
{
	struct st_buf text = {0};
	size_t len = strlen(work->spec.message);
	while (len > 0 && strchr(" \t\r\n", work->spec.message[len - 1]) != NULL) {
		len--;
	}
	st_buf_add(&text, work->spec.message, len);
	st_buf_addf(&text, "\n\nStint-Run: %s\nStint-Step: %s\nStint-Call: %s\n", work->run,
		    work->step, work->key);
	return st_buf_take(&text);
}

static int add_commit(struct st_git_work *work, const git_commit *head, const git_oid *tree_id)
{
	git_signature *author = NULL;
	git_tree *tree = NULL;
	git_oid id;
	st_autofree char *message = message_of(work);
	const git_commit *parents[] = {head};
	int rc = git_signature_new(&author, work->spec.author_name, work->spec.author_email,
				   work->at_seconds, 0);
	rc = rc == 0 ? git_tree_lookup(&tree, work->repo, tree_id) : rc;
	rc = rc == 0 ? git_commit_create(&id, work->repo, "HEAD", author, author, "UTF-8", message,
					 tree, head != NULL ? 1 : 0, parents)
		     : rc;
	git_signature_free(author);
	git_tree_free(tree);
	work->result.changed = rc == 0;
	return rc < 0 ? st_git_failed(work, "the commit") : 0;
}

int st_git_commit(struct st_git_work *work)
{
	git_commit *head = NULL;
	git_tree *base = NULL;
	git_oid tree;
	int rc = st_git_open(work);
	rc = rc == 0 ? st_git_head(work, &head) : rc;
	if (rc == 0 && made_it(work, head)) {
		work->result.changed = true;
	} else if (rc == 0) {
		rc = st_git_tree_of(work, head, &base);
		rc = rc == 0 ? st_git_read_files(work, base, work->spec.paths, &tree) : rc;
		bool same = rc == 0 && base != NULL && git_oid_equal(&tree, git_tree_id(base));
		rc = rc == 0 && !same ? add_commit(work, head, &tree) : rc;
	}
	git_tree_free(base);
	git_commit_free(head);
	if (rc == 0) {
		st_git_sync(work);
		st_git_tell_head(work);
	}
	return rc;
}

/* ---- diff ---- */

static int on_line(const git_diff_delta *delta, const git_diff_hunk *hunk,
		   const git_diff_line *line, void *arg)
{
	struct st_git_work *work = arg;
	struct st_git_result *result = &work->result;
	size_t max = (size_t)work->spec.text_bytes_max;
	(void)delta;
	(void)hunk;
	bool has_sign = line->origin == GIT_DIFF_LINE_ADDITION ||
			line->origin == GIT_DIFF_LINE_DELETION ||
			line->origin == GIT_DIFF_LINE_CONTEXT;
	result->insertions += line->origin == GIT_DIFF_LINE_ADDITION ? 1 : 0;
	result->deletions += line->origin == GIT_DIFF_LINE_DELETION ? 1 : 0;
	if (result->truncated || result->text.len + line->content_len + 1 > max) {
		result->truncated = true; /* the rest is only counted */
	} else {
		st_buf_add(&result->text, &line->origin, has_sign ? 1 : 0);
		st_buf_add(&result->text, line->content, line->content_len);
	}
	return st_git_stopped(work) ? -1 : 0;
}

static int compare(struct st_git_work *work, git_tree *from, git_tree *to)
{
	git_diff_options options;
	git_diff *diff = NULL;
	int rc = git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
	options.flags = GIT_DIFF_DISABLE_PATHSPEC_MATCH;
	options.max_size = DIFF_FILE_BYTES_MAX;
	rc = rc == 0 ? git_diff_tree_to_tree(&diff, work->repo, from, to, &options) : rc;
	if (rc == 0) {
		work->result.files = (int64_t)git_diff_num_deltas(diff);
		rc = git_diff_print(diff, GIT_DIFF_FORMAT_PATCH, on_line, work);
	}
	git_diff_free(diff);
	return rc < 0 ? st_git_failed(work, "the diff") : 0;
}

int st_git_diff(struct st_git_work *work)
{
	git_commit *from = NULL;
	git_tree *base = NULL;
	git_tree *now = NULL;
	git_oid id;
	int rc = st_git_open(work);
	if (rc == 0) {
		rc = work->spec.from != NULL ? st_git_find(work, work->spec.from, &from)
					     : st_git_head(work, &from);
	}
	rc = rc == 0 ? st_git_tree_of(work, from, &base) : rc;
	rc = rc == 0 ? st_git_check_tree(work, base) : rc;
	rc = rc == 0 ? st_git_read_files(work, base, work->spec.paths, &id) : rc;
	if (rc == 0 && git_tree_lookup(&now, work->repo, &id) < 0) {
		rc = st_git_failed(work, "the files");
	}
	rc = rc == 0 ? compare(work, base, now) : rc;
	if (rc == 0) {
		st_git_tell_head(work);
	}
	git_tree_free(base);
	git_tree_free(now);
	git_commit_free(from);
	return rc;
}
