/* SPDX-License-Identifier: Apache-2.0 */
/* What is written to the store, and read back from it at recovery? One struct per table. */
#ifndef ST_SCHEMAS_ROW_H
#define ST_SCHEMAS_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/def.h"
#include "schemas/id.h"
#include "schemas/meter.h"
#include "schemas/state.h"
#include "schemas/time.h"

struct st_clean; /* redact/clean.h: text fit to be stored or shown */

#define ST_HASH_BYTES 32

/*
 * Row numbers. Tables are append-friendly: rows of one run lie together and need no second index.
 *   step     run_no << 22 | step << 11 | item       (item 0: the step itself or its only item)
 *   account  run_no << 20 | (step + 1) << 8 | meter (step -1: the run)        for step and run
 *            -(scope_no << 8 | meter) - 1                                     for wider scopes
 *   artifact call_no << 8 | n
 */
int64_t st_row_step_no(int64_t run_no, int step, int item);
int64_t st_row_account_no(int64_t run_no, int step, enum st_meter meter);
int64_t st_row_wide_account_no(int64_t scope_no, enum st_meter meter);
int64_t st_row_artifact_no(int64_t call_no, size_t n);

/* X(NAME, member, table) */
#define ST_ROW_X(X)                                                                                \
	X(RUN, run)                                                                                \
	X(STEP, step)                                                                              \
	X(SCOPE, scope)                                                                            \
	X(ACCOUNT, account)                                                                        \
	X(HOLD, hold)                                                                              \
	X(CALL, call)                                                                              \
	X(SETTLEMENT, settlement)                                                                  \
	X(GRANT, grant)                                                                            \
	X(HALT, halt)                                                                              \
	X(EVENT, event)                                                                            \
	X(EXTERNAL_ID, external_id)                                                                \
	X(TRANSCRIPT, transcript)                                                                  \
	X(ARTIFACT, artifact)                                                                      \
	X(ANSWER, answer)                                                                          \
	X(TOKEN, token)                                                                            \
	X(PULSE, pulse)

/* `insert` says whether the row is new; else the mutable columns (marked *) are updated. `char *`
 * members hold text that may contain secrets: the store seals them (see redact/seal.h) and never
 * writes them as they are. `struct st_clean *` members are written as text. All are owned. */
struct st_row_run {
	bool insert;
	bool head_only; /* it runs, and no * column changed but those of its last event: a store
			 * that finds them in its timeline need not write this row */
	int64_t no;
	struct st_id id;
	char *def;		/* sealed; the definition's JSON text as decoded, params merged */
	struct st_clean *shown; /* the definition as people may see it */
	char name[ST_NAME_MAX];
	enum st_run_kind kind;
	char scope_id[ST_SCOPE_COUNT][ST_NAME_MAX]; /* WORKFLOW..PLATFORM */
	char submitted_by[ST_NAME_MAX];
	st_time created_at;
	enum st_run_state state;	 /* * */
	st_time started_at;		 /* * */
	st_time ended_at;		 /* * */
	st_time last_at;		 /* * of the last event */
	int64_t active_ms;		 /* * time spent running, up to `active_at` */
	st_time active_at;		 /* * running since, or NONE */
	bool paused;			 /* * */
	struct st_id halt;		 /* * the open halt, or none */
	bool open;			 /* * not running, and a call has no end yet */
	bool has_approved;		 /* * for a client's call; as in struct st_row_step */
	uint8_t approved[ST_HASH_BYTES]; /* * */
	int64_t seq;			 /* * of the last event */
	uint8_t hash[ST_HASH_BYTES];	 /* * of the last event */
	char error_code[48];		 /* * */
	struct st_clean *error;		 /* * or NULL */
};

struct st_row_step {
	bool insert;
	int64_t run_no;
	int step; /* index in the definition */
	int item; /* 0: the step, or its only item; 1..n: items of a for_each */
	char id[ST_NAME_MAX];
	char uses[32];
	enum st_step_state state;	 /* * of the step (item 0) */
	enum st_item_state item_state;	 /* * */
	int n_items;			 /* * item 0 of a for_each: how many; else -1 */
	int attempt;			 /* * */
	int resends;			 /* * */
	st_time due;			 /* * of a back-off or a sleep */
	struct st_id call;		 /* * of the current or last call, or none */
	st_time started_at;		 /* * */
	st_time ended_at;		 /* * */
	bool has_approved;		 /* * */
	uint8_t approved[ST_HASH_BYTES]; /* * params hash that a person approved for one call */
	char *output;			 /* * sealed; NULL: none */
	struct st_clean *shown;		 /* * the output as people may see it, or NULL */
	struct st_clean *citations;	 /* * or NULL */
	char error_code[48];		 /* * */
	struct st_clean *error;		 /* * or NULL */
};

struct st_row_scope { /* insert only: names a wider scope by a number */
	int64_t no;
	enum st_scope scope;
	char id[ST_NAME_MAX];
};

struct st_row_account {
	bool insert;
	int64_t no;
	int64_t run_no;	  /* 0 for wider scopes */
	int step;	  /* -1 for the run */
	int64_t scope_no; /* 0 for step and run */
	enum st_scope scope;
	enum st_meter meter;
	int64_t limit;	 /* * */
	int64_t granted; /* * */
	int64_t settled; /* * */
	int64_t held;	 /* * */
	int64_t overrun; /* * */
};

