/* SPDX-License-Identifier: Apache-2.0 */
/* Who owns the heap? The only file that calls malloc and free. */
#ifndef ST_SCHEMAS_MEM_H
#define ST_SCHEMAS_MEM_H

#include <stddef.h>

/*
 * Memory exhaustion is answered by stopping: a budget keeper that goes on with half an update is
 * worse than one that restarts, and recovery from a crash is tested. So these never return NULL;
 * sizes that come from outside are bounded before they get here.
 */
void *st_alloc(size_t size);			      /* zeroed */
void *st_alloc_array(size_t count, size_t item_size); /* zeroed; overflow stops */
void *st_realloc(void *p, size_t size);		      /* the new part is not zeroed */
void st_free(void *p);				      /* NULL is fine */
char *st_strdup(const char *text);		      /* gives a copy; NULL gives NULL */
char *st_strndup(const char *text, size_t len);	      /* gives a NUL-ended copy of len bytes */

/*
 * Memory for secrets: never swapped out where the system allows it, kept away from other memory,
 * zeroed when freed. Costs some pages each, so it is for few and large pieces. Not zeroed at first.
 */
void *st_secret_alloc(size_t size);
void st_secret_free(void *p); /* NULL is fine */

/* Cleanup attribute for pointers got from st_alloc and friends. */
#define st_autofree __attribute__((cleanup(st_autofree_cleanup)))
void st_autofree_cleanup(void *pointer_to_pointer);

/* Takes the value out of *pp and leaves NULL, for handing a cleanup pointer to its new owner. */
void *st_steal(void *pointer_to_pointer);

#endif
