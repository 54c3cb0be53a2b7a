/* libfyaml's events become our own tree: every value with its place in the file, nothing resolved behind the reader's
 * back. Anchors, aliases and tags are refused (a huiyin.yaml has no use for them, and aliases can grow without bound). */
#include "conf/inside.h"

#include "base/text.h"

#include <libfyaml.h>
#include <stdlib.h>

struct builder {
	struct hy_conf *conf;
	struct hy_conf_node *open[HY_CONF_DEPTH]; /* the lists and maps around the present place */
	int depth;
	struct hy_conf_node *key; /* a name that waits for its value */
	size_t nodes;
	int documents;
	bool stop;
};

/* Gives the events' text to nobody: faults are collected, not printed. */
static void swallow(struct fy_diag *diag, void *user, const char *text, size_t size)
{
	(void)diag;
	(void)user;
	(void)text;
	(void)size;
}

static struct hy_conf_node *node_new(struct builder *b, enum hy_conf_shape shape, size_t at)
{
	struct hy_conf_node *n = hy_conf_alloc(b->conf, sizeof(*n));
	n->conf = b->conf;
	n->shape = shape;
	n->at = at;
	n->text = "";
	if (++b->nodes > HY_CONF_NODES) {
		hy_conf_fault_at(b->conf, at, "more than %d values in one file", HY_CONF_NODES);
		b->stop = true;
	}
	return n;
}

/* Puts a finished scalar or a list or map just begun where it belongs. */
static void place(struct builder *b, struct hy_conf_node *n)
{
	if (b->depth == 0) {
		if (!b->conf->root)
			b->conf->root = n;
		return;
	}
	struct hy_conf_node *parent = b->open[b->depth - 1];
	if (parent->shape == HY_CONF_MAPPING && !b->key) {
		if (n->shape != HY_CONF_SCALAR) {
			hy_conf_fault_at(b->conf, n->at, "a name has to be a plain word, not a list or a map");
			b->stop = true;
		} else if (!n->text[0]) {
			hy_conf_fault_at(b->conf, n->at, "a name is missing in front of the ':'");
		}
		b->key = n;
		return;
	}
	n->key = b->key;
	b->key = NULL;
	if (parent->last)
		parent->last->next = n;
	else
		parent->first = n;
	parent->last = n;
	parent->count++;
}

static void begin(struct builder *b, enum hy_conf_shape shape, size_t at)
{
	struct hy_conf_node *n = node_new(b, shape, at);
	place(b, n);
	if (b->depth == HY_CONF_DEPTH) {
		hy_conf_fault_at(b->conf, at, "more than %d levels of lists and maps", HY_CONF_DEPTH);
		b->stop = true;
	} else {
		b->open[b->depth++] = n;
	}
}

