/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/artifact.h"

#include <sodium.h>
#include <stdbool.h>
#include <string.h>

#include "schemas/mem.h"

void st_artifacts_free(struct st_artifact *artifacts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		st_free(artifacts[i].path);
		if (artifacts[i].bytes != NULL) {
			sodium_memzero(artifacts[i].bytes, artifacts[i].len);
			st_free(artifacts[i].bytes);
		}
	}
	st_free(artifacts);
}

static const char *part_fault(const char *part, size_t len)
{
	if (len == 0) {
		return "has an empty part; \"/\" stands between two names only";
	}
	if (part[0] == '.' && (len == 1 || (len == 2 && part[1] == '.'))) {
		return "has a part \".\" or \"..\"; it names what lies below the job's directory";
	}
	for (size_t i = 1; i < len; i++) {
		if (part[i] == '*' && part[i - 1] == '*') {
			return "has \"**\", which is not known; write one pattern for each depth";
		}
	}
	return NULL;
}

static bool has_control(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			return true;
		}
	}
	return false;
}

const char *st_artifact_pattern_fault(const char *pattern)
{
	if (strlen(pattern) > ST_ARTIFACT_PATH_BYTES_MAX) {
		return "is over 1024 bytes long";
	}
	if (pattern[0] == '/') {
		return "begins with \"/\"; it is relative to the job's directory";
	}
	if (has_control(pattern)) {
		return "has a control character; no file with one in its name is kept";
	}
	int depth = 0;
	const char *fault = NULL;
	for (const char *part = pattern; fault == NULL;) {
		size_t len = strcspn(part, "/");
		fault = part_fault(part, len);
		depth++;
		if (part[len] == '\0') {
			break;
		}
		part += len + 1;
	}
	if (fault == NULL && depth > ST_ARTIFACT_DEPTH_MAX) {
		return "has more than 16 parts";
	}
	return fault;
}
