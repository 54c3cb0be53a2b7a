/* How long this disk takes to make a write durable: appends 4 KiB and calls fdatasync, 400 times. The measure of latencies. */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	enum { TIMES = 400 };
	char path[700], page[4096];
	double took_ms[TIMES];
	memset(page, 'x', sizeof(page));
	snprintf(path, sizeof(path), "%s/file", bench_dir());
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	for (int i = 0; i < TIMES; i++) {
		int64_t began = bench_ns();
		if (write(fd, page, sizeof(page)) != sizeof(page) || fdatasync(fd) != 0)
			bench_die("%s can't be written", path);
		took_ms[i] = (double)(bench_ns() - began) / 1e6;
		bench_sleep_ms(1);
	}
	close(fd);
	bench_say("p50_ms", bench_part(took_ms, TIMES, 0.5));
	bench_say("p99_ms", bench_part(took_ms, TIMES, 0.99));
	return 0;
}
