/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/gate.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "orchestrator/registry.h"
#include "orchestrator/tell.h"
#include "schemas/mem.h"

struct st_approval {
	uint8_t params_hash[ST_HASH_BYTES];
};

static struct st_approval *approve(const uint8_t params_hash[ST_HASH_BYTES])
{
	struct st_approval *approval = st_alloc(sizeof *approval);
	memcpy(approval->params_hash, params_hash, ST_HASH_BYTES);
	return approval;
}

void st_approval_free(struct st_approval *approval)
{
	st_free(approval);
}

bool st_approval_covers(const struct st_approval *approval,
			const uint8_t params_hash[ST_HASH_BYTES])
{
	return approval != NULL &&
	       sodium_memcmp(approval->params_hash, params_hash, ST_HASH_BYTES) == 0;
}

const uint8_t *st_approval_hash(const struct st_approval *approval)
{
	return approval->params_hash;
}

struct st_approval *st_approval_restore(const struct st_row_step *row)
{
	assert(row->has_approved);
	return approve(row->approved);
}

struct st_approval *st_approval_restore_run(const struct st_row_run *row)
{
	assert(row->has_approved);
	return approve(row->approved);
}

struct st_approval *st_approval_decide(const struct st_turn *turn, const struct st_run *run,
				       const struct st_halt *halt)
{
	assert(halt->kind == ST_HALT_DANGEROUS);
	assert(turn->actor->role >= ST_ROLE_APPROVER);
	assert(turn->actor->embedded || !st_gate_own_run(turn, run));
	return approve(halt->params_hash);
}

void st_gate_refuse(struct st_turn *turn, enum st_err code, const char *why)
{
	st_turn_reply(turn, code, NULL, st_tell_text(turn, why));
}

/* A run of another tenant is not there. */
static bool visible(const struct st_turn *turn, const struct st_run *run)
{
	return turn->actor->tenant[0] == '\0' ||
	       strcmp(turn->actor->tenant, run->def->scope_id[ST_SCOPE_TENANT]) == 0;
}

bool st_gate_admits(struct st_turn *turn, const struct st_run *run, enum st_role role,
		    const char *why)
{
	if (!visible(turn, run)) {
		st_gate_refuse(turn, ST_ERR_NOT_FOUND, "no such run");
		return false;
	}
	if (turn->actor->role < role) {
		st_gate_refuse(turn, ST_ERR_FORBIDDEN, why);
		return false;
	}
	return true;
}

bool st_gate_own_run(const struct st_turn *turn, const struct st_run *run)
{
	return strcmp(turn->actor->name, run->submitted_by) == 0;
}

bool st_gate_decides(struct st_turn *turn, const struct st_run *run)
{
	if (!st_gate_admits(turn, run, ST_ROLE_APPROVER, "deciding takes the role approver")) {
		return false;
	}
	if (st_gate_own_run(turn, run) && !turn->actor->embedded) {
		st_gate_refuse(turn, ST_ERR_FORBIDDEN,
			       "who submits a run does not approve it; ask somebody else");
		return false;
	}
	return true;
}
