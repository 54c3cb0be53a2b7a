/* A table as rows of cells: RFC 4180 by libcsv, over the lines of a source. A row may take several lines when a quoted cell does. What is wrong with a
 * row costs that row alone: behind broken quotes reading goes on with the next line, and takes what has as many cells as there are columns. */
#ifndef HUIYIN_TABLE_H
#define HUIYIN_TABLE_H

#include "source.h"

#define TABLE_COLUMNS_MAX 1000
#define TABLE_ROW_MAX SOURCE_LINE_MAX

struct table;

/* Reads the first row, which names the columns. `delimiter` 0: the one of , ; TAB | that divides the first rows most evenly. The source stays the
 * caller's and must live as long. HY_BAD_INPUT. The caller closes *out, also after an error. */
int table_open(struct table **out, struct source *source, char delimiter, struct hy_fault *f);
void table_close(struct table **t);

char table_delimiter(const struct table *t);
size_t table_columns(const struct table *t);
struct hy_bytes table_head(const struct table *t, size_t column); /* trimmed; NUL behind it */
struct hy_bytes table_head_row(const struct table *t); /* as it stands in the file */

struct table_row {
	uint64_t first, last; /* its lines in the file, from 1 */
	struct hy_bytes raw;  /* as it stands in the file, in UTF-8 unless it is at fault; the beginning of it when it is too long */
	size_t count;         /* cells; 0: the row is at fault */
	char why[160];        /* what is wrong with it; "" */
	bool settled;         /* a run that begins at table_place() finds the next row */
};
/* The next row that is not empty; false at the end of the file: source_check() tells whether it is one. Views until the next call. */
bool table_next(struct table *t, struct table_row *out);
struct hy_bytes table_cell(const struct table *t, size_t column); /* of that row */

/* Where the next row begins, as long as the last one said `settled`. */
struct source_place table_place(const struct table *t);
int table_seek(struct table *t, struct source_place to, struct hy_fault *f);

#endif
