/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a run while its rows are seen? */
#include <string.h>

#include "orchestrator/audit_private.h"
#include "schemas/mem.h"

void *st_audit_grow(void *of, size_t *cap, size_t n, size_t size)
{
	if (n == *cap) {
		*cap = *cap == 0 ? 16 : *cap * 2;
		of = st_realloc(of, *cap * size);
	}
	memset((char *)of + n * size, 0, size);
	return of;
}

static void free_step(struct st_audit_step *step)
{
	for (int k = 0; k < step->n_items; k++) {
		st_free(step->items[k].error);
	}
	st_free(step->items);
	st_free(step->error);
}

void st_audit_run_free(struct st_audit_run *run)
{
	if (run == NULL) {
		return;
	}
	for (int i = 0; i < RUN_N; i++) {
		st_free((char *)(uintptr_t)run->cells[i].bytes);
	}
	for (size_t i = 0; run->def != NULL && i < run->def->n_steps; i++) {
		free_step(&run->steps[i]);
	}
	for (size_t i = 0; i < run->calls.n; i++) {
		json_decref(run->calls.of[i].held);
		json_decref(run->calls.of[i].end_doc);
		st_free(run->calls.of[i].end);
	}
	for (size_t i = 0; i < run->halts.n; i++) {
		st_free(run->halts.of[i].verdict);
		st_free(run->halts.of[i].intent);
		st_free(run->halts.of[i].reason);
	}
	for (size_t i = 0; i < run->grants.n; i++) {
		st_free(run->grants.of[i].reason);
	}
	for (size_t i = 0; i < run->externals.n; i++) {
		json_decref(run->externals.of[i].data);
	}
	st_free(run->calls.of);
	st_free(run->halts.of);
	st_free(run->grants.of);
	st_free(run->externals.of);
	st_free(run->transcripts.of);
	st_free(run->steps);
	st_free(run->error);
	st_free(run->submitted_by);
	st_free(run->verdict);
	st_def_free(run->def);
	st_seal_key_wipe(&run->key);
	st_free(run);
}

int st_audit_step_index(const struct st_audit_run *run, const char *id)
{
	for (size_t i = 0; run->def != NULL && i < run->def->n_steps; i++) {
		if (strcmp(run->def->steps[i].id, id) == 0) {
			return (int)i;
		}
	}
	return -1;
}

struct st_audit_item *st_audit_item(struct st_audit_run *run, int step, int item)
{
	bool there = step >= 0 && item >= 0 && item < run->steps[step].n_items;
	return there ? &run->steps[step].items[item] : NULL;
}

/* JSON */

const char *st_audit_json_text(const json_t *doc, const char *name)
{
	const char *text = json_string_value(json_object_get(doc, name));
	return text != NULL ? text : "";
}

void st_audit_json_amounts(const json_t *object, struct st_amounts *out)
{
	const char *name = NULL;
	json_t *value = NULL;
	enum st_meter meter = ST_METER_TOKENS;
	*out = (struct st_amounts){{0}};
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (st_meter_parse(name, &meter)) {
			json_int_t n = json_integer_value(value);
			out->of[meter] = n > 0 ? n : 0;
		}
	}
}
