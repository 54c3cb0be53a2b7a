// link: hy_ring hy_http
/* The collector behind what stands before it: systemd's socket, and nginx with the file that deploy/front has. */
#include "support/ring.h"
#include "support/web.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <zlib.h>

#define NGINX "/usr/sbin/nginx"

/* ---- systemd's socket ---- */

static int listening(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

/* As systemd starts a service: the socket is descriptor 3, and the environment says what it is for. */
static void start_with_socket(struct ring *r, int fd, const char *name)
{
	char log[4096], pid[16];
	snprintf(log, sizeof(log), "%s/collector.log", r->dir);
	assert_int_equal(r->pid[COLLECTOR], 0);
	r->pid[COLLECTOR] = fork();
	if (r->pid[COLLECTOR])
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("LISTEN_PID", pid, 1);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", name, 1);
	if (!freopen(log, "a", stderr))
		_exit(71);
	if (fd == 3)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, 3) != 3)
		_exit(71);
	execl(HY_BIN_DIR "/huiyin-collector", "huiyin-collector", "-C", r->dir, (char *)NULL);
	_exit(127);
}

/* The collector alone: without the others it is healthy, not ready. */
static bool answers(int port)
{
	struct ring there = { .port = port };
	return ring_http(&there, "GET", "/healthz", NULL, NULL, NULL) == 200;
}

static void a_socket_of_the_service_manager_is_used_and_keeps_clients_over_a_restart(void **state)
{
	(void)state;
	struct ring *r = ring_open(NULL);
	int configured = r->port, fd = listening(&r->port);
	start_with_socket(r, fd, "http");
	web_until(answers(r->port));
	assert_false(answers(configured)); /* http.listen has no say */
	assert_int_equal(ring_post(r, "{\"text\":\"before\",\"id\":\"1\"}", NULL), 202);
	ring_kill(r, COLLECTOR, SIGTERM);

	struct web between = { .port = r->port }; /* nobody is there, and the client waits */
	int client = web_connect(&between);
	char text[512];
	snprintf(text, sizeof(text),
		"POST /v1/feedback HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\nContent-Type: "
		"application/json\r\nContent-Length: 26\r\n\r\n{\"text\":\"while\",\"id\":\"2\"} ",
		r->key);
	web_say(client, text);
	start_with_socket(r, fd, "http");
	assert_int_equal(web_read(client).status, 202);
	close(client);
	close(fd);
	ring_close(r);
}

static void a_socket_of_another_name_is_not_taken_for_ours(void **state)
{
	(void)state;
	int other, fd;
	struct ring *r = ring_open(NULL);
	fd = listening(&other);
	start_with_socket(r, fd, "something-else");
	web_until(answers(r->port)); /* at http.listen */
	close(fd);
	ring_close(r);
}

static void a_descriptor_that_is_no_listening_socket_is_left_alone(void **state)
{
	(void)state;
	struct ring *r = ring_open(NULL);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	start_with_socket(r, fd, "http");
	web_until(answers(r->port)); /* at http.listen */
	close(fd);
	ring_close(r);
}

/* ---- nginx ---- */

struct front {
	struct ring *r;
	struct web web; /* where nginx listens: for web_connect() */
	pid_t nginx;
};

/* The file as it is, but for names and addresses of this test; TLS is not what is tried here. Other addresses than ours are played by a
 * header, in which nginx believes here. */
static void write_settings(struct front *f, const char *dir)
{
	char command[16384], path[4200];
	snprintf(command, sizeof(command),
		"sed -E -e 's/127\\.0\\.0\\.1:8080/127.0.0.1:%d/' -e '/\\[::\\]|ssl_/d' -e 's/listen 443 ssl/listen "
		"127.0.0.1:%d/' "
		"-e 's#listen 80;#listen unix:%s/redirect.sock;#' '%s/deploy/front/nginx.conf' >'%s/front.conf'",
		f->r->port, f->web.port, dir, HY_SOURCE_DIR, dir);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/nginx.conf", dir);
	FILE *out = fopen(path, "w");
	assert_non_null(out);
	fprintf(out,
		"%sdaemon off;\nmaster_process off;\npid %s/pid;\nerror_log %s/error.log warn;\nevents { "
		"worker_connections "
		"256; }\nhttp {\naccess_log off;\nclient_body_temp_path %s/body;\nproxy_temp_path "
		"%s/proxy;\nfastcgi_temp_path "
		"%s/fastcgi;\nuwsgi_temp_path %s/uwsgi;\nscgi_temp_path %s/scgi;\nset_real_ip_from "
		"127.0.0.1;\nreal_ip_header "
		"X-Played-Address;\ninclude %s/front.conf;\n}\n",
		geteuid() == 0 ? "user root;\n" : "", dir, dir, dir, dir, dir, dir, dir, dir);
	fclose(out);
}

