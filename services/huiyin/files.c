#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int io_fault(struct hy_fault *f, const char *path, const char *what)
{
	int saved = errno;
	return hy_fail(f, hy_err_from_errno(saved), "%s: %s: %s", path, what, strerror(saved));
}

/* The rename itself is durable once its directory is. */
static bool sync_directory(const char *path)
{
	char dir[1200];
	snprintf(dir, sizeof(dir), "%s", path);
	char *slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = 0;
	int fd = open(slash ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool good = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return good;
}

static bool write_all(int fd, struct hy_bytes b)
{
	while (b.size > 0) {
		ssize_t n = write(fd, b.data, b.size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		b = hy_bytes(b.data + n, b.size - (size_t)n);
	}
	return true;
}

int file_write(const char *path, struct hy_bytes content, unsigned mode, struct hy_fault *f)
{
	char temporary[1300];
	struct stat old;
	bool replaces = stat(path, &old) == 0;
	snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);
	int fd = mkstemp(temporary);
	if (fd < 0)
		return io_fault(f, path, "can't write");
	bool good = fchmod(fd, replaces ? old.st_mode & 07777 : mode) == 0;
	if (replaces && (old.st_uid != geteuid() || old.st_gid != getegid()))
		good = good && fchown(fd, old.st_uid, old.st_gid) == 0;
	good = good && write_all(fd, content) && fsync(fd) == 0;
	int saved = errno;
	close(fd);
	errno = saved;
	if (!good || rename(temporary, path) != 0 || !sync_directory(path)) {
		int err = io_fault(f, path, "can't write");
		unlink(temporary);
		return err;
	}
	return HY_OK;
}

bool file_good_name(const char *name)
{
	size_t size = strlen(name);
	return size > 0 && size < 64 && name[0] != '.' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == size;
}

int file_read(const char *path, size_t most, struct hy_buffer *out, struct hy_fault *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return hy_fail(f, HY_NOT_FOUND, "%s: there is no such file", path);
	if (fd < 0)
		return io_fault(f, path, "can't read");
	int err = HY_OK;
	for (;;) {
		uint8_t chunk[16384];
		ssize_t n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err = io_fault(f, path, "can't read");
		if (n <= 0)
			break;
		hy_buffer_put(out, chunk, (size_t)n);
		if (out->size > most || out->err) {
			err = hy_fail(f, HY_TOO_LARGE, "%s: larger than %zu bytes", path, most);
			break;
		}
	}
	close(fd);
	return err;
}

int file_mkdir(const char *path, unsigned mode, bool *made, struct hy_fault *f)
{
	struct stat st;
	bool fresh = mkdir(path, mode) == 0;
	if (made)
		*made = fresh;
	if (fresh)
		return chmod(path, mode) == 0 ? HY_OK
					      : io_fault(f, path, "can't set its mode"); /* whatever the umask says */
	if (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return HY_OK;
	return io_fault(f, path, "can't make the directory");
}

/* ---- keys ---- */

void key_make(char out[static KEY_TEXT])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	memcpy(out, "hy_", 3);
	for (size_t i = 3; i < KEY_TEXT - 1; i++)
		out[i] = letters[randombytes_uniform(sizeof(letters) - 1)];
	out[KEY_TEXT - 1] = 0;
}

void key_hash(const char *key, char out[static 65])
{
	uint8_t hash[32];
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)key, strlen(key), NULL, 0);
	hy_hex(hash, sizeof(hash), out);
}

int key_load(const char *path, char *out, size_t room, struct hy_fault *f)
{
	struct hy_buffer text = { 0 };
	int err = file_read(path, 4096, &text, f);
	if (err == HY_OK) {
		const char *from = hy_buffer_string(&text);
		from += strspn(from, " \t\r\n");
		size_t size = strcspn(from, " \t\r\n");
		if (size == 0 || size >= room)
			err = hy_fail(f, HY_CONFIG, "%s: holds no key", path);
		else
			snprintf(out, room, "%.*s", (int)size, from);
	}
	hy_buffer_free(&text);
	return err;
}

/* ---- settings ---- */

int settings_read(const char *dir, struct settings *out, struct hy_fault *f)
{
	/* As trees, so that rows of theirs which this command does not know are no faults. */
	static const struct hy_conf_row rows[] = {
		{ "public_url", HY_CONF_TEXT, "http://127.0.0.1:8080", "", NULL, 0, 0 },
		{ "http", HY_CONF_TREE, NULL, "", NULL, 0, 0 },
		{ "classifier", HY_CONF_TREE, NULL, "", NULL, 0, 0 },
		{ 0 },
	};
	static const struct hy_conf_row *const tables[] = { rows, NULL };
	struct hy_conf *c = NULL;
	char path[1100];
	snprintf(path, sizeof(path), "%s/huiyin.yaml", dir);
	if (access(path, R_OK) != 0)
		return hy_fail(f, HY_CONFIG, "%s: %s; `huiyin init %s` makes an installation, -C DIR names another",
			path, strerror(errno), dir);
	hy_conf_open(&c, path, tables, NULL);
	const struct hy_conf_node *http = hy_conf_tree(c, "http"), *listen = http ? hy_conf_get(http, "listen") : NULL;
	snprintf(out->listen, sizeof(out->listen), "%s",
		listen && hy_conf_scalar(listen)[0] ? hy_conf_scalar(listen) : "127.0.0.1:8080");
	const struct hy_conf_node *classifier = hy_conf_tree(c, "classifier"),
				  *model = classifier ? hy_conf_get(classifier, "model") : NULL;
	snprintf(out->model, sizeof(out->model), "%s", model ? hy_conf_scalar(model) : "");
	const struct hy_conf_node *tls = http ? hy_conf_get(http, "tls") : NULL,
				  *certificate = tls ? hy_conf_get(tls, "certificate") : NULL;
	const char *chain = certificate ? hy_conf_scalar(certificate) : "";
	snprintf(out->certificate, sizeof(out->certificate), "%s%s%s", *chain && *chain != '/' ? dir : "",
		*chain && *chain != '/' ? "/" : "", chain);
	snprintf(out->public_url, sizeof(out->public_url), "%s", hy_conf_text(c, "public_url"));
	hy_conf_close(&c);
	return HY_OK;
}
