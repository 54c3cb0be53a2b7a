// link: hy_http
#include "support/web.h"

#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "log/log.h"

/* ---- certificates, made here ---- */

struct maker {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t certificate;
};

static char dir[] = "/tmp/huiyin-test-tls.XXXXXX";
static char certificate_file[64], key_file[64], ca_file[64];
static struct maker ca, stranger;

static gnutls_x509_privkey_t new_key(void)
{
	gnutls_x509_privkey_t key;
	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(
		gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
		0);
	return key;
}

/* `by` NULL: signed by itself, an authority. */
static struct maker make(const char *name, const struct maker *by, unsigned char serial)
{
	struct maker m = { .key = new_key() };
	assert_int_equal(gnutls_x509_crt_init(&m.certificate), 0);
	gnutls_x509_crt_set_version(m.certificate, 3);
	gnutls_x509_crt_set_serial(m.certificate, &serial, 1);
	gnutls_x509_crt_set_activation_time(m.certificate, time(NULL) - 86400);
	gnutls_x509_crt_set_expiration_time(m.certificate, time(NULL) + 86400 * 30);
	gnutls_x509_crt_set_dn_by_oid(m.certificate, GNUTLS_OID_X520_COMMON_NAME, 0, name, (unsigned)strlen(name));
	gnutls_x509_crt_set_key(m.certificate, m.key);
	gnutls_x509_crt_set_ca_status(m.certificate, by ? 0 : 1);
	gnutls_x509_crt_set_key_usage(
		m.certificate, by ? GNUTLS_KEY_DIGITAL_SIGNATURE : GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
	gnutls_x509_crt_set_subject_alt_name(
		m.certificate, GNUTLS_SAN_DNSNAME, name, (unsigned)strlen(name), GNUTLS_FSAN_SET);
	const struct maker *signer = by ? by : &m;
	assert_int_equal(
		gnutls_x509_crt_sign2(m.certificate, signer->certificate, signer->key, GNUTLS_DIG_SHA256, 0), 0);
	return m;
}

static void unmake(struct maker *m)
{
	gnutls_x509_crt_deinit(m->certificate);
	gnutls_x509_privkey_deinit(m->key);
}

static void write_file(const char *path, const void *data, size_t size, mode_t mode)
{
	char fresh[80];
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, size), (ssize_t)size);
	fchmod(fd, mode);
	close(fd);
	assert_int_equal(rename(fresh, path), 0);
}

static void write_certificate(const char *path, const struct maker *m)
{
	gnutls_datum_t pem;
	assert_int_equal(gnutls_x509_crt_export2(m->certificate, GNUTLS_X509_FMT_PEM, &pem), 0);
	write_file(path, pem.data, pem.size, 0644);
	gnutls_free(pem.data);
}

static void write_key(const char *path, const struct maker *m, mode_t mode)
{
	gnutls_datum_t pem;
	assert_int_equal(gnutls_x509_privkey_export2(m->key, GNUTLS_X509_FMT_PEM, &pem), 0);
	write_file(path, pem.data, pem.size, mode);
	gnutls_free(pem.data);
}

/* A fresh pair in the files the server looks at. */
static void renew(unsigned char serial)
{
	struct maker m = make("localhost", &ca, serial);
	write_key(key_file, &m, 0600);
	write_certificate(certificate_file, &m);
	unmake(&m);
}

static int make_all(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(certificate_file, sizeof(certificate_file), "%s/server.pem", dir);
	snprintf(key_file, sizeof(key_file), "%s/server.key", dir);
	snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", dir);
	ca = make("an authority of this test", NULL, 1);
	stranger = make("somebody else's authority", NULL, 1);
	return 0;
}

static int remove_all(void **state)
{
	(void)state;
	unmake(&ca);
	unmake(&stranger);
	unlink(certificate_file);
	unlink(key_file);
	unlink(ca_file);
	rmdir(dir);
	return 0;
}

/* ---- the server ---- */

static void on_hello(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	w->calls++;
	hy_http_reply(q, 200, "text/plain", HY_LIT("hello"));
}

static void on_take(struct hy_request *q, void *arg)
{
	(void)arg;
	struct hy_bytes body = hy_http_body(q);
	size_t sum = 0;
	for (size_t i = 0; i < body.size; i++)
		sum += body.data[i];
	char text[64];
	snprintf(text, sizeof(text), "%zu %zu", body.size, sum);
	hy_http_reply(q, 202, "text/plain", hy_bytes_text(text));
}

