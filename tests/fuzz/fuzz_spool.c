/* The client's spool, whatever its files hold. The first byte says what the rest is: one file as it stands, the records behind a good head, two files of
 * one run, or the mark. Reading ends, numbers rise, and what is appended afterwards is read. */
#include "client/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[64];

static void empty(void)
{
	DIR *d = opendir(dir);
	for (struct dirent *e; d && (e = readdir(d));)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(d), e->d_name, 0);
	if (d)
		closedir(d);
}

static void clean_up(void)
{
	empty();
	rmdir(dir);
}

static void begin(void)
{
	snprintf(dir, sizeof(dir), "%s/fuzz-spool-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (!mkdtemp(dir))
		abort();
	atexit(clean_up);
}

static void spill(const char *name, const uint8_t *head, size_t head_size, const uint8_t *data, size_t size)
{
	char path[128];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, head, head_size) != (ssize_t)head_size || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
}

/* The run of the corpus: sixteen times 0x5a. */
static void spill_records(uint64_t first_n, const uint8_t *data, size_t size)
{
	struct head h = { .first_n = first_n };
	uint8_t head[HEAD_SIZE];
	char name[SEGMENT_NAME];
	memset(h.run.id, 0x5a, sizeof(h.run.id));
	head_write(head, &h);
	segment_name(first_n, name);
	spill(name, head, sizeof(head), data, size);
}

static uint64_t read_all(struct spool *s, size_t size)
{
	struct place p = { .n = spool_mark(s)->settled_n + 1 };
	struct item it;
	uint64_t last_n = 0, good = 0, all = 0;
	while (spool_next(s, &p, &it)) {
		if (it.n <= last_n || ++all > size + (3 << 20))
			abort();
		last_n = it.n;
		good += !it.damaged;
	}
	spool_settle(s, &p);
	return good;
}

static void append(struct spool *s)
{
	uint8_t record[RECORD_HEAD + 8] = { 0 };
	struct hy_fault f;
	record_begin(record, 2, spool_last_n(s) + 1);
	memcpy(record + RECORD_HEAD, "\x22\x00", 2);
	if (spool_append(s, record, sizeof(record), &f) != HY_OK)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spool *s;
	struct hy_fault f;
	if (size == 0)
		return 0;
	if (!dir[0])
		begin();
	empty();
	const uint8_t kind = data[0] % 4;
	data++;
	size--;
	if (kind == 0)
		spill("0000000000000001.spool", NULL, 0, data, size);
	else if (kind == 1)
		spill_records(1, data, size);
	else if (kind == 3)
		spill("mark", NULL, 0, data, size);
	else {
		spill_records(1, data, size / 2);
		spill_records(40, data + size / 2, size - size / 2);
	}
	if (spool_open(&s, dir, (uint64_t)1 << 24, &f) != HY_OK) {
		if (kind == 1 || kind == 2)
			abort();
		return 0;
	}
	read_all(s, size);
	append(s);
	if (read_all(s, size) != 1)
		abort();
	spool_close(&s);
	return 0;
}
