/* SPDX-License-Identifier: Apache-2.0 */
/* What does a keeper have to know, and how does it get there? */
#ifndef ST_SANDBOX_ORDER_H
#define ST_SANDBOX_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "schemas/buf.h"

/*
 * A keeper is a program of its own and shares no memory with the daemon, so its order is one
 * block of bytes in a sealed file. Every pointer in it is written as a distance from its beginning;
 * the keeper turns them into pointers where they stand (sandbox/io/keeper/read.c). Both are parts
 * of one build, so nothing is portable about it.
 */
#define ST_ORDER_MAGIC 0x73746f31U
#define ST_ORDER_BYTES_MAX (256 * 1024 * 1024)

union st_order_text {
	uintptr_t at;
	char *text; /* NULL when at was 0 */
};

union st_order_list {
	uintptr_t at;
	union st_order_text *texts; /* ended by a NULL text */
};

struct st_order_command {
	union st_order_list argv;
	union st_order_list programs; /* tried in order */
};

struct st_order_mount {
	int32_t kind; /* enum st_mount_kind */
	int32_t owned;
	union st_order_text from;
	union st_order_text to;
	int64_t bytes;
	int64_t files;
};

struct st_order {
	uint32_t magic;
	int32_t boxed;	  /* 0: a process of our own user, in no box */
	int32_t become;	  /* we are root: the job becomes a user of its own */
	int32_t landlock; /* the kernel's ABI; 0: it has none */
	int32_t fresh;	  /* the work directory is the box's own */
	int32_t sweep_ms;
	int64_t files_max;     /* limits of one process; -1: as it is */
	int64_t processes_max; /* of the job's user */
	int64_t data_bytes;
	int64_t file_bytes;
	union st_order_text workdir; /* as it is seen by the job */
	union st_order_text gateway; /* a socket outside; NULL: none */
	union st_order_list env;
	uint64_t n_commands;
	uint64_t n_mounts;
	uint64_t filter_bytes;
	union {
		uintptr_t at;
		struct st_order_command *list;
	} commands;
	union {
		uintptr_t at;
		struct st_order_mount *list;
	} mounts;
	union {
		uintptr_t at;
		void *code; /* of struct sock_filter */
	} filter;
};

struct st_job_plan;
struct st_scene;

/* What goes into an order beside the plan. All borrowed. */
struct st_order_parts {
	const struct st_job_plan *plan; /* placed */
	const struct st_scene *scene;	/* NULL: no box */
	const void *filter;
	size_t filter_bytes;
	struct st_order head; /* the plain numbers; everything else of it is filled in */
};

/* Adds the order to an empty buffer. */
void st_order_make(const struct st_order_parts *parts, struct st_buf *out);

#endif
