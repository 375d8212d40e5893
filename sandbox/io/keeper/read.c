/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox/io/keeper/read.h"

#include <assert.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct block {
	char *data;
	size_t size;
};

static void place_text(const struct block *block, union st_order_text *text)
{
	assert(text->at < block->size);
	text->text = text->at == 0 ? NULL : block->data + text->at;
}

static void place_list(const struct block *block, union st_order_list *list)
{
	assert(list->at > 0);
	assert(list->at < block->size);
	list->texts = (union st_order_text *)(void *)(block->data + list->at);
	for (union st_order_text *text = list->texts; text->at != 0; text++) {
		place_text(block, text);
	}
}

static void place_all(const struct block *block, struct st_order *order)
{
	place_text(block, &order->workdir);
	place_text(block, &order->gateway);
	place_list(block, &order->env);
	order->commands.list = (void *)(block->data + order->commands.at);
	for (size_t i = 0; i < order->n_commands; i++) {
		place_list(block, &order->commands.list[i].argv);
		place_list(block, &order->commands.list[i].programs);
	}
	order->mounts.list = (void *)(block->data + order->mounts.at);
	for (size_t i = 0; i < order->n_mounts; i++) {
		place_text(block, &order->mounts.list[i].from);
		place_text(block, &order->mounts.list[i].to);
	}
	order->filter.code = block->data + order->filter.at;
}

const struct st_order *st_order_read(int fd)
{
	struct stat info;
	if (fstat(fd, &info) != 0 || info.st_size < (off_t)sizeof(struct st_order) ||
	    info.st_size > ST_ORDER_BYTES_MAX) {
		_exit(125);
	}
	const struct block block = {
	    .data = mmap(NULL, (size_t)info.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0),
	    .size = (size_t)info.st_size,
	};
	if (block.data == MAP_FAILED) {
		_exit(125);
	}
	(void)close(fd);
	struct st_order *order = (void *)block.data;
	assert(order->magic == ST_ORDER_MAGIC);
	assert(order->commands.at < block.size);
	assert(order->mounts.at < block.size);
	assert(order->filter.at + order->filter_bytes <= block.size);
	place_all(&block, order);
	return order;
}

char *const *st_order_strings(const union st_order_list *list)
{
	_Static_assert(sizeof(union st_order_text) == sizeof(char *), "lists are arrays of char *");
	return (char *const *)(void *)list->texts;
}
