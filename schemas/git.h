/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a git repository, and what came of it? Plain data, used by kinds and drivers. */
#ifndef ST_SCHEMAS_GIT_H
#define ST_SCHEMAS_GIT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/buf.h"

#define ST_GIT_OP_X(X)                                                                             \
	X(CLONE, "git.clone")                                                                      \
	X(BRANCH, "git.branch")                                                                    \
	X(COMMIT, "git.commit")                                                                    \
	X(PUSH, "git.push")                                                                        \
	X(DIFF, "git.diff")

enum st_git_op {
#define X(name, text) ST_GIT_OP_##name,
	ST_GIT_OP_X(X)
#undef X
	    ST_GIT_OP_COUNT
};

/* What to do. All borrowed from the call's params, which outlive it. */
struct st_git_spec {
	enum st_git_op op;
	const char *into;    /* the clone's name in the run's workspace */
	const char *url;     /* CLONE; PUSH: NULL for where it was cloned from */
	const char *ref;     /* CLONE: NULL for the remote's HEAD */
	const char *branch;  /* BRANCH, PUSH */
	const char *from;    /* BRANCH, DIFF: NULL for HEAD */
	const json_t *paths; /* COMMIT, DIFF: array of texts, or NULL for all */
	const char *message;
	const char *author_name;
	const char *author_email;
	const char *user;  /* NULL: the server's usual name for tokens */
	const char *token; /* NULL: nobody is said to be asking */
	int64_t depth;	   /* 0: all of the history */
	int64_t text_bytes_max;
	int64_t timeout_ms;
	bool force;
	bool ignore_submodules;
};

enum st_git_end {
	ST_GIT_DONE,
	ST_GIT_FAILED,	 /* a definite no */
	ST_GIT_NOT_MADE, /* nobody was asked and nothing was changed */
	ST_GIT_UNKNOWN,	 /* a push was sent, and no answer came */
};

#define ST_GIT_HASH_MAX 65

struct st_git_result {
	enum st_git_end end;
	bool retryable;
	bool changed;		      /* COMMIT: there was something to; PUSH: the ref moved */
	bool truncated;		      /* DIFF */
	char commit[ST_GIT_HASH_MAX]; /* what it came to; "" for none */
	char branch[256];	      /* without refs/heads/; "" for none */
	char url[2049];		      /* CLONE, PUSH: of the remote */
	int64_t files;
	int64_t bytes;
	int64_t insertions; /* DIFF */
	int64_t deletions;
	struct st_buf text; /* DIFF */
	int64_t wall_ms;
	char code[48]; /* "git.conflict"; "" when DONE */
	char error[320];
};

/* Workspaces of runs, and what of the machine git may see. */
enum st_keep { ST_KEEP_NEVER, ST_KEEP_FAILED, ST_KEEP_ALWAYS, ST_KEEP_COUNT };
const char *st_keep_name(enum st_keep keep);

struct st_git_options {
	char **local; /* repositories at or below these may be cloned from, and pushed to */
	size_t n_local;
	enum st_keep keep;
	int64_t bytes_max; /* of one clone: what is received, and what its files take */
	int64_t files_max;
};
struct st_git_options st_git_options_default(void);

#endif
