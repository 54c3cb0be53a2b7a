/* Tables as huiyin import reads them, whatever the bytes: every row is a JSON object that can be read, or has its reason; lines only rise, and a run that begins
 * at a settled place reads the same rows. The first byte picks encoding and delimiter. */
#include "huiyin/import/columns.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const encodings[] = { NULL, "UTF-8", "GB18030", "UTF-16LE", "Big5" };
static const char delimiters[] = { 0, ',', ';', '\t' };

static size_t read_rows(struct table *t, const struct columns *c, struct hy_json_reader *reader,
	struct source_place *middle, size_t from)
{
	struct table_row row;
	struct hy_buffer out = { 0 };
	struct hy_fault f;
	const struct hy_json *root;
	uint64_t before = 0;
	size_t rows = 0;
	for (; table_next(t, &row); rows++) {
		if (row.first <= before || row.last < row.first || (row.count == 0) != (row.why[0] != 0))
			abort();
		before = row.first;
		hy_buffer_clear(&out);
		if (row.count && columns_item(c, "id", &out) == HY_OK &&
			hy_json_read_copy(reader, hy_buffer_view(&out), &root, &f) != HY_OK)
			abort();
		if (memchr(out.data ? out.data : (const uint8_t *)"", '\n', out.size))
			abort();
		if (middle && row.settled && rows < 3) {
			*middle = table_place(t);
			from = rows + 1;
		}
	}
	hy_buffer_free(&out);
	return rows - from;
}

static bool open_all(struct source **s, struct table **t, struct columns **c, const char *path, uint8_t how)
{
	static const struct line_rules none;
	struct hy_fault f;
	return source_open(s, path, encodings[how % 5], &f) == HY_OK &&
	       table_open(t, *s, delimiters[how / 5 % 4], &f) == HY_OK && columns_open(c, *t, &none, &f) == HY_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hy_json_reader *reader;
	static char path[64];
	struct source *s = NULL;
	struct table *t = NULL;
	struct columns *c = NULL;
	struct source_place middle = { -1, 0 };
	struct hy_fault f;
	if (size == 0 || size > (1 << 20))
		return 0;
	if (!reader) {
		reader = hy_json_reader_new();
		snprintf(path, sizeof(path), "/tmp/huiyin-fuzz-csv.%d", (int)getpid());
	}
	FILE *file = fopen(path, "w");
	if (!file || fwrite(data + 1, 1, size - 1, file) != size - 1 || fclose(file) != 0)
		abort();
	bool good = open_all(&s, &t, &c, path, data[0]);
	size_t rest = good ? read_rows(t, c, reader, &middle, 0) : 0;
	columns_close(&c);
	table_close(&t);
	source_close(&s);
	if (good && middle.at >= 0) {
		if (!open_all(&s, &t, &c, path, data[0]) || table_seek(t, middle, &f) != HY_OK ||
			read_rows(t, c, reader, NULL, 0) != rest)
			abort();
		columns_close(&c);
		table_close(&t);
		source_close(&s);
	}
	unlink(path);
	return 0;
}
