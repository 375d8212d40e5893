/* SPDX-License-Identifier: Apache-2.0 */
/* Is a definition that is kept the same as one that is not? */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/definitions.h"
#include "redact/redact.h"
#include "schemas/json.h"
#include "schemas/mem.h"

#define N_MAX 3
#define SECRET "tulip-orchard-52-lantern"

struct rig {
	struct st_core_options options;
	struct st_config *config;
	struct st_redactor *redactor;
	struct st_schemas *schemas;
	struct st_definitions *definitions;
};

static void rig_init(struct rig *rig)
{
	struct st_diag diag = {0};
	rig->config = st_config_new();
	rig->schemas = st_schemas_new();
	rig->redactor = st_redactor_new();
	assert_int_equal(st_redactor_secret(rig->redactor, "KEY", SECRET, strlen(SECRET), &diag),
			 ST_OK);
	assert_int_equal(st_redactor_build(rig->redactor, &diag), ST_OK);
	rig->definitions = st_definitions_new(N_MAX);
	rig->options = (struct st_core_options){
	    .config = rig->config, .redactor = rig->redactor, .schemas = rig->schemas};
}

static void rig_fini(struct rig *rig)
{
	st_definitions_free(rig->definitions);
	st_redactor_free(rig->redactor);
	st_schemas_free(rig->schemas);
	st_config_free(rig->config);
}

static struct st_def *read_text(struct rig *rig, const char *text)
{
	return st_definitions_read(rig->definitions, &rig->options, text);
}

/* One that no other number gives. */
static const char *text_of(int i, char text[300])
{
	(void)snprintf(text, 300,
		       "{\"stint\":1,\"name\":\"t\",\"kind\":\"research\",\"steps\":[{\"id\":"
		       "\"s%d\",\"uses\":\"noop\",\"with\":{\"output\":\"" SECRET "\"}}]}",
		       i);
	return text;
}

static void the_same_text_is_read_once(void **state)
{
	(void)state;
	struct rig rig;
	char text[300];
	rig_init(&rig);
	struct st_def *first = read_text(&rig, text_of(1, text));
	struct st_def *again = read_text(&rig, text_of(1, text));
	assert_non_null(first);
	assert_ptr_equal(first, again);
	st_def_free(first);
	st_def_free(again);
	rig_fini(&rig);
}

/* Texts of one length that differ in one byte, more than are kept, in turns. */
static void each_text_gives_its_own_definition(void **state)
{
	(void)state;
	struct rig rig;
	char text[300];
	rig_init(&rig);
	for (int i = 0; i < 40; i++) {
		char id[8];
		(void)snprintf(id, sizeof id, "s%d", i * 7 % 10);
		struct st_def *def = read_text(&rig, text_of(i * 7 % 10, text));
		assert_non_null(def);
		assert_string_equal(def->steps[0].id, id);
		st_def_free(def);
	}
	rig_fini(&rig);
}

static void what_cannot_be_read_is_never_known(void **state)
{
	(void)state;
	struct rig rig;
	rig_init(&rig);
	for (int i = 0; i < 2; i++) {
		assert_null(read_text(&rig, NULL));
		assert_null(read_text(&rig, ""));
		assert_null(read_text(&rig, "{\"stint\":1"));
		assert_null(read_text(&rig, "{\"stint\":1,\"name\":\"t\",\"kind\":\"research\","
					    "\"steps\":[{\"id\":\"a\",\"uses\":\"nosuch\"}]}"));
	}
	rig_fini(&rig);
}

/* Told anew, told first and told again are the same, and people see no secret in any. */
static void what_is_kept_is_written_like_what_is_new(void **state)
{
	(void)state;
	struct rig rig;
	char text[300];
	char *stored[2 * N_MAX + 2];
	rig_init(&rig);
	struct st_def *def = read_text(&rig, text_of(1, text));
	for (int i = 0; i < 2 * N_MAX + 2; i++) {
		struct st_clean *shown = NULL;
		st_definitions_write(rig.definitions, &rig.options, def, &stored[i], &shown);
		assert_string_equal(stored[i], stored[0]);
		assert_non_null(strstr(stored[i], "\"budget\":{"));
		assert_non_null(strstr(stored[i], SECRET));
		assert_null(strstr(st_clean_text(shown), SECRET));
		st_clean_free(shown);
		struct st_def *other = read_text(&rig, text_of(10 + i, text)); /* crowds it out */
		char *of_other = NULL;
		st_definitions_write(rig.definitions, &rig.options, other, &of_other, &shown);
		assert_string_not_equal(of_other, stored[0]);
		st_clean_free(shown);
		st_free(of_other);
		st_def_free(other);
	}
	struct st_def *back = read_text(&rig, stored[0]);
	assert_non_null(back);
	assert_memory_equal(&back->envelope, &def->envelope, sizeof def->envelope);
	for (int i = 0; i < 2 * N_MAX + 2; i++) {
		st_free(stored[i]);
	}
	st_def_free(back);
	st_def_free(def);
	rig_fini(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_text_is_read_once),
	    cmocka_unit_test(each_text_gives_its_own_definition),
	    cmocka_unit_test(what_cannot_be_read_is_never_known),
	    cmocka_unit_test(what_is_kept_is_written_like_what_is_new),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
