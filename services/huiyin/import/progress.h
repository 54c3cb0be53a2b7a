/* How far an import has come, in FILE.import, and what was rejected, in FILE.rejects.csv or .jsonl: a file like the one it comes from, with the line and
 * the reason before each row, that can be repaired and imported. */
#ifndef HUIYIN_PROGRESS_H
#define HUIYIN_PROGRESS_H

#include "sender.h"

#define PROGRESS_KNOWN ((size_t)64 << 10)

struct progress_counts {
	uint64_t rows, accepted, duplicates, rejected;
	int64_t rejects_bytes;
	struct source_place place; /* all before it is done */
};

struct progress {
	struct progress_counts done; /* as of the last batch; what FILE.import says */
	char state_path[1200], rejects_path[1200]; /* "" = none */
	uint8_t identity[16];
	struct hy_buffer beginning; /* of the file's text, to know it again; PROGRESS_KNOWN bytes at most */
	int64_t begun_at; /* its place */
	char delimiter; /* of a table's rejects; 0 = lines of JSON */
	struct hy_bytes head_row;
	FILE *rejects;
	bool cut; /* to what was done before this run */
	int64_t saved_ms;
};

/* Takes up what an earlier run of the same file left in state_path; false when there is nothing, or it is of another file (then *other). */
bool progress_resume(struct progress *p, bool *other);
/* Opens the rejects file behind what was done. HY_BUSY: another process imports the same file. */
int progress_open(struct progress *p, struct hy_fault *f);
/* Enters an answered batch: counts, rejects, and at most once a second FILE.import. */
int progress_enter(struct progress *p, const struct batch *b, struct hy_fault *f);
int progress_save(struct progress *p, struct hy_fault *f);
/* An empty rejects file goes, and what `p` holds. */
void progress_close(struct progress *p);

#endif
