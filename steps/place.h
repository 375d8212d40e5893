/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a JSON value does a walk stand? */
#ifndef ST_STEPS_PLACE_H
#define ST_STEPS_PLACE_H

#include <stddef.h>

#include "schemas/err.h"

/* All-zero is the root. */
struct st_place {
	char pointer[ST_DIAG_POINTER_MAX]; /* cut when it is full */
	int depth;
};

/* Goes to a member or element; gives what st_place_leave needs to come back. */
size_t st_place_enter(struct st_place *place, const char *name, size_t len);
size_t st_place_enter_element(struct st_place *place, size_t index);
void st_place_leave(struct st_place *place, size_t old);

#endif
