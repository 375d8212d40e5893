/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of commands: parser, help, manual and completions come out of it. */
#include <stddef.h>

#include "orchestrator/io/cli.h"
#include "orchestrator/io/cli_client.h"

const struct st_option st_common_options[] = {
    {"json", NULL, "print JSON for scripts", NULL, 0},
    {"help", NULL, "explain this command", NULL, 0},
    {NULL, NULL, NULL, NULL, 0},
};

#define STORE_OPTION                                                                               \
	{                                                                                          \
		"store", "URI", "the store (sqlite:PATH)", "STINT_STORE", 0                        \
	}
#define CONFIG_OPTION                                                                              \
	{                                                                                          \
		"config", "FILE", "the operator's config", "STINT_CONFIG", 0                       \
	}
#define TENANT_OPTION                                                                              \
	{                                                                                          \
		"tenant", "NAME", "of this tenant only", NULL, 0                                   \
	}
#define REASON_OPTION                                                                              \
	{                                                                                          \
		"reason", "TEXT", "kept in the timeline", NULL, 0                                  \
	}
/* Where a client command finds its answers. */
#define BACKEND_OPTIONS                                                                            \
	{"url", "URL", "the server: http://127.0.0.1:PORT or unix:PATH", "STINT_URL", 0},          \
	    {"token", "TOKEN", "the bearer token", "STINT_TOKEN", 0}, STORE_OPTION
/* What deciding on a store needs, which goes on with the run itself. */
#define DRIVE_OPTIONS                                                                              \
	CONFIG_OPTION, {"no-input", NULL, "never ask, even on a terminal", NULL, 0},               \
	{                                                                                          \
		"wait", NULL, "with a server: follow the run to its next stop", NULL, 0            \
	}
#define PARAM_OPTION                                                                               \
	{                                                                                          \
		"param", "NAME=VALUE", "set a param of the definition (JSON, else text)", NULL,    \
		    ST_OPTION_REPEATED                                                             \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, NULL, NULL, 0                                                          \
	}

static const struct st_option init_options[] = {STORE_OPTION, END};

static const struct st_option serve_options[] = {
    STORE_OPTION,
    CONFIG_OPTION,
    {"listen", "ADDR", "127.0.0.1:PORT (0: any) or unix:PATH; default 127.0.0.1:7420", NULL, 0},
    {"record", "FILE", "add every provider's answer to this cassette", NULL, 0},
    {"accept-clock", NULL, "start although the store was in use later than the clock says", NULL,
     0},
    END,
};

static const struct st_option run_options[] = {
    STORE_OPTION,
    CONFIG_OPTION,
    PARAM_OPTION,
    {"record", "FILE", "add every provider's answer to this cassette", NULL, 0},
    {"no-input", NULL, "never ask, even on a terminal: exit 3 at a halt", NULL, 0},
    END,
};

static const struct st_option submit_options[] = {
    BACKEND_OPTIONS,
    PARAM_OPTION,
    {"idempotency-key", "KEY", "the same key submits once, however often it is sent", NULL, 0},
    {"dry-run", NULL, "only check the definition", NULL, 0},
    {"wait", NULL, "follow the run to its end or next halt", NULL, 0},
    CONFIG_OPTION,
    END,
};

static const struct st_option check_options[] = {CONFIG_OPTION, PARAM_OPTION, END};

static const struct st_option list_options[] = {
    BACKEND_OPTIONS,
    {"state", "STATE", "only runs in this state", NULL, 0},
    {"workflow", "NAME", "only runs of this workflow", NULL, 0},
    TENANT_OPTION,
    {"limit", "N", "how many, 1 to 500 (50)", NULL, 0},
    {"cursor", "CURSOR", "the page behind this one", NULL, 0},
    END,
};

static const struct st_option look_options[] = {BACKEND_OPTIONS, END};
static const struct st_option tenant_options[] = {BACKEND_OPTIONS, TENANT_OPTION, END};

