/* SPDX-License-Identifier: Apache-2.0 */
/* Which names in a repository are too dangerous to touch? */
#ifndef ST_STEPS_GIT_NAME_H
#define ST_STEPS_GIT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#define ST_GIT_DEPTH_MAX 64	  /* directories below each other */
#define ST_GIT_NAME_BYTES_MAX 255 /* of one name; the kernel's own limit */

/* All three give NULL, or a few words that say what is wrong: a literal. */

/* A branch or tag, without refs/heads/: what git itself takes, and nothing that a command line
 * could take for an option. */
const char *st_git_branch_fault(const char *name);

/*
 * One entry of a tree. Refuses what leads out or means something to git on any file system: "..",
 * ".git" in any case, with characters that HFS+ ignores, as NTFS spells it (".git ", ".git::$DATA",
 * "git~1"), and names with control characters.
 */
const char *st_git_entry_fault(const char *name, size_t len);

/*
 * What a symbolic link `depth` directories below the root may say. ".." may only stand in front,
 * and not lead above the root: then no chain of such links does, since what a leading ".." leaves
 * is the link's own directory, which is no link.
 */
const char *st_git_link_fault(const char *target, size_t len, int depth);

/* Is this a path of names as above, "." for all; "dir/" is the same as "dir". */
const char *st_git_path_fault(const char *path);

/* Is it ".git", plainly spelt? */
bool st_git_is_dot_git(const char *name, size_t len);

#endif
