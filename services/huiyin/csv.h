/* Tables as text: rows of RFC 4180, separated by comma, semicolon or tab (the first row tells), read as objects whose members are named by the
 * first row. Pure. */
#ifndef HUIYIN_CSV_H
#define HUIYIN_CSV_H

#include "json/json.h"

#define CSV_COLUMNS_MAX 256

struct csv {
	char separator;
	size_t count;
	char *heads[CSV_COLUMNS_MAX];
};

/* Whether the text holds whole rows: a quoted cell may go on in the next line. */
bool csv_whole(struct hy_bytes text);
/* Takes the first row. HY_BAD_INPUT with the reason. The caller closes *c. */
int csv_open(struct csv *c, struct hy_bytes row, struct hy_fault *f);
void csv_close(struct csv *c);
/* Appends the row as a JSON object of texts, empty cells left out. HY_NOT_FOUND: an empty row. HY_BAD_INPUT. */
int csv_row(const struct csv *c, struct hy_bytes row, struct hy_buffer *out, struct hy_fault *f);

#endif