struct st_row_hold { /* insert only; its CALL comes next */
	int64_t no;
	struct st_id id;
	int64_t run_no;
	int step;
	int item;
	st_time at;
	struct st_amounts amounts;
};

struct st_row_call { /* one attempt; with ended_at it comes next after its SETTLEMENT */
	bool insert;
	int64_t no;
	struct st_id id;
	int attempt;
	int64_t hold_no; /* NOT NULL: no call without its hold */
	int64_t run_no;
	int step;
	int item; /* -1: a client makes it itself */
	char kind[32];
	int idempotence; /* enum st_idempotence */
	uint8_t params_hash[ST_HASH_BYTES];
	struct st_clean *params; /* redacted */
	struct st_clean *intent;
	st_time at;
	enum st_hold_state state; /* * */
	st_time ended_at;	  /* * */
	st_time expires_at;	  /* * of a call that a client makes itself, or NONE */
	struct st_clean *result;  /* * or NULL */
};

struct st_row_settlement { /* insert only, one per hold: the table's key says so */
	int64_t hold_no;
	st_time at;
	bool voided;
	bool estimated;
	struct st_amounts used;
	struct st_amounts overrun;
	char by[ST_NAME_MAX]; /* "provider", "stint", or who resolved it */
};

struct st_row_grant { /* insert only */
	int64_t run_no;
	struct st_id halt; /* none: a live change of limits */
	int step;	   /* -1: the run's account */
	enum st_meter meter;
	int64_t amount;
	st_time at;
	char by[ST_NAME_MAX];
	struct st_clean *reason;
};

struct st_row_halt {
	bool insert;
	struct st_id id;
	int64_t run_no;
	enum st_halt_kind kind;
	int step;		  /* -1: the run as a whole */
	int item;		  /* -1: no item, the step's or run's account is what lacked */
	struct st_id call;	  /* or none */
	struct st_clean *verdict; /* or NULL */
	char *verdict_json;	  /* the same, when it was read back */
	struct st_clean *intent;  /* what would happen, or NULL */
	uint8_t params_hash[ST_HASH_BYTES];
	st_time since;
	st_time decided_at;	 /* * NONE while open */
	char decision[16];	 /* * "granted", "denied", "resolved", "cancelled", "resumed" */
	char by[ST_NAME_MAX];	 /* * */
	struct st_clean *reason; /* * or NULL */
};

struct st_row_event { /* insert only */
	int64_t run_no;
	struct st_id run;
	int64_t seq;
	st_time at;
	const char *type;	/* static */
	char step[ST_NAME_MAX]; /* "" for none */
	int item;		/* 0 for none */
	struct st_id call;	/* or none */
	struct st_clean *data;
	uint8_t hash[ST_HASH_BYTES];
};

struct st_row_external_id { /* insert only */
	int64_t run_no;
	int step;
	int item;
	struct st_id call;
	st_time at;
	struct st_clean *kind;
	struct st_clean *id;
	struct st_clean *url; /* or NULL */
};

struct st_row_transcript { /* insert only */
	int64_t run_no;
	struct st_id call;
	int attempt;
	st_time at;
	struct st_clean *text;
};

struct st_row_artifact { /* insert only: a file that a job left */
	int64_t no;
	int64_t run_no;
	int step;
	int item;
	struct st_id call;
	int attempt;
	st_time at;
	struct st_clean *path;
	uint8_t hash[ST_HASH_BYTES]; /* of the bytes */
	char *bytes;		     /* sealed */
	size_t len;
};

struct st_row_answer { /* insert only: what a mutation with an Idempotency-Key was answered */
	uint8_t key_hash[ST_HASH_BYTES]; /* of tenant, method, path and key */
	uint8_t body_hash[ST_HASH_BYTES];
	st_time at;
	int status;
	struct st_clean *body;
};

struct st_row_token {
	bool insert; /* else: revoked */
	char id[ST_NAME_MAX];
	uint8_t hash[ST_HASH_BYTES];
	char role[16];
	char tenant[ST_NAME_MAX]; /* "" for all */
	char name[ST_NAME_MAX];
	st_time created_at;
	st_time expires_at; /* NONE: never */
	st_time revoked_at;
};

#define ST_PULSE_MS 10000 /* so often, while any run is live */

struct st_row_pulse { /* one, written anew: the store was in use then */
	st_time at;
	st_time answers_before; /* of the 1,000 oldest answers those from before this go; or NONE */
};

enum st_row_type {
#define X(NAME, member) ST_ROW_##NAME,
	ST_ROW_X(X)
#undef X
};

struct st_row {
	enum st_row_type type;
	union {
#define X(NAME, member) struct st_row_##member *member;
		ST_ROW_X(X)
#undef X
	};
};

/* A growing list of rows. The rows lie in chunks of the list's own and go when it goes; what they
 * own is freed by st_rows_fini (orchestrator/rows_fini.h). All-zero is empty. */
struct st_rows_chunk;
struct st_rows {
	struct st_row *of;
	size_t n;
	size_t cap;
	struct st_rows_chunk *chunks;
};
/* Frees list and chunks, but not what the rows own. */
void st_rows_release(struct st_rows *rows);

/* Adds a copy of the row, which takes over what it owns: release the other list, do not fini it. */
void st_rows_move(struct st_rows *rows, const struct st_row *row);

/* Adds a zeroed row of the type and gives it to be filled in; it stays owned by the list. */
#define X(NAME, member) struct st_row_##member *st_rows_add_##member(struct st_rows *rows);
ST_ROW_X(X)
#undef X

#endif