static int up(void **state)
{
	struct front *f = calloc(1, sizeof(*f));
	*state = f;
	if (access(NGINX, X_OK) != 0)
		return 0;
	f->r = ring_open("s/trusted_proxies: .*/trusted_proxies: [127.0.0.1]/; s/per_address: .*/per_address: 1/");
	char dir[4096], file[4200], log[4200];
	snprintf(dir, sizeof(dir), "%s/nginx", f->r->dir);
	snprintf(file, sizeof(file), "%s/nginx.conf", dir);
	snprintf(log, sizeof(log), "%s/error.log", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	int fd = listening(&f->web.port);
	close(fd);
	write_settings(f, dir);
	ring_start(f->r, COLLECTOR, NULL);
	web_until(answers(f->r->port));
	f->nginx = fork();
	if (f->nginx == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(NGINX, "nginx", "-p", dir, "-e", log, "-c", file, (char *)NULL);
		_exit(127);
	}
	struct ring through = { .port = f->web.port };
	web_until(ring_http(&through, "GET", "/openapi.yaml", NULL, NULL, NULL) == 200);
	return 0;
}

static int down(void **state)
{
	struct front *f = *state;
	if (f->nginx > 0) {
		kill(f->nginx, SIGTERM);
		waitpid(f->nginx, NULL, 0);
	}
	if (f->r)
		ring_close(f->r);
	free(f);
	return 0;
}

/* False when nginx is not there. */
static bool there(const struct front *f)
{
	if (f->nginx > 0)
		return true;
	print_message("nginx is not installed (deploy/packages test)\n");
	return false;
}

#define NEED_NGINX(f)                                                                                                  \
	if (!there(f))                                                                                                 \
	skip()

/* Head of a POST of feedback, without its length; `more` are further lines. */
static void head_of(const struct front *f, char *out, size_t room, const char *type, const char *more)
{
	snprintf(out, room,
		"POST /v1/feedback HTTP/1.1\r\nHost: feedback.example.com\r\nAuthorization: Bearer %s\r\nContent-Type: "
		"%s\r\n%s",
		f->r->key, type, more);
}

static struct web_answer post(const struct front *f, const char *type, const char *more, struct hy_bytes body)
{
	char head[1024];
	int fd = web_connect(&f->web);
	head_of(f, head, sizeof(head), type, more);
	web_say(fd, head);
	snprintf(head, sizeof(head), "Content-Length: %zu\r\n\r\n", body.size);
	web_say(fd, head);
	web_send(fd, body.data, body.size);
	struct web_answer a = web_read(fd);
	close(fd);
	return a;
}

/* NDJSON of so many lines; the caller frees. */
static struct hy_buffer lines(int count)
{
	struct hy_buffer b = { 0 };
	for (int i = 0; i < count; i++)
		hy_buffer_printf(&b, "{\"text\":\"line %d: %0*d\"}\n", i, count > 100 ? 300 : 1, i);
	return b;
}

static void single_objects_pass_on_connections_that_stay(void **state)
{
	struct front *f = *state;
	NEED_NGINX(f);
	for (int i = 0; i < 20; i++)
		assert_int_equal(post(f, "application/json", "", HY_LIT("{\"text\":\"hello\"}")).status, 202);
	struct web_answer a = post(f, "application/json", "", HY_LIT("{\"text\":"));
	assert_int_equal(a.status, 400);
	assert_non_null(strstr(a.head, "application/problem+json"));
}

static void lines_pass_plain_compressed_and_in_chunks(void **state)
{
	struct front *f = *state;
	NEED_NGINX(f);
	struct hy_buffer few = lines(50), many = lines(6000); /* 2 MB: more than nginx would take by itself */
	assert_non_null(strstr(post(f, "application/x-ndjson", "", hy_buffer_view(&few)).body, "\"accepted\":50,"));

	z_stream z = { 0 };
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY), Z_OK);
	struct hy_buffer gzip = { 0 };
	size_t room = deflateBound(&z, few.size);
	z.next_in = few.data;
	z.avail_in = (uInt)few.size;
	z.next_out = hy_buffer_room(&gzip, room);
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	gzip.size = room - z.avail_out;
	deflateEnd(&z);
	assert_non_null(
		strstr(post(f, "application/x-ndjson", "Content-Encoding: gzip\r\n", hy_buffer_view(&gzip)).body,
			"\"accepted\":50,"));

	char head[1024];
	int fd = web_connect(&f->web);
	head_of(f, head, sizeof(head), "application/x-ndjson", "Transfer-Encoding: chunked\r\n\r\n");
	web_say(fd, head);
	for (size_t at = 0, size; at < few.size; at += size) {
		size = few.size - at < 700 ? few.size - at : 700;
		snprintf(head, sizeof(head), "%zx\r\n", size);
		assert_true(web_say(fd, head) && web_send(fd, few.data + at, size) && web_say(fd, "\r\n"));
	}
	web_say(fd, "0\r\n\r\n");
	assert_non_null(strstr(web_read(fd).body, "\"accepted\":50,"));
	close(fd);

	struct ring through = *f->r;
	char headers[256], *answer;
	through.port = f->web.port;
	snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\nContent-Type: application/x-ndjson\r\n",
		f->r->key);
	assert_int_equal(ring_http(&through, "POST", "/v1/feedback", headers, hy_buffer_string(&many), &answer), 202);
	assert_non_null(strstr(answer, "\"accepted\":6000,"));
	free(answer);
	hy_buffer_free(&few);
	hy_buffer_free(&many);
	hy_buffer_free(&gzip);
}

