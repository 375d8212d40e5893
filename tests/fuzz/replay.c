/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a fuzz program over kept inputs, for builds that have no libFuzzer: each file of the named
 * directory, and always the empty input, so that a fuzz program without kept inputs is run too.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "schemas/buf.h"

static bool read_file(const char *directory, const char *name, struct st_buf *content)
{
	struct st_buf path = {0};
	st_buf_addf(&path, "%s/%s", directory, name);
	FILE *file = fopen(path.data, "rb");
	st_buf_fini(&path);
	if (file == NULL) {
		return false;
	}
	size_t n = 0;
	do {
		n = fread(st_buf_reserve(content, 65536), 1, 65536, file);
		content->len += n;
	} while (n > 0);
	bool whole = ferror(file) == 0;
	return fclose(file) == 0 && whole;
}

static bool replay(const char *directory, const char *name)
{
	struct st_buf content = {0};
	bool read = read_file(directory, name, &content);
	if (!read) {
		(void)fprintf(stderr, "%s/%s: %s\n", directory, name, strerror(errno));
	} else if (content.len > 0) {
		/* An exact copy, so that a sanitizer sees a read past the end. */
		uint8_t *exact = malloc(content.len);
		if (exact == NULL) {
			abort();
		}
		memcpy(exact, content.data, content.len);
		(void)LLVMFuzzerTestOneInput(exact, content.len);
		free(exact);
	}
	st_buf_fini(&content);
	return read;
}

int main(int argc, char **argv)
{
	(void)LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
	DIR *directory = argc == 2 ? opendir(argv[1]) : NULL;
	if (directory == NULL) {
		return argc == 2 && errno == ENOENT ? 0 : 2;
	}
	bool well = true;
	unsigned count = 0;
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
		if (entry->d_name[0] != '.') {
			well = replay(argv[1], entry->d_name) && well;
			count++;
		}
	}
	(void)closedir(directory);
	(void)printf("replayed %u inputs of %s\n", count, argv[1]);
	return well ? 0 : 1;
}
