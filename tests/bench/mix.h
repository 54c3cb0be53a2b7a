/* The feedback that the ring is fed with, the same for the same seed: 60 % problems that open or join a ticket, 2 % of all of them about something nobody has
 * said before, the others mostly praise; 200,000 customers by Zipf's law, every second one with an e-mail address. Texts are the training seeds' own, Chinese and
 * English; a record is 305 bytes in the mean when the collector has encoded it. */
#ifndef HY_TESTS_MIX_H
#define HY_TESTS_MIX_H

#include <stddef.h>
#include <stdint.h>

struct mix;
struct mix *mix_new(uint64_t seed);
void mix_free(struct mix *m);

/* The next feedback as JSON, appended at `out`; the end of it. At most 2 KiB. */
char *mix_object(struct mix *m, char *out);
/* A whole request for POST /v1/feedback: an array of `items` feedbacks, or one object when items is 0. malloc'ed; *size is its length. */
char *mix_request(struct mix *m, size_t items, size_t *size);
/* The same as NDJSON, a feedback a line. */
char *mix_lines(struct mix *m, size_t items, size_t *size);

#endif
