/*
 * What the fuzz targets share. With libFuzzer (-DLIBFUZZER) each is a fuzzer; without, a program that runs the inputs
 * it is given or, given none, those in $srcdir/test/fuzz/corpus/NAME.
 */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A property of every input. */
#define HOLDS(condition) holds((condition), #condition, __FILE__, __LINE__)

static inline void holds(int condition, const char *text, const char *file, int line)
{
	if (condition)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, text);
	abort();
}

/* A copy in a block of its own, so that a byte too far is seen; with a NUL behind it that is not counted if `nul`. */
static inline char *fuzz_copy(const void *data, size_t len, int nul)
{
	char *copy = (char *)malloc(len + (nul ? 1 : 0) + (len == 0 && !nul ? 1 : 0));

	if (copy == NULL)
		abort();
	if (len > 0)
		memcpy(copy, data, len);
	if (nul)
		copy[len] = '\0';
	return copy;
}

/* The next part of an input whose parts have "|||" between them, as a copy; NULL: there is none. */
static inline char *fuzz_part(const uint8_t **data, size_t *size, size_t *len, int nul)
{
	const uint8_t *at = *data;
	size_t n = *size;
	char *copy;

	if (at == NULL)
		return NULL;
	for (*len = 0; *len < n; (*len)++)
		if (n - *len >= 3 && memcmp(at + *len, "|||", 3) == 0)
			break;
	copy = fuzz_copy(at, *len, nul);
	*data = *len < n ? at + *len + 3 : NULL;
	*size = *len < n ? n - *len - 3 : 0;
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifndef LIBFUZZER
#include <dirent.h>

static inline void fuzz_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	(void)LLVMFuzzerTestOneInput(data, n);
}

static inline int fuzz_corpus(const char *program)
{
	const char *name = strrchr(program, '/'), *top = getenv("srcdir");
	char dir[400], path[700];
	struct dirent *entry;
	int n = 0;
	DIR *d;

	name = name == NULL ? program : name + 1;
	snprintf(dir, sizeof(dir), "%s/test/fuzz/corpus/%s", top == NULL ? "." : top,
	         strncmp(name, "fuzz_", 5) == 0 ? name + 5 : name);
	d = opendir(dir);
	if (d == NULL) {
		perror(dir);
		exit(1);
	}
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		fuzz_file(path);
		n++;
	}
	closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	int n = argc - 1;

	for (int i = 1; i < argc; i++)
		fuzz_file(argv[i]);
	if (n == 0)
		n = fuzz_corpus(argv[0]);
	printf("%d passed, 0 failed\n", n);
	return n == 0;
}
#endif

#endif
