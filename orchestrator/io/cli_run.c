/* SPDX-License-Identifier: Apache-2.0 */
/* stint run: a definition, in the foreground, in a store of one's own. */
#include "orchestrator/io/definition.h"
#include "orchestrator/io/engine.h"
#include "orchestrator/io/foreground.h"
#include "schemas/mem.h"

static int read_definition(struct st_foreground *foreground, void *engine, struct st_diag *diag)
{
	return st_definition_read(foreground->cli, st_engine_schemas(engine),
				  st_engine_config(engine), &foreground->event.submit.def, diag);
}

int st_cli_run(struct st_cli *cli)
{
	struct st_diag diag = {0};
	char *uri = NULL;
	if (st_foreground_store(cli, true, &uri, &diag) != ST_OK) {
		st_free(uri);
		return st_cli_fail(cli, &diag);
	}
	struct st_foreground foreground = {
	    .cli = cli,
	    .store_uri = uri,
	    .event = {.type = ST_EVENT_SUBMIT, .actor = st_foreground_actor()},
	    .prepare = read_definition,
	};
	int code = st_foreground_drive(&foreground);
	st_free(uri);
	return code;
}
