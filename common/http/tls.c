/* TLS for those who have no front before us. libmicrohttpd carries it on GnuTLS; the certificate is ours: each connection is given the newest
 * one when it begins, and keeps it until it ends, so that a renewed file counts at once and disturbs nobody. */
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "http/inner.h"
#include "log/log.h"

#define FILE_MAX ((size_t)1 << 20)
/* No older version, no key exchange that a later theft of the key would open, no checksum that is broken. */
static const char priorities[] =
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:-SIGN-RSA-SHA1:-SIGN-ECDSA-SHA1:%SERVER_PRECEDENCE";

/* One reading of the two files. */
struct http_certificate {
	gnutls_certificate_credentials_t credentials;
	int users; /* connections, and the server while it is the newest */
};

/* What a file looked like: any change of it shows here. */
struct look {
	dev_t device;
	ino_t inode;
	off_t size;
	struct timespec changed, written;
};

struct http_tls {
	char *certificate, *key; /* file names */
	struct look looks[2];
	struct http_certificate *newest;
};

/* ---- reading ---- */

static struct look look_at(const char *path)
{
	struct stat st;
	if (stat(path, &st) != 0)
		return (struct look){ 0 };
	return (struct look){ st.st_dev, st.st_ino, st.st_size, st.st_ctim, st.st_mtim };
}

static bool same(const struct look *a, const struct look *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec &&
	       a->written.tv_sec == b->written.tv_sec && a->written.tv_nsec == b->written.tv_nsec;
}

static int read_file(const char *path, bool secret, struct hy_buffer *out, struct hy_fault *f)
{
	FILE *in = fopen(path, "re");
	struct stat st;
	if (!in)
		return hy_fail(f, HY_CONFIG, "TLS: %s: %s", path, strerror(errno));
	int err = HY_OK;
	if (fstat(fileno(in), &st) != 0 || !S_ISREG(st.st_mode) || (size_t)st.st_size > FILE_MAX)
		err = hy_fail(f, HY_CONFIG, "TLS: %s is no file of a reasonable size", path);
	else if (secret && (st.st_mode & (S_IROTH | S_IWOTH)))
		err = hy_fail(f, HY_CONFIG, "TLS: %s can be read or written by everybody on this machine: chmod o= %s",
			path, path);
	uint8_t *room = err ? NULL : hy_buffer_room(out, FILE_MAX);
	if (room)
		out->size = fread(room, 1, FILE_MAX, in);
	if (!err && (!room || ferror(in)))
		err = hy_fail(f, HY_CONFIG, "TLS: %s: %s", path, room ? strerror(errno) : "out of memory");
	fclose(in);
	return err;
}

static gnutls_datum_t datum(const struct hy_buffer *b)
{
	return (gnutls_datum_t){ b->data, (unsigned)b->size };
}

/* Before it is used, each for itself: so that the fault can say which of the two files is meant. */
static int check_certificate(const char *path, const struct hy_buffer *pem, struct hy_fault *f)
{
	gnutls_x509_crt_t *chain = NULL;
	unsigned count = 0;
	gnutls_datum_t in = datum(pem);
	int rc = gnutls_x509_crt_list_import2(&chain, &count, &in, GNUTLS_X509_FMT_PEM, 0);
	if (rc < 0)
		return hy_fail(f, HY_CONFIG, "TLS: %s is no PEM certificate: %s", path, gnutls_strerror(rc));
	time_t ends = gnutls_x509_crt_get_expiration_time(chain[0]);
	if (ends < time(NULL))
		hy_warn("http.tls", "file=%s reason=\"the certificate has expired; clients will refuse it\"", path);
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	return HY_OK;
}

static int check_key(const char *path, const struct hy_buffer *pem, struct hy_fault *f)
{
	gnutls_x509_privkey_t key;
	gnutls_datum_t in = datum(pem);
	int rc = gnutls_x509_privkey_init(&key);
	if (rc < 0)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	rc = gnutls_x509_privkey_import2(key, &in, GNUTLS_X509_FMT_PEM, NULL, 0);
	gnutls_x509_privkey_deinit(key);
	if (rc == GNUTLS_E_DECRYPTION_FAILED)
		return hy_fail(f, HY_CONFIG,
			"TLS: %s wants a password: give a key without one, readable by this daemon alone", path);
	return rc < 0 ? hy_fail(f, HY_CONFIG, "TLS: %s is no PEM private key: %s", path, gnutls_strerror(rc)) : HY_OK;
}

static void leave(struct http_certificate *c)
{
	if (!c || --c->users > 0)
		return;
	gnutls_certificate_free_credentials(c->credentials);
	free(c);
}

