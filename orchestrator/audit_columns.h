/* SPDX-License-Identifier: Apache-2.0 */
/* Which columns does an audit look at? All of them. Private to orchestrator/audit*.c. */
#ifndef ST_ORCHESTRATOR_AUDIT_COLUMNS_H
#define ST_ORCHESTRATOR_AUDIT_COLUMNS_H

/* X(NAME, "column"), as in schemas/sql. */
#define ST_META_X(X)                                                                               \
	X(NAME, "name")                                                                            \
	X(VALUE, "value")
#define ST_SCOPE_ROW_X(X)                                                                          \
	X(NO, "no")                                                                                \
	X(SCOPE, "scope")                                                                          \
	X(ID, "id")
#define ST_TOKEN_X(X)                                                                              \
	X(NO, "no")                                                                                \
	X(ID, "id")                                                                                \
	X(HASH, "hash")                                                                            \
	X(ROLE, "role")                                                                            \
	X(TENANT, "tenant")                                                                        \
	X(NAME, "name")                                                                            \
	X(CREATED_AT, "created_at")                                                                \
	X(EXPIRES_AT, "expires_at")                                                                \
	X(REVOKED_AT, "revoked_at")
#define ST_ANSWER_X(X)                                                                             \
	X(KEY_HASH, "key_hash")                                                                    \
	X(BODY_HASH, "body_hash")                                                                  \
	X(AT, "at")                                                                                \
	X(STATUS, "status")                                                                        \
	X(BODY, "body")
#define ST_RUN_ROW_X(X)                                                                            \
	X(NO, "no")                                                                                \
	X(ID, "id")                                                                                \
	X(NAME, "name")                                                                            \
	X(KIND, "kind")                                                                            \
	X(WORKFLOW, "workflow")                                                                    \
	X(AGENT, "agent")                                                                          \
	X(USER, "user")                                                                            \
	X(PROJECT, "project")                                                                      \
	X(TENANT, "tenant")                                                                        \
	X(PLATFORM, "platform")                                                                    \
	X(SUBMITTED_BY, "submitted_by")                                                            \
	X(CREATED_AT, "created_at")                                                                \
	X(STATE, "state")                                                                          \
	X(STARTED_AT, "started_at")                                                                \
	X(ENDED_AT, "ended_at")                                                                    \
	X(LAST_AT, "last_at")                                                                      \
	X(ACTIVE_MS, "active_ms")                                                                  \
	X(ACTIVE_AT, "active_at")                                                                  \
	X(PAUSED, "paused")                                                                        \
	X(HALT, "halt")                                                                            \
	X(OPEN, "open")                                                                            \
	X(SEQ, "seq")                                                                              \
	X(HASH, "hash")                                                                            \
	X(ERROR_CODE, "error_code")                                                                \
	X(ERROR, "error")                                                                          \
	X(APPROVED, "approved")
#define ST_DEF_X(X)                                                                                \
	X(RUN, "run")                                                                              \
	X(SEALED, "sealed")                                                                        \
	X(SHOWN, "shown")
#define ST_EVENT_ROW_X(X)                                                                          \
	X(NO, "no")                                                                                \
	X(N, "n")                                                                                  \
	X(RUN_NO, "run_no")                                                                        \
	X(SEQ, "seq")                                                                              \
	X(AT, "at")                                                                                \
	X(TYPE, "type")                                                                            \
	X(STEP, "step")                                                                            \
	X(ITEM, "item")                                                                            \
	X(CALL, "call")                                                                            \
	X(DATA, "data")                                                                            \
	X(HASH, "hash")
#define ST_ATTEMPT_X(X)                                                                            \
	X(NO, "no")                                                                                \
	X(CALL, "call")                                                                            \
	X(ATTEMPT, "attempt")                                                                      \
	X(HOLD, "hold")                                                                            \
	X(RUN_NO, "run_no")                                                                        \
	X(STEP, "step")                                                                            \
	X(ITEM, "item")                                                                            \
	X(KIND, "kind")                                                                            \
	X(IDEMPOTENCE, "idempotence")                                                              \
	X(PARAMS_HASH, "params_hash")                                                              \
	X(PARAMS, "params")                                                                        \
	X(INTENT, "intent")                                                                        \
	X(AT, "at")                                                                                \
	X(AMOUNTS, "amounts")                                                                      \
	X(STATE, "state")                                                                          \
	X(EXPIRES_AT, "expires_at")
#define ST_SETTLEMENT_X(X)                                                                         \
	X(HOLD, "hold")                                                                            \
	X(AT, "at")                                                                                \
	X(VOIDED, "voided")                                                                        \
	X(ESTIMATED, "estimated")                                                                  \
	X(USED, "used")                                                                            \
	X(OVERRUN, "overrun")                                                                      \
	X(BY, "by")                                                                                \
	X(RESULT, "result")
#define ST_GRANT_X(X)                                                                              \
	X(NO, "no")                                                                                \
	X(RUN_NO, "run_no")                                                                        \
	X(HALT, "halt")                                                                            \
	X(STEP, "step")                                                                            \
	X(METER, "meter")                                                                          \
	X(AMOUNT, "amount")                                                                        \
	X(AT, "at")                                                                                \
	X(BY, "by")                                                                                \
	X(REASON, "reason")
