/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the outside world, and what came back? Plain data, used by kinds and drivers. */
#ifndef ST_SCHEMAS_CALL_H
#define ST_SCHEMAS_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "schemas/artifact.h"
#include "schemas/err.h"
#include "schemas/meter.h"
#include "schemas/time.h"

#define ST_EXTERNAL_IDS_MAX 8

struct st_http_header {
	char *name;
	char *value;
};

/* Owned strings; st_http_request_fini frees them. */
struct st_http_request {
	char method[8];
	char *url;
	struct st_http_header *headers;
	size_t n_headers;
	char *body; /* NULL: none */
	size_t body_len;
	bool guarded; /* the URL came from a definition or a tool: the outgoing guard applies */
	int redirects_max;  /* followed by us, re-guarded on each hop; 0: none */
	int64_t connect_ms; /* each > 0 */
	int64_t idle_ms;    /* no byte either way for so long */
	int64_t total_ms;
	size_t response_bytes_max; /* after decompression */
	const char *cassette;	   /* borrowed path: answer from there, or NULL */
};
void st_http_request_fini(struct st_http_request *request);
/* Copies both; value must hold no CR, LF or NUL (then: false, and nothing is added). */
bool st_http_request_header(struct st_http_request *request, const char *name, const char *value);

/* How far did it get? What is held may be given back only for NOT_SENT. */
enum st_transport {
	ST_TRANSPORT_ANSWERED,	/* a whole answer arrived */
	ST_TRANSPORT_NOT_SENT,	/* provably nothing left: name, guard, connect or TLS failed */
	ST_TRANSPORT_LOST,	/* it was or may have been sent, no whole answer */
	ST_TRANSPORT_TIMED_OUT, /* as LOST: a limit of ours ended it */
	ST_TRANSPORT_TOO_LARGE, /* as LOST: the answer passed response_bytes_max */
	ST_TRANSPORT_ABORTED,	/* as LOST: we gave up (cancel, shutdown) */
};

struct st_http_response {
	enum st_transport transport;
	bool replayed; /* from a cassette */
	int status;
	struct st_http_header *headers;
	size_t n_headers;
	char *body; /* what arrived, NUL-ended, also when it was cut */
	size_t body_len;
	int64_t first_byte_ms; /* from start; -1: none */
	int64_t total_ms;
	char error[256]; /* for people; "" when ANSWERED, or why a redirect was not followed */
};
void st_http_response_fini(struct st_http_response *response);
/* The first header of that name (any case), or NULL. */
const char *st_http_response_header(const struct st_http_response *response, const char *name);

/* A sandbox job: commands run one after the other, stopping at the first that fails. Owned. */
struct st_job_spec {
	json_t *commands; /* array of strings (sh -c) or of argv arrays; owned reference */
	json_t *env;	  /* object of strings or NULL; owned reference */
	char *workdir;	  /* NULL: a fresh empty directory that is removed afterwards */
	char *stdin_text; /* NULL: empty */
	int64_t soft_ms;  /* wall clock: TERM to the whole group */
	int64_t hard_ms;  /* KILL to the whole group; > soft_ms */
	int64_t log_bytes_max;
	json_t *artifacts; /* array of patterns (schemas/artifact.h) or NULL; owned reference */
	struct st_artifact_caps artifact_caps;
};
void st_job_spec_fini(struct st_job_spec *spec);

enum st_job_end {
	ST_JOB_EXITED,
	ST_JOB_SIGNALLED,
	ST_JOB_TIMED_OUT,
	ST_JOB_ABORTED,
	ST_JOB_NOT_STARTED
};

struct st_job_result {
	enum st_job_end end;
	int exit_code; /* of the last command that ran; 128 + signal when signalled */
	int64_t wall_ms;
	int64_t bytes_seen;
	bool out_of_memory; /* it failed, and processes of it were killed for want of memory */
	json_t
	    *transcript; /* owned: [{"command","exit_code","signal","started_ms","wall_ms","cpu_ms",
			  * "stdout","stderr","stdout_bytes","stderr_bytes","truncated"}], and
			  * "error" where a command could not be started; the
			  * first has "box": how it was isolated, bounded, what it used. Strings
			  * come from redacted streams; see sandbox/io/job.h. Where files were asked
			  * for, the last one has "artifacts", see sandbox/artifact.h */
	struct st_artifact *artifacts; /* owned, in order of their paths */
	size_t n_artifacts;
	char error[256];
};
void st_job_result_fini(struct st_job_result *result);

/* Token counts as the provider reported them; -1: it did not say. */
struct st_model_usage {
	int64_t input; /* all input, cached included */
	int64_t cache_read;
	int64_t cache_write;
	int64_t output; /* all output, reasoning included */
	int64_t reasoning;
};

struct st_external_id {
	char kind[48]; /* "anthropic.message", "exa.request" */
	char *id;
	char *url; /* or NULL */
};

enum st_outcome_state {
	ST_OUTCOME_SUCCEEDED,
	ST_OUTCOME_FAILED,   /* a definite answer: it did not work */
	ST_OUTCOME_NOT_MADE, /* provably not made: the hold is given back */
	ST_OUTCOME_UNKNOWN,  /* it may have been made: the kind's in-doubt rule decides */
};

/* What a call came to, in terms the core understands. All owned. */
struct st_outcome {
	enum st_outcome_state state;
	bool retryable;		 /* another attempt may help; UNKNOWN: if the kind may repeat */
	int64_t retry_after_ms;	 /* the provider asked for so long; -1: it did not */
	bool usage_known;	 /* false: the whole hold is settled and marked estimated */
	struct st_amounts usage; /* what was really used, in the meters that were held */
	struct st_model_usage model;
	json_t *output;	   /* what later steps see; owned; NULL for none */
	json_t *citations; /* array of {"url","title"} or NULL; owned */
	struct st_external_id external_ids[ST_EXTERNAL_IDS_MAX];
	size_t n_external_ids;
	bool replayed;
	char error_code[48]; /* "" when SUCCEEDED: "provider.rate_limited", "job.exit" … */
	char error[512];     /* for people; raw: redact before it is kept */
};
void st_outcome_fini(struct st_outcome *outcome);
/* Copies id and url; more than ST_EXTERNAL_IDS_MAX are dropped; ids over 256 bytes are cut. */
void st_outcome_external_id(struct st_outcome *outcome, const char *kind, const char *id,
			    const char *url);

#endif