static void on_later(struct hy_request *q, void *arg)
{
	struct web *w = arg;
	hy_http_later(q);
	w->held[w->held_count] = q;
	w->held_count++;
}

static void on_large(struct hy_request *q, void *arg)
{
	(void)arg;
	char *data = malloc(4 << 20);
	memset(data, 'x', 4 << 20);
	hy_http_reply(q, 200, "text/plain", hy_bytes(data, 4 << 20));
	free(data);
}

static bool count_piece(struct hy_request *q, struct hy_bytes bytes, void *arg)
{
	(void)arg;
	hy_http_set_note(q, (char *)hy_http_note(q) + bytes.size);
	return true;
}

static void begin_stream(struct hy_request *q, void *arg)
{
	(void)arg;
	hy_http_stream(q, 8 << 20, count_piece);
}

static void end_stream(struct hy_request *q, void *arg)
{
	(void)arg;
	char text[64];
	snprintf(text, sizeof(text), "%zu", (size_t)hy_http_note(q));
	hy_http_reply(q, 202, "text/plain", hy_bytes_text(text));
}

static const struct hy_route routes[] = {
	{ "GET", "/hello", 0, on_hello },
	{ "POST", "/take", 1 << 20, on_take },
	{ "POST", "/later", 10, on_later },
	{ "GET", "/large", 0, on_large },
	{ "POST", "/stream", 0, end_stream, begin_stream },
	{ 0 },
};

static struct web web;

static void up_with(struct hy_http_options o)
{
	renew(2);
	o.tls_certificate = certificate_file;
	o.tls_key = key_file;
	web_start(&web, routes, o);
}

static int up(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ 0 });
	return 0;
}

static int down(void **state)
{
	(void)state;
	web_stop(&web);
	return 0;
}

/* ---- a client ---- */

struct client {
	int fd, status; /* status: GnuTLS's word about the handshake */
	gnutls_session_t session;
	gnutls_certificate_credentials_t trust;
};

static struct client dial(const struct maker *authority, const char *priorities)
{
	struct client c = { .fd = web_connect(&web) };
	gnutls_certificate_allocate_credentials(&c.trust);
	gnutls_certificate_set_x509_trust(c.trust, (gnutls_x509_crt_t[]){ authority->certificate }, 1);
	assert_int_equal(gnutls_init(&c.session, GNUTLS_CLIENT), 0);
	assert_int_equal(gnutls_priority_set_direct(c.session, priorities, NULL), 0);
	gnutls_credentials_set(c.session, GNUTLS_CRD_CERTIFICATE, c.trust);
	gnutls_server_name_set(c.session, GNUTLS_NAME_DNS, "localhost", 9);
	gnutls_session_set_verify_cert(c.session, "localhost", 0);
	gnutls_transport_set_int(c.session, c.fd);
	do {
		c.status = gnutls_handshake(c.session);
	} while (c.status < 0 && !gnutls_error_is_fatal(c.status));
	return c;
}

static void hang_up(struct client *c)
{
	if (c->status >= 0)
		gnutls_bye(c->session, GNUTLS_SHUT_WR);
	gnutls_deinit(c->session);
	gnutls_certificate_free_credentials(c->trust);
	close(c->fd);
}

static bool say(struct client *c, const void *data, size_t size)
{
	for (size_t at = 0; at < size;) {
		ssize_t n = gnutls_record_send(c->session, (const char *)data + at, size - at);
		if (n == GNUTLS_E_AGAIN || n == GNUTLS_E_INTERRUPTED)
			continue;
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return true;
}

static ssize_t hear(struct client *c, void *data, size_t size)
{
	ssize_t n;
	do {
		n = gnutls_record_recv(c->session, data, size);
	} while (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_REHANDSHAKE);
	return n;
}

/* Reads one answer; its status, 0 when the connection has ended. */
static int answer(struct client *c, char *body, size_t room)
{
	char head[4096];
	size_t size = 0;
	while (size < 4 || memcmp(head + size - 4, "\r\n\r\n", 4) != 0) {
		assert_true(size < sizeof(head) - 1);
		if (hear(c, head + size, 1) != 1)
			return 0;
		size++;
	}
	head[size] = 0;
	const char *length = strcasestr(head, "\r\nContent-Length:");
	size_t want = length ? strtoul(length + 17, NULL, 10) : 0, got = 0;
	while (got < want) {
		char piece[4096];
		ssize_t n = hear(c, piece, want - got < sizeof(piece) ? want - got : sizeof(piece));
		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++)
			if (got + (size_t)i < room - 1)
				body[got + (size_t)i] = piece[i];
		got += (size_t)n;
	}
	body[got < room ? got : room - 1] = 0;
	int status = 0;
	sscanf(head, "HTTP/1.1 %d", &status);
	return status;
}

