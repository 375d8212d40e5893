/* SPDX-License-Identifier: Apache-2.0 */
/* How is a call made once the core and the store have let it go? */
#ifndef ST_ORCHESTRATOR_IO_DRIVER_H
#define ST_ORCHESTRATOR_IO_DRIVER_H

#include <uv.h>

#include "orchestrator/io/secrets.h"
#include "schemas/config.h"
#include "schemas/effect.h"
#include "schemas/event.h"

struct st_driver;
struct st_http_client;
struct st_redactor;

/* All borrowed for the driver's life. `ended` gets a CALL_ENDED or COUNTED
 * event without time, random words and actor; what it points to is gone when it
 * returns. */
struct st_driver_options {
	uv_loop_t *loop;
	const struct st_config *config;
	const struct st_redactor *redactor;
	struct st_secrets *secrets;
	const char *work_dir;	 /* where jobs get their fresh directories */
	const char *record_path; /* or NULL */
	void (*ended)(void *arg, struct st_event *event);
	void *arg;
};

int st_driver_new(const struct st_driver_options *options, struct st_driver **out,
		  struct st_diag *diag);
/* Makes the call; takes the effect's contents. `ended` comes later, once, never
 * from inside. The one exception: a kind that calls nothing ends before this
 * returns. */
void st_driver_call(struct st_driver *driver, struct st_effect_call *effect);
/* The run is over, durably: its workspace goes, once none of its calls is in flight any more,
 * unless the operator wants to keep it. */
void st_driver_run_over(struct st_driver *driver, struct st_id run, bool succeeded);
/* Gives up on a call in flight, if it still is. */
void st_driver_abort(struct st_driver *driver, int64_t call_no);
/* Aborts what is in flight without telling anybody, frees, then calls back. */
void st_driver_close(struct st_driver *driver, void (*closed)(void *arg), void *arg);

void st_effect_call_fini(struct st_effect_call *effect);

#endif
