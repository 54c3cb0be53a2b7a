#include "support/smtp_line.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct smtp_tls {
	gnutls_certificate_credentials_t credentials;
	char file[64];
};

/* ---- a certificate that signs itself ---- */

static bool fill(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, const char *name)
{
	static const unsigned char loopback[] = { 127, 0, 0, 1 };
	unsigned char serial[] = { 1 };
	const char *host = name ? name : "localhost";
	time_t now = time(NULL);
	bool fine =
		gnutls_x509_privkey_generate(
			key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0 &&
		gnutls_x509_crt_set_version(crt, 3) == 0 && gnutls_x509_crt_set_key(crt, key) == 0 &&
		gnutls_x509_crt_set_serial(crt, serial, sizeof(serial)) == 0 &&
		gnutls_x509_crt_set_activation_time(crt, now - 86400) == 0 &&
		gnutls_x509_crt_set_expiration_time(crt, now + 86400) == 0 &&
		gnutls_x509_crt_set_basic_constraints(crt, 1, -1) == 0 &&
		gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, host, (unsigned)strlen(host)) == 0 &&
		gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, host, (unsigned)strlen(host), 0) == 0;
	if (fine && !name)
		fine = gnutls_x509_crt_set_subject_alt_name(
			       crt, GNUTLS_SAN_IPADDRESS, loopback, sizeof(loopback), GNUTLS_FSAN_APPEND) == 0;
	return fine && gnutls_x509_crt_sign2(crt, crt, key, GNUTLS_DIG_SHA256, 0) == 0;
}

static bool write_pem(struct smtp_tls *t, gnutls_x509_crt_t crt)
{
	gnutls_datum_t pem = { 0 };
	const char *tmp = getenv("TMPDIR");
	snprintf(t->file, sizeof(t->file), "%.40s/huiyin-smtp-XXXXXX", tmp ? tmp : "/tmp");
	int fd = mkstemp(t->file);
	if (fd < 0)
		t->file[0] = '\0';
	bool fine = fd >= 0 && gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem) == 0 &&
		    write(fd, pem.data, pem.size) == (ssize_t)pem.size;
	gnutls_free(pem.data);
	if (fd >= 0)
		close(fd);
	return fine;
}

struct smtp_tls *smtp_tls_open(const char *name)
{
	struct smtp_tls *t = calloc(1, sizeof(*t));
	gnutls_x509_crt_t crt;
	gnutls_x509_privkey_t key;
	if (!t || gnutls_x509_crt_init(&crt) != 0 || gnutls_x509_privkey_init(&key) != 0 ||
		gnutls_certificate_allocate_credentials(&t->credentials) != 0)
		abort();
	bool fine = fill(crt, key, name) && gnutls_certificate_set_x509_key(t->credentials, &crt, 1, key) == 0 &&
		    write_pem(t, crt);
	gnutls_x509_crt_deinit(crt);
	gnutls_x509_privkey_deinit(key);
	if (!fine)
		smtp_tls_close(&t);
	return t;
}

void smtp_tls_close(struct smtp_tls **t)
{
	if (!*t)
		return;
	if ((*t)->file[0])
		unlink((*t)->file);
	gnutls_certificate_free_credentials((*t)->credentials);
	free(*t);
	*t = NULL;
}

const char *smtp_tls_file(const struct smtp_tls *t)
{
	return t->file;
}

/* ---- bytes ---- */

void wire_open(struct smtp_wire *w, int fd)
{
	int yes = 1;
	*w = (struct smtp_wire){ .fd = fd };
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
}

bool wire_broken(const struct smtp_wire *w)
{
	return __atomic_load_n(&w->broken, __ATOMIC_SEQ_CST);
}

void wire_farewell(struct smtp_wire *w)
{
	if (w->tls && !w->reset)
		gnutls_bye(w->tls, GNUTLS_SHUT_WR);
}

void wire_close(struct smtp_wire *w)
{
	if (w->tls)
		gnutls_deinit(w->tls);
	if (w->reset)
		setsockopt(w->fd, SOL_SOCKET, SO_LINGER, &(struct linger){ 1, 0 }, sizeof(struct linger));
	close(w->fd);
	*w = (struct smtp_wire){ .fd = -1, .broken = true };
}

void wire_break(struct smtp_wire *w)
{
	__atomic_store_n(&w->broken, true, __ATOMIC_SEQ_CST);
	__atomic_store_n(&w->reset, true, __ATOMIC_SEQ_CST);
	shutdown(w->fd, SHUT_RDWR);
}

bool wire_encrypt(struct smtp_wire *w, struct smtp_tls *t)
{
	gnutls_session_t tls;
	w->at = w->have = 0;
	if (gnutls_init(&tls, GNUTLS_SERVER | GNUTLS_NO_SIGNAL) != 0)
		abort();
	gnutls_set_default_priority(tls);
	gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, t->credentials);
	gnutls_transport_set_int(tls, w->fd);
	gnutls_handshake_set_timeout(tls, GNUTLS_INDEFINITE_TIMEOUT);
	int err;
	do
		err = gnutls_handshake(tls);
	while (err < 0 && !gnutls_error_is_fatal(err));
	if (err < 0)
		gnutls_deinit(tls);
	else
		w->tls = tls;
	return err >= 0;
}

/* Waits in small pieces: the server may stop meanwhile. */
static void linger_for(struct smtp_wire *w, int64_t ms)
{
	for (; ms > 0 && !wire_broken(w); ms -= 50)
		usleep((useconds_t)(ms < 50 ? ms : 50) * 1000);
}

static ssize_t put(struct smtp_wire *w, const char *data, size_t size)
{
	ssize_t n;
	do
		n = w->tls ? gnutls_record_send(w->tls, data, size) : send(w->fd, data, size, MSG_NOSIGNAL);
	while (w->tls && n < 0 && !gnutls_error_is_fatal((int)n));
	return n;
}

bool wire_write(struct smtp_wire *w, const char *data, size_t size)
{
	while (size) {
		linger_for(w, w->drip_ms);
		ssize_t n = wire_broken(w) ? -1 : put(w, data, w->drip_ms ? 1 : size);
		if (n <= 0)
			return false;
		data += n;
		size -= (size_t)n;
	}
	return true;
}

int wire_byte(struct smtp_wire *w)
{
	if (w->at == w->have) {
		linger_for(w, w->sip_ms);
		if (wire_broken(w))
			return -1;
		size_t most = w->sip_ms ? 1 : sizeof(w->in);
		ssize_t n;
		do
			n = w->tls ? gnutls_record_recv(w->tls, w->in, most) : recv(w->fd, w->in, most, 0);
		while (w->tls && n < 0 && !gnutls_error_is_fatal((int)n));
		if (n <= 0)
			return -1;
		w->have = (size_t)n;
		w->at = 0;
	}
	return w->in[w->at++];
}

bool wire_waits(struct smtp_wire *w, int64_t ms)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	return w->at < w->have || (w->tls && gnutls_record_check_pending(w->tls)) || poll(&p, 1, (int)ms) > 0;
}

size_t smtp_base64(const char *text, size_t size, char *out, size_t room)
{
	gnutls_datum_t in = { (unsigned char *)text, (unsigned)size }, plain = { 0 };
	size_t n = 0;
	if (size && gnutls_base64_decode2(&in, &plain) == 0 && plain.size <= room) {
		memcpy(out, plain.data, plain.size);
		n = plain.size;
	}
	gnutls_free(plain.data);
	return n;
}
