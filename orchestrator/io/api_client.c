/* SPDX-License-Identifier: Apache-2.0 */
/* What clients ask for that make their calls themselves. */
#include <string.h>

#include "orchestrator/decision.h"
#include "orchestrator/io/api_private.h"

void st_api_handle_call_hold(struct st_api_request *request)
{
	struct st_event event = {.type = ST_EVENT_CLIENT_HOLD};
	if (st_client_hold_decode(request->body, &event.hold, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	st_api_send_event(request, &event);
}

void st_api_handle_step_end(struct st_api_request *request)
{
	struct st_event event = {.type = ST_EVENT_STEP_END};
	memcpy(event.step_end.step, request->name, sizeof event.step_end.step);
	if (st_step_end_decode(request->body, &event.step_end, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	st_api_send_event(request, &event);
}

/* Of which run is it, and how did it end if it has? False: answered. */
static bool look_up(struct st_api_request *request, struct st_read_client_call *call)
{
	if (st_reader_client_call(request->api->reader, request->call, request->actor.tenant, call,
				  &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return false;
	}
	request->run = call->run;
	return true;
}

/* Is what is asked what was done? */
static bool same_end(const struct st_client_end *asked, const struct st_read_client_call *done)
{
	if (asked->voided || done->voided) {
		return asked->voided == done->voided;
	}
	return asked->usage_known == !done->estimated &&
	       (done->estimated || memcmp(&asked->usage, &done->used, sizeof done->used) == 0);
}

/* To one that has ended: asking for the same again is answered the same, whoever asks when. */
static void answer_ended(struct st_api_request *request, const struct st_read_client_call *done)
{
	if (same_end(&request->end, done)) {
		st_api_reply_json(request, 200, done->settled.data);
	} else {
		st_api_refuse(request, ST_ERR_CONFLICT, "this call was %s already%s",
			      done->voided ? "voided" : "settled",
			      done->voided || request->end.voided ? "" : ", with other usage");
	}
}

static void on_end(struct st_waiter *waiter, const struct st_effect_reply *reply)
{
	struct st_api_request *request =
	    (struct st_api_request *)(void *)((char *)waiter -
					      offsetof(struct st_api_request, waiter));
	struct st_read_client_call done;
	if (reply->code != ST_ERR_EXISTS) {
		st_api_answer(request, reply);
		return;
	}
	/* Two asked at once. The other's end came first and, as this is answered, is on disk. */
	if (look_up(request, &done)) {
		answer_ended(request, &done);
		st_buf_fini(&done.settled);
	}
}

static void end_call(struct st_api_request *request)
{
	struct st_event event = {.type = ST_EVENT_CLIENT_END};
	struct st_read_client_call call;
	if (!look_up(request, &call)) {
		return;
	}
	if (call.ended) {
		answer_ended(request, &call);
		st_buf_fini(&call.settled);
		return;
	}
	event.end = request->end;
	event.end.call = request->call;
	request->waiter.answer = on_end;
	st_api_send_event(request, &event);
}

void st_api_handle_call_settle(struct st_api_request *request)
{
	if (st_client_settle_decode(request->body, &request->end, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	end_call(request);
}

void st_api_handle_call_void(struct st_api_request *request)
{
	request->end.voided = true;
	if (st_control_decode(request->body, &request->end.reason, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	end_call(request);
}

void st_api_handle_call_extend(struct st_api_request *request)
{
	struct st_event event = {.type = ST_EVENT_CLIENT_EXTEND};
	struct st_read_client_call call;
	if (st_client_extend_decode(request->body, &event.extend, &request->diag) != ST_OK) {
		st_api_fail_with(request, &request->diag);
		return;
	}
	if (!look_up(request, &call)) {
		return;
	}
	st_buf_fini(&call.settled);
	event.extend.call = request->call;
	st_api_send_event(request, &event);
}
