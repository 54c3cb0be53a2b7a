#include "base/seal.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int hy_secret_make(const char *path, struct hy_fault *f)
{
	struct hy_secret k;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return HY_EXISTS;
	if (fd < 0)
		return hy_fail(f, hy_err_from_errno(errno), "%s: can't write the key: %s", path, strerror(errno));
	randombytes_buf(k.b, sizeof(k.b));
	bool written = write(fd, k.b, sizeof(k.b)) == (ssize_t)sizeof(k.b) && fsync(fd) == 0;
	int saved = errno;
	close(fd);
	sodium_memzero(&k, sizeof(k));
	if (!written) {
		unlink(path); /* half a key must not be found by the next start */
		return hy_fail(f, hy_err_from_errno(saved), "%s: can't write the key: %s", path, strerror(saved));
	}
	return HY_OK;
}

/* Reads a secret that nobody else may read: its size, at most `room`, or an error. */
static long secret_read(const char *path, unsigned forbidden, void *out, size_t room, struct hy_fault *f)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	long size = -1;
	if (fd >= 0 && fstat(fd, &st) == 0)
		size = st.st_mode & forbidden ? HY_FORBIDDEN : read(fd, out, room);
	int saved = errno;
	if (fd >= 0)
		close(fd);
	if (size == HY_FORBIDDEN)
		return hy_fail(f, HY_FORBIDDEN, "%s: others may read this key; chmod 600 it", path);
	if (size < 0)
		return hy_fail(
			f, HY_CONFIG, "%s: can't read the key: %s; `huiyin init` makes it", path, strerror(saved));
	return size;
}

static int secret_load(const char *path, unsigned forbidden, struct hy_secret *out, struct hy_fault *f)
{
	uint8_t room[sizeof(out->b) + 1]; /* one more: a longer file is no key */
	long size = secret_read(path, forbidden, room, sizeof(room), f);
	if (size >= 0 && size != (long)sizeof(out->b))
		size = hy_fail(f, HY_CONFIG, "%s: not a key of 32 bytes", path);
	if (size >= 0)
		memcpy(out->b, room, sizeof(out->b));
	sodium_memzero(room, sizeof(room));
	return size < 0 ? (int)size : HY_OK;
}

int hy_secret_load(const char *path, struct hy_secret *out, struct hy_fault *f)
{
	return secret_load(path, 077, out, f);
}

int hy_secret_load_credential(const char *path, struct hy_secret *out, struct hy_fault *f)
{
	return secret_load(path, 07, out, f);
}

static int secret_load_text(const char *path, unsigned forbidden, char *out, size_t room, struct hy_fault *f)
{
	long size = secret_read(path, forbidden, out, room, f);
	if (size < 0)
		return (int)size;
	if ((size_t)size == room && out[size - 1] != '\n')
		return hy_fail(f, HY_CONFIG, "%s: longer than %zu bytes", path, room - 1);
	while (size > 0 && (out[size - 1] == '\n' || out[size - 1] == '\r'))
		size--;
	out[size] = '\0';
	if (size == 0 || strlen(out) != (size_t)size)
		return hy_fail(f, HY_CONFIG, "%s: %s", path, size ? "holds a NUL" : "is empty");
	return HY_OK;
}

int hy_secret_load_text(const char *path, char *out, size_t room, struct hy_fault *f)
{
	return secret_load_text(path, 077, out, room, f);
}

int hy_secret_load_text_credential(const char *path, char *out, size_t room, struct hy_fault *f)
{
	return secret_load_text(path, 07, out, room, f);
}

int hy_seal(const struct hy_secret *k, struct hy_bytes plain, struct hy_buffer *out)
{
	enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, MAC = crypto_aead_xchacha20poly1305_ietf_ABYTES };
	uint8_t *p = hy_buffer_room(out, NONCE + plain.size + MAC);
	if (!p)
		return HY_NO_MEMORY;
	hy_random(p, NONCE);
	crypto_aead_xchacha20poly1305_ietf_encrypt(p + NONCE, NULL, plain.data, plain.size, NULL, 0, NULL, p, k->b);
	out->size += NONCE + plain.size + MAC;
	return HY_OK;
}

