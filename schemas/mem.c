/* SPDX-License-Identifier: Apache-2.0 */
#include "schemas/mem.h"

#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn static void out_of_memory(size_t size)
{
	(void)fprintf(stderr, "stint: out of memory (asked for %zu bytes); stopping\n", size);
	abort();
}

void *st_alloc(size_t size)
{
	void *p = calloc(1, size > 0 ? size : 1);
	if (p == NULL) {
		out_of_memory(size);
	}
	return p;
}

void *st_alloc_array(size_t count, size_t item_size)
{
	if (item_size != 0 && count > SIZE_MAX / item_size) {
		out_of_memory(SIZE_MAX);
	}
	return st_alloc(count * item_size);
}

void *st_realloc(void *p, size_t size)
{
	void *q = realloc(p, size > 0 ? size : 1);
	if (q == NULL) {
		out_of_memory(size);
	}
	return q;
}

void st_free(void *p)
{
	free(p);
}

char *st_strdup(const char *text)
{
	return text == NULL ? NULL : st_strndup(text, strlen(text));
}

char *st_strndup(const char *text, size_t len)
{
	char *copy = st_alloc(len + 1);
	if (len > 0) {
		memcpy(copy, text, len);
	}
	return copy;
}

void *st_secret_alloc(size_t size)
{
	/* Ready already, except before the first piece. */
	if (sodium_init() < 0) {
		out_of_memory(size);
	}
	void *p = sodium_malloc(size > 0 ? size : 1);
	if (p == NULL) {
		out_of_memory(size);
	}
	return p;
}

void st_secret_free(void *p)
{
	sodium_free(p);
}

void st_autofree_cleanup(void *pointer_to_pointer)
{
	st_free(st_steal(pointer_to_pointer));
}

void *st_steal(void *pointer_to_pointer)
{
	void *value = NULL;
	void *none = NULL;
	memcpy(&value, pointer_to_pointer, sizeof value);
	memcpy(pointer_to_pointer, &none, sizeof none);
	return value;
}