static void what_is_not_public_stays_inside(void **state)
{
	struct front *f = *state;
	NEED_NGINX(f);
	static const char *const inside[] = { "/metrics", "/readyz", "/healthz", "/", "/metrics/", "//metrics",
		"/v1/../metrics", "/r/%2e%2e/metrics" };
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		char text[256];
		int fd = web_connect(&f->web);
		snprintf(text, sizeof(text),
			"GET %s HTTP/1.1\r\nHost: feedback.example.com\r\nConnection: close\r\n\r\n", inside[i]);
		struct web_answer a = web_ask(fd, text);
		assert_int_equal(a.status, 404);
		assert_null(strstr(a.body, "huiyin_"));
		close(fd);
	}
}

/* One request of an address at a time is allowed here. Behind a proxy it is the client's address that counts, and what the client itself
 * says about forwarding is worth nothing. */
static void it_is_the_clients_address_that_is_counted(void **state)
{
	struct front *f = *state;
	NEED_NGINX(f);
	char head[1024];
	int slow = web_connect(&f->web);
	head_of(f, head, sizeof(head), "application/x-ndjson",
		"X-Played-Address: 203.0.113.7\r\nContent-Length: 34\r\n\r\n{\"text\":\"one\"}\n");
	web_say(slow, head);
	struct hy_bytes line = HY_LIT("{\"text\":\"hello\"}");
	web_until(post(f, "application/json", "X-Played-Address: 203.0.113.7\r\n", line).status == 503);
	assert_int_equal(
		post(f, "application/json", "X-Played-Address: 203.0.113.7\r\nX-Forwarded-For: 198.51.100.1\r\n", line)
			.status,
		503);
	assert_int_equal(post(f, "application/json", "X-Played-Address: 203.0.113.8\r\n", line).status, 202);
	web_say(slow, "{\"text\":\"two, late\"}");
	assert_int_equal(web_read(slow).status, 202);
	close(slow);
	web_until(post(f, "application/json", "X-Played-Address: 203.0.113.7\r\n", line).status == 202);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_of_the_service_manager_is_used_and_keeps_clients_over_a_restart),
		cmocka_unit_test(a_socket_of_another_name_is_not_taken_for_ours),
		cmocka_unit_test(a_descriptor_that_is_no_listening_socket_is_left_alone),
		cmocka_unit_test_setup_teardown(single_objects_pass_on_connections_that_stay, up, down),
		cmocka_unit_test_setup_teardown(lines_pass_plain_compressed_and_in_chunks, up, down),
		cmocka_unit_test_setup_teardown(what_is_not_public_stays_inside, up, down),
		cmocka_unit_test_setup_teardown(it_is_the_clients_address_that_is_counted, up, down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
