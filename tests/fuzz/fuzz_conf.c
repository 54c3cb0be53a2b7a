/* huiyin.yaml from an untrusting hand: every fault is a report, never a crash. */
#include "conf/conf.h"
#include "log/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct hy_conf_row rows[] = {
	{ "public_url", HY_CONF_TEXT, "http://127.0.0.1:8080", "help", NULL, 0, 0 },
	{ "store.quota", HY_CONF_BYTES, "8GiB", "help", NULL, 1 << 20, (int64_t)1 << 42 },
	{ "retain", HY_CONF_DURATION, "7d", "help", NULL, 0, 0 },
	{ "follow_up.receipt", HY_CONF_BOOL, "yes", "help", NULL, 0, 0 },
	{ "log.level", HY_CONF_WORD, "info", "help", "error|warn|info|debug", 0, 0 },
	{ "workers", HY_CONF_INT, "0", "help", NULL, 0, 64 },
	{ "limits.trusted_proxies", HY_CONF_LIST, "", "help", NULL, 0, 0 },
	{ "departments", HY_CONF_TREE, NULL, "help", NULL, 0, 0 },
	{ "rules", HY_CONF_TREE, NULL, "help", NULL, 0, 0 },
	{ 0 },
};

static void walk(const struct hy_conf_node *n, int depth)
{
	int64_t i;
	double x;
	bool b;
	if (!n || depth > 40)
		return;
	for (size_t k = 0; k < hy_conf_count(n); k++) {
		if (hy_conf_shape(n) == HY_CONF_MAPPING)
			hy_conf_get(n, hy_conf_key(n, k));
		walk(hy_conf_item(n, k), depth + 1);
	}
	if (hy_conf_shape(n) == HY_CONF_SCALAR) {
		hy_conf_read_int(n, 0, 100, &i);
		hy_conf_read_number(n, &x);
		hy_conf_read_bool(n, &b);
		hy_conf_read_duration(n, &i);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char path[64];
	static const struct hy_conf_row *const tables[] = { rows, NULL };
	struct hy_conf *c = NULL;
	struct hy_buffer report = { 0 }, print = { 0 };
	if (!path[0])
		snprintf(path, sizeof(path), "/tmp/huiyin-fuzz-%d.yaml", (int)getpid());
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(data, 1, size, f) != size)
		abort();
	fclose(f);
	int err = hy_conf_open(&c, path, tables, &report);
	if (err && report.size == 0)
		abort(); /* a fault without words */
	if (err == HY_OK) {
		hy_conf_int(c, "store.quota");
		hy_conf_print(c, &print);
		walk(hy_conf_tree(c, "rules"), 0);
		walk(hy_conf_tree(c, "departments"), 0);
		hy_conf_verdict(c, &report);
	}
	hy_conf_close(&c);
	hy_buffer_free(&report);
	hy_buffer_free(&print);
	unlink(path);
	return 0;
}
