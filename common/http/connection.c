/* Connections: who may come in, and how long each may take. libmicrohttpd's own time-outs measure silence only, so one byte a second would
 * hold a connection for ever. Ours are total. A late one is shut down, never closed: libmicrohttpd then notices by itself and closes, so the
 * number of the descriptor can't be given to someone else in between. */
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/inner.h"
#include "log/log.h"

static void unlink_conn(struct http_conn *c)
{
	if (c->phase == HTTP_GONE)
		return;
	struct http_list *l = &c->h->list[c->phase];
	*(c->prev ? &c->prev->next : &l->first) = c->next;
	*(c->next ? &c->next->prev : &l->last) = c->prev;
	c->prev = c->next = NULL;
}

static void link_conn(struct http_conn *c, enum http_phase phase)
{
	struct http_list *l = &c->h->list[phase];
	c->phase = phase;
	c->due_ms = hy_mono_ms() + l->length_ms;
	c->prev = l->last;
	c->next = NULL;
	*(l->last ? &l->last->next : &l->first) = c;
	l->last = c;
}

void http_phase(struct http_conn *c, enum http_phase phase)
{
	if (c->phase == HTTP_GONE || c->phase == HTTP_OVER)
		return; /* its time is set already */
	unlink_conn(c);
	link_conn(c, phase);
}

void http_shut(struct http_conn *c)
{
	unlink_conn(c);
	c->phase = HTTP_GONE;
	shutdown(c->fd, SHUT_RDWR);
}

int64_t http_deadlines(struct hy_http *h)
{
	int64_t now = hy_mono_ms(), next = -1;
	for (int phase = 0; phase < HTTP_PHASES; phase++) {
		struct http_conn *c;
		while ((c = h->list[phase].first) && c->due_ms <= now) {
			if (phase != HTTP_IDLE && phase != HTTP_OVER)
				h->counts.timed_out++;
			if (phase == HTTP_WAIT) {
				/* Suspended: libmicrohttpd would not notice a shutdown. We answer in the handler's place. */
				http_busy(c->request, "no answer in time; sending the same again is safe");
			} else {
				http_shut(c);
			}
		}
		if (c && (next < 0 || c->due_ms - now < next))
			next = c->due_ms - now;
	}
	return next;
}

/* A few of those who come too many get a proper answer; when they are too many as well, one write and out. */
static void turn_away(struct http_conn *c)
{
	static const char full[] =
		"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n";
	c->over = true;
	if (c->h->over++ < HTTP_OVER_MAX) {
		unlink_conn(c);
		link_conn(c, HTTP_OVER);
		return;
	}
	c->h->counts.refused_full++;
	c->h->counts.status[5]++;
	if (!c->certificate && send(c->fd, full, sizeof(full) - 1, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		hy_debug("http.full", "peer=%s", c->peer);
	http_shut(c);
}

static void *begin(struct hy_http *h, struct MHD_Connection *mhd)
{
	struct http_conn *c = calloc(1, sizeof(*c));
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!c || !info) {
		free(c);
		return NULL; /* its requests are refused: on_request() looks */
	}
	if (h->tls) {
		c->certificate = http_tls_begin(h->tls, mhd);
		if (!c->certificate) {
			free(c);
			return NULL;
		}
	}
	c->h = h;
	c->fd = info->connect_fd;
	info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	c->address = http_address_of(info ? info->client_addr : NULL);
	http_address_text(&c->address, c->peer);
	h->counts.connections++;
	link_conn(c, HTTP_IDLE);

	int max = h->per_address;
	if (max < 2048 && (http_address_loopback(&c->address) || http_trusted(h, &c->address)))
		max = 2048;
	c->place = http_place_take(&h->direct, &c->address, max);
	if (!c->place || h->counts.connections - h->over > h->connections_max)
		turn_away(c);
	return c;
}

static void end(struct http_conn *c)
{
	struct hy_http *h = c->h;
	unlink_conn(c);
	http_place_leave(&h->direct, c->place);
	h->counts.connections--;
	if (c->over)
		h->over--;
	http_tls_end(c->certificate);
	free(c);
}

void http_on_connection(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_ConnectionNotificationCode what)
{
	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = begin(cls, mhd);
	} else if (*context) {
		end(*context);
		*context = NULL;
	}
}