static int by_key(const void *a, const void *b)
{
	const struct hy_conf_node *x = *(struct hy_conf_node *const *)a, *y = *(struct hy_conf_node *const *)b;
	int order = strcmp(x->key->text, y->key->text);
	return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* The numbered items of `n`; for a map also: no name twice. */
static void finish(struct builder *b, struct hy_conf_node *n)
{
	size_t i = 0;
	n->item = hy_conf_alloc(b->conf, (n->count + 1) * sizeof(*n->item));
	for (struct hy_conf_node *m = n->first; m; m = m->next)
		n->item[i++] = m;
	if (n->shape != HY_CONF_MAPPING || n->count < 2)
		return;
	struct hy_conf_node **sorted = hy_conf_alloc(b->conf, n->count * sizeof(*sorted));
	memcpy(sorted, n->item, n->count * sizeof(*sorted));
	qsort(sorted, n->count, sizeof(*sorted), by_key);
	for (i = 1; i < n->count; i++) {
		if (strcmp(sorted[i - 1]->key->text, sorted[i]->key->text) != 0)
			continue;
		size_t line = 1;
		for (size_t k = 0; k < sorted[i - 1]->key->at; k++)
			line += b->conf->file.data[k] == '\n';
		hy_conf_fault_at(b->conf, sorted[i]->key->at, "'%s' is here twice, first in line %zu",
			sorted[i]->key->text, line);
	}
}

/* The token's text, piece by piece: fy_token_get_text() of this release leaks when a quoted text has many escapes. */
static void read_text(struct hy_buffer *out, struct fy_token *token)
{
	struct fy_token_iter *pieces = fy_token_iter_create(token);
	if (!pieces)
		hy_panic("conf: no memory");
	const struct fy_iter_chunk *piece = NULL;
	while ((piece = fy_token_iter_chunk_next(pieces, piece, NULL)))
		hy_buffer_put(out, piece->str, piece->len);
	fy_token_iter_destroy(pieces);
}

/* A text in single quotes on one line, read from the file itself, `at` behind the opening quote: this release takes the
 * second of two '' in a row for a third quote. False when it goes on in the next line. */
static bool read_single_quoted(struct hy_buffer *out, struct hy_bytes file, size_t at)
{
	for (; at < file.size && file.data[at] != '\n'; at++) {
		if (file.data[at] == '\'' && (++at == file.size || file.data[at] != '\''))
			return true;
		hy_buffer_byte(out, file.data[at]);
	}
	hy_buffer_clear(out);
	return false;
}

static void scalar(struct builder *b, const struct fy_event *e, size_t at)
{
	struct hy_buffer text = { 0 };
	enum fy_scalar_style style = fy_token_scalar_style(e->scalar.value);
	if (e->scalar.value &&
		(style != FYSS_SINGLE_QUOTED || !read_single_quoted(&text, hy_buffer_view(&b->conf->file), at)))
		read_text(&text, e->scalar.value);
	bool plain = style == FYSS_PLAIN || style == FYSS_ANY || !e->scalar.value;
	if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && at > 0)
		at--; /* libfyaml points behind the quote */
	struct hy_conf_node *n = node_new(b, HY_CONF_SCALAR, at);
	n->text = hy_conf_copy(b->conf, (const char *)text.data, text.size);
	if (text.size && memchr(text.data, 0, text.size))
		hy_conf_fault_at(b->conf, at, "a text can't hold the character U+0000");
	n->null = plain && (!n->text[0] || strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
	hy_buffer_free(&text);
	place(b, n);
}

static void refuse_extras(struct builder *b, struct fy_token *anchor, struct fy_token *tag)
{
	const struct fy_mark *mark = anchor ? fy_token_start_mark(anchor) : tag ? fy_token_start_mark(tag) : NULL;
	if (anchor)
		hy_conf_fault_at(b->conf, mark ? mark->input_pos : NOWHERE, "anchors (&name) have no use here");
	else if (tag)
		hy_conf_fault_at(b->conf, mark ? mark->input_pos : NOWHERE, "tags (!name) have no use here");
}

static void on_event(struct builder *b, struct fy_event *e)
{
	const struct fy_mark *mark = fy_event_start_mark(e);
	/* A value that was left out has no place of its own: its name's serves. */
	size_t at = mark ? mark->input_pos : b->key ? b->key->at : b->depth ? b->open[b->depth - 1]->at : 0;
	switch (e->type) {
	case FYET_DOCUMENT_START:
		if (++b->documents > 1) {
			hy_conf_fault_at(b->conf, at, "a second document begins here; one file holds one");
			b->stop = true;
		}
		break;
	case FYET_MAPPING_START:
		refuse_extras(b, e->mapping_start.anchor, e->mapping_start.tag);
		begin(b, HY_CONF_MAPPING, at);
		break;
	case FYET_SEQUENCE_START:
		refuse_extras(b, e->sequence_start.anchor, e->sequence_start.tag);
		begin(b, HY_CONF_SEQUENCE, at);
		break;
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		finish(b, b->open[--b->depth]);
		break;
	case FYET_SCALAR:
		refuse_extras(b, e->scalar.anchor, e->scalar.tag);
		scalar(b, e, at);
		break;
	case FYET_ALIAS:
		hy_conf_fault_at(b->conf, at ? at - 1 : at, "aliases (*name) have no use here");
		place(b, node_new(b, HY_CONF_SCALAR, at));
		break;
	default:
		break;
	}
}

void hy_conf_parse(struct hy_conf *c)
{
	struct builder b = { .conf = c };
	struct fy_diag_cfg silent;
	fy_diag_cfg_default(&silent);
	silent.fp = NULL;
	silent.output_fn = swallow;
	silent.colorize = false;
	struct fy_diag *diag = fy_diag_create(&silent);
	if (!diag)
		hy_panic("conf: no memory");
	fy_diag_set_collect_errors(diag, true);
	struct fy_parse_cfg cfg = {
		.search_path = "", .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_JSON_NONE, .diag = diag
	};
	struct fy_parser *parser = fy_parser_create(&cfg);
	if (!parser || fy_parser_set_string(parser, c->file.size ? (const char *)c->file.data : "", c->file.size) != 0)
		hy_panic("conf: no memory");
	struct fy_event *e;
	while (!b.stop && (e = fy_parser_parse(parser))) {
		on_event(&b, e);
		fy_parser_event_free(parser, e);
	}
	/* A list or map that was still open: what it says is not yet what it was meant to say. */
	c->cut = b.depth > 1;
	void *position = NULL;
	struct fy_diag_error *error;
	while ((error = fy_diag_errors_iterate(diag, &position))) {
		if (error->type >= FYET_WARNING)
			hy_conf_fault_at(c, hy_conf_place(c, (size_t)error->line, (size_t)error->column),
				"not YAML: %s", error->msg);
	}
	if (fy_parser_get_stream_error(parser) && c->fault_count == 0)
		hy_conf_fault_at(c, NOWHERE, "not YAML");
	fy_parser_destroy(parser);
	fy_diag_destroy(diag);
	while (b.depth > 0) /* what a fault left open is walked up to where it goes */
		finish(&b, b.open[--b.depth]);
}
