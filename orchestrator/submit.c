/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/submit.h"

#include <stdio.h>
#include <string.h>

#include "orchestrator/definitions.h"
#include "orchestrator/registry.h"
#include "orchestrator/run.h"
#include "orchestrator/tell.h"

/* The envelope is written when the run starts: every limit is an account of its own. */
static void open_accounts(struct st_run *run)
{
	const struct st_def *def = run->def;
	char id[ST_ID_TEXT_MAX];
	run->accounts.scope = ST_SCOPE_RUN;
	(void)st_id_format(run->id, ST_ID_RUN, id);
	(void)snprintf(run->accounts.id, sizeof run->accounts.id, "%s", id);
	for (int m = 0; m < ST_METER_COUNT; m++) {
		(void)st_accounts_open(&run->accounts, (enum st_meter)m, def->envelope.run.of[m]);
	}
	for (size_t i = 0; i < def->n_steps; i++) {
		struct st_accounts *accounts = &run->steps[i].accounts;
		accounts->scope = ST_SCOPE_STEP;
		memcpy(accounts->id, def->steps[i].id, sizeof accounts->id);
		for (int m = 0; m < ST_METER_COUNT; m++) {
			if (def->steps[i].limits.of[m] != ST_UNLIMITED) {
				(void)st_accounts_open(accounts, (enum st_meter)m,
						       def->steps[i].limits.of[m]);
			}
		}
	}
}

static void add_run_row(struct st_turn *turn, const struct st_run *run)
{
	const struct st_def *def = run->def;
	struct st_row_run *row = st_rows_add_run(&turn->update->rows);
	row->insert = true;
	row->no = run->no;
	row->id = run->id;
	st_definitions_write(turn->core->definitions, &turn->core->options, run->def, &row->def,
			     &row->shown);
	memcpy(row->name, def->name, sizeof row->name);
	row->kind = def->kind;
	memcpy(row->scope_id, def->scope_id, sizeof row->scope_id);
	memcpy(row->submitted_by, run->submitted_by, sizeof row->submitted_by);
	row->created_at = run->created_at;
	row->state = run->state;
	row->started_at = ST_TIME_NONE;
	row->ended_at = ST_TIME_NONE;
	row->active_at = ST_TIME_NONE;
}

void st_run_submit(struct st_turn *turn, const struct st_event *event)
{
	struct st_core *core = turn->core;
	if (turn->actor->role < ST_ROLE_SUBMITTER) {
		st_def_free(event->submit.def);
		st_turn_reply(turn, ST_ERR_FORBIDDEN, NULL,
			      st_tell_text(turn, "submitting takes the role submitter"));
		return;
	}
	if (core->draining) {
		st_def_free(event->submit.def);
		st_turn_reply(turn, ST_ERR_UNAVAILABLE, NULL,
			      st_tell_text(turn, "the server is stopping"));
		return;
	}
	struct st_run *run = st_run_new(core, event->submit.def);
	run->no = core->numbers.run++;
	run->id = st_id_next(&turn->ids);
	run->created_at = turn->now;
	memcpy(run->submitted_by, turn->actor->name, sizeof run->submitted_by);
	open_accounts(run);
	st_core_insert(core, run);
	add_run_row(turn, run);
	st_run_emit(turn, run, "run.submitted", ST_ABOUT_RUN, st_tell_submitted(turn, run));
	st_run_move(turn, run, ST_RUN_RUNNING);
	st_run_emit(turn, run, "run.started", ST_ABOUT_RUN, st_tell_nothing(turn));
	turn->answer = run;
}
