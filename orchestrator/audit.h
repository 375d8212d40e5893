/* SPDX-License-Identifier: Apache-2.0 */
/* Do the rows of a store prove each other? Laws over plain rows; nothing is read here. */
#ifndef ST_ORCHESTRATOR_AUDIT_H
#define ST_ORCHESTRATOR_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/seal.h"
#include "schemas/config.h"
#include "schemas/id.h"
#include "schemas/row.h"
#include "schemas/schemas.h"

/* X(NAME, "name", "what is counted", "what is proven") */
#define ST_LAW_X(X)                                                                                \
	X(FILE, "file", "pages", "the database is whole and every reference leads somewhere")      \
	X(SCHEMA, "schema", "objects", "tables, indexes and views are those that stint makes")     \
	X(NUMBERS, "numbers", "rows", "no row is missing before the last, none is nobody's")       \
	X(CHAIN, "chain", "events", "every event is what was written; none is missing")            \
	X(STATES, "states", "states", "states and times are those that the timeline tells")        \
	X(HOLDS, "holds", "holds", "each call has its hold, each hold at most one end")            \
	X(LEDGER, "ledger", "accounts", "limit + grants = settled + held + remaining")             \
	X(DECISIONS, "decisions", "decisions", "halts and grants are those that were decided")     \
	X(RECORDS, "records", "records", "external ids, transcripts, files, answers, tokens")      \
	X(SEALS, "seals", "seals", "what is sealed opens, and is what is shown")

enum st_law {
#define X(NAME, name, unit, text) ST_LAW_##NAME,
	ST_LAW_X(X)
#undef X
	    ST_LAW_COUNT
};

/* One value of a row, borrowed. */
enum st_cell_type { ST_CELL_NULL, ST_CELL_INT, ST_CELL_TEXT, ST_CELL_BLOB };
struct st_cell {
	enum st_cell_type type;
	int64_t n;
	const char *bytes;
	size_t len;
};

/* The tables, in the order in which the rows of one run are to be given. */
#define ST_AUDIT_TABLE_X(X)                                                                        \
	X(META, "meta")                                                                            \
	X(SCOPE, "scope")                                                                          \
	X(TOKEN, "token")                                                                          \
	X(ANSWER, "answer")                                                                        \
	X(RUN, "run")                                                                              \
	X(DEF, "def")                                                                              \
	X(EVENT, "event")                                                                          \
	X(ATTEMPT, "attempt")                                                                      \
	X(SETTLEMENT, "settlement")                                                                \
	X(GRANT, "grant_")                                                                         \
	X(HALT, "halt")                                                                            \
	X(EXTERNAL_ID, "external_id")                                                              \
	X(TRANSCRIPT, "transcript")                                                                \
	X(ARTIFACT, "artifact")                                                                    \
	X(STEP, "step")                                                                            \
	X(ACCOUNT, "account")

enum st_audit_table {
#define X(NAME, name) ST_AUDIT_##NAME,
	ST_AUDIT_TABLE_X(X)
#undef X
	    ST_AUDIT_TABLE_COUNT
};
const char *st_audit_table_name(enum st_audit_table table);
/* The columns in the order in which their cells are to be given; ended by NULL. */
const char *const *st_audit_columns(enum st_audit_table table);

struct st_audit_row {
	enum st_audit_table table;
	const struct st_cell *cells;
};

/* What is wrong, and what it should be. */
struct st_finding {
	enum st_law law;
	char table[32];
	char key[96];	 /* "no=12" */
	char column[32]; /* "": the row as a whole */
	struct st_id run;
	char says[160];
	char should[160];
};

struct st_audit_result {
	int64_t checked[ST_LAW_COUNT];
	int64_t wrong[ST_LAW_COUNT];
	int64_t rows[ST_AUDIT_TABLE_COUNT];
	struct st_finding first; /* of n_wrong > 0 */
	int64_t n_wrong;
	bool sealed_seen; /* sealed values were looked into */
	uint8_t digest[ST_HASH_BYTES];
};

struct st_audit_options {
	const struct st_schemas *schemas;
	const struct st_config *config;
	const struct st_seal_key *key; /* NULL: sealed values stay closed */
	bool one_run;		       /* what runs share is not proven */
};

/*
 * The order: META, SCOPE, TOKEN and ANSWER rows; then for each run, by number, its RUN row and all
 * others in the order of the tables above, each by its number (events as the timeline goes); then
 * the accounts of wider scopes. All borrowed for the call.
 */
struct st_audit;
struct st_audit *st_audit_new(const struct st_audit_options *options);
void st_audit_free(struct st_audit *audit);
void st_audit_see(struct st_audit *audit, const struct st_audit_row *row);
/* Everything was seen. Borrowed from the audit. */
const struct st_audit_result *st_audit_end(struct st_audit *audit);
/* So much was checked elsewhere, or this was found there. */
void st_audit_count(struct st_audit *audit, enum st_law law, int64_t n);
void st_audit_found(struct st_audit *audit, const struct st_finding *finding);
const char *st_law_name(enum st_law law);
const char *st_law_unit(enum st_law law);
const char *st_law_text(enum st_law law);

#endif
