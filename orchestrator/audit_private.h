/* SPDX-License-Identifier: Apache-2.0 */
/* What does an audit know of a run when it has seen its timeline? Private to orchestrator/audit*.c.
 */
#ifndef ST_ORCHESTRATOR_AUDIT_PRIVATE_H
#define ST_ORCHESTRATOR_AUDIT_PRIVATE_H

#include <jansson.h>
#include <sodium.h>

#include "orchestrator/audit.h"
#include "orchestrator/audit_columns.h"
#include "schemas/def.h"
#include "schemas/state.h"

/* What the ledger's rows add up to, for one account. */
struct st_audit_sum {
	bool touched;
	int64_t limit;
	int64_t granted;
	int64_t settled;
	int64_t held;
	int64_t overrun;
};
struct st_audit_sums {
	struct st_audit_sum of[ST_METER_COUNT];
};

/* A call that was held, as the timeline tells it. All json is owned. */
struct st_audit_call {
	int64_t no; /* of its rows; 0: not known */
	bool seen;  /* its row, and that of its end: */
	bool seen_end;
	struct st_id id;
	struct st_id hold;
	int step;
	int item; /* -1: a client makes it itself */
	int attempt;
	bool counting;
	bool sent;
	bool in_doubt; /* it came into doubt, whatever came of it */
	st_time at;
	json_t *held; /* the data of call.held */
	st_time ended_at;
	bool voided;
	char *end;		   /* the text of its end, NULL: open */
	json_t *end_doc;	   /* the same, read */
	struct st_amounts amounts; /* of the hold's row */
};

struct st_audit_item {
	enum st_item_state told;
	int attempt;
	int resends;
	struct st_id call;
	size_t open; /* 1 + index of the call under way; 0: none */
	st_time started_at;
	st_time ended_at; /* NONE: the timeline does not say */
	char code[48];
	char *error;
	bool has_approved;
	char approved[2 * ST_HASH_BYTES + 1];
	bool cites;
	uint8_t citations[ST_HASH_BYTES]; /* the hash of their text */
	bool seen;			  /* its row */
};

struct st_audit_step {
	enum st_step_state told;
	int n_items; /* -1: none told */
	struct st_audit_item *items;
	st_time started_at;
	st_time ended_at;
	st_time last_end_at; /* of a call */
	char code[48];
	char *error;
	struct st_audit_sums sums;
	bool seen;
};

struct st_audit_halt {
	struct st_id id;
	enum st_halt_kind kind;
	int step;
	int item;
	struct st_id call;
	char *verdict;
	char *intent;
	char params_hash[2 * ST_HASH_BYTES + 1]; /* "": not told */
	st_time since;
	st_time decided_at;
	const char *decision; /* NULL: open */
	bool of_client;	      /* a client asked, so that no item of ours waits */
	bool by_told;
	char by[ST_NAME_MAX];
	char *reason;
};

struct st_audit_grant {
	struct st_id halt;
	int step;
	enum st_meter meter;
	int64_t amount;
	st_time at;
	char by[ST_NAME_MAX];
	char *reason;
};

struct st_audit_external {
	int step;
	int item;
	struct st_id call;
	st_time at;
	json_t *data;
};

struct st_audit_transcript {
	struct st_id call;
	int attempt;
	st_time at;
	uint8_t hash[ST_HASH_BYTES];
};

/* A list that grows; `of` is an array of the element. */
#define ST_AUDIT_LIST(name, type)                                                                  \
	struct name {                                                                              \
		struct type *of;                                                                   \
		size_t n;                                                                          \
		size_t cap;                                                                        \
		size_t next; /* the row that is expected next is about this one */                 \
	}
ST_AUDIT_LIST(st_audit_calls, st_audit_call);
ST_AUDIT_LIST(st_audit_halts, st_audit_halt);
ST_AUDIT_LIST(st_audit_grants, st_audit_grant);
ST_AUDIT_LIST(st_audit_externals, st_audit_external);
ST_AUDIT_LIST(st_audit_transcripts, st_audit_transcript);
#define ST_AUDIT_ADD(list)                                                                         \
	((list)->of = st_audit_grow((list)->of, &(list)->cap, (list)->n, sizeof *(list)->of),      \
	 &(list)->of[(list)->n++])
void *st_audit_grow(void *of, size_t *cap, size_t n, size_t size);

struct st_audit_run {
	int64_t no;
	struct st_id id;
	struct st_cell cells[RUN_N]; /* of its row, owned */
	struct st_def *def;	     /* NULL: it cannot be read */
	struct st_seal_key key;
	int64_t seq;
	uint8_t hash[ST_HASH_BYTES];
	st_time last_at;
	uint8_t put_hash[ST_HASH_BYTES]; /* of the event that the run's row names */
	st_time put_at;			 /* NONE: it has not come yet */
	enum st_run_state told;
	bool paused;
	char approved[2 * ST_HASH_BYTES + 1]; /* of a client's call, last; "": none */
	st_time created_at;
	st_time started_at;
	st_time ended_at;
	int64_t active_ms; /* as told when it last stopped; -1: it has not */
	int64_t wall_granted;
	char code[48];
	char *error;
	char *submitted_by;
	char *verdict;	  /* of the verdict.refused just before, or NULL */
	size_t open_halt; /* 1 + index; 0: none */
	struct st_audit_step *steps;
	struct st_audit_sums sums;
	struct st_audit_calls calls;
	struct st_audit_halts halts;
	struct st_audit_grants grants;
	struct st_audit_externals externals;
	struct st_audit_transcripts transcripts;
	size_t next_file; /* of the call at `file_call` */
	size_t file_call;
};

