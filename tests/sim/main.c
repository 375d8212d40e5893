/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sim: worlds out of seeds.
 *
 *   sim --seed N [--steps M] [--json]       replays one world and prints the end of its trace
 *   sim --seconds S [--from N]              fresh worlds until the time is over
 *   sim --seeds N [--from N]                so many worlds
 *   sim --laws                              which laws are checked, and where
 * --fresh instead of --from: the first seed is the time of day.
 *
 * When a world fails it is shrunk, and the command that replays what is left is printed; --runs,
 * --without and --skip of that command say what is left out. --demand: the run counts only if every
 * fault fired and every state was reached. --twice: every world is run twice and must give the same
 * rows and effects. Exit code 0, 1 for a broken law, 2 for wrong arguments, 3 for --demand.
 */
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "schemas/mem.h"
#include "tests/sim/sim.h"

#define STEPS_DEFAULT 300
#define STEPS_MAX 4096
#define TRACE_TAIL 60

struct program {
	struct sim_base base;
	struct sim_options options;
	uint8_t skip[STEPS_MAX];
	bool one_seed;
	bool json;
	bool demand;
	bool twice;
	bool shrinks;
	double seconds;
	uint64_t n_seeds;
	struct sim_result sum;
	uint64_t n_worlds;
	double took;
	double cpu; /* of this one thread */
};

static double now_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- what was reached ---- */

static const struct st_machine *const MACHINES[] = {&st_run_machine, &st_step_machine,
						    &st_item_machine, &st_hold_machine};

/* Nothing admits under quotas yet; a step has no row before it starts, and no hold is stored
 * before it may leave. */
static bool out_of_reach(int machine, int state)
{
	return (machine == 0 && state == ST_RUN_BLOCKED) ||
	       (machine == 1 && state == ST_STEP_PENDING) ||
	       (machine == 3 && state == ST_HOLD_HELD);
}

static void add_up(struct program *p, const struct sim_result *result)
{
	p->n_worlds++;
	p->sum.n_steps += result->n_steps;
	p->sum.n_rows += result->n_rows;
	p->sum.digest = p->sum.digest * 31 + result->digest;
	for (int i = 0; i < SIM_FAULT_COUNT; i++) {
		p->sum.fired[i] += result->fired[i];
	}
	for (int i = 0; i < SIM_SEEN_COUNT; i++) {
		p->sum.seen[i] += result->seen[i];
	}
	for (int i = 0; i < 4; i++) {
		p->sum.states[i] |= result->states[i];
	}
}

/* Names what was not reached; returns how many. */
static int print_missing(const struct program *p)
{
	int n = 0;
	for (int i = 0; i < SIM_FAULT_COUNT; i++) {
		if (p->sum.fired[i] == 0) {
			(void)printf("never fired: %s\n", sim_fault_name(i));
			n++;
		}
	}
	for (int i = 0; i < SIM_SEEN_COUNT; i++) {
		if (p->sum.seen[i] == 0) {
			(void)printf("never seen: %s\n", sim_seen_name(i));
			n++;
		}
	}
	for (int m = 0; m < 4; m++) {
		for (int state = 0; state < MACHINES[m]->n_states; state++) {
			if ((p->sum.states[m] >> state & 1) == 0 && !out_of_reach(m, state)) {
				(void)printf("never reached: %s %s\n", MACHINES[m]->name,
					     st_machine_state_name(MACHINES[m], state));
				n++;
			}
		}
	}
	return n;
}

static void print_counts(const char *what, const uint64_t *counts, int n,
			 const char *(*name)(int i))
{
	(void)printf("%s:", what);
	for (int i = 0; i < n; i++) {
		(void)printf("%s %s %llu", i > 0 ? "," : "", name(i),
			     (unsigned long long)counts[i]);
	}
	(void)printf("\n");
}

static void print_json(const struct program *p)
{
	json_t *fired = json_object();
	json_t *seen = json_object();
	for (int i = 0; i < SIM_FAULT_COUNT; i++) {
		(void)json_object_set_new(fired, sim_fault_name(i),
					  json_integer((json_int_t)p->sum.fired[i]));
	}
	for (int i = 0; i < SIM_SEEN_COUNT; i++) {
		(void)json_object_set_new(seen, sim_seen_name(i),
					  json_integer((json_int_t)p->sum.seen[i]));
	}
	char digest[32];
	(void)snprintf(digest, sizeof digest, "%016llx", (unsigned long long)p->sum.digest);
	json_t *all = json_pack(
	    "{s:I,s:I,s:I,s:I,s:f,s:f,s:b,s:s,s:s,s:i,s:s,s:o,s:o}", "from",
	    (json_int_t)p->options.seed, "worlds", (json_int_t)p->n_worlds, "steps",
	    (json_int_t)p->sum.n_steps, "rows", (json_int_t)p->sum.n_rows, "seconds", p->took,
	    "cpu_seconds", p->cpu, "failed", p->sum.failed, "law",
	    p->sum.failed ? sim_law_name(p->sum.law) : "", "text", p->sum.failed ? p->sum.text : "",
	    "tick", p->sum.tick, "digest", digest, "faults", fired, "seen", seen);
	char *text = json_dumps(all, JSON_INDENT(1) | JSON_SORT_KEYS);
	(void)printf("%s\n", text);
	free(text); /* NOLINT: json_dumps allocates with the C library here */
	json_decref(all);
}

