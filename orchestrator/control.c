/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/control.h"

#include <assert.h>

#include "orchestrator/gate.h"
#include "orchestrator/registry.h"
#include "orchestrator/run.h"
#include "orchestrator/stop.h"
#include "orchestrator/tell.h"

/* Cancel, pause, resume: whoever may submit may also hold back. */

static void cancel(struct st_turn *turn, struct st_run *run, struct st_clean *reason)
{
	if (st_machine_final(&st_run_machine, (int)run->state)) {
		st_clean_free(reason);
		st_gate_refuse(turn, ST_ERR_CONFLICT, "the run is over");
		return;
	}
	if (run->halt.kind != ST_HALT_NONE) {
		st_run_close_halt(turn, run, "cancelled", NULL);
	}
	st_run_stop(turn, run, ST_RUN_CANCELLED);
	st_run_emit(turn, run, "run.cancelled", ST_ABOUT_RUN, st_tell_cancelled(turn, run, reason));
	st_clean_free(reason);
	turn->answer = run;
}

static void pause_run(struct st_turn *turn, struct st_run *run, struct st_clean *reason)
{
	if (st_machine_final(&st_run_machine, (int)run->state) || run->paused) {
		st_clean_free(reason);
		st_gate_refuse(turn, ST_ERR_CONFLICT,
			       run->paused ? "paused already" : "the run is over");
		return;
	}
	run->paused = true;
	if (run->state == ST_RUN_RUNNING) {
		const struct st_halt halt = {.kind = ST_HALT_PAUSED, .step = -1};
		st_run_halt(turn, run, &halt, reason);
	} else {
		st_run_emit(turn, run, "run.paused", ST_ABOUT_RUN, st_tell_by(turn, reason));
		st_clean_free(reason);
	}
	turn->answer = run;
}

static void resume(struct st_turn *turn, struct st_run *run, struct st_clean *reason)
{
	bool over = st_machine_final(&st_run_machine, (int)run->state);
	if (over || !run->paused) {
		st_clean_free(reason);
		st_gate_refuse(turn, ST_ERR_CONFLICT,
			       over ? "the run is over" : "the run is not paused");
		return;
	}
	run->paused = false;
	if (run->halt.kind == ST_HALT_PAUSED) {
		st_run_close_halt(turn, run, "resumed", reason);
		st_run_continue(turn, run, "paused", reason);
	} else {
		st_run_emit(turn, run, "run.resumed", ST_ABOUT_RUN, st_tell_by(turn, reason));
		st_clean_free(reason);
	}
	turn->answer = run;
}

void st_control_run(struct st_turn *turn, struct st_run *run, const struct st_event *event)
{
	if (!st_gate_admits(turn, run, ST_ROLE_SUBMITTER, "this takes the role submitter")) {
		return;
	}
	st_core_touch(turn->core, run);
	struct st_clean *reason = st_tell_text(turn, event->control.reason);
	if (event->type == ST_EVENT_CANCEL) {
		cancel(turn, run, reason);
	} else if (event->type == ST_EVENT_PAUSE) {
		pause_run(turn, run, reason);
	} else {
		assert(event->type == ST_EVENT_RESUME);
		resume(turn, run, reason);
	}
}

/* All or none: what was set before a refusal is set back. */
static bool set_limits(struct st_run *run, const struct st_amounts *limits, struct st_diag *diag)
{
	int64_t before[ST_METER_COUNT];
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (limits->of[m] == ST_UNLIMITED) {
			continue;
		}
		struct st_account *account =
		    st_accounts_open(&run->accounts, (enum st_meter)m, ST_UNLIMITED);
		before[m] = account->limit;
		if (st_ledger_set_limit(&run->accounts, (enum st_meter)m, limits->of[m], diag) ==
		    ST_OK) {
			continue;
		}
		while (--m >= 0) { /* past what st_ledger_set_limit may lower: as it was */
			if (limits->of[m] != ST_UNLIMITED) {
				st_accounts_find(&run->accounts, (enum st_meter)m)->limit =
				    before[m];
			}
		}
		return false;
	}
	return true;
}

/* To raise one's own limits would be to approve one's own run. */
static bool raises_own(const struct st_turn *turn, struct st_run *run,
		       const struct st_amounts *limits)
{
	bool raises = false;
	for (int m = 0; m < ST_METER_COUNT; m++) {
		const struct st_account *account =
		    st_accounts_find(&run->accounts, (enum st_meter)m);
		bool limited = account != NULL && account->limit != ST_UNLIMITED;
		raises = raises || (limited && limits->of[m] > account->limit);
	}
	return raises && st_gate_own_run(turn, run) && !turn->actor->embedded;
}

void st_control_limits(struct st_turn *turn, struct st_run *run, const struct st_event *event)
{
	struct st_diag diag = {0};
	if (!st_gate_admits(turn, run, ST_ROLE_ADMIN, "changing limits takes the role admin")) {
		return;
	}
	if (st_machine_final(&st_run_machine, (int)run->state)) {
		st_gate_refuse(turn, ST_ERR_CONFLICT, "the run is over");
		return;
	}
	if (raises_own(turn, run, &event->limits.run)) {
		st_gate_refuse(turn, ST_ERR_FORBIDDEN,
			       "who submits a run does not raise its limits; ask somebody else");
		return;
	}
	if (!set_limits(run, &event->limits.run, &diag)) {
		st_gate_refuse(turn, diag.code, diag.text);
		return;
	}
	struct st_clean *reason = st_tell_text(turn, event->limits.reason);
	st_run_emit(turn, run, "envelope.changed", ST_ABOUT_RUN,
		    st_tell_limits(turn, &event->limits.run, reason));
	st_clean_free(reason);
	st_core_touch(turn->core, run);
	turn->answer = run;
}
