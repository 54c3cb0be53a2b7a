#include "support/ring.h"

#include "service/service.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <gmime/gmime.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

const char *const station_names[STATIONS] = { "collector", "classifier", "router", "notifier" };

static int free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&a, size) == 0 &&
		    getsockname(fd, (struct sockaddr *)&a, &size) == 0);
	close(fd);
	return ntohs(a.sin_port);
}

struct ring *ring_open(const char *edit)
{
	struct ring *r = calloc(1, sizeof(*r));
	char command[4096], path[4096];
	assert_non_null(r);
	r->dir = test_mkdir();
	r->port = free_port();
	snprintf(command, sizeof(command),
		"'%s/huiyin' init '%s' --listen 127.0.0.1:%d --public-url http://127.0.0.1:%d "
		"--door 'ipc://%s/run/door.sock' >/dev/null",
		HY_BIN_DIR, r->dir, r->port, r->port, r->dir);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof(path), "%s/keys/app-default.key", r->dir);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fscanf(f, "%63s", r->key), 1);
	fclose(f);
	if (edit) {
		snprintf(command, sizeof(command), "sed -i -E '%s' '%s/huiyin.yaml'", edit, r->dir);
		assert_int_equal(system(command), 0);
	}
	return r;
}

void ring_start(struct ring *r, enum station s, const char *crash_at)
{
	char program[4096], log[4096];
	char ahead[32];
	snprintf(ahead, sizeof(ahead), "%" PRId64, r->ahead_ms);
	snprintf(program, sizeof(program), "%s/huiyin-%s", HY_BIN_DIR, station_names[s]);
	snprintf(log, sizeof(log), "%s/%s.log", r->dir, station_names[s]);
	assert_int_equal(r->pid[s], 0);
	r->pid[s] = fork();
	assert_true(r->pid[s] >= 0);
	if (r->pid[s] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (crash_at)
			setenv("HUIYIN_CRASH_AT", crash_at, 1);
		if (r->ahead_ms)
			setenv("HUIYIN_AHEAD_MS", ahead, 1);
		if (!freopen(log, "a", stderr))
			_exit(71);
		execl(program, program, "-C", r->dir, (char *)NULL);
		_exit(127);
	}
}

void ring_start_all(struct ring *r)
{
	for (int s = 0; s < STATIONS; s++)
		if (!r->pid[s])
			ring_start(r, (enum station)s, NULL);
}

int ring_wait_exit(struct ring *r, enum station s)
{
	int status = 0;
	if (r->pid[s])
		assert_int_equal(waitpid(r->pid[s], &status, 0), r->pid[s]);
	r->pid[s] = 0;
	return status;
}

void ring_kill(struct ring *r, enum station s, int signal)
{
	if (!r->pid[s])
		return;
	kill(r->pid[s], signal);
	ring_wait_exit(r, s);
}

void ring_close(struct ring *r)
{
	for (int s = 0; s < STATIONS; s++)
		if (r->pid[s])
			kill(r->pid[s], SIGTERM);
	for (int s = 0; s < STATIONS; s++) {
		int64_t until = hy_mono_ms() + 10000;
		while (r->pid[s] && waitpid(r->pid[s], NULL, WNOHANG) == 0) {
			if (hy_mono_ms() > until)
				kill(r->pid[s], SIGKILL);
			usleep(10000);
		}
	}
	hy_loop_zmq_end();
	if (getenv("HUIYIN_KEEP")) {
		print_message("kept: %s\n", r->dir);
		free(r->dir);
	} else {
		test_rmdir(r->dir);
	}
	free(r);
}

/* ---- HTTP ---- */

static int dial(int port)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)
	};
	struct timeval patience = { .tv_sec = 30 };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
		return fd;
	close(fd);
	return -1;
}