static int use(const struct http_tls *t, const struct hy_buffer *certificate, const struct hy_buffer *key,
	struct http_certificate **out, struct hy_fault *f)
{
	struct http_certificate *c = calloc(1, sizeof(*c));
	if (!c || gnutls_certificate_allocate_credentials(&c->credentials) < 0) {
		free(c);
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	}
	c->users = 1;
	gnutls_datum_t first = datum(certificate), second = datum(key);
	int rc = gnutls_certificate_set_x509_key_mem(c->credentials, &first, &second, GNUTLS_X509_FMT_PEM);
	if (rc < 0) {
		leave(c);
		return hy_fail(f, HY_CONFIG, "TLS: certificate %s and key %s can't be used: %s", t->certificate, t->key,
			rc == GNUTLS_E_CERTIFICATE_KEY_MISMATCH ? "the key belongs to another certificate"
								: gnutls_strerror(rc));
	}
	*out = c;
	return HY_OK;
}

static int load(struct http_tls *t, struct http_certificate **out, struct hy_fault *f)
{
	struct hy_buffer certificate = { 0 }, key = { 0 };
	int err = read_file(t->certificate, false, &certificate, f);
	if (!err)
		err = read_file(t->key, true, &key, f);
	if (!err)
		err = check_certificate(t->certificate, &certificate, f);
	if (!err)
		err = check_key(t->key, &key, f);
	if (!err)
		err = use(t, &certificate, &key, out, f);
	if (key.data)
		explicit_bzero(key.data, key.room);
	hy_buffer_free(&certificate);
	hy_buffer_free(&key);
	return err;
}

/* ---- a server's ---- */

int http_tls_open(struct http_tls **out, const char *certificate, const char *key, struct hy_fault *f)
{
	bool has_certificate = certificate && *certificate, has_key = key && *key;
	if (!has_certificate && !has_key)
		return HY_OK;
	if (!has_certificate || !has_key)
		return hy_fail(f, HY_CONFIG, "TLS wants both, a certificate and its key");
	if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
		return hy_fail(f, HY_CONFIG, "TLS: this libmicrohttpd was built without it");
	struct http_tls *t = calloc(1, sizeof(*t));
	if (!t)
		return hy_fail(f, HY_NO_MEMORY, "out of memory");
	t->certificate = strdup(certificate);
	t->key = strdup(key);
	int err = t->certificate && t->key ? HY_OK : hy_fail(f, HY_NO_MEMORY, "out of memory");
	t->looks[0] = look_at(certificate);
	t->looks[1] = look_at(key);
	if (!err)
		err = load(t, &t->newest, f);
	if (err)
		http_tls_free(&t);
	*out = t;
	return err;
}

void http_tls_free(struct http_tls **out)
{
	struct http_tls *t = *out;
	if (!t)
		return;
	*out = NULL;
	leave(t->newest);
	free(t->certificate);
	free(t->key);
	free(t);
}

/* libmicrohttpd wants to be told where certificates come from. Each connection has its own before this could be asked. */
static int none(gnutls_session_t session, const gnutls_datum_t *names, int name_count,
	const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **chain, unsigned int *length,
	gnutls_privkey_t *key)
{
	(void)session, (void)names, (void)name_count, (void)algorithms, (void)algorithm_count, (void)chain,
		(void)length, (void)key;
	return -1;
}

void http_tls_options(struct MHD_OptionItem out[static HTTP_TLS_OPTIONS])
{
	out[0] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)priorities };
	out[1] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)(uintptr_t)none };
}

/* A fault in a renewed file is told once, and the old certificate stays. */
static void look_again(struct http_tls *t)
{
	struct look looks[2] = { look_at(t->certificate), look_at(t->key) };
	if (same(&looks[0], &t->looks[0]) && same(&looks[1], &t->looks[1]))
		return;
	memcpy(t->looks, looks, sizeof(looks));
	struct http_certificate *fresh;
	struct hy_fault f = { 0 };
	if (load(t, &fresh, &f)) {
		hy_warn("http.tls", "reason=\"%s\" effect=\"the former certificate stays in use\"", f.text);
		return;
	}
	leave(t->newest);
	t->newest = fresh;
	hy_info("http.tls", "certificate=%s effect=\"new connections get the new one\"", t->certificate);
}

struct http_certificate *http_tls_begin(struct http_tls *t, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	const gnutls_datum_t http11 = { (unsigned char *)(uintptr_t) "http/1.1", 8 };
	if (!info || !info->tls_session)
		return NULL;
	look_again(t);
	/* Over what libmicrohttpd has set a moment ago: nothing has been said on the wire yet. */
	if (gnutls_credentials_set(info->tls_session, GNUTLS_CRD_CERTIFICATE, t->newest->credentials) < 0)
		return NULL;
	gnutls_alpn_set_protocols(info->tls_session, &http11, 1, 0);
	t->newest->users++;
	return t->newest;
}

void http_tls_end(struct http_certificate *c)
{
	leave(c);
}
