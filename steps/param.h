/* SPDX-License-Identifier: Apache-2.0 */
/* Do the params of a step have the form that its kind declares? */
#ifndef ST_STEPS_PARAM_H
#define ST_STEPS_PARAM_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "schemas/err.h"

/*
 * Reads one `with` object. The first failure sticks in `code` and in diag; later reads give their
 * fallback and change nothing, so that a kind reads all its fields and looks once. At admission
 * `open` is true: a text that holds an expression may become anything, and is let through.
 */
struct st_param_reader {
	const json_t *object;
	bool open;
	struct st_diag *diag;
	int code;
};

/* `known` ends with NULL. An object with any other field is ST_ERR_INVALID: a misspelt limit must
 * not mean no limit. */
void st_param_start(struct st_param_reader *reader, const json_t *object, bool open,
		    const char *const *known, struct st_diag *diag);

/* The value of a field; NULL when it is not there or still an expression. */
const json_t *st_param_value(const struct st_param_reader *reader, const char *key);
/* A text, not empty when it is required, without NUL; NULL when it is not there. An expression is
 * given back as it stands. */
const char *st_param_text(struct st_param_reader *reader, const char *key, bool required,
			  size_t bytes_max);
int64_t st_param_int(struct st_param_reader *reader, const char *key, int64_t min, int64_t max,
		     int64_t fallback);
bool st_param_bool(struct st_param_reader *reader, const char *key, bool fallback);

/* Is this value (anywhere in the object) an expression that is not evaluated yet? */
bool st_param_is_open(const struct st_param_reader *reader, const json_t *value);
bool st_param_is_open_text(const struct st_param_reader *reader, const char *text);

/* Records a failure (ST_ERR_INVALID) unless there was one; returns the reader's code. */
int st_param_fail(struct st_param_reader *reader, const char *pointer, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
