/* SPDX-License-Identifier: Apache-2.0 */
/* What does one git call have in hand while it runs? Private to steps/io/git*. */
#ifndef ST_STEPS_IO_GIT_WORK_H
#define ST_STEPS_IO_GIT_WORK_H

#include <git2.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "schemas/git.h"
#include "schemas/id.h"
#include "schemas/verdict.h"

struct st_guard;

struct st_git_work {
	struct st_git_spec spec;
	const struct st_git_options *options;
	const struct st_guard *guard;
	const char *user_agent;
	char *space;   /* the run's directory; see steps/io/workspace.h */
	char *git_dir; /* the clone's repository in it */
	char run[ST_ID_TEXT_MAX];
	char step[ST_NAME_MAX];
	char key[128];
	int64_t at_seconds;
	bool again;
	uint64_t deadline_ns;
	atomic_bool cancelled;

	git_repository *repo; /* NULL before it is opened */
	int space_fd;
	bool asked;   /* a request left the house */
	bool pushing; /* a push left, and nothing definite came back */
	struct st_git_result result;
};

/*
 * All of these give 0, or a negative number once the result says why not. The first failure counts;
 * st_git_refuse sets it, st_git_failed takes libgit2's own words.
 */
int st_git_refuse(struct st_git_work *work, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int st_git_failed(struct st_git_work *work, const char *what);
/* Cancelled or out of time: then it has failed. */
bool st_git_stopped(struct st_git_work *work);

int st_git_clone(struct st_git_work *work);
int st_git_branch(struct st_git_work *work);
int st_git_commit(struct st_git_work *work);
int st_git_push(struct st_git_work *work);
int st_git_diff(struct st_git_work *work);

/* ---- the clone in the workspace (git_space.c) ---- */

/* Opens the run's clone; it is a failure when there is none. */
int st_git_open(struct st_git_work *work);
/* One line each of a small file in a directory, synced before it appears; what has line breaks is
 * refused. Reading gives false when it is not there as written. */
int st_git_note_write(struct st_git_work *work, const char *dir, const char *name,
		      const char *const lines[2]);
bool st_git_note_read(const char *dir, const char *name, char lines[2][2200]);
/* Removes a directory that nobody but us has ever written to. */
void st_git_remove_own(const char *path);
/* All that was written so far is on the disk. */
void st_git_sync(const struct st_git_work *work);
/* HEAD's commit; *out is NULL where there is none yet. */
int st_git_head(struct st_git_work *work, git_commit **out);
int st_git_tree_of(struct st_git_work *work, const git_commit *commit, git_tree **out);
/* The commit that a branch, tag or hash in the clone stands for. */
int st_git_find(struct st_git_work *work, const char *name, git_commit **out);
void st_git_tell_head(struct st_git_work *work);

/* ---- files (git_files.c) ---- */

/* Writes a tree into a new directory of the workspace and gives its name there. Refuses what is
 * hostile or too large before much is written. */
int st_git_write_files(struct st_git_work *work, const git_tree *tree, char name[32]);
/* Is the tree fit to be looked at: names, links, size? NULL is. */
int st_git_check_tree(struct st_git_work *work, const git_tree *tree);
/* The tree that `base` becomes when `paths` (NULL: all) are as they are in the clone's files now.
 */
int st_git_read_files(struct st_git_work *work, const git_tree *base, const json_t *paths,
		      git_oid *out);

/* ---- the remote (git_remote.c, git_wire.c) ---- */

/* Makes a remote for a URL or a path that is allowed. */
int st_git_remote(struct st_git_work *work, const char *url, git_remote **out);
/* The path of a local one that may be used, links followed (st_free); NULL in *out for a URL. */
int st_git_local_path(struct st_git_work *work, const char *url, char **out);
int st_git_connect(struct st_git_work *work, git_remote *remote, git_direction direction);
void st_git_callbacks(struct st_git_work *work, git_remote_callbacks *out);
/* What the remote has under a full name, or NULL. */
const git_remote_head *st_git_remote_ref(struct st_git_work *work, git_remote *remote,
					 const char *name);
/* For git_remote_callbacks.transport; the argument is the work. */
int st_git_wire_new(git_transport **out, git_remote *owner, void *arg);

#endif
