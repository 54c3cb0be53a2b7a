/* Mail to a server on loopback that takes everything at once: our engine beside a bare loop of libcurl's own delivery, both over the same number of
 * kept connections and to the same sink.
 *     bench-smtp CONNECTIONS SECONDS      smtp_ours and smtp_bare in mails/s, smtp_ratio
 * The sink is a process of its own with a thread for each connection, so that it costs neither side anything of its own processor time but what the
 * machine has in all. */
#include "bench.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/smtp.h"

enum { LINES = 40, CONNECTIONS_MAX = 64 }; /* a mail of 2.6 KiB */

static char message[LINES * 80];
static size_t message_size;

/* ---- the sink ---- */

static bool say(int fd, const char *text)
{
	return send(fd, text, strlen(text), MSG_NOSIGNAL) > 0;
}

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	FILE *in = fdopen(fd, "r");
	char line[2000];
	bool body = false, on = say(fd, "220 sink\r\n");
	while (on && fgets(line, sizeof(line), in)) {
		if (body) {
			if (strcmp(line, ".\r\n") != 0)
				continue;
			body = false;
			on = say(fd, "250 2.0.0 taken\r\n");
		} else if (strncmp(line, "DATA", 4) == 0) {
			body = true;
			on = say(fd, "354 go on\r\n");
		} else if (strncmp(line, "QUIT", 4) == 0) {
			say(fd, "221 2.0.0 bye\r\n");
			break;
		} else {
			on = say(fd, "250 2.0.0 ok\r\n");
		}
	}
	fclose(in);
	return NULL;
}

static pid_t start_sink(int *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
	if (bind(fd, (struct sockaddr *)&at, size) || listen(fd, 128) || getsockname(fd, (struct sockaddr *)&at, &size))
		bench_die("no port for the sink");
	*port = ntohs(at.sin_port);
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			pthread_t thread;
			int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
			if (client < 0)
				_exit(1);
			setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
			if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)client) == 0)
				pthread_detach(thread);
		}
	}
	close(fd);
	return pid;
}

/* ---- ours ---- */

struct ours {
	struct hy_smtp *smtp;
	int64_t until;
	long sent, out;
	struct sender {
		struct ours *ours;
		struct hy_smtp_mail *mail;
	} senders[CONNECTIONS_MAX];
};

static void on_dot(void *arg)
{
	hy_smtp_pass(((struct sender *)arg)->mail);
}

static void on_done(void *arg, const struct hy_smtp_outcome *o);

static void send_one(struct sender *s)
{
	struct hy_smtp_letter letter = { .from = "a@bench.example",
		.to = "b@bench.example",
		.message = hy_bytes(message, message_size),
		.at_dot = on_dot,
		.done = on_done,
		.arg = s };
	struct hy_fault f;
	if (hy_smtp_send(s->ours->smtp, &letter, &s->mail, &f) != HY_OK)
		bench_die("%s", f.text);
	s->ours->out++;
}

static void on_done(void *arg, const struct hy_smtp_outcome *o)
{
	struct sender *s = arg;
	if (o->code != 250)
		bench_die("the sink said %d: %s", o->code, o->words);
	s->ours->sent++;
	s->ours->out--;
	if (bench_ns() < s->ours->until)
		send_one(s);
}

static double run_ours(int port, int connections, int64_t ns)
{
	static struct ours o;
	struct hy_loop *loop;
	struct hy_fault f;
	int64_t from = bench_ns();
	o.until = from + ns;
	if (hy_loop_open(&loop) != HY_OK)
		bench_die("no loop");
	struct hy_smtp_options options = { .loop = loop,
		.host = "127.0.0.1",
		.port = port,
		.tls = HY_SMTP_PLAIN,
		.ehlo = "bench.example",
		.connections = connections };
	if (hy_smtp_open(&o.smtp, &options, &f) != HY_OK)
		bench_die("%s", f.text);
	for (int i = 0; i < connections; i++) {
		o.senders[i].ours = &o;
		send_one(&o.senders[i]);
	}
	while (o.out)
		hy_loop_turn(loop, 1000);
	double rate = (double)o.sent * 1e9 / (double)(bench_ns() - from);
	hy_smtp_close(&o.smtp);
	hy_loop_close(&loop);
	return rate;
}

/* ---- libcurl's own ---- */

static size_t read_message(char *to, size_t one, size_t room, void *arg)
{
	size_t *at = arg, left = message_size - *at, size = one * room < left ? one * room : left;
	memcpy(to, message + *at, size);
	*at += size;
	return size;
}

static double run_bare(int port, int connections, int64_t ns)
{
	char url[80];
	size_t at[CONNECTIONS_MAX] = { 0 };
	long sent = 0;
	int running = 0, left;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	CURLM *multi = curl_multi_init();
	struct curl_slist *to = curl_slist_append(NULL, "<b@bench.example>");
	snprintf(url, sizeof(url), "smtp://127.0.0.1:%d/bench.example", port);
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)connections);
	int64_t from = bench_ns(), until = from + ns;
	for (int i = 0; i < connections; i++) {
		CURL *e = curl_easy_init();
		curl_easy_setopt(e, CURLOPT_URL, url);
		curl_easy_setopt(e, CURLOPT_MAIL_FROM, "<a@bench.example>");
		curl_easy_setopt(e, CURLOPT_MAIL_RCPT, to);
		curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(e, CURLOPT_READFUNCTION, read_message);
		curl_easy_setopt(e, CURLOPT_READDATA, &at[i]);
		curl_easy_setopt(e, CURLOPT_PRIVATE, &at[i]);
		curl_multi_add_handle(multi, e);
	}
	do {
		curl_multi_perform(multi, &running);
		for (CURLMsg *m; (m = curl_multi_info_read(multi, &left));) {
			CURL *e = m->easy_handle;
			size_t *mine;
			if (m->data.result != CURLE_OK)
				bench_die("libcurl: %s", curl_easy_strerror(m->data.result));
			sent++;
			curl_easy_getinfo(e, CURLINFO_PRIVATE, &mine);
			*mine = 0;
			curl_multi_remove_handle(multi, e);
			if (bench_ns() < until) {
				curl_multi_add_handle(multi, e);
				running++;
			} else {
				curl_easy_cleanup(e);
			}
		}
		if (running)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	} while (running);
	double rate = (double)sent * 1e9 / (double)(bench_ns() - from);
	curl_multi_cleanup(multi);
	curl_slist_free_all(to);
	return rate;
}

int main(int argc, char **argv)
{
	if (argc != 3 || atoi(argv[1]) < 1 || atoi(argv[1]) > CONNECTIONS_MAX || atoi(argv[2]) < 1)
		bench_die("usage: bench-smtp CONNECTIONS SECONDS, at most %d connections", CONNECTIONS_MAX);
	int port, connections = atoi(argv[1]);
	int64_t ns = (int64_t)atoi(argv[2]) * 1000000000;
	signal(SIGPIPE, SIG_IGN);
	message_size = (size_t)snprintf(message, sizeof(message), "Subject: bench\r\n\r\n");
	for (int i = 0; i < LINES - 2; i++)
		message_size +=
			(size_t)snprintf(message + message_size, sizeof(message) - message_size, "%066d\r\n", i);
	pid_t sink = start_sink(&port);
	double ours = run_ours(port, connections, ns), bare = run_bare(port, connections, ns);
	kill(sink, SIGKILL);
	bench_say("smtp_ours", ours);
	bench_say("smtp_bare", bare);
	bench_say("smtp_ratio", ours / bare);
	return 0;
}