int ring_http(
	struct ring *r, const char *method, const char *path, const char *headers, const char *body, char **answer)
{
	struct hy_buffer b = { 0 };
	int status = 0, fd = dial(r->port);
	if (answer)
		*answer = NULL;
	if (fd < 0)
		return 0;
	hy_buffer_printf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s", method, path,
		headers ? headers : "");
	if (body)
		hy_buffer_printf(&b, "Content-Length: %zu\r\n", strlen(body));
	hy_buffer_printf(&b, "\r\n%s", body ? body : "");
	for (size_t sent = 0; sent < b.size;) {
		ssize_t n = send(fd, b.data + sent, b.size - sent, MSG_NOSIGNAL);
		if (n <= 0)
			break;
		sent += (size_t)n;
	}
	hy_buffer_clear(&b);
	for (;;) {
		uint8_t *room = hy_buffer_room(&b, 65536);
		ssize_t n = recv(fd, room, 65536, 0);
		if (n <= 0)
			break;
		b.size += (size_t)n;
	}
	close(fd);
	const char *text = hy_buffer_string(&b), *end = strstr(text, "\r\n\r\n");
	if (sscanf(text, "HTTP/1.1 %d", &status) != 1 || !end)
		status = 0;
	else if (answer)
		*answer = strdup(end + 4);
	hy_buffer_free(&b);
	return status;
}

int ring_post(struct ring *r, const char *json, json_t **answer)
{
	char headers[256], *text = NULL;
	snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\nContent-Type: application/json\r\n", r->key);
	int status = ring_http(r, "POST", "/v1/feedback", headers, json, &text);
	if (answer)
		*answer = text ? json_loads(text, 0, NULL) : NULL;
	free(text);
	return status;
}

char *ring_say(struct ring *r, const char *json)
{
	json_t *j;
	int status = ring_post(r, json, &j);
	if (status != 202)
		fail_msg("status %d for %s", status, json);
	const char *id = json_string_value(json_array_get(json_object_get(j, "ids"), 0));
	assert_non_null(id);
	char *copy = strdup(id);
	json_decref(j);
	return copy;
}

json_t *ring_view(struct ring *r, const char *id)
{
	char headers[256], path[128], *text = NULL;
	snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", r->key);
	snprintf(path, sizeof(path), "/v1/feedback/%s", id);
	int status = ring_http(r, "GET", path, headers, NULL, &text);
	json_t *j = status == 200 && text ? json_loads(text, 0, NULL) : NULL;
	free(text);
	return j;
}

/* ---- questions ---- */

static bool is_ready(struct ring *r, void *arg)
{
	(void)arg;
	return ring_http(r, "GET", "/readyz", NULL, NULL, NULL) == 200;
}

bool ring_ready(struct ring *r)
{
	int64_t until = hy_mono_ms() + 20000;
	while (!is_ready(r, NULL)) {
		if (hy_mono_ms() > until)
			return false;
		usleep(20000);
	}
	return true;
}

json_t *ring_ask(struct ring *r, enum station s, const char *verb, const char *const *pairs, int *code)
{
	char *text = NULL;
	struct hy_fault f = { 0 };
	int err = hy_ask_daemon(r->dir, station_names[s], verb, pairs, NULL, 10000, &text, &f);
	json_t *j = err == HY_OK && text ? json_loads(text, JSON_DECODE_ANY, NULL) : NULL;
	free(text);
	if (code)
		*code = err;
	return j;
}

