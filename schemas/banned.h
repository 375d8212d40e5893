/* SPDX-License-Identifier: Apache-2.0 */
/* Which functions may nobody call? Included before the first line of every file by the build. */
#ifndef ST_SCHEMAS_BANNED_H
#define ST_SCHEMAS_BANNED_H
#ifndef ST_FOREIGN

#ifdef NDEBUG
#error "asserts stay on in every build: a bug must stop us"
#endif

/* A poisoned name may not appear in a system header either, so those come first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef ST_PURE
#include <sodium/utils.h>
#endif
#ifdef _GNU_SOURCE
#include <alloca.h>
#include <unistd.h>
#undef alloca
#endif

/* Unbounded or silently wrong; st_buf, snprintf, memcpy and strtoll replace them. */
#pragma GCC poison strcpy strcat sprintf vsprintf strncpy strncat stpcpy gets
#pragma GCC poison strtok atoi atol atoll atof sscanf
/* Out of every budget: no bound on the stack, a shell in between, a hidden state. */
#pragma GCC poison alloca popen srand

/* Pure code asks schemas/mem.h for memory, and knows of its surroundings only what it is given.
 * What is not named here (a field may well be called `random`) the purity gate finds. */
#if defined(ST_PURE) && !defined(ST_OWNS_HEAP)
#pragma GCC poison malloc calloc realloc reallocarray aligned_alloc strdup strndup
#pragma GCC poison getenv setlocale rand fprintf fopen
#endif

#endif
#endif