int hy_unseal(const struct hy_secret *k, struct hy_bytes sealed, struct hy_buffer *out)
{
	enum { NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, MAC = crypto_aead_xchacha20poly1305_ietf_ABYTES };
	if (sealed.size < NONCE + MAC)
		return HY_DAMAGED;
	size_t size = sealed.size - NONCE - MAC;
	uint8_t *p = hy_buffer_room(out, size + 1);
	if (!p)
		return HY_NO_MEMORY;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(
		    p, NULL, NULL, sealed.data + NONCE, size + MAC, NULL, 0, sealed.data, k->b) != 0)
		return HY_DAMAGED;
	out->size += size;
	return HY_OK;
}

/* The same address written differently is the same person: letters folded for mail, separators dropped for phones. */
static bool folded(char kind, uint8_t *c)
{
	if (kind == 'e' && *c >= 'A' && *c <= 'Z')
		*c += 'a' - 'A';
	return kind != 'p' || *c == '+' || (*c >= '0' && *c <= '9');
}

void hy_person(const struct hy_secret *k, uint32_t project, char kind, struct hy_bytes value,
	uint8_t out[static HY_PERSON_SIZE])
{
	crypto_generichash_state h;
	uint8_t piece[128] = { project >> 24, project >> 16, project >> 8, project, kind };
	size_t size = 5;
	crypto_generichash_init(&h, k->b, sizeof(k->b), HY_PERSON_SIZE);
	for (size_t i = 0; i < value.size; i++) {
		piece[size] = value.data[i];
		size += folded(kind, &piece[size]);
		if (size == sizeof(piece)) {
			crypto_generichash_update(&h, piece, size);
			size = 0;
		}
	}
	crypto_generichash_update(&h, piece, size);
	crypto_generichash_final(&h, out, HY_PERSON_SIZE);
}

enum { TOKEN_BODY = 37, TOKEN_MAC = 16 };

static void token_mac(const struct hy_secret *k, const uint8_t *body, uint8_t mac[static TOKEN_MAC])
{
	uint8_t full[32];
	crypto_generichash(full, sizeof(full), body, TOKEN_BODY, k->b, sizeof(k->b));
	memcpy(mac, full, TOKEN_MAC);
}

void hy_token_write(const struct hy_secret *k, const struct hy_token *t, char out[static HY_TOKEN_TEXT])
{
	uint8_t b[TOKEN_BODY + TOKEN_MAC];
	memcpy(b, t->ticket.b, 16);
	for (int i = 0; i < 4; i++)
		b[16 + i] = (uint8_t)(t->round >> (24 - 8 * i));
	memcpy(b + 20, t->person, HY_PERSON_SIZE);
	b[36] = t->purpose;
	token_mac(k, b, b + TOKEN_BODY);
	out[hy_base64url_encode(hy_bytes(b, sizeof(b)), out)] = 0;
}

bool hy_token_read(const struct hy_secret *k, const char *text, struct hy_token *out)
{
	uint8_t b[TOKEN_BODY + TOKEN_MAC], mac[TOKEN_MAC];
	if (hy_base64url_decode(hy_bytes_text(text), b, sizeof(b)) != (long)sizeof(b))
		return false;
	token_mac(k, b, mac);
	if (sodium_memcmp(mac, b + TOKEN_BODY, TOKEN_MAC) != 0)
		return false;
	memcpy(out->ticket.b, b, 16);
	out->round = (uint32_t)b[16] << 24 | (uint32_t)b[17] << 16 | (uint32_t)b[18] << 8 | b[19];
	memcpy(out->person, b + 20, HY_PERSON_SIZE);
	out->purpose = b[36];
	return true;
}
