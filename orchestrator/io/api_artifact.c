/* SPDX-License-Identifier: Apache-2.0 */
/* Files that jobs left: who may see the run may see their names, approvers also what is in them. */
#include "orchestrator/io/api_private.h"
#include "orchestrator/io/log.h"
#include "orchestrator/io/store_artifact.h"

int st_api_read_artifacts(struct st_reader *reader, struct st_api_request *request)
{
	const struct st_read_of of = {.run = request->run, .tenant = request->actor.tenant};
	return st_reader_artifacts(reader, of, &request->out, &request->diag);
}

static int read_artifact(struct st_reader *reader, struct st_api_request *request)
{
	const struct st_read_artifact which = {
	    .of = {.run = request->run, .tenant = request->actor.tenant},
	    .call = request->call,
	    .path = request->path,
	};
	return st_reader_artifact(reader, &which, &request->out, &request->diag);
}

/* Never as something that a browser would show or run. */
static void reply_file(struct st_api_request *request)
{
	static const struct st_http_field saved = {"Content-Disposition", "attachment"};
	char run[ST_ID_TEXT_MAX];
	const struct st_http_reply reply = {.status = 200,
					    .content_type = "application/octet-stream",
					    .headers = &saved,
					    .n_headers = 1,
					    .body = request->out.data,
					    .body_len = request->out.len};
	if (request->err != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	st_log(ST_LOG_INFO, "artifact.opened", "%s got a file of %zu bytes of %s",
	       request->actor.name, request->out.len, st_id_format(request->run, ST_ID_RUN, run));
	st_api_reply(request, &reply);
}

void st_api_handle_artifact(struct st_api_request *request)
{
	st_api_read_start(request, read_artifact, reply_file);
}
