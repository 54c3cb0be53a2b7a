/* Without libFuzzer: every file of the corpus as it is, cut at many places, and with single bits flipped. Deterministic. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t runs;

/* An exact-size heap copy, so that a read past the end is seen. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		abort();
	memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	runs++;
}

static void run_file(const char *path)
{
	static uint8_t data[1 << 18];
	FILE *f = fopen(path, "rb");
	if (!f)
		return;
	size_t size = fread(data, 1, sizeof(data), f);
	fclose(f);
	run(data, size);
	size_t step = size / 64 + 1;
	for (size_t cut = 0; cut < size; cut += step)
		run(data, cut);
	uint32_t seed = 2463534242u ^ (uint32_t)size;
	for (int i = 0; i < 200 && size; i++) {
		seed ^= seed << 13, seed ^= seed >> 17, seed ^= seed << 5;
		size_t at = seed % size;
		uint8_t was = data[at];
		data[at] ^= (uint8_t)(1 << (seed >> 24 & 7));
		run(data, size);
		data[at] = was;
	}
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		for (struct dirent *e; d && (e = readdir(d));) {
			char path[4096];
			snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			if (e->d_name[0] != '.')
				run_file(path);
		}
		if (d)
			closedir(d);
	}
	printf("%zu inputs\n", runs);
	return runs ? 0 : 1; /* an empty corpus proves nothing */
}
