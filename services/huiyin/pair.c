#include "pair.h"
#include "files.h"

#include "base/seal.h"

#include <unistd.h>

/* Written once: whoever was given it must be able to rely on it. */
static int put_public(const char *dir, const char *public_key, struct hy_fault *f)
{
	char path[1200], line[HY_CURVE_TEXT + 1];
	snprintf(path, sizeof(path), "%s/keys/door.pub", dir);
	if (access(path, F_OK) == 0)
		return HY_OK;
	snprintf(line, sizeof(line), "%s\n", public_key);
	return file_write(path, hy_bytes_text(line), 0644, f);
}

int pair_make(const char *dir, const char *name, char public_key[static HY_CURVE_TEXT], bool *made, struct hy_fault *f)
{
	char path[1200], secret[HY_CURVE_TEXT], line[HY_CURVE_TEXT + 1];
	int err;
	snprintf(path, sizeof(path), "%s/keys/%s.curve", dir, name);
	*made = access(path, F_OK) != 0;
	if (*made) {
		err = hy_curve_make(public_key, secret);
		if (err)
			return hy_fail(f, err, "this libzmq was built without CURVE");
		snprintf(line, sizeof(line), "%s\n", secret);
		err = file_write(path, hy_bytes_text(line), 0600, f);
	} else {
		err = hy_secret_load_text(path, line, sizeof(line), f);
		if (err == HY_OK && hy_curve_public(line, public_key) != HY_OK)
			err = hy_fail(f, HY_CONFIG, "%s: no CURVE key; move it away, and a new one can be made", path);
	}
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(line, sizeof(line));
	return err == HY_OK && strcmp(name, "door") == 0 ? put_public(dir, public_key, f) : err;
}
