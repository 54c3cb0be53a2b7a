/* HTTP in front of the collector. */
#ifndef COLLECTOR_ROUTES_H
#define COLLECTOR_ROUTES_H

#include "collector/collector.h"

int routes_open(struct collector *c, struct hy_loop *server, struct hy_fault *f);
void routes_close(struct collector *c);

/* The Prometheus text of a health document (hy_daemon_health), appended to `out`. */
void metrics_text(const json_t *health, struct hy_buffer *out);

#endif
