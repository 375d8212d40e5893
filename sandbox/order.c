/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/order.h"

#include <assert.h>
#include <string.h>

#include "sandbox/plan.h"
#include "sandbox/scene.h"

/* Room for what will be read as numbers and pointers, so it stands where such may stand. */
static uintptr_t add_room(struct st_buf *out, size_t bytes)
{
	static const char zeros[16];
	st_buf_add(out, zeros, (sizeof zeros - out->len % sizeof zeros) % sizeof zeros);
	uintptr_t at = out->len;
	memset(st_buf_reserve(out, bytes), 0, bytes);
	out->len += bytes;
	return at;
}

static void put(struct st_buf *out, uintptr_t at, const void *bytes, size_t len)
{
	assert(at + len <= out->len);
	memcpy(out->data + at, bytes, len);
}

static uintptr_t add_text(struct st_buf *out, const char *text)
{
	if (text == NULL) {
		return 0;
	}
	uintptr_t at = out->len;
	st_buf_add(out, text, strlen(text) + 1);
	return at;
}

static uintptr_t add_list(struct st_buf *out, char *const *texts)
{
	size_t n = 0;
	while (texts[n] != NULL) {
		n++;
	}
	uintptr_t list = add_room(out, (n + 1) * sizeof(union st_order_text));
	for (size_t i = 0; i < n; i++) {
		const union st_order_text text = {.at = add_text(out, texts[i])};
		put(out, list + i * sizeof text, &text, sizeof text);
	}
	return list;
}

static uintptr_t add_commands(struct st_buf *out, const struct st_job_plan *plan)
{
	struct st_order_command command = {0};
	uintptr_t list = add_room(out, plan->n_commands * sizeof command);
	for (size_t i = 0; i < plan->n_commands; i++) {
		command.argv.at = add_list(out, plan->commands[i].argv);
		command.programs.at = add_list(out, plan->commands[i].programs);
		put(out, list + i * sizeof command, &command, sizeof command);
	}
	return list;
}

static uintptr_t add_mounts(struct st_buf *out, const struct st_scene *scene)
{
	uintptr_t list = add_room(out, scene->n_mounts * sizeof(struct st_order_mount));
	for (size_t i = 0; i < scene->n_mounts; i++) {
		const struct st_mount *from = &scene->mounts[i];
		const struct st_order_mount mount = {
		    .kind = (int32_t)from->kind,
		    .owned = from->owned,
		    .from = {.at = add_text(out, from->from)},
		    .to = {.at = add_text(out, from->to)},
		    .bytes = from->bytes,
		    .files = from->files,
		};
		put(out, list + i * sizeof mount, &mount, sizeof mount);
	}
	return list;
}

void st_order_make(const struct st_order_parts *parts, struct st_buf *out)
{
	assert(out->len == 0);
	assert(parts->plan->workdir != NULL);
	struct st_order head = parts->head;
	const char *gateway = head.gateway.text;
	uintptr_t at = add_room(out, sizeof head);
	assert(at == 0);
	head.magic = ST_ORDER_MAGIC;
	head.boxed = parts->scene != NULL;
	head.workdir.at = add_text(out, parts->plan->workdir);
	head.gateway.at = add_text(out, gateway);
	head.env.at = add_list(out, parts->plan->env);
	head.n_commands = parts->plan->n_commands;
	head.commands.at = add_commands(out, parts->plan);
	if (parts->scene != NULL) {
		head.n_mounts = parts->scene->n_mounts;
		head.mounts.at = add_mounts(out, parts->scene);
		head.filter_bytes = parts->filter_bytes;
		head.filter.at = add_room(out, parts->filter_bytes);
		put(out, head.filter.at, parts->filter, parts->filter_bytes);
	}
	put(out, 0, &head, sizeof head);
}
