/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/rows_fini.h"

#include <sodium.h>
#include <string.h>

#include "budgets/grant.h"
#include "redact/clean.h"
#include "schemas/mem.h"

static void wipe(char *text)
{
	if (text != NULL) {
		sodium_memzero(text, strlen(text));
		st_free(text);
	}
}

static void fini_run(struct st_row_run *row)
{
	wipe(row->def);
	st_clean_free(row->shown);
	st_clean_free(row->error);
}

static void fini_step(struct st_row_step *row)
{
	wipe(row->output);
	st_clean_free(row->shown);
	st_clean_free(row->citations);
	st_clean_free(row->error);
}

static void fini_call(struct st_row_call *row)
{
	st_clean_free(row->params);
	st_clean_free(row->intent);
	st_clean_free(row->result);
}

static void fini_halt(struct st_row_halt *row)
{
	st_clean_free(row->verdict);
	st_clean_free(row->intent);
	st_clean_free(row->reason);
	st_free(row->verdict_json);
}

static void fini_external_id(struct st_row_external_id *row)
{
	st_clean_free(row->kind);
	st_clean_free(row->id);
	st_clean_free(row->url);
}

static void fini_artifact(struct st_row_artifact *row)
{
	st_clean_free(row->path);
	if (row->bytes != NULL) {
		sodium_memzero(row->bytes, row->len);
		st_free(row->bytes);
	}
}

static void fini_row(struct st_row *row)
{
	switch (row->type) {
	case ST_ROW_RUN:
		fini_run(row->run);
		break;
	case ST_ROW_STEP:
		fini_step(row->step);
		break;
	case ST_ROW_CALL:
		fini_call(row->call);
		break;
	case ST_ROW_HALT:
		fini_halt(row->halt);
		break;
	case ST_ROW_EXTERNAL_ID:
		fini_external_id(row->external_id);
		break;
	case ST_ROW_GRANT:
		st_clean_free(row->grant->reason);
		break;
	case ST_ROW_EVENT:
		st_clean_free(row->event->data);
		break;
	case ST_ROW_TRANSCRIPT:
		st_clean_free(row->transcript->text);
		break;
	case ST_ROW_ARTIFACT:
		fini_artifact(row->artifact);
		break;
	case ST_ROW_ANSWER:
		st_clean_free(row->answer->body);
		break;
	case ST_ROW_SCOPE:
	case ST_ROW_ACCOUNT:
	case ST_ROW_HOLD:
	case ST_ROW_SETTLEMENT:
	case ST_ROW_TOKEN:
	case ST_ROW_PULSE:
		break;
	}
}

void st_rows_fini(struct st_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		fini_row(&rows->of[i]);
	}
	st_rows_release(rows);
}

void st_effect_fini(struct st_effect *effect)
{
	switch (effect->type) {
	case ST_EFFECT_CALL:
		st_grant_free(effect->call.grant);
		st_free(effect->call.plan);
		json_decref(effect->call.params);
		break;
	case ST_EFFECT_REPLY:
		st_clean_free(effect->reply.body);
		break;
	case ST_EFFECT_ABORT:
		break;
	}
}

void st_update_fini(struct st_update *update)
{
	st_rows_fini(&update->rows);
	for (size_t i = 0; i < update->n_effects; i++) {
		st_effect_fini(&update->effects[i]);
	}
	st_free(update->effects);
	*update = (struct st_update){0};
}