static void print_sum(const struct program *p)
{
	if (p->json) {
		print_json(p);
		return;
	}
	(void)printf("%llu worlds from seed %llu, %llu core steps, %llu rows judged, %.1f s: "
		     "%.0f checked steps a second of CPU, %.1f us each\n",
		     (unsigned long long)p->n_worlds, (unsigned long long)p->options.seed,
		     (unsigned long long)p->sum.n_steps, (unsigned long long)p->sum.n_rows, p->took,
		     (double)p->sum.n_steps / p->cpu, p->cpu * 1e6 / (double)p->sum.n_steps);
	print_counts("faults", p->sum.fired, SIM_FAULT_COUNT, sim_fault_name);
	print_counts("seen", p->sum.seen, SIM_SEEN_COUNT, sim_seen_name);
}

/* ---- a failure ---- */

static void print_tail(const struct st_buf *trace)
{
	size_t at = trace->len;
	for (int lines = 0; at > 0 && lines <= TRACE_TAIL; at--) {
		lines += trace->data[at - 1] == '\n';
	}
	(void)printf("%s", at < trace->len ? trace->data + at : "");
}

static void print_failure(const struct sim_result *result)
{
	(void)printf("broken: %s (%s), %s\n  tick %d: %s\n", sim_law_name(result->law),
		     sim_law_ids(result->law), sim_law_text(result->law), result->tick,
		     result->text);
}

static void print_skip(const struct sim_options *options)
{
	const char *before = " --skip ";
	for (int i = 0; i < options->steps; i++) {
		if (options->skip == NULL || options->skip[i] == 0) {
			continue;
		}
		int first = i;
		while (i + 1 < options->steps && options->skip[i + 1] != 0) {
			i++;
		}
		(void)printf("%s%d-%d", before, first, i);
		before = ",";
	}
}

static void print_command(const struct sim_options *options)
{
	(void)printf("replay: sim --seed %llu --steps %d --runs %u",
		     (unsigned long long)options->seed, options->steps, options->runs);
	const char *before = " --without ";
	for (int i = 0; i < SIM_FAULT_COUNT; i++) {
		if ((options->without >> i & 1) != 0) {
			(void)printf("%s%s", before, sim_fault_name(i));
			before = ",";
		}
	}
	print_skip(options);
	(void)printf("\n");
}

static void replay(struct program *p, struct sim_options *options)
{
	struct sim_result result;
	struct st_buf trace = {0};
	options->trace = true;
	sim_world_run(&p->base, options, &result, &trace);
	if (!p->json) {
		print_tail(&trace);
	}
	st_buf_fini(&trace);
}

static void on_failure(struct program *p, struct sim_options *options, struct sim_result *result)
{
	print_failure(result);
	if (p->shrinks) {
		sim_shrink(&p->base, options, p->skip, result);
		(void)printf("shrunk to:\n");
		print_failure(result);
	}
	replay(p, options);
	print_command(options);
	p->sum.failed = true;
	p->sum.law = result->law;
	p->sum.tick = result->tick;
	memcpy(p->sum.text, result->text, sizeof p->sum.text);
}

/* ---- many worlds ---- */

static void check_twice(struct program *p, const struct sim_options *options,
			struct sim_result *result)
{
	struct sim_result again;
	if (!p->twice || result->failed) {
		return;
	}
	sim_world_run(&p->base, options, &again, NULL);
	if (again.digest != result->digest || again.n_rows != result->n_rows) {
		result->failed = true;
		result->law = SIM_LAW_DETERMINISM;
		(void)snprintf(result->text, sizeof result->text, "digests %016llx and %016llx",
			       (unsigned long long)result->digest,
			       (unsigned long long)again.digest);
	}
}

static void run_worlds(struct program *p)
{
	double begun = now_s();
	for (uint64_t i = 0; p->n_seeds == 0 || i < p->n_seeds; i++) {
		struct sim_result result;
		struct sim_options options = p->options;
		options.seed += i;
		sim_world_run(&p->base, &options, &result, NULL);
		check_twice(p, &options, &result);
		add_up(p, &result);
		p->took = now_s() - begun;
		if (result.failed) {
			on_failure(p, &options, &result);
			return;
		}
		if (p->seconds > 0 && p->took >= p->seconds) {
			return;
		}
	}
}

static void run_one(struct program *p)
{
	struct sim_result result;
	double begun = now_s();
	struct st_buf trace = {0};
	sim_world_run(&p->base, &p->options, &result, &trace);
	add_up(p, &result);
	p->took = now_s() - begun;
	if (!p->json) {
		print_tail(&trace);
	}
	st_buf_fini(&trace);
	if (result.failed) {
		print_failure(&result);
		p->sum.failed = true;
		p->sum.law = result.law;
		p->sum.tick = result.tick;
		memcpy(p->sum.text, result.text, sizeof p->sum.text);
	}
}

