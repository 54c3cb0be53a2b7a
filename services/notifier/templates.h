/* The words of notices: Mustache files {zh,en}/{receipt,resolved,declined,reopened,thanks}.{subject,txt,html}. A
 * file in DIR/templates goes before the one that came with the program, so a company changes one text by copying
 * one file. All are read and tried when the daemon starts: a mistake shows then, not in the middle of a night. */
#ifndef HY_NOTIFIER_TEMPLATES_H
#define HY_NOTIFIER_TEMPLATES_H

#include "base/bytes.h"
#include "base/err.h"

#define NOTIFIER_KINDS 6 /* NOTICE_NONE .. NOTICE_THANKS of proto/delivery.proto */

struct notifier_templates;

/* `dirs`: where to look, in order, NULL-terminated. HY_CONFIG: a file is missing or does not parse; `f` names it. */
int notifier_templates_open(struct notifier_templates **out, const char *const *dirs, struct hy_fault *f);
void notifier_templates_close(struct notifier_templates **t);

/* What a template may speak of; each "" when there is none. */
struct notifier_words {
	const char *name; /* the customer's */
	const char *words; /* the beginning of what she wrote */
	const char *note; /* the public answer */
	const char *ticket; /* "T-12" */
	const char *link; /* the page that asks whether it helped */
	const char *sender; /* who signs */
};

struct notifier_rendered {
	struct hy_buffer subject, text, html;
};
void notifier_rendered_free(struct notifier_rendered *r);

/* Renders the three parts, each emptied before. `language` is "zh" or "en". HY_BAD_INPUT with the reason. */
int notifier_templates_render(struct notifier_templates *t, const char *language, unsigned kind,
	const struct notifier_words *words, struct notifier_rendered *out, struct hy_fault *f);

/* "receipt" for NOTICE_RECEIPT; "" for none. */
const char *notifier_kind_name(unsigned kind);

#endif