struct st_audit_scope {
	int64_t no;
	enum st_scope scope;
	char id[ST_NAME_MAX];
	bool used;
	struct st_audit_sums sums;
	uint32_t seen; /* a bit per meter */
};

struct st_audit {
	struct st_audit_options options;
	struct st_audit_result result;
	struct st_audit_run *run; /* the one that is being seen, or NULL */
	struct st_audit_scope *scopes;
	struct st_audit_scope **by_name; /* NULL: not sorted yet */
	size_t n_scopes;
	size_t scopes_cap;
	int64_t last_no[ST_AUDIT_TABLE_COUNT];
	crypto_generichash_state digest;
};

/* Checks one value; false: it is wrong, and was noted. */
struct st_audit_at {
	struct st_audit *audit;
	const struct st_audit_row *row;
	enum st_law law;
};
bool st_audit_int(const struct st_audit_at *at, int column, int64_t should);
bool st_audit_null(const struct st_audit_at *at, int column);
bool st_audit_text(const struct st_audit_at *at, int column, const char *should); /* NULL: null */
bool st_audit_blob(const struct st_audit_at *at, int column, const void *should, size_t len);
bool st_audit_id(const struct st_audit_at *at, int column, struct st_id should); /* none: null */
/* A time of the timeline; NONE: null. */
bool st_audit_time(const struct st_audit_at *at, int column, st_time should);
bool st_audit_amounts(const struct st_audit_at *at, int column, const struct st_amounts *should);
/* Notes that the column (-1: the row) is wrong; says what the cell says. False. */
bool st_audit_wrong(const struct st_audit_at *at, int column, const char *should);

/* Notes that a row is missing; key: "no=5". */
void st_audit_missing(struct st_audit *audit, enum st_law law, enum st_audit_table table,
		      const char *key);

/* Cells that may be of any type. */
int64_t st_cell_int(const struct st_cell *cell);
const char *st_cell_text(const struct st_cell *cell);
struct st_id st_cell_id(const struct st_cell *cell);

/* Of JSON. "" and zero where there is nothing. */
const char *st_audit_json_text(const json_t *doc, const char *name);
void st_audit_json_amounts(const json_t *object, struct st_amounts *out);
int st_audit_step_index(const struct st_audit_run *run, const char *id);
struct st_audit_item *st_audit_item(struct st_audit_run *run, int step, int item);

void st_audit_run_begin(struct st_audit *audit, const struct st_audit_row *row);
void st_audit_run_end(struct st_audit *audit);
void st_audit_run_free(struct st_audit_run *run);
void st_audit_see_def(const struct st_audit_at *at);
void st_audit_see_event(const struct st_audit_at *at);
/* What an event does to what is known. */
struct st_audit_event {
	const char *type;
	const json_t *data;
	const char *text; /* the data as it stands */
	int step;	  /* -1: none */
	int item;	  /* 0-based */
	struct st_id call;
	st_time at;
};
void st_audit_tell(const struct st_audit_at *at, const struct st_audit_event *event);
void st_audit_tell_call(const struct st_audit_at *given, const struct st_audit_event *event);
/* The end of a job's call names its transcript by its hash. */
void st_audit_tell_transcript(struct st_audit_run *run, const struct st_audit_event *event,
			      int attempt);
void st_audit_tell_citations(struct st_audit_item *item, const struct st_audit_event *event);
void st_audit_see_citations(const struct st_audit_at *at, const struct st_audit_item *item);
void st_audit_see_attempt(const struct st_audit_at *at);
void st_audit_see_settlement(const struct st_audit_at *at);
void st_audit_see_grant(const struct st_audit_at *at);
void st_audit_see_halt(const struct st_audit_at *at);
void st_audit_see_external_id(const struct st_audit_at *at);
void st_audit_see_transcript(const struct st_audit_at *at);
void st_audit_see_artifact(const struct st_audit_at *at);
void st_audit_see_step(const struct st_audit_at *at);
void st_audit_see_account(const struct st_audit_at *at);
void st_audit_see_scope(const struct st_audit_at *at);
void st_audit_see_wide(const struct st_audit_at *at);
void st_audit_see_token(const struct st_audit_at *at);
void st_audit_see_answer(const struct st_audit_at *at);
void st_audit_see_meta(const struct st_audit_at *at);
/* The run's rows are all seen: what misses, and its own row. */
void st_audit_end_ledger(const struct st_audit_at *at);
void st_audit_end_steps(const struct st_audit_at *at);
void st_audit_end_records(const struct st_audit_at *given);
/* Is the column what redaction may have made of this JSON text? */
void st_audit_shown(const struct st_audit_at *at, int column, const char *plain);
/* Opens a sealed cell; nothing is added without a key, or when it does not open, which is noted. */
void st_audit_unseal(const struct st_audit_at *at, int column, const char *what, int64_t no,
		     struct st_buf *plain);

#endif
