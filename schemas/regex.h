/* SPDX-License-Identifier: Apache-2.0 */
/* Does a text match an ECMA-262 pattern, decided in bounded time? */
#ifndef ST_SCHEMAS_REGEX_H
#define ST_SCHEMAS_REGEX_H

#include <stddef.h>

#include "schemas/err.h"

/* Compiled, immutable. */
struct st_regex;
/* What matching needs to write to: one for each thread. */
struct st_regex_scratch;

/* The pattern as JavaScript with flag u reads it; constructs that only other engines know are
 * refused. ST_ERR_INVALID says what is wrong with it. */
int st_regex_new(const char *pattern, size_t len, struct st_regex **out, struct st_diag *diag);
void st_regex_free(struct st_regex *regex);
/* The pattern as it was given. Borrowed. */
const char *st_regex_text(const struct st_regex *regex);

struct st_regex_scratch *st_regex_scratch_new(void);
void st_regex_scratch_free(struct st_regex_scratch *scratch);

/* 1: it matches somewhere; 0: it does not; ST_ERR_TOO_LARGE: that took too much backtracking. */
int st_regex_match(const struct st_regex *regex, struct st_regex_scratch *scratch, const char *text,
		   size_t len);

#endif
