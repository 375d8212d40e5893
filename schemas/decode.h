/* SPDX-License-Identifier: Apache-2.0 */
/* How are the fields of a JSON object read, so that an error says where it is? */
#ifndef ST_SCHEMAS_DECODE_H
#define ST_SCHEMAS_DECODE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/err.h"

/* Where a decoder stands. All functions that fail return ST_ERR_INVALID with this pointer. */
struct st_decode {
	struct st_diag *diag; /* borrowed; may be NULL */
	char pointer[ST_DIAG_POINTER_MAX];
};

/* Goes into a member or item; returns what st_decode_leave needs to come back. */
size_t st_decode_enter(struct st_decode *decode, const char *name);
size_t st_decode_enter_index(struct st_decode *decode, size_t index);
void st_decode_leave(struct st_decode *decode, size_t mark);

/* Fails here: "expected WHAT, got TYPE". */
int st_decode_mismatch(struct st_decode *decode, const char *expected, const json_t *value);

/* The value itself. A number with a fraction or exponent is no integer, even when it is whole. */
int st_decode_int(struct st_decode *decode, const json_t *value, int64_t min, int64_t max,
		  int64_t *out);

/* Dollars as a decimal string or a whole integer, never as a float; gives nano-USD. */
int st_decode_money(struct st_decode *decode, const json_t *value, int64_t *nusd);

/* A member that may be missing: then *out stays as it is. Texts are borrowed and hold no NUL. */
int st_decode_get_int(struct st_decode *decode, const json_t *object, const char *name,
		      const int64_t range[2], int64_t *out);
int st_decode_get_bool(struct st_decode *decode, const json_t *object, const char *name, bool *out);
int st_decode_get_text(struct st_decode *decode, const json_t *object, const char *name,
		       const char **out);
int st_decode_get_object(struct st_decode *decode, const json_t *object, const char *name,
			 const json_t **out);
int st_decode_get_array(struct st_decode *decode, const json_t *object, const char *name,
			const json_t **out);
/* A name (see schemas/name.h), copied into out[ST_NAME_MAX]. */
int st_decode_get_name(struct st_decode *decode, const json_t *object, const char *name, char *out);

#endif
