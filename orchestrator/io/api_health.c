/* SPDX-License-Identifier: Apache-2.0 */
/* Is the daemon well? For supervisors, load balancers and Prometheus. */
#include "orchestrator/io/api_private.h"
#include "schemas/schemas.h"

void st_api_handle_health(struct st_api_request *request)
{
	st_api_reply_json(request, 200, "{\"status\":\"ok\"}");
}

void st_api_handle_ready(struct st_api_request *request)
{
	if (request->api->closing) {
		st_api_refuse(request, ST_ERR_BUSY, "the daemon is stopping");
		return;
	}
	if (st_engine_is_full(request->api->options.engine)) {
		st_api_refuse(request, ST_ERR_UNAVAILABLE, "the disk is full");
		return;
	}
	st_api_reply_json(request, 200, "{\"status\":\"ready\"}");
}

void st_api_handle_openapi(struct st_api_request *request)
{
	static const struct st_http_field kept = {"Cache-Control", "max-age=300"};
	struct st_http_reply reply = {
	    .status = 200, .content_type = "application/json", .headers = &kept, .n_headers = 1};
	reply.body = st_schemas_text(ST_SCHEMAS_OPENAPI, &reply.body_len);
	st_api_reply(request, &reply);
}

static void metric(struct st_buf *out, const char *name, const char *type, const char *help,
		   uint64_t value)
{
	st_buf_addf(out, "# HELP stint_%s %s\n# TYPE stint_%s %s\nstint_%s %llu\n", name, help,
		    name, type, name, (unsigned long long)value);
}

void st_api_handle_metrics(struct st_api_request *request)
{
	const struct st_api_server *api = request->api;
	struct st_buf out = {0};
	if (request->actor.tenant[0] != '\0') {
		st_api_refuse(request, ST_ERR_FORBIDDEN,
			      "metrics are about all tenants; this token is bound to one");
		return;
	}
	if (api->closing) {
		st_api_refuse(request, ST_ERR_BUSY, "the daemon is stopping");
		return;
	}
	struct st_engine_counts counts = st_engine_count(api->options.engine);
	struct st_http_stats http = st_http_server_stats(api->server);
	st_buf_add_text(&out, "# HELP stint_build_info The version that runs.\n"
			      "# TYPE stint_build_info gauge\n"
			      "stint_build_info{version=\"" ST_VERSION "\"} 1\n");
	metric(&out, "runs_in_memory", "gauge", "Runs that act or wait for a time.", counts.runs);
	metric(&out, "calls_in_flight", "gauge", "Calls held or sent and not ended.", counts.calls);
	metric(&out, "events_total", "counter", "Events that the core took.", counts.events);
	metric(&out, "batches_total", "counter", "Transactions written and synced.",
	       counts.batches);
	metric(&out, "http_requests_total", "counter", "Requests answered by the API.",
	       http.requests);
	metric(&out, "http_refused_total", "counter", "Requests refused by the HTTP server.",
	       http.refused);
	metric(&out, "http_dropped_total", "counter", "Connections cut because they were slow.",
	       http.dropped);
	metric(&out, "http_connections", "gauge", "Open connections.", http.connections);
	metric(&out, "timeline_streams", "gauge", "Clients that follow a timeline.",
	       api->n_streams);
	const struct st_http_reply reply = {
	    .status = 200,
	    .content_type = "text/plain; version=0.0.4; charset=utf-8",
	    .body = out.data,
	    .body_len = out.len,
	};
	st_api_reply(request, &reply);
	st_buf_fini(&out);
}