static const struct st_option artifacts_options[] = {
    BACKEND_OPTIONS,
    {"output", "FILE", "write it there; nothing may be there yet (-: stdout)", NULL, 0},
    {"call", "CALL", "the call that left it, where several did", NULL, 0},
    END,
};

static const struct st_option timeline_options[] = {
    BACKEND_OPTIONS,
    {"follow", NULL, "go on as it grows, until the run is over", NULL, 0},
    END,
};

static const struct st_option usage_options[] = {
    BACKEND_OPTIONS,
    TENANT_OPTION,
    {"by", "WHAT", "run, step, workflow, agent, user, project, tenant, day or kind", NULL, 0},
    {"from", "TIME", "settled at or after, like 2026-11-01T00:00:00Z", NULL, 0},
    {"to", "TIME", "settled before", NULL, 0},
    END,
};

static const struct st_option approve_options[] = {
    BACKEND_OPTIONS,
    DRIVE_OPTIONS,
    {"halt", "HALT", "only if this is the halt that is open", NULL, 0},
    {"grant", "METER=AMOUNT",
     "grant this instead of what was lacking; run: or step: before it "
     "names the scope, cost_usd takes dollars",
     NULL, ST_OPTION_REPEATED},
    REASON_OPTION,
    END,
};

static const struct st_option deny_options[] = {
    BACKEND_OPTIONS,
    DRIVE_OPTIONS,
    {"halt", "HALT", "only if this is the halt that is open", NULL, 0},
    REASON_OPTION,
    END,
};

static const struct st_option resolve_options[] = {
    BACKEND_OPTIONS,
    DRIVE_OPTIONS,
    {"call", "CALL", "the call in doubt", NULL, 0},
    {"as", "OUTCOME", "happened or did-not-happen", NULL, 0},
    {"external-id", "ID", "what the provider called it", NULL, 0},
    {"usage", "METER=N", "what it used; else all that is held counts", NULL, ST_OPTION_REPEATED},
    {"halt", "HALT", "only if this is the halt that is open", NULL, 0},
    REASON_OPTION,
    END,
};

static const struct st_option control_options[] = {
    BACKEND_OPTIONS,
    CONFIG_OPTION,
    REASON_OPTION,
    END,
};

static const struct st_option resume_options[] = {
    BACKEND_OPTIONS,
    DRIVE_OPTIONS,
    REASON_OPTION,
    END,
};

#define TTL_OPTION                                                                                 \
	{                                                                                          \
		"ttl", "SECONDS", "in doubt after so long, 1 to 86400 (600)", NULL, 0              \
	}

static const struct st_option hold_options[] = {
    BACKEND_OPTIONS,
    {"amount", "METER=N", "what the call may use at most; cost_usd takes dollars", NULL,
     ST_OPTION_REPEATED},
    {"kind", "KIND", "what sort of call it is, for the record (client)", NULL, 0},
    {"step", "STEP", "hold on this step's account, too", NULL, 0},
    TTL_OPTION,
    {"params-hash", "HEX", "of a dangerous call: what a person approves", NULL, 0},
    {"idempotency-key", "KEY", "the same key holds once, however often it is sent", NULL, 0},
    END,
};

static const struct st_option settle_options[] = {
    BACKEND_OPTIONS,
    {"usage", "METER=N", "what it used; else all that is held counts", NULL, ST_OPTION_REPEATED},
    {"external-id", "ID", "what the provider called it", NULL, 0},
    END,
};

static const struct st_option void_options[] = {BACKEND_OPTIONS, REASON_OPTION, END};
static const struct st_option extend_options[] = {BACKEND_OPTIONS, TTL_OPTION, END};

