/* huiyin.yaml as every daemon reads it: the rows they share, the projects, and the service's own part. */
#include "service/daemon.h"

/* clang-format off */
const struct hy_conf_row hy_service_conf[] = {
	{ "public_url", HY_CONF_TEXT, "http://127.0.0.1:8080", "How customers reach the collector's pages; links in notices begin with it", NULL, 0, 0 },
	{ "projects", HY_CONF_TREE, NULL, "Projects as {name, number}; numbers stay with a project for ever. Without it: default, 1", NULL, 0, 0 },
	{ "keys", HY_CONF_TREE, NULL, "API keys as {name, hash, project, scopes, rate, curve}; `huiyin init` makes the first, `huiyin key` the others", NULL, 0, 0 },
	{ "store.quota", HY_CONF_BYTES, "8GiB", "Most that one daemon's store may hold; above 85 % of it intake is refused until there is room", NULL, 1 << 20, (int64_t)1 << 42 },
	{ "retain", HY_CONF_DURATION, "7d", "How long a record stays in a stream after every station has passed it", NULL, 0, 0 },
	{ "keep.closed", HY_CONF_DURATION, "400d", "How long the rows of a finished loop stay before they are folded into counters", NULL, 0, 0 },
	{ "readers.max_lag", HY_CONF_DURATION, "7d", "How far an outside reader of a stream may lag before it loses its place", NULL, 0, 0 },
	{ "follow_up.wait", HY_CONF_DURATION, "7d", "How long a resolved ticket waits for its customers' answers before it closes", NULL, 0, 0 },
	{ "follow_up.receipt", HY_CONF_BOOL, "yes", "Whether a customer is told at once that the feedback has arrived", NULL, 0, 0 },
	{ "log.level", HY_CONF_WORD, "info", "What is logged", "error|warn|info|debug", 0, 0 },
	{ "workers", HY_CONF_INT, "0", "Threads that prepare records beside the writer; 0 = one for each further processor, at most 3", NULL, 0, 64 },
	{ 0 },
};
/* clang-format on */

/* ---- projects ---- */

uint32_t hy_daemon_project(const struct hy_daemon *d, const char *name)
{
	for (size_t i = 0; i < d->project_count; i++)
		if (strcmp(d->projects[i].name, name) == 0)
			return d->projects[i].number;
	return 0;
}

const char *hy_daemon_project_name(const struct hy_daemon *d, uint32_t number)
{
	for (size_t i = 0; i < d->project_count; i++)
		if (d->projects[i].number == number)
			return d->projects[i].name;
	return NULL;
}

static void read_projects(struct hy_daemon *d)
{
	const struct hy_conf_node *tree = hy_conf_tree(d->conf, "projects");
	static const char *const known[] = { "name", "number", NULL };
	for (size_t i = 0; tree && i < hy_conf_count(tree); i++) {
		const struct hy_conf_node *p = hy_conf_item(tree, i), *name = hy_conf_get(p, "name"),
					  *number = hy_conf_get(p, "number");
		int64_t n;
		hy_conf_known(p, known);
		if (!name || !hy_conf_scalar(name)[0] || strlen(hy_conf_scalar(name)) > 63) {
			hy_conf_fault(p, "a project has a name of 1 to 63 bytes");
			continue;
		}
		if (!number) {
			hy_conf_fault(p, "project '%s' has no number", hy_conf_scalar(name));
			continue;
		}
		if (!hy_conf_read_int(number, 1, UINT32_MAX, &n))
			continue;
		if (hy_daemon_project(d, hy_conf_scalar(name)) || hy_daemon_project_name(d, (uint32_t)n)) {
			hy_conf_fault(p, "project '%s', number %" PRId64 ": that name or number is taken already",
				hy_conf_scalar(name), n);
			continue;
		}
		if (d->project_count == PROJECTS_MAX) {
			hy_conf_fault(p, "more than %d projects", PROJECTS_MAX);
			return;
		}
		snprintf(d->projects[d->project_count].name, 64, "%s", hy_conf_scalar(name));
		d->projects[d->project_count++].number = (uint32_t)n;
	}
	if (d->project_count == 0) {
		snprintf(d->projects[0].name, 64, "default");
		d->projects[0].number = 1;
		d->project_count = 1;
	}
}

int daemon_configure(struct hy_daemon *d, const char *conf_path, struct hy_buffer *report)
{
	char path[1100];
	snprintf(path, sizeof(path), "%s/huiyin.yaml", d->dir);
	const struct hy_conf_row *tables[] = { hy_service_conf, d->service->conf, NULL };
	int err = hy_conf_open(&d->conf, conf_path ? conf_path : path, tables, report);
	if (err)
		return err;
	read_projects(d);
	hy_keys_free(&d->keys);
	err = hy_keys_read(&d->keys, d, d->conf);
	if (err)
		return err;
	d->retain_ms = hy_conf_int(d->conf, "retain");
	d->max_lag_ms = hy_conf_int(d->conf, "readers.max_lag");
	enum hy_level level;
	if (!d->offline && hy_log_level_parse(hy_conf_text(d->conf, "log.level"), &level))
		hy_log_level = level;
	if (d->service->configure)
		err = d->service->configure(d, d->self);
	int verdict = hy_conf_verdict(d->conf, report);
	return verdict ? verdict : err;
}