int ring_huiyin(struct ring *r, const char *arguments, char **out)
{
	char command[8192];
	struct hy_buffer b = { 0 };
	snprintf(command, sizeof(command), "'%s/huiyin' %s -C '%s' 2>&1", HY_BIN_DIR, arguments, r->dir);
	FILE *p = popen(command, "r");
	assert_non_null(p);
	char chunk[4096];
	for (size_t n; (n = fread(chunk, 1, sizeof(chunk), p)) > 0;)
		hy_buffer_put(&b, chunk, n);
	int status = pclose(p);
	if (out)
		*out = strdup(hy_buffer_string(&b));
	hy_buffer_free(&b);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void ring_until(struct ring *r, bool (*done)(struct ring *r, void *arg), void *arg, const char *what)
{
	int64_t until = hy_mono_ms() + 60000;
	while (!done(r, arg)) {
		if (hy_mono_ms() > until)
			fail_msg("waited 60 s in vain for: %s (%s)", what, r->dir);
		usleep(20000);
	}
}

static json_int_t head_of(json_t *const *health, const char *stream)
{
	for (int s = 0; s < STATIONS; s++) {
		json_t *own = json_object_get(health[s], "stream");
		if (own && strcmp(json_string_value(json_object_get(own, "name")), stream) == 0)
			return json_integer_value(json_object_get(own, "head"));
	}
	return -1;
}

/* At rest: every input has committed what its writer has, by the writer's own word (a reader may not have heard yet that there is more), and
 * nobody has put anything on a stream since the last look. */
static bool at_rest(struct ring *r, void *arg)
{
	json_int_t *before = arg, heads = 0;
	json_t *health[STATIONS] = { 0 }, *in;
	bool rest = true;
	for (int s = 0; s < STATIONS && rest; s++) {
		health[s] = ring_ask(r, (enum station)s, "health", NULL, NULL);
		rest = health[s] != NULL;
		heads += json_integer_value(json_object_get(json_object_get(health[s], "stream"), "head"));
	}
	for (int s = 0; s < STATIONS && rest; s++) {
		size_t i;
		json_array_foreach(json_object_get(health[s], "inputs"), i, in) rest =
			rest && strcmp(json_string_value(json_object_get(in, "link")), "up") == 0 &&
			json_integer_value(json_object_get(in, "mark")) ==
				head_of(health, json_string_value(json_object_get(in, "stream")));
	}
	for (int s = 0; s < STATIONS; s++)
		json_decref(health[s]);
	bool same = rest && heads == *before;
	*before = rest ? heads : -1;
	return same;
}

void ring_settle(struct ring *r)
{
	json_int_t heads = -1;
	ring_until(r, at_rest, &heads, "the ring to come to rest");
}

json_t *ring_audit(struct ring *r)
{
	char *text;
	int status = ring_huiyin(r, "audit --json", &text);
	json_t *j = json_loads(text, 0, NULL);
	if (status != 0 || !j)
		fail_msg("audit: exit %d: %s (%s)", status, text, r->dir);
	free(text);
	return j;
}

size_t ring_mails(struct ring *r)
{
	char path[4096];
	size_t n = 0;
	snprintf(path, sizeof(path), "%s/outbox", r->dir);
	DIR *d = opendir(path);
	for (struct dirent *e; d && (e = readdir(d));) {
		size_t size = strlen(e->d_name);
		n += size > 4 && strcmp(e->d_name + size - 4, ".eml") == 0;
	}
	if (d)
		closedir(d);
	return n;
}

static char *text_of(const char *path, const char *address)
{
	char *out = NULL;
	GMimeStream *file = g_mime_stream_file_open(path, "r", NULL);
	if (!file)
		return NULL;
	GMimeParser *parser = g_mime_parser_new_with_stream(file);
	GMimeMessage *m = g_mime_parser_construct_message(parser, NULL);
	InternetAddressList *to = m ? g_mime_message_get_addresses(m, GMIME_ADDRESS_TYPE_TO) : NULL;
	char *listed = to ? internet_address_list_to_string(to, NULL, FALSE) : NULL;
	GMimeObject *body = m ? g_mime_message_get_mime_part(m) : NULL;
	if (listed && strstr(listed, address) && GMIME_IS_MULTIPART(body)) {
		GMimeObject *part = g_mime_multipart_get_part(GMIME_MULTIPART(body), 0);
		char *text = GMIME_IS_TEXT_PART(part) ? g_mime_text_part_get_text(GMIME_TEXT_PART(part)) : NULL;
		out = text ? strdup(text) : NULL;
		g_free(text);
	}
	g_free(listed);
	if (m)
		g_object_unref(m);
	g_object_unref(parser);
	g_object_unref(file);
	return out;
}

char *ring_mail(struct ring *r, const char *address, const char *words)
{
	char path[8192];
	char *found = NULL;
	struct dirent **names = NULL;
	static bool begun;
	if (!begun)
		g_mime_init();
	begun = true;
	snprintf(path, sizeof(path), "%s/outbox", r->dir);
	int n = scandir(path, &names, NULL, alphasort); /* names are ids: the newest stands last */
	for (int i = n - 1; i >= 0; i--) {
		snprintf(path, sizeof(path), "%s/outbox/%s", r->dir, names[i]->d_name);
		char *text = !found && strstr(path, ".eml") ? text_of(path, address) : NULL;
		if (text && strstr(text, words))
			found = text;
		else
			free(text);
		free(names[i]);
	}
	free(names);
	return found;
}

char *ring_link(const char *mail)
{
	const char *at = strstr(mail, "/r/");
	assert_non_null(at);
	size_t size = strcspn(at, " \r\n\t<>\"");
	return strndup(at, size);
}
