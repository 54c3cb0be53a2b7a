/* What the API says of itself: GET /openapi.yaml, and GET /problems/NAME, where the `type` of every problem points: what it means and what to do, in
 * Chinese or English as the reader asks. Server thread. */
#ifndef COLLECTOR_MANUAL_H
#define COLLECTOR_MANUAL_H

#include "collector/collector.h"

/* HY_CONFIG when share/huiyin/openapi.yaml is not beside the programs. */
int manual_open(struct manual **out, struct hy_fault *f);
void manual_close(struct manual **m);

/* Handlers. */
void manual_openapi(struct hy_request *q, void *collector);
void manual_problem(struct hy_request *q, void *collector);

/* The rows, for tests: NULL after the last. */
const char *manual_problem_name(size_t i);

#endif
