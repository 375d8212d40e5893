/* SPDX-License-Identifier: Apache-2.0 */
#include "steps/place.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "schemas/json.h"

size_t st_place_enter(struct st_place *place, const char *name, size_t len)
{
	size_t old = strlen(place->pointer);
	st_json_pointer_push(place->pointer, name, len);
	place->depth++;
	return old;
}

size_t st_place_enter_element(struct st_place *place, size_t index)
{
	char text[24];
	int len = snprintf(text, sizeof text, "%zu", index);
	assert(len > 0);
	return st_place_enter(place, text, (size_t)len);
}

void st_place_leave(struct st_place *place, size_t old)
{
	assert(place->depth > 0);
	assert(old <= strlen(place->pointer));
	place->pointer[old] = '\0';
	place->depth--;
}
