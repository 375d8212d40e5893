/* SPDX-License-Identifier: Apache-2.0 */
/* Which files of a job are kept, and what is a kept file? */
#ifndef ST_SCHEMAS_ARTIFACT_H
#define ST_SCHEMAS_ARTIFACT_H

#include <stddef.h>
#include <stdint.h>

#define ST_ARTIFACT_PATTERNS_MAX 64
#define ST_ARTIFACT_PATH_BYTES_MAX 1024 /* of a pattern or of a path that matches one */
#define ST_ARTIFACT_DEPTH_MAX 16	/* directories and the file's own name */
#define ST_ARTIFACT_HASH_BYTES 32	/* BLAKE2b-256 */

/* No job keeps more, whatever its spec says. */
#define ST_ARTIFACTS_MAX 16
#define ST_ARTIFACT_BYTES_MAX (INT64_C(1024) * 1024)
#define ST_ARTIFACTS_BYTES_MAX (INT64_C(4) * 1024 * 1024)

struct st_artifact_caps {
	int64_t files;
	int64_t file_bytes;
	int64_t bytes; /* of all files together */
};

/* A regular file as it lay below the work directory when the job had ended; whole, never cut. */
struct st_artifact {
	char *path;  /* relative, UTF-8 without control characters; owned */
	char *bytes; /* raw: what a job writes may hold any secret; owned */
	size_t len;
	uint8_t hash[ST_ARTIFACT_HASH_BYTES]; /* of the bytes */
};

/* Wipes the bytes and frees the array. */
void st_artifacts_free(struct st_artifact *artifacts, size_t n);

/*
 * A pattern is relative and has no empty, "." or ".." part. In each part '*' stands for any
 * characters and '?' for one, neither of them for a '/' nor for a dot at the start of a name;
 * everything else stands for itself. Returns what is wrong with the pattern, for people, or NULL.
 */
const char *st_artifact_pattern_fault(const char *pattern);

#endif
