#include "service/keys.h"

#include "service/daemon.h"

#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>

#define KEYS_MAX 1024
#define LOOK_EVERY_MS 2000

struct hy_keys {
	struct hy_api_key *rows;
	size_t count;
	int64_t looked_ms;
	struct timespec changed; /* of the file; before the first look, when the rows were read */
};

static bool read_rate(const struct hy_conf_node *n, double *rate)
{
	const char *text = n ? hy_conf_scalar(n) : "unlimited";
	char *end;
	*rate = 0;
	if (strcmp(text, "unlimited") == 0)
		return true;
	*rate = strtod(text, &end);
	if (end != text && *rate > 0 && (strcmp(end, "/s") == 0 || *end == 0))
		return true;
	if (end != text && *rate > 0 && strcmp(end, "/min") == 0) {
		*rate /= 60;
		return true;
	}
	hy_conf_fault(n, "a rate is 'unlimited' or like '500/s' or '1000/min'");
	return false;
}

static void read_row(struct hy_keys *k, const struct hy_daemon *d, const struct hy_conf_node *n)
{
	static const char *const known[] = { "name", "hash", "project", "scopes", "rate", "curve", NULL };
	static const char *const scopes[] = { "feedback", "follow", NULL };
	struct hy_api_key *row = &k->rows[k->count];
	*row = (struct hy_api_key){ 0 };
	hy_conf_known(n, known);
	const struct hy_conf_node *name = hy_conf_get(n, "name"), *hash = hy_conf_get(n, "hash"),
				  *project = hy_conf_get(n, "project"), *list = hy_conf_get(n, "scopes"),
				  *curve = hy_conf_get(n, "curve");
	if (!name || !hy_conf_scalar(name)[0] || strlen(hy_conf_scalar(name)) >= sizeof(row->name)) {
		hy_conf_fault(n, "a key has a name of 1 to 63 bytes");
		return;
	}
	snprintf(row->name, sizeof(row->name), "%s", hy_conf_scalar(name));
	size_t size = 0;
	if (!hash || strlen(hy_conf_scalar(hash)) != 64 ||
		sodium_hex2bin(row->hash, 32, hy_conf_scalar(hash), 64, NULL, &size, NULL) != 0 || size != 32) {
		hy_conf_fault(hash ? hash : n, "the hash of key '%s' is 64 hexadecimal digits", row->name);
		return;
	}
	row->project = hy_daemon_project(d, project ? hy_conf_scalar(project) : "default");
	if (!row->project) {
		hy_conf_fault(project, "no project '%s'; see `projects`", hy_conf_scalar(project));
		return;
	}
	row->may_feedback = !list;
	for (size_t i = 0; list && i < hy_conf_count(list); i++) {
		const char *scope = hy_conf_scalar(hy_conf_item(list, i)), *meant = hy_did_you_mean(scope, scopes);
		if (strcmp(scope, "feedback") == 0)
			row->may_feedback = true;
		else if (strcmp(scope, "follow") == 0)
			row->may_follow = true;
		else
			hy_conf_fault(hy_conf_item(list, i), "no scope '%s'%s%s%s", scope,
				meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	}
	for (size_t i = 0; i < k->count; i++)
		if (strcmp(k->rows[i].name, row->name) == 0 || memcmp(k->rows[i].hash, row->hash, 32) == 0) {
			hy_conf_fault(n, "key '%s' stands here twice", row->name);
			return;
		}
	if (curve && !hy_curve_good(hy_conf_scalar(curve))) {
		hy_conf_fault(curve,
			"the CURVE key of '%s' is 40 characters, as `huiyin keygen` prints them, in quotation marks",
			row->name);
		return;
	}
	snprintf(row->curve, sizeof(row->curve), "%s", curve ? hy_conf_scalar(curve) : "");
	if (!read_rate(hy_conf_get(n, "rate"), &row->rate))
		return;
	row->tokens = row->rate;
	memcpy(&row->number, row->hash, 4);
	memcpy(&row->scope, row->hash, 8);
	row->number |= row->number == 0;
	k->count++;
}

int hy_keys_read(struct hy_keys **out, const struct hy_daemon *d, const struct hy_conf *conf)
{
	const struct hy_conf_node *tree = hy_conf_tree(conf, "keys");
	size_t n = tree ? hy_conf_count(tree) : 0;
	struct hy_keys *k = calloc(1, sizeof(*k));
	if (!k || !(k->rows = calloc(n + 1, sizeof(*k->rows)))) {
		free(k);
		return HY_NO_MEMORY;
	}
	*out = k;
	clock_gettime(CLOCK_REALTIME, &k->changed);
	if (tree && (hy_conf_shape(tree) != HY_CONF_SEQUENCE || n > KEYS_MAX)) {
		hy_conf_fault(tree, "keys is a list of at most %d rows", KEYS_MAX);
		return HY_CONFIG;
	}
	for (size_t i = 0; i < n; i++)
		read_row(k, d, hy_conf_item(tree, i));
	return HY_OK;
}

void hy_keys_free(struct hy_keys **k)
{
	if (*k)
		free((*k)->rows);
	free(*k);
	*k = NULL;
}

/* Replaced only by a file without faults. */
static void refresh(struct hy_keys **k, const struct hy_daemon *d)
{
	struct stat st;
	int64_t now = hy_mono_ms();
	if (now - (*k)->looked_ms < LOOK_EVERY_MS)
		return;
	bool first = (*k)->looked_ms == 0;
	(*k)->looked_ms = now;
	const char *path = hy_daemon_path(d, "huiyin.yaml");
	if (stat(path, &st) != 0)
		return;
	/* At the first look all that is known is when the rows were read: what was written about then is read once more. */
	bool changed = first ? st.st_mtim.tv_sec >= (*k)->changed.tv_sec - 1
			     : st.st_mtim.tv_sec != (*k)->changed.tv_sec || st.st_mtim.tv_nsec != (*k)->changed.tv_nsec;
	(*k)->changed = st.st_mtim;
	if (!changed)
		return;
	struct hy_conf *conf = NULL;
	struct hy_keys *fresh = NULL;
	struct hy_buffer report = { 0 };
	const struct hy_conf_row *tables[] = { hy_service_conf, NULL };
	int err = hy_conf_open(&conf, path, tables, &report);
	if (err == HY_OK)
		err = hy_keys_read(&fresh, d, conf);
	if (err == HY_OK)
		err = hy_conf_verdict(conf, &report);
	if (err == HY_OK) {
		fresh->looked_ms = now;
		fresh->changed = st.st_mtim;
		hy_keys_free(k);
		*k = fresh;
		hy_info("keys.read", "keys=%zu", fresh->count);
	} else {
		hy_keys_free(&fresh);
		hy_warn("keys.faulty", "the keys in force stay: %s", hy_buffer_string(&report));
	}
	hy_buffer_free(&report);
	hy_conf_close(&conf);
}

struct hy_keys *hy_daemon_keys(struct hy_daemon *d)
{
	refresh(&d->keys, d);
	return d->keys;
}

struct hy_api_key *hy_keys_find_text(struct hy_keys *k, struct hy_bytes text)
{
	uint8_t hash[32];
	if (text.size == 0 || text.size > 128)
		return NULL;
	crypto_generichash(hash, sizeof(hash), text.data, text.size, NULL, 0);
	for (size_t i = 0; i < k->count; i++)
		if (sodium_memcmp(k->rows[i].hash, hash, sizeof(hash)) == 0)
			return &k->rows[i];
	return NULL;
}

const struct hy_api_key *hy_keys_row(const struct hy_keys *k, size_t i)
{
	return i < k->count ? &k->rows[i] : NULL;
}

struct hy_api_key *hy_keys_find(struct hy_keys *k, const char *authorization)
{
	uint8_t plain[256];
	size_t size;
	if (!authorization)
		return NULL;
	if (strncasecmp(authorization, "Bearer ", 7) == 0)
		return hy_keys_find_text(k, hy_bytes_text(authorization + 7));
	if (strncasecmp(authorization, "Basic ", 6) != 0 ||
		sodium_base642bin(plain, sizeof(plain), authorization + 6, strlen(authorization + 6), NULL, &size, NULL,
			sodium_base64_VARIANT_ORIGINAL) != 0)
		return NULL;
	const uint8_t *colon = memchr(plain, ':', size);
	return hy_keys_find_text(k, hy_bytes(plain, colon ? (size_t)(colon - plain) : size));
}

int64_t hy_api_key_spend(struct hy_api_key *key, size_t items)
{
	if (key->rate <= 0)
		return 0;
	int64_t now = hy_mono_ms();
	double room = key->rate > (double)items
			      ? key->rate
			      : (double)items; /* a batch larger than a second's worth waits, but not for ever */
	key->tokens += (double)(now - key->filled_ms) / 1000 * key->rate;
	key->tokens = key->tokens > room ? room : key->tokens;
	key->filled_ms = now;
	if (key->tokens >= (double)items) {
		key->tokens -= (double)items;
		return 0;
	}
	return (int64_t)(((double)items - key->tokens) / key->rate * 1000) + 1;
}

int64_t hy_api_key_wait(const struct hy_api_key *key)
{
	if (key->rate <= 0)
		return 0;
	double tokens = key->tokens + (double)(hy_mono_ms() - key->filled_ms) / 1000 * key->rate;
	return tokens >= 1 ? 0 : (int64_t)((1 - tokens) / key->rate * 1000) + 1;
}