#define ST_HALT_ROW_X(X)                                                                           \
	X(NO, "no")                                                                                \
	X(ID, "id")                                                                                \
	X(RUN_NO, "run_no")                                                                        \
	X(KIND, "kind")                                                                            \
	X(STEP, "step")                                                                            \
	X(ITEM, "item")                                                                            \
	X(CALL, "call")                                                                            \
	X(VERDICT, "verdict")                                                                      \
	X(INTENT, "intent")                                                                        \
	X(PARAMS_HASH, "params_hash")                                                              \
	X(SINCE, "since")                                                                          \
	X(DECIDED_AT, "decided_at")                                                                \
	X(DECISION, "decision")                                                                    \
	X(BY, "by")                                                                                \
	X(REASON, "reason")
#define ST_EXTERNAL_ID_X(X)                                                                        \
	X(NO, "no")                                                                                \
	X(RUN_NO, "run_no")                                                                        \
	X(STEP, "step")                                                                            \
	X(ITEM, "item")                                                                            \
	X(CALL, "call")                                                                            \
	X(AT, "at")                                                                                \
	X(KIND, "kind")                                                                            \
	X(ID, "id")                                                                                \
	X(URL, "url")
#define ST_TRANSCRIPT_X(X)                                                                         \
	X(NO, "no")                                                                                \
	X(RUN_NO, "run_no")                                                                        \
	X(CALL, "call")                                                                            \
	X(ATTEMPT, "attempt")                                                                      \
	X(AT, "at")                                                                                \
	X(TEXT, "text")
#define ST_ARTIFACT_X(X)                                                                           \
	X(NO, "no")                                                                                \
	X(RUN_NO, "run_no")                                                                        \
	X(STEP, "step")                                                                            \
	X(ITEM, "item")                                                                            \
	X(CALL, "call")                                                                            \
	X(ATTEMPT, "attempt")                                                                      \
	X(AT, "at")                                                                                \
	X(PATH, "path")                                                                            \
	X(BYTES, "bytes")                                                                          \
	X(HASH, "hash")                                                                            \
	X(SEALED_CONTENT, "sealed_content")
#define ST_STEP_ROW_X(X)                                                                           \
	X(NO, "no")                                                                                \
	X(ID, "id")                                                                                \
	X(USES, "uses")                                                                            \
	X(STATE, "state")                                                                          \
	X(ITEM_STATE, "item_state")                                                                \
	X(N_ITEMS, "n_items")                                                                      \
	X(ATTEMPT, "attempt")                                                                      \
	X(RESENDS, "resends")                                                                      \
	X(DUE, "due")                                                                              \
	X(CALL, "call")                                                                            \
	X(STARTED_AT, "started_at")                                                                \
	X(ENDED_AT, "ended_at")                                                                    \
	X(APPROVED, "approved")                                                                    \
	X(SEALED_OUTPUT, "sealed_output")                                                          \
	X(OUTPUT, "output")                                                                        \
	X(CITATIONS, "citations")                                                                  \
	X(ERROR_CODE, "error_code")                                                                \
	X(ERROR, "error")
#define ST_ACCOUNT_X(X)                                                                            \
	X(NO, "no")                                                                                \
	X(SCOPE_NO, "scope_no")                                                                    \
	X(SCOPE, "scope")                                                                          \
	X(METER, "meter")                                                                          \
	X(LIMIT, "limit")                                                                          \
	X(GRANTED, "granted")                                                                      \
	X(SETTLED, "settled")                                                                      \
	X(HELD, "held")                                                                            \
	X(OVERRUN, "overrun")

#define X(NAME, name) META_##NAME,
enum { ST_META_X(X) META_N };
#undef X
#define X(NAME, name) SCOPE_##NAME,
enum { ST_SCOPE_ROW_X(X) SCOPE_N };
#undef X
#define X(NAME, name) TOKEN_##NAME,
enum { ST_TOKEN_X(X) TOKEN_N };
#undef X
#define X(NAME, name) ANSWER_##NAME,
enum { ST_ANSWER_X(X) ANSWER_N };
#undef X
#define X(NAME, name) RUN_##NAME,
enum { ST_RUN_ROW_X(X) RUN_N };
#undef X
#define X(NAME, name) DEF_##NAME,
enum { ST_DEF_X(X) DEF_N };
#undef X
#define X(NAME, name) EVENT_##NAME,
enum { ST_EVENT_ROW_X(X) EVENT_N_COLUMNS };
#undef X
#define X(NAME, name) ATTEMPT_##NAME,
enum { ST_ATTEMPT_X(X) ATTEMPT_N };
#undef X
#define X(NAME, name) SETTLEMENT_##NAME,
enum { ST_SETTLEMENT_X(X) SETTLEMENT_N };
#undef X
#define X(NAME, name) GRANT_##NAME,
enum { ST_GRANT_X(X) GRANT_N };
#undef X
#define X(NAME, name) HALT_##NAME,
enum { ST_HALT_ROW_X(X) HALT_N };
#undef X
#define X(NAME, name) EXTERNAL_ID_##NAME,
enum { ST_EXTERNAL_ID_X(X) EXTERNAL_ID_N };
#undef X
#define X(NAME, name) TRANSCRIPT_##NAME,
enum { ST_TRANSCRIPT_X(X) TRANSCRIPT_N };
#undef X
#define X(NAME, name) ARTIFACT_##NAME,
enum { ST_ARTIFACT_X(X) ARTIFACT_N };
#undef X
#define X(NAME, name) STEP_##NAME,
enum { ST_STEP_ROW_X(X) STEP_N };
#undef X
#define X(NAME, name) ACCOUNT_##NAME,
enum { ST_ACCOUNT_X(X) ACCOUNT_N };
#undef X

#endif
