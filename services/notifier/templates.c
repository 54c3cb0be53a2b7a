#include "templates.h"

#include "template/template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUBJECT, TEXT, HTML, PARTS, LANGUAGES = 2, FILE_MAX = 64 * 1024 };

static const char *const languages[LANGUAGES] = { "zh", "en" };
static const char *const parts[PARTS] = { "subject", "txt", "html" };
static const char *const kinds[NOTIFIER_KINDS] = { "", "receipt", "resolved", "declined", "reopened", "thanks" };

struct notifier_templates {
	struct hy_template *of[LANGUAGES][NOTIFIER_KINDS][PARTS];
};

const char *notifier_kind_name(unsigned kind)
{
	return kind < NOTIFIER_KINDS ? kinds[kind] : "";
}

/* HY_NOT_FOUND when there is no such file. */
static int read_file(const char *path, struct hy_buffer *out, struct hy_fault *f)
{
	FILE *file = fopen(path, "re");
	if (!file)
		return errno == ENOENT || errno == ENOTDIR ? HY_NOT_FOUND
							   : hy_fail(f, HY_CONFIG, "%s: %s", path, strerror(errno));
	char piece[4096];
	size_t n;
	while ((n = fread(piece, 1, sizeof(piece), file)) > 0 && out->size <= FILE_MAX)
		hy_buffer_put(out, piece, n);
	int saved = ferror(file) ? errno : 0;
	fclose(file);
	if (saved)
		return hy_fail(f, HY_CONFIG, "%s: %s", path, strerror(saved));
	if (out->size > FILE_MAX)
		return hy_fail(f, HY_CONFIG, "%s: larger than 64 KiB", path);
	return out->err;
}

static int open_one(struct hy_template **out, const char *const *dirs, size_t language, size_t kind, size_t part,
	struct hy_fault *f)
{
	for (; *dirs; dirs++) {
		char path[4096];
		struct hy_buffer text = { 0 };
		snprintf(path, sizeof(path), "%s/%s/%s.%s", *dirs, languages[language], kinds[kind], parts[part]);
		int err = read_file(path, &text, f);
		if (err == HY_OK) {
			struct hy_fault why = { 0 };
			err = hy_template_open(out, path, hy_buffer_view(&text), part == HTML, &why);
			if (err == HY_BAD_INPUT)
				err = hy_fail(f, HY_CONFIG, "%s", why.text);
		}
		hy_buffer_free(&text);
		if (err != HY_NOT_FOUND)
			return err;
	}
	return hy_fail(f, HY_CONFIG,
		"the template %s/%s.%s is nowhere; install the package's share folder, or copy it to "
		"DIR/templates",
		languages[language], kinds[kind], parts[part]);
}

static int try_all(struct notifier_templates *t, struct hy_fault *f)
{
	static const struct notifier_words sample = { "李雷", "…", "…", "T-1", "https://localhost/r/x", "Huiyin" };
	struct notifier_rendered r = { 0 };
	int err = HY_OK;
	for (size_t l = 0; l < LANGUAGES && err == HY_OK; l++)
		for (unsigned k = 1; k < NOTIFIER_KINDS && err == HY_OK; k++) {
			struct hy_fault why = { 0 };
			err = notifier_templates_render(t, languages[l], k, &sample, &r, &why);
			if (err != HY_OK)
				err = hy_fail(f, HY_CONFIG, "template %s/%s: %s", languages[l], kinds[k], why.text);
		}
	notifier_rendered_free(&r);
	return err;
}

int notifier_templates_open(struct notifier_templates **out, const char *const *dirs, struct hy_fault *f)
{
	struct notifier_templates *t = calloc(1, sizeof(*t));
	if (!t)
		return HY_NO_MEMORY;
	int err = HY_OK;
	for (size_t l = 0; l < LANGUAGES && err == HY_OK; l++)
		for (size_t k = 1; k < NOTIFIER_KINDS && err == HY_OK; k++)
			for (size_t p = 0; p < PARTS && err == HY_OK; p++)
				err = open_one(&t->of[l][k][p], dirs, l, k, p, f);
	if (err == HY_OK)
		err = try_all(t, f);
	if (err != HY_OK) {
		notifier_templates_close(&t);
		return err;
	}
	*out = t;
	return HY_OK;
}

void notifier_templates_close(struct notifier_templates **t)
{
	if (!*t)
		return;
	for (size_t l = 0; l < LANGUAGES; l++)
		for (size_t k = 1; k < NOTIFIER_KINDS; k++)
			for (size_t p = 0; p < PARTS; p++)
				if ((*t)->of[l][k][p])
					hy_template_close(&(*t)->of[l][k][p]);
	free(*t);
	*t = NULL;
}

void notifier_rendered_free(struct notifier_rendered *r)
{
	hy_buffer_free(&r->subject);
	hy_buffer_free(&r->text);
	hy_buffer_free(&r->html);
}

int notifier_templates_render(struct notifier_templates *t, const char *language, unsigned kind,
	const struct notifier_words *words, struct notifier_rendered *out, struct hy_fault *f)
{
	size_t l = strcmp(language, "zh") == 0 ? 0 : 1;
	if (kind == 0 || kind >= NOTIFIER_KINDS)
		return hy_fail(f, HY_BAD_INPUT, "there is no notice of kind %u", kind);
	const struct hy_template_value values[] = {
		{ "name", *words->name ? words->name : NULL },
		{ "words", *words->words ? words->words : NULL },
		{ "note", *words->note ? words->note : NULL },
		{ "ticket", *words->ticket ? words->ticket : NULL },
		{ "link", *words->link ? words->link : NULL },
		{ "sender", *words->sender ? words->sender : NULL },
		{ NULL, NULL },
	};
	struct hy_buffer *to[PARTS] = { &out->subject, &out->text, &out->html };
	int err = HY_OK;
	for (size_t p = 0; p < PARTS && err == HY_OK; p++) {
		hy_buffer_clear(to[p]);
		err = hy_template_render(t->of[l][kind][p], values, to[p], f);
		if (err == HY_OK)
			err = to[p]->err;
	}
	return err;
}
