/* huiyin import: a file through the collector's door, durable, as fast as both of them together go.
 *     bench-import COUNT [--encoding NAME] [--lines] [--generate FILE]
 * rate: rows a second from the command's start to its end; cpu_us and anon_mib: the command's own. The file is a table of the same mix that bench-lines posts, so
 * that the two rates compare; --lines takes it as NDJSON. --generate writes the table and does nothing else. */
#include "daemons.h"
#include "mix.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void put_cell(FILE *f, const char *text, const char *end)
{
	bool quoted = strpbrk(text, ",\"\n\r") != NULL;
	if (quoted)
		fputc('"', f);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', f);
		fputc(*text, f);
	}
	fprintf(f, "%s%s", quoted ? "\"" : "", end);
}

static const char *member(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));
	return text ? text : "";
}

/* A row an object of the mix: what people have in their tables. */
static void put_row(FILE *f, const json_t *o, size_t number)
{
	const json_t *who = json_object_get(o, "customer");
	fprintf(f, "r%zu,", number);
	put_cell(f, member(o, "text"), ",");
	fprintf(f, "%zu,", 1 + number % 5);
	put_cell(f, member(who, "id"), ",");
	put_cell(f, member(who, "email"), ",");
	fprintf(f, "2026-01-%02zu %02zu:%02zu:00,shop %zu\n", 1 + number % 28, number % 24, number % 60, number % 50);
}

static void generate(const char *path, size_t count, bool lines)
{
	char text[4096];
	struct mix *m = mix_new(1);
	FILE *f = fopen(path, "w");
	if (!f)
		bench_die("%s can't be written", path);
	if (!lines)
		fputs("编号,评论内容,评分,用户ID,邮箱,时间,门店\n", f);
	for (size_t i = 0; i < count; i++) {
		size_t size = (size_t)(mix_object(m, text) - text);
		if (lines) {
			fwrite(text, 1, size, f);
			fputc('\n', f);
			continue;
		}
		json_t *o = json_loadb(text, size, 0, NULL);
		put_row(f, o, i);
		json_decref(o);
	}
	mix_free(m);
	if (fclose(f) != 0)
		bench_die("%s: the disk is full?", path);
}

/* The file in another encoding, in its place. */
static void convert(const char *path, const char *encoding)
{
	char command[4096];
	snprintf(command, sizeof(command), "iconv -f UTF-8 -t %s '%s' > '%s.x' && mv '%s.x' '%s'", encoding, path, path,
		path, path);
	if (system(command) != 0)
		bench_die("iconv to %s", encoding);
}

int main(int argc, char **argv)
{
	size_t count = 1000000;
	bool lines = false;
	const char *encoding = NULL, *only = NULL;
	struct daemons d = { 0 };
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--lines") == 0)
			lines = true;
		else if (strcmp(argv[i], "--encoding") == 0 && i + 1 < argc)
			encoding = argv[++i];
		else if (strcmp(argv[i], "--generate") == 0 && i + 1 < argc)
			only = argv[++i];
		else
			count = strtoull(argv[i], NULL, 10);
	}
	char path[800];
	snprintf(path, sizeof(path), "%s/mix.%s", only ? "" : bench_dir(), lines ? "jsonl" : "csv");
	generate(only ? only : path, count, lines);
	if (encoding)
		convert(only ? only : path, encoding);
	if (only)
		return 0;
	daemons_start(&d, "", true);
	char *const command[] = { (char *)(uintptr_t)bench_program("huiyin"), (char *)(uintptr_t) "import",
		(char *)(uintptr_t) "--json", (char *)(uintptr_t) "-C", d.dir, path, NULL };
	int64_t began = bench_ns();
	pid_t pid = bench_spawn("import", command, -1, -1);
	uint64_t anon = 0;
	int status = 0;
	struct rusage spent;
	while (wait4(pid, &status, WNOHANG, &spent) == 0) {
		uint64_t now = bench_usage(pid).anon_bytes;
		anon = now > anon ? now : anon;
		bench_sleep_ms(5);
	}
	double seconds = (double)(bench_ns() - began) / 1e9;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		bench_die("huiyin import ended with status %d", status);
	double cpu = (double)(spent.ru_utime.tv_sec + spent.ru_stime.tv_sec) +
		     (double)(spent.ru_utime.tv_usec + spent.ru_stime.tv_usec) / 1e6;
	bench_say("rate", (double)count / seconds);
	bench_say("cpu_us", cpu * 1e6 / (double)count);
	bench_say("anon_mib", (double)anon / (1 << 20));
	daemons_stop(&d);
	return 0;
}
