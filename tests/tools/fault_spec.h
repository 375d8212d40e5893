/* SPDX-License-Identifier: Apache-2.0 */
/* What is to go wrong? Reads "drop=after;p=0.2" and the like. */
#ifndef ST_TESTS_TOOLS_FAULT_SPEC_H
#define ST_TESTS_TOOLS_FAULT_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 64
#define SPEC_BYTES 256

enum point { POINT_NONE, POINT_ARRIVE, POINT_APPLIED, POINT_HALF };
struct fault {
	bool drop_before;
	bool drop_after;
	bool hang;
	bool half;
	bool garbage;
	bool
	    after_effect; /* the status comes after the effect: "it worked, but you saw an error" */
	int status;
	uint64_t delay_ms;
	char retry_after[32];
	enum point gate_at;
	char gate[NAME_MAX_BYTES];
};

static inline double fault_chance(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (double)(*seed >> 11) / 9007199254740992.0;
}

/* "k@arrive", or "arrive" for a gate of that name. */
static inline void fault_set_gate(struct fault *fault, const char *text)
{
	const char *at = strchr(text, '@');
	const char *point = at != NULL ? at + 1 : text;
	fault->gate_at = strcmp(point, "arrive") == 0	 ? POINT_ARRIVE
			 : strcmp(point, "applied") == 0 ? POINT_APPLIED
			 : strcmp(point, "half") == 0	 ? POINT_HALF
							 : POINT_NONE;
	(void)snprintf(fault->gate, sizeof fault->gate, "%.*s",
		       (int)(at != NULL ? at - text : (ptrdiff_t)strlen(text)), text);
}

static inline void fault_set_part(struct fault *fault, const char *name, const char *value)
{
	if (strcmp(name, "drop") == 0) {
		fault->drop_before = strcmp(value, "before") == 0;
		fault->drop_after = strcmp(value, "after") == 0;
	} else if (strcmp(name, "status") == 0) {
		fault->status = (int)strtol(value, NULL, 10);
	} else if (strcmp(name, "effect") == 0) {
		fault->after_effect = strcmp(value, "true") == 0;
	} else if (strcmp(name, "delay") == 0) {
		fault->delay_ms = strtoull(value, NULL, 10);
	} else if (strcmp(name, "retry-after") == 0) {
		(void)snprintf(fault->retry_after, sizeof fault->retry_after, "%s", value);
	} else if (strcmp(name, "gate") == 0) {
		fault_set_gate(fault, value);
	} else if (strcmp(name, "hang") == 0) {
		fault->hang = true;
	} else if (strcmp(name, "half") == 0) {
		fault->half = true;
	} else if (strcmp(name, "garbage") == 0) {
		fault->garbage = true;
	}
}

/* "drop=after;p=0.2": with p, all of it or nothing. */
static inline void fault_read(struct fault *fault, const char *spec, uint64_t *seed)
{
	struct fault read = *fault;
	bool hit = true;
	char text[SPEC_BYTES];
	(void)snprintf(text, sizeof text, "%s", spec);
	for (char *part = text; part != NULL;) {
		char *next = strchr(part, ';');
		if (next != NULL) {
			*next++ = '\0';
		}
		char *value = strchr(part, '=');
		if (value != NULL) {
			*value++ = '\0';
		}
		if (strcmp(part, "p") == 0 && value != NULL) {
			hit = fault_chance(seed) < strtod(value, NULL);
		} else {
			fault_set_part(&read, part, value != NULL ? value : "");
		}
		part = next;
	}
	if (hit) {
		*fault = read;
	}
}

#endif