static const struct st_option step_end_options[] = {
    BACKEND_OPTIONS,
    {"as", "OUTCOME", "succeeded or failed", NULL, 0},
    {"item", "N", "which one, from 1, of a step with a for_each", NULL, 0},
    {"output", "JSON", "what later steps see", NULL, 0},
    {"error", "TEXT", "why it failed", NULL, 0},
    END,
};

static const struct st_option token_options[] = {
    BACKEND_OPTIONS,
    {"role", "ROLE", "viewer, submitter, approver or admin", NULL, 0},
    {"tenant", "NAME", "sees and does only what is this tenant's", NULL, 0},
    {"name", "NAME", "who has it, for the record", NULL, 0},
    {"expires-in", "DAYS", "it is worthless after so many days; default: never", NULL, 0},
    END,
};

static const struct st_option sandbox_options[] = {
    CONFIG_OPTION,
    {"limit", "NAME=N",
     "sandbox.jobs, sandbox.seconds, log_bytes, or a limit of the config's \"sandbox\"", NULL,
     ST_OPTION_REPEATED},
    {"workdir", "DIR", "work there; default: a fresh directory", NULL, 0},
    {"isolation", "HOW", "full, best or none", NULL, 0},
    {"report", "FILE", "write what happened there, as JSON", NULL, 0},
    END,
};

static const struct st_option audit_options[] = {STORE_OPTION, END};
static const struct st_option doctor_options[] = {BACKEND_OPTIONS, CONFIG_OPTION, END};

#define SECRETS_OPTION                                                                             \
	{                                                                                          \
		"secrets", "FILE", "values to hide in every spelling: one JSON string a line",     \
		    NULL, 0                                                                        \
	}

#define RULES_OPTION                                                                               \
	{                                                                                          \
		"rules", "FILE", "rules of your own: a JSON array", NULL, 0                        \
	}

static const struct st_option redact_options[] = {
    SECRETS_OPTION,
    RULES_OPTION,
    {"lines", NULL, "every line is a JSON string, a text of its own, and comes back as one", NULL,
     0},
    END,
};

static const struct st_option redact_test_options[] = {SECRETS_OPTION, RULES_OPTION, END};

#define RUN_TEXT                                                                                   \
	"RUN is an id in full, the unique beginning of one (6 or more digits), or last: the "      \
	"newest run."

