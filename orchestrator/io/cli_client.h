/* SPDX-License-Identifier: Apache-2.0 */
/* Which commands ask a daemon or a store? See st_commands in cli_commands.c. */
#ifndef ST_ORCHESTRATOR_IO_CLI_CLIENT_H
#define ST_ORCHESTRATOR_IO_CLI_CLIENT_H

#include "orchestrator/io/cli.h"

int st_cli_submit(struct st_cli *cli);
int st_cli_check(struct st_cli *cli);

int st_cli_list(struct st_cli *cli);
int st_cli_show(struct st_cli *cli);
int st_cli_timeline(struct st_cli *cli);
int st_cli_holds(struct st_cli *cli);
int st_cli_approvals(struct st_cli *cli);
int st_cli_usage_of(struct st_cli *cli);
int st_cli_export(struct st_cli *cli);
int st_cli_transcript(struct st_cli *cli);
int st_cli_artifacts(struct st_cli *cli);
int st_cli_artifact_get(struct st_cli *cli); /* the same with a PATH */

int st_cli_approve(struct st_cli *cli);
int st_cli_deny(struct st_cli *cli);
int st_cli_resolve(struct st_cli *cli);
int st_cli_cancel(struct st_cli *cli);
int st_cli_pause(struct st_cli *cli);
int st_cli_resume(struct st_cli *cli);

int st_cli_call_hold(struct st_cli *cli);
int st_cli_call_settle(struct st_cli *cli);
int st_cli_call_void(struct st_cli *cli);
int st_cli_call_extend(struct st_cli *cli);
int st_cli_step_end(struct st_cli *cli);

int st_cli_token_create(struct st_cli *cli);
int st_cli_token_list(struct st_cli *cli);
int st_cli_token_revoke(struct st_cli *cli);

int st_cli_audit(struct st_cli *cli);
int st_cli_redact(struct st_cli *cli);
int st_cli_redact_test(struct st_cli *cli);

int st_cli_doctor(struct st_cli *cli);

#endif