/* ---- arguments ---- */

static _Noreturn void wrong(const char *what, const char *value)
{
	(void)fprintf(stderr, "sim: %s: \"%s\"; see the head of tests/sim/main.c\n", what, value);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end = NULL;
	errno = 0;
	uint64_t n = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0') {
		wrong("not a number", text);
	}
	return n;
}

static uint64_t faults(char *list)
{
	uint64_t mask = 0;
	char *rest = NULL;
	for (char *name = strtok_r(list, ",", &rest); name != NULL;
	     name = strtok_r(NULL, ",", &rest)) {
		int i = 0;
		while (i < SIM_FAULT_COUNT && strcmp(sim_fault_name(i), name) != 0) {
			i++;
		}
		if (i == SIM_FAULT_COUNT) {
			wrong("no such fault", name);
		}
		mask |= UINT64_C(1) << i;
	}
	return mask;
}

static void read_skip(struct program *p, char *list)
{
	char *rest = NULL;
	for (char *piece = strtok_r(list, ",", &rest); piece != NULL;
	     piece = strtok_r(NULL, ",", &rest)) {
		char *end = NULL;
		long from = strtol(piece, &end, 10);
		long to = *end == '-' ? strtol(end + 1, NULL, 10) : from;
		for (long i = from; i >= 0 && i <= to && i < STEPS_MAX; i++) {
			p->skip[i] = 1;
		}
	}
	p->options.skip = p->skip;
}

static _Noreturn void print_laws(void)
{
	for (int i = 0; i < SIM_LAW_COUNT; i++) {
		enum sim_law law = (enum sim_law)i;
		(void)printf("%-18s %-18s %s\n%38s%s\n", sim_law_name(law), sim_law_ids(law),
			     sim_law_text(law), "", sim_law_where(law));
	}
	exit(0);
}

static void read_option(struct program *p, int option, char *value)
{
	switch (option) {
	case 's':
		p->options.seed = number(value);
		p->one_seed = true;
		break;
	case 'f':
		p->options.seed = number(value);
		break;
	case 'F':
		p->options.seed = (uint64_t)time(NULL) * 1000000;
		break;
	case 'm':
		p->options.steps = (int)number(value);
		break;
	case 'r':
		p->options.runs = (uint32_t)number(value);
		break;
	case 'w':
		p->options.without = faults(value);
		break;
	case 'k':
		read_skip(p, value);
		break;
	case 'S':
		p->seconds = (double)number(value);
		break;
	case 'n':
		p->n_seeds = number(value);
		break;
	case 'j':
		p->json = true;
		break;
	case 'd':
		p->demand = true;
		break;
	case 't':
		p->twice = true;
		p->options.digest = true;
		break;
	case 'l':
		print_laws();
	case 'q':
		p->shrinks = false;
		break;
	default:
		wrong("unknown option", "");
	}
}

static void read_arguments(struct program *p, int argc, char **argv)
{
	static const struct option options[] = {
	    {"seed", required_argument, NULL, 's'},
	    {"from", required_argument, NULL, 'f'},
	    {"steps", required_argument, NULL, 'm'},
	    {"runs", required_argument, NULL, 'r'},
	    {"without", required_argument, NULL, 'w'},
	    {"skip", required_argument, NULL, 'k'},
	    {"seconds", required_argument, NULL, 'S'},
	    {"seeds", required_argument, NULL, 'n'},
	    {"fresh", no_argument, NULL, 'F'},
	    {"json", no_argument, NULL, 'j'},
	    {"demand", no_argument, NULL, 'd'},
	    {"twice", no_argument, NULL, 't'},
	    {"no-shrink", no_argument, NULL, 'q'},
	    {"laws", no_argument, NULL, 'l'},
	    {NULL, 0, NULL, 0},
	};
	int option = 0;
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		read_option(p, option, optarg);
	}
	if (p->options.steps < 1 || p->options.steps > STEPS_MAX) {
		wrong("steps must be 1 to 4096", "");
	}
	if (!p->one_seed && p->seconds <= 0 && p->n_seeds == 0) {
		wrong("give --seed, --seeds or --seconds", "");
	}
}

int main(int argc, char **argv)
{
	/* Worlds come and go: what is free stays with the process. */
	(void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
	struct program *p = st_alloc(sizeof *p);
	p->options = (struct sim_options){
	    .seed = 1, .steps = STEPS_DEFAULT, .runs = (1U << SIM_RUNS_MAX) - 1};
	p->shrinks = true;
	read_arguments(p, argc, argv);
	sim_base_init(&p->base);
	if (p->one_seed && p->n_seeds == 0 && p->seconds <= 0) {
		p->options.trace = !p->json;
		p->options.digest = true;
		run_one(p);
	} else {
		run_worlds(p);
	}
	p->cpu = cpu_s();
	print_sum(p);
	int missing = p->demand && !p->sum.failed ? print_missing(p) : 0;
	int code = p->sum.failed ? 1 : missing > 0 ? 3 : 0;
	sim_base_fini(&p->base);
	st_free(p);
	return code;
}
