/* SPDX-License-Identifier: Apache-2.0 */
/* Does everything add up when it is summed anew, and is everything at rest at the end? */
#include <string.h>

#include "schemas/mem.h"
#include "tests/sim/sim.h"

struct sums {
	int64_t held[ST_METER_COUNT];
	int64_t settled[ST_METER_COUNT];
};

static void add(struct sums *sums, const struct sim_hold *hold)
{
	for (int m = 0; m < ST_METER_COUNT; m++) {
		if (hold->ended) {
			sums->settled[m] = st_add_saturating(sums->settled[m], hold->used.of[m]);
		} else {
			sums->held[m] += hold->row.amounts.of[m];
		}
	}
}

static void compare(struct sim *s, const struct sim_account *accounts, const struct sums *sums,
		    const char *whose)
{
	for (int m = 0; m < ST_METER_WALL_SECONDS; m++) {
		const struct st_row_account *row = &accounts[m].row;
		if (row->scope == ST_SCOPE_STEP && !accounts[m].open) {
			continue; /* no limit: its run counts for it */
		}
		sim_check(
		    s, FULL_SUM, row->held == sums->held[m] && row->settled == sums->settled[m],
		    "%s %s: stored held %lld, settled %lld; all rows give %lld, %lld", whose,
		    st_meter_name((enum st_meter)m), (long long)row->held, (long long)row->settled,
		    (long long)sums->held[m], (long long)sums->settled[m]);
	}
}

static void check_run(struct sim *s, const struct sim_run *run)
{
	struct sums all = {{0}, {0}};
	struct sums steps[SIM_STEPS_MAX] = {{{0}, {0}}};
	for (int64_t no = 1; no <= s->store.n_holds; no++) {
		const struct sim_hold *hold = &s->store.holds[no];
		if (hold->there && hold->row.run_no == run->no) {
			add(&all, hold);
			add(&steps[hold->row.step], hold);
		}
	}
	compare(s, run->accounts, &all, "run");
	for (int i = 0; i < run->n_steps; i++) {
		compare(s, run->steps[i].accounts, &steps[i], "step");
	}
}

void sim_law_full(struct sim *s)
{
	static const struct sums none;
	struct sums *wide = st_alloc_array(SIM_SCOPES_MAX, sizeof *wide);
	for (int64_t no = 1; no <= s->store.n_holds; no++) {
		const struct sim_hold *hold = &s->store.holds[no];
		const struct sim_run *run = hold->there ? s->store.runs[hold->row.run_no] : NULL;
		for (int scope = ST_SCOPE_WORKFLOW; run != NULL && scope < ST_SCOPE_COUNT;
		     scope++) {
			add(&wide[run->scopes[scope]], hold);
		}
	}
	for (int i = 0; i < s->store.n_scopes; i++) {
		bool stored = s->store.scopes[i].row.no > 0;
		compare(s, s->store.scopes[i].accounts, stored ? &wide[i] : &none,
			st_scope_name(s->store.scopes[i].row.scope));
	}
	st_free(wide);
	for (int64_t no = 1; no <= s->store.n_runs; no++) {
		check_run(s, s->store.runs[no]);
	}
	sim_saw(s, SIM_SEEN_FULL_CHECKS);
}

static void rest_run(struct sim *s, struct sim_run *run)
{
	sim_check(s, RESTS, st_machine_final(&st_run_machine, (int)run->row.state),
		  "run %lld is %s at the end", (long long)run->no,
		  st_machine_state_name(&st_run_machine, (int)run->row.state));
	for (int i = 0; i < run->n_steps; i++) {
		const struct sim_item *items = run->steps[i].items;
		sim_check(s, RESTS,
			  items[0].stored &&
			      st_machine_final(&st_step_machine, (int)items[0].row.state),
			  "run %lld is over, its step %d is not", (long long)run->no, i);
		for (int k = run->steps[i].for_each ? 1 : 0; k <= SIM_ITEMS_MAX; k++) {
			bool started = items[k].stored && items[0].row.state != ST_STEP_SKIPPED &&
				       items[0].row.started_at != ST_TIME_NONE;
			bool over =
			    st_machine_final(&st_item_machine, (int)items[k].row.item_state);
			sim_check(
			    s, RESTS, !started || over, "run %lld is over, its item %d of %d is %s",
			    (long long)run->no, k, i,
			    st_machine_state_name(&st_item_machine, (int)items[k].row.item_state));
		}
	}
}

void sim_law_rest(struct sim *s)
{
	sim_check(s, FORGETS, st_core_runs(s->core) == 0, "%zu runs are kept in memory",
		  st_core_runs(s->core));
	for (int64_t no = 1; no <= s->store.n_runs; no++) {
		rest_run(s, s->store.runs[no]);
	}
	for (int64_t no = 1; no <= s->store.n_holds; no++) {
		const struct sim_hold *hold = &s->store.holds[no];
		sim_check(s, ENDS_AT_REST, !hold->there || hold->ended, "hold %lld has no end",
			  (long long)no);
	}
	for (int i = 0; i < s->store.n_scopes; i++) {
		for (int m = 0; m < ST_METER_COUNT; m++) {
			int64_t held = s->store.scopes[i].accounts[m].row.held;
			sim_check(s, ENDS_AT_REST, held == 0, "%lld are held at rest",
				  (long long)held);
		}
	}
}