const struct st_command st_commands[] = {
    {"init", "[--store URI]", "make an empty store and its first admin token",
     "Prints {\"store\":…,\"token\":…} once; the token is not stored, only its hash. Refuses when "
     "something is there already.",
     "stint init --store sqlite:stint.db", 0, 0, init_options, st_cli_init},
    {"serve", "[--store URI] [--listen ADDR] [--config FILE]", "run the daemon",
     "Prints one line of JSON when it is ready. SIGTERM drains: no new call, calls in flight get "
     "20 seconds to end, exit 0; a second signal ends it at once.",
     "stint serve --store sqlite:stint.db --listen 127.0.0.1:7420", 0, 0, serve_options,
     st_cli_serve},
    {"run", "FILE|- [--store URI] [--config FILE] [--param NAME=VALUE]…",
     "run a definition in the foreground",
     "Makes the store when it is missing. Without --store the runs of this user are kept in "
     "$XDG_STATE_HOME/stint/runs.db. On a terminal it shows progress and asks at a halt; "
     "elsewhere it exits with 3 at a halt, and `stint approve RUN` goes on from there.",
     "stint run survey.json --param topic=pgbouncer", 1, 1, run_options, st_cli_run},
    {"check", "FILE|- [--config FILE] [--param NAME=VALUE]…",
     "check a definition without running it",
     "Says what is wrong, where (a JSON pointer) and what to do.", "stint check survey.json", 1, 1,
     check_options, st_cli_check},
    {"submit", "FILE|- [--idempotency-key KEY] [--dry-run] [--wait] [--param NAME=VALUE]…",
     "give a definition to the server",
     "Prints the run once it is durable. With --wait the exit code says how it ended.",
     "stint submit survey.json --idempotency-key monday --wait", 1, 1, submit_options,
     st_cli_submit},
    {"list", "[--state STATE] [--workflow NAME] [--tenant NAME]", "list runs, newest first", NULL,
     "stint list --state halted", 0, 0, list_options, st_cli_list},
    {"show", "RUN", "show a run: why it waits, its steps, its envelope", RUN_TEXT,
     "stint show last", 1, 1, look_options, st_cli_show},
    {"timeline", "RUN [--follow]", "show what happened in a run", RUN_TEXT,
     "stint timeline last --follow", 1, 1, timeline_options, st_cli_timeline},
    {"transcript", "RUN [CALL]", "show what a sandbox job did",
     "Without CALL: the calls of the run.", "stint transcript last", 1, 2, look_options,
     st_cli_transcript},
    {"artifacts", "RUN [PATH [--output FILE] [--call CALL]]",
     "list the files that sandbox jobs left, or get one",
     "A file comes as the job wrote it, secrets and all, so getting one takes the role approver "
     "or above. Without --output it goes to stdout, unless that is a terminal.",
     "stint artifacts last out/report.html --output report.html", 1, 2, artifacts_options,
     st_cli_artifacts},
    {"holds", "[RUN]", "list what is held, and what frees it", NULL, "stint holds", 0, 1,
     tenant_options, st_cli_holds},
    {"approvals", "", "list what waits for a decision", NULL, "stint approvals", 0, 0,
     tenant_options, st_cli_approvals},
    {"usage", "[RUN] [--by WHAT] [--from TIME] [--to TIME]", "sum up what was used", NULL,
     "stint usage --by workflow --from 2026-11-01T00:00:00Z", 0, 1, usage_options, st_cli_usage_of},
    {"export", "[RUN]", "write everything as JSON lines", NULL, "stint export last", 0, 1,
     look_options, st_cli_export},
    {"approve", "RUN [--grant METER=AMOUNT]… [--halt HALT] [--reason TEXT]",
     "let a halted run go on",
     "Without --grant: exactly what the refused accounts lacked. On a store without a daemon the "
     "run then goes on here, to its next stop.",
     "stint approve last --grant tokens=50000 --reason \"one more source\"", 1, 1, approve_options,
     st_cli_approve},
    {"deny", "RUN [--halt HALT] [--reason TEXT]", "refuse what a halted run asks for", RUN_TEXT,
     "stint deny last --reason \"too expensive\"", 1, 1, deny_options, st_cli_deny},
    {"resolve",
     "RUN --call CALL --as happened|did-not-happen [--external-id ID] [--usage METER=N]…",
     "say what became of a call in doubt",
     "A call in doubt was sent and its end is unknown. Look at the provider, then say which it "
     "was.",
     "stint resolve last --call c_019aa2c3-5f00-7000-8000-000000000001 --as happened", 1, 1,
     resolve_options, st_cli_resolve},
    {"cancel", "RUN [--reason TEXT]", "end a run: it calls nothing any more", RUN_TEXT,
     "stint cancel last", 1, 1, control_options, st_cli_cancel},
    {"pause", "RUN [--reason TEXT]", "halt a run until it is resumed", RUN_TEXT, "stint pause last",
     1, 1, control_options, st_cli_pause},
    {"resume", "RUN [--reason TEXT]", "go on with a paused or interrupted run", RUN_TEXT,
     "stint resume last", 1, 1, resume_options, st_cli_resume},
    {"call hold", "RUN --amount METER=N… [--kind KIND] [--step STEP] [--ttl SECONDS]",
     "hold allowance for a call that you make yourself",
     "Prints the call's id. Nothing is called unless the exit code is 0: 4 means that the envelope "
     "does not cover it (the run is then halted for a decision) or that the run takes no calls "
     "now.",
     "stint call hold last --amount tokens=4000 --kind model.generate", 1, 1, hold_options,
     st_cli_call_hold},
    {"call settle", "CALL [--usage METER=N]… [--external-id ID]", "say what a held call used",
     "Without --usage all that is held counts.",
     "stint call settle c_019aa2c3-5f00-7000-8000-000000000001 --usage tokens=3120", 1, 1,
     settle_options, st_cli_call_settle},
    {"call void", "CALL [--reason TEXT]", "say that a held call was not made", NULL,
     "stint call void c_019aa2c3-5f00-7000-8000-000000000001", 1, 1, void_options,
     st_cli_call_void},
    {"call extend", "CALL [--ttl SECONDS]", "keep a held call from coming into doubt",
     "Counts from now. Prints when it then expires.",
     "stint call extend c_019aa2c3-5f00-7000-8000-000000000001 --ttl 3600", 1, 1, extend_options,
     st_cli_call_extend},
    {"step end", "RUN STEP --as succeeded|failed [--output JSON] [--error TEXT] [--item N]",
     "end a step that a client works on", "Of the kind \"client\" only.",
     "stint step end last work --as succeeded --output '{\"pages\":12}'", 2, 2, step_end_options,
     st_cli_step_end},
    {"token create", "--role ROLE [--tenant NAME] [--name NAME]", "make a token",
     "Prints it once; only its hash is kept.",
     "stint token create --role submitter --tenant acme --name ci", 0, 0, token_options,
     st_cli_token_create},
    {"token list", "", "list the tokens, never their secrets", NULL, "stint token list", 0, 0,
     tenant_options, st_cli_token_list},
    {"token revoke", "ID", "make a token worthless", NULL,
     "stint token revoke t_019aa2c3-5f00-7000-8000-000000000001", 1, 1, look_options,
     st_cli_token_revoke},
    {"sandbox exec", "[--limit NAME=N]… [--workdir DIR] [--report FILE] -- CMD…",
     "run one command in the box of jobs",
     "Outside of any run; exits as the command did. What it writes is redacted, and shown when it "
     "has ended. Refused with 4 when the limits do not cover it.",
     "stint sandbox exec --limit sandbox.seconds=30 -- make test", 1, -1, sandbox_options,
     st_cli_sandbox_exec},
    {"sandbox plan", "[--limit NAME=N]… [--workdir DIR] -- CMD…",
     "print what sandbox exec would do", "Runs nothing of it.", "stint sandbox plan -- make test",
     1, -1, sandbox_options, st_cli_sandbox_plan},
    {"audit", "[RUN] [--store URI]", "prove that the rows of a store agree",
     "Reads the store, also while a daemon runs or in a copy, and changes nothing: hash chains, "
     "states, holds and their ends, accounts against what they add up to, decisions, records. "
     "Names "
     "the first row that is wrong. Exits with 1 when one is found, with 5 when the store cannot be "
     "read. Prints a digest of all timelines, to be kept elsewhere.",
     "stint audit --store sqlite:stint.db", 0, 1, audit_options, st_cli_audit},
    {"redact test", "FILE|- [--secrets FILE] [--rules FILE]",
     "say what redaction finds in a text, and why",
     "One line for each find: line:column, its length, the rule. The text itself is not shown.",
     "stint redact test build.log", 1, 1, redact_test_options, st_cli_redact_test},
    {"redact", "[FILE|-] [--secrets FILE] [--rules FILE] [--lines]",
     "take the secrets out of a text",
     "A filter: what comes out is what stint would store of the text. Complete harmless lines "
     "leave at once. Nothing is stored.",
     "stint redact build.log --secrets secrets.jsonl", 0, 1, redact_options, st_cli_redact},
    {"doctor", "[--store URI] [--config FILE]", "check what stint needs here",
     "One line each: ok, warn or FAIL. Exits with 1 when something fails.", "stint doctor", 0, 0,
     doctor_options, st_cli_doctor},
    {NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL},
};
