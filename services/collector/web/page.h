/* The follow-up page: what was done about your feedback, and did it help? Works without JavaScript; GET changes nothing. */
#ifndef COLLECTOR_PAGE_H
#define COLLECTOR_PAGE_H

#include "collector/collector.h"

struct page;
/* Reads pages/{zh,en}.html from DIR/templates/pages, else from the share folder beside the program. */
int page_open(struct page **out, const struct hy_daemon *d, struct hy_fault *f);
void page_close(struct page **p);

/* Route handlers of /r/{token}; arg is the collector. */
void page_get(struct hy_request *q, void *arg);
void page_post(struct hy_request *q, void *arg);

#endif
