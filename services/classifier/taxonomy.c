#include "taxonomy.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIELD_MAX = 80, COLUMNS_MAX = 16 };

struct statement {
	char set[FIELD_MAX], label[FIELD_MAX], task[FIELD_MAX], value[FIELD_MAX];
};

struct taxonomy {
	struct statement *row;
	size_t rows, room;
};

static struct statement *find(const struct taxonomy *t, const char *set, const char *label, const char *task)
{
	for (size_t i = 0; i < t->rows; i++)
		if (strcmp(t->row[i].label, label) == 0 && strcmp(t->row[i].set, set) == 0 &&
			strcmp(t->row[i].task, task) == 0)
			return &t->row[i];
	return NULL;
}

void taxonomy_set(struct taxonomy *t, const char *set, const char *label, const char *task, const char *value)
{
	struct statement *s = find(t, set, label, task);
	if (!s) {
		if (t->rows == t->room) {
			t->room = t->room ? t->room * 2 : 256;
			t->row = realloc(t->row, t->room * sizeof(*t->row));
			if (!t->row)
				hy_panic("no memory for %zu statements of the taxonomy", t->room);
		}
		s = &t->row[t->rows++];
		snprintf(s->set, sizeof(s->set), "%s", set);
		snprintf(s->label, sizeof(s->label), "%s", label);
		snprintf(s->task, sizeof(s->task), "%s", task);
	}
	snprintf(s->value, sizeof(s->value), "%s", value);
}

const char *taxonomy_get(const struct taxonomy *t, const char *set, const char *label, const char *task)
{
	const struct statement *s = find(t, set, label, task);
	return s ? s->value : "";
}

/* Cuts a line at its tabs; returns how many fields it has. */
static int cut(char *line, char *field[COLUMNS_MAX])
{
	int n = 0;
	line[strcspn(line, "\r\n")] = 0;
	for (char *p = line; p && n < COLUMNS_MAX;)
		field[n++] = strsep(&p, "\t");
	return n;
}

static int read_lines(struct taxonomy *t, FILE *in, const char *path, struct hy_fault *f)
{
	char *line = NULL, *head = NULL, *name[COLUMNS_MAX], *field[COLUMNS_MAX];
	size_t room = 0, head_room = 0, number = 1;
	int err = HY_OK, names = 0;
	if (getline(&head, &head_room, in) > 0)
		names = cut(head, name);
	if (names < 3 || strcmp(name[0], "set") != 0 || strcmp(name[1], "label") != 0)
		err = hy_fail(f, HY_BAD_INPUT, "%s:1: expected columns set, label and one or more tasks", path);
	while (err == HY_OK && getline(&line, &room, in) > 0) {
		number++;
		int n = cut(line, field);
		if (n == 1 && !*field[0])
			continue;
		if (n > names)
			err = hy_fail(f, HY_BAD_INPUT, "%s:%zu: more fields than the head line has", path, number);
		for (int i = 0; i < n && err == HY_OK; i++)
			if (strlen(field[i]) >= FIELD_MAX)
				err = hy_fail(f, HY_TOO_LARGE, "%s:%zu: a field has at most %d bytes", path, number,
					FIELD_MAX - 1);
		for (int i = 2; i < n && err == HY_OK; i++)
			if (*field[i])
				taxonomy_set(t, field[0], field[1], name[i], field[i]);
	}
	free(line);
	free(head);
	return err;
}

int taxonomy_open(struct taxonomy **out, const char *path, struct hy_fault *f)
{
	*out = NULL;
	FILE *in = fopen(path, "re");
	if (!in)
		return hy_fail(
			f, errno == ENOENT ? HY_NOT_FOUND : hy_err_from_errno(errno), "%s: %s", path, strerror(errno));
	struct taxonomy *t = calloc(1, sizeof(*t));
	if (!t)
		hy_panic("no memory for a taxonomy");
	int err = read_lines(t, in, path, f);
	fclose(in);
	if (err)
		taxonomy_close(&t);
	*out = t;
	return err;
}

void taxonomy_close(struct taxonomy **t)
{
	if (!*t)
		return;
	free((*t)->row);
	free(*t);
	*t = NULL;
}

void taxonomy_set_of(const char *path, char *out, size_t room)
{
	char whole[PATH_MAX];
	if (!realpath(path, whole))
		snprintf(whole, sizeof(whole), "%s", path);
	char *slash = strrchr(whole, '/');
	if (slash)
		*slash = 0;
	const char *name = strrchr(whole, '/');
	snprintf(out, room, "%s", slash ? name ? name + 1 : whole : "");
}
