/* The spool's inside: its files and what is known of them. Private to spool.c and segment.c. */
#ifndef HY_CLIENT_SEGMENT_H
#define HY_CLIENT_SEGMENT_H

#include "client/spool.h"

struct segment {
	uint64_t first_n;
	struct run run;
	uint64_t end; /* bytes that may be read: the file's, or what is synced of the one being written */
};

#define SEGMENT_BUFFER ((size_t)(256 << 10) + RECORD_PAYLOAD_MAX)
enum { SEGMENT_NAME = 32 };

struct spool {
	char *dir;
	int dir_fd, lock_fd, mark_fd;
	struct holding *holding;
	uint64_t limit, segment_max, bytes, last_n, set_aside;
	struct run run; /* of what is appended */
	struct mark mark;
	struct segment *segments; /* by first_n */
	size_t count, room;
	int live_fd; /* of the last segment while it is written to, else -1 */
	/* What was read last. */
	int read_fd;
	uint64_t read_segment, read_at; /* `buffer` has the bytes from read_at on */
	size_t read_size;
	uint8_t *buffer;
};

void segment_name(uint64_t first_n, char out[static SEGMENT_NAME]);
bool segment_number(const char *name, uint64_t *first_n); /* false: no file of ours */
/* Reads the head and the size. HY_DAMAGED (with g->end set), HY_NEWER, or what the disk says. */
int segment_open(struct spool *s, struct segment *g);
void segment_forget(struct spool *s, uint64_t first_n); /* the file goes */

#endif