static int ask(struct client *c, const char *text, char *body, size_t room)
{
	return say(c, text, strlen(text)) ? answer(c, body, room) : 0;
}

#define MODERN "NORMAL:-VERS-ALL:+VERS-TLS1.3"
#define TWELVE "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define HOST "Host: localhost\r\n"
#define HELLO "GET /hello HTTP/1.1\r\n" HOST "\r\n"

/* ---- */

static void a_client_that_trusts_our_authority_is_served(void **state)
{
	(void)state;
	const char *versions[] = { MODERN, TWELVE, "NORMAL" };
	for (size_t v = 0; v < 3; v++) {
		struct client c = dial(&ca, versions[v]);
		assert_int_equal(c.status, 0);
		char body[64];
		for (int i = 0; i < 20; i++) {
			assert_int_equal(ask(&c, HELLO, body, sizeof(body)), 200);
			assert_string_equal(body, "hello");
		}
		hang_up(&c);
	}
}

static void older_versions_and_weak_exchanges_are_refused(void **state)
{
	(void)state;
	static const char *const old[] = { "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT",
		"NORMAL:-VERS-ALL:+VERS-TLS1.0:%COMPAT", "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+RSA",
		"NORMAL:-VERS-ALL:+VERS-TLS1.2:-SIGN-ALL:+SIGN-ECDSA-SHA1" };
	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
		struct client c = dial(&ca, old[i]);
		assert_true(c.status < 0);
		hang_up(&c);
	}
	struct client c = dial(&ca, MODERN); /* and nobody else suffers */
	assert_int_equal(c.status, 0);
	hang_up(&c);
	assert_int_equal(web.calls, 0);
}

static void a_client_that_trusts_somebody_else_hangs_up(void **state)
{
	(void)state;
	struct client c = dial(&stranger, "NORMAL");
	assert_int_equal(c.status, GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR);
	hang_up(&c);
	assert_int_equal(web.calls, 0);
}

static void plain_http_is_not_answered(void **state)
{
	(void)state;
	int fd = web_connect(&web);
	web_say(fd, HELLO);
	char text[512] = "";
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n <= 0 || !strstr(text, "HTTP/1.1"));
	close(fd);
	assert_int_equal(web.calls, 0);
}

static void bodies_large_answers_and_streams_pass(void **state)
{
	(void)state;
	struct client c = dial(&ca, "NORMAL");
	assert_int_equal(c.status, 0);
	size_t size = 1 << 20;
	char *data = malloc(size), body[128];
	memset(data, 1, size);
	const char *head = "POST /take HTTP/1.1\r\n" HOST "Content-Length: 1048576\r\n\r\n";
	assert_true(say(&c, head, strlen(head)) && say(&c, data, size));
	assert_int_equal(answer(&c, body, sizeof(body)), 202);
	assert_string_equal(body, "1048576 1048576");
	head = "POST /stream HTTP/1.1\r\n" HOST "Content-Length: 4194304\r\n\r\n";
	assert_true(say(&c, head, strlen(head)));
	for (int i = 0; i < 4; i++)
		assert_true(say(&c, data, size));
	assert_int_equal(answer(&c, body, sizeof(body)), 202);
	assert_string_equal(body, "4194304");
	assert_int_equal(ask(&c, "GET /large HTTP/1.1\r\n" HOST "\r\n", body, sizeof(body)), 200);
	free(data);
	hang_up(&c);
}

/* More than one in a record: what GnuTLS has already read is not announced by the socket any more. */
static void requests_that_share_a_record_are_all_answered(void **state)
{
	(void)state;
	struct client c = dial(&ca, "NORMAL");
	char body[64], text[100 * sizeof(HELLO)] = "";
	for (int i = 0; i < 100; i++)
		strcat(text, HELLO);
	for (int round = 0; round < 3; round++) {
		assert_true(say(&c, text, strlen(text)));
		for (int i = 0; i < 100; i++)
			assert_int_equal(answer(&c, body, sizeof(body)), 200);
	}
	hang_up(&c);
}

static void answers_that_come_later_arrive(void **state)
{
	(void)state;
	enum { CLIENTS = 20 };
	struct client c[CLIENTS];
	char body[64];
	for (int i = 0; i < CLIENTS; i++)
		c[i] = dial(&ca, "NORMAL");
	for (int round = 0; round < 3; round++) {
		const char *text = "POST /later HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi";
		for (int i = 0; i < CLIENTS; i++)
			assert_true(say(&c[i], text, strlen(text)));
		web_until(web.held_count == CLIENTS);
		web_release(&web);
		for (int i = 0; i < CLIENTS; i++) {
			assert_int_equal(answer(&c[i], body, sizeof(body)), 202);
			assert_string_equal(body, "later");
		}
	}
	for (int i = 0; i < CLIENTS; i++)
		hang_up(&c[i]);
}

/* The guard sees the same buffer as with plain HTTP. */
static void ambiguous_heads_are_refused_here_too(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		size_t size;
		int status;
	} cases[] = {
#define CASE(text, status) { text, sizeof(text) - 1, status }
		CASE("POST /take HTTP/1.1\r\n" HOST "X: \t v w \r\nContent-Length: 2\r\n\r\nhi", 202),
		CASE("POST /take HTTP/1.1\r\nHost: a\nContent-Length: 2\r\n\r\nhi", 400),
		CASE("POST /take HTTP/1.1\n" HOST "Content-Length: 2\r\n\r\nhi", 400),
		CASE("POST /take HTTP/1.1\r\n" HOST "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 400),
		CASE("POST /take HTTP/1.1\r\n" HOST "X: a\r\n b\r\nContent-Length: 2\r\n\r\nhi", 400),
		CASE("POST /take HTTP/1.1\r\n" HOST "X: a\0b\r\nContent-Length: 2\r\n\r\nhi", 400),
		CASE("POST /take HTTP/1.1\r\n" HOST "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi", 400),
		CASE("POST /take HTTP/1.0\r\n" HOST "Content-Length: 2\r\n\r\nhi", 505),
#undef CASE
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t piece = 1; piece <= 1000; piece *= 10) {
			struct client c = dial(&ca, "NORMAL");
			char body[512];
			for (size_t at = 0, size; at < cases[i].size; at += size) {
				size = cases[i].size - at < piece ? cases[i].size - at : piece;
				if (!say(&c, cases[i].text + at, size))
					break;
			}
			assert_int_equal(answer(&c, body, sizeof(body)), cases[i].status);
			hang_up(&c);
		}
	}
}

static unsigned char serial_of(struct client *c)
{
	unsigned count;
	const gnutls_datum_t *der = gnutls_certificate_get_peers(c->session, &count);
	gnutls_x509_crt_t crt;
	unsigned char serial[20] = { 0 };
	size_t size = sizeof(serial);
	gnutls_x509_crt_init(&crt);
	assert_int_equal(gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER), 0);
	gnutls_x509_crt_get_serial(crt, serial, &size);
	gnutls_x509_crt_deinit(crt);
	return serial[0];
}

static void a_renewed_certificate_counts_from_the_next_connection_on(void **state)
{
	(void)state;
	char body[64];
	struct client old = dial(&ca, "NORMAL");
	assert_int_equal(serial_of(&old), 2);
	for (unsigned char serial = 3; serial < 8; serial++) {
		renew(serial);
		struct client c = dial(&ca, "NORMAL");
		assert_int_equal(c.status, 0);
		assert_int_equal(serial_of(&c), serial);
		assert_int_equal(ask(&c, HELLO, body, sizeof(body)), 200);
		hang_up(&c);
		assert_int_equal(ask(&old, HELLO, body, sizeof(body)), 200);
	}
	hang_up(&old);
}

static void a_renewed_certificate_that_is_broken_leaves_the_former_in_use(void **state)
{
	(void)state;
	write_file(certificate_file, "no certificate", 14, 0644);
	struct client c = dial(&ca, "NORMAL");
	assert_int_equal(c.status, 0);
	assert_int_equal(serial_of(&c), 2);
	hang_up(&c);
	unlink(key_file);
	c = dial(&ca, "NORMAL");
	assert_int_equal(c.status, 0);
	hang_up(&c);
	renew(9); /* and a sound one is taken again */
	c = dial(&ca, "NORMAL");
	assert_int_equal(serial_of(&c), 9);
	hang_up(&c);
}

static void a_client_that_never_says_hello_is_cut_off(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ .idle_ms = 100 });
	int silent = web_connect(&web), half = web_connect(&web);
	web_send(half, "\x16\x03\x01\x02\x00\x01", 6);
	assert_true(web_closed(silent));
	assert_true(web_closed(half));
	web_until(web_counts(&web).connections == 0);
	close(silent);
	close(half);
	down(NULL);
}

static void one_connection_too_many_is_told_so_or_cut_off(void **state)
{
	(void)state;
	up_with((struct hy_http_options){ .connections = 2 });
	char body[512];
	struct client a = dial(&ca, "NORMAL"), b = dial(&ca, "NORMAL"), more = dial(&ca, "NORMAL");
	assert_int_equal(ask(&a, HELLO, body, sizeof(body)), 200);
	int status = more.status < 0 ? 503 : ask(&more, HELLO, body, sizeof(body));
	assert_true(status == 503 || status == 0);
	hang_up(&more);
	hang_up(&a);
	hang_up(&b);
	down(NULL);
}

/* ---- faults at start ---- */

static void expect_fault(const char *certificate, const char *key, const char *words)
{
	struct hy_loop *loop;
	struct hy_http *h;
	struct hy_fault f = { 0 };
	assert_int_equal(hy_loop_open(&loop), HY_OK);
	struct hy_http_options o = {
		.loop = loop, .listen = "127.0.0.1:0", .routes = routes, .tls_certificate = certificate, .tls_key = key
	};
	assert_int_equal(hy_http_open(&h, &o, &f), HY_CONFIG);
	assert_null(h);
	if (!strstr(f.text, words))
		fail_msg("\"%s\" does not say \"%s\"", f.text, words);
	hy_loop_close(&loop);
}

static void faults_at_start_name_the_file_and_the_reason(void **state)
{
	(void)state;
	char missing[80], words[200];
	renew(2);
	snprintf(missing, sizeof(missing), "%s/missing.pem", dir);
	snprintf(words, sizeof(words), "%s: No such file", missing);
	expect_fault(missing, key_file, words);
	expect_fault(certificate_file, missing, words);
	expect_fault(certificate_file, NULL, "wants both");
	expect_fault(NULL, key_file, "wants both");
	expect_fault(dir, key_file, "no file of a reasonable size");
	snprintf(words, sizeof(words), "%s is no PEM certificate", key_file);
	expect_fault(key_file, key_file, words);
	chmod(certificate_file, 0640);
	snprintf(words, sizeof(words), "%s is no PEM private key", certificate_file);
	expect_fault(certificate_file, certificate_file, words);
	write_key(key_file, &stranger, 0600);
	expect_fault(certificate_file, key_file, "the key belongs to another certificate");
	chmod(key_file, 0604);
	expect_fault(certificate_file, key_file, "chmod o=");
}

int main(void)
{
	hy_log_open("test", HY_ERROR, 0);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_client_that_trusts_our_authority_is_served, up, down),
		cmocka_unit_test_setup_teardown(older_versions_and_weak_exchanges_are_refused, up, down),
		cmocka_unit_test_setup_teardown(a_client_that_trusts_somebody_else_hangs_up, up, down),
		cmocka_unit_test_setup_teardown(plain_http_is_not_answered, up, down),
		cmocka_unit_test_setup_teardown(bodies_large_answers_and_streams_pass, up, down),
		cmocka_unit_test_setup_teardown(requests_that_share_a_record_are_all_answered, up, down),
		cmocka_unit_test_setup_teardown(answers_that_come_later_arrive, up, down),
		cmocka_unit_test_setup_teardown(ambiguous_heads_are_refused_here_too, up, down),
		cmocka_unit_test_setup_teardown(a_renewed_certificate_counts_from_the_next_connection_on, up, down),
		cmocka_unit_test_setup_teardown(
			a_renewed_certificate_that_is_broken_leaves_the_former_in_use, up, down),
		cmocka_unit_test(a_client_that_never_says_hello_is_cut_off),
		cmocka_unit_test(one_connection_too_many_is_told_so_or_cut_off),
		cmocka_unit_test(faults_at_start_name_the_file_and_the_reason),
	};
	return cmocka_run_group_tests(tests, make_all, remove_all);
}
