#include "page.h"
#include "base/place.h"
#include "reception.h"
#include "collector/view.h"

#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#define COMMENT_MAX 5000 /* code points, as the form says */

struct page {
	struct hy_template *zh, *en;
};

static int open_language(struct hy_template **out, const struct hy_daemon *d, const char *language, struct hy_fault *f)
{
	char own[2300], beside[2300], name[64];
	snprintf(name, sizeof(name), "pages/%s.html", language);
	snprintf(own, sizeof(own), "%s/templates/%s", hy_daemon_dir(d), name);
	if (!hy_share_path(name, beside, sizeof(beside)))
		beside[0] = 0;
	const char *path = access(own, R_OK) == 0 ? own : beside;
	FILE *file = fopen(path, "re");
	if (!file)
		return hy_fail(
			f, HY_CONFIG, "no page %s, neither in %s/templates nor as %s", name, hy_daemon_dir(d), beside);
	struct hy_buffer text = { 0 };
	char chunk[4096];
	for (size_t got; (got = fread(chunk, 1, sizeof(chunk), file)) > 0;)
		hy_buffer_put(&text, chunk, got);
	fclose(file);
	int err = hy_template_open(out, path, hy_buffer_view(&text), true, f);
	hy_buffer_free(&text);
	return err;
}

int page_open(struct page **out, const struct hy_daemon *d, struct hy_fault *f)
{
	struct page *p = calloc(1, sizeof(*p));
	if (!p)
		return HY_NO_MEMORY;
	*out = p;
	int err = open_language(&p->zh, d, "zh", f);
	return err ? err : open_language(&p->en, d, "en", f);
}

void page_close(struct page **p)
{
	if (*p) {
		hy_template_close(&(*p)->zh);
		hy_template_close(&(*p)->en);
	}
	free(*p);
	*p = NULL;
}

/* `shown` is the switch of the page's part; note and answers only with "ask". */
static void show(struct collector *c, struct hy_request *q, int status, const char *shown,
	const Huiyin__Collector__Public *p, const Huiyin__Collector__Answered *before)
{
	bool zh = reception_in_chinese(q);
	char number[24] = "", nonce[33];
	uint8_t random[16];
	bool ask = strcmp(shown, "ask") == 0;
	const char *note = "";
	if (p) {
		note = zh ? (p->note_zh[0] ? p->note_zh : p->note_en) : (p->note_en[0] ? p->note_en : p->note_zh);
		snprintf(number, sizeof(number), "%" PRIu64, p->number);
	}
	randombytes_buf(random, sizeof(random));
	hy_hex(random, sizeof(random), nonce);
	bool declined = p && p->state == HUIYIN__TICKET_STATE__DECLINED;
	struct hy_template_value values[] = {
		{ shown, "1" },
		{ "number", number[0] ? number : NULL },
		{ "done", ask && !declined ? "1" : NULL },
		{ "declined", ask && declined ? "1" : NULL },
		{ "note", note },
		{ "nonce", nonce },
		{ "was_yes", before && before->helped ? "1" : NULL },
		{ "was_no", before && !before->helped ? "1" : NULL },
		{ NULL, NULL },
	};
	struct hy_buffer html = { 0 };
	struct hy_fault f = { 0 };
	int err = hy_template_render(zh ? c->page->zh : c->page->en, values, &html, &f);
	if (err) {
		hy_error("page.template", "%s", f.text);
		hy_http_problem(q, 500, "template", "The page can't be shown.", NULL);
	} else {
		hy_http_add_header(q, "Content-Security-Policy",
			"default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; "
			"base-uri 'none'");
		hy_http_add_header(q, "Referrer-Policy", "no-referrer"); /* the address is the token */
		hy_http_add_header(q, "X-Content-Type-Options", "nosniff");
		hy_http_add_header(q, "Cache-Control", "no-store");
		hy_http_reply(q, status, "text/html; charset=utf-8", hy_buffer_view(&html));
	}
	hy_buffer_free(&html);
}

/* What the token's ticket can be told now: the part of the page to show. */
static const char *part_for(const struct hy_token *token, const struct hy_id *last, const Huiyin__Collector__Public *p)
{
	bool answered = p->state == HUIYIN__TICKET_STATE__RESOLVED || p->state == HUIYIN__TICKET_STATE__DECLINED;
	if (p->finished)
		return "finished";
	if (answered)
		return "ask";
	return p->round > token->round || !hy_id_equal(*last, token->ticket) ? "again" : "not_ready";
}

void page_get(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	struct hy_token token;
	Huiyin__Collector__Public *p = NULL;
	Huiyin__Collector__Answered *before = NULL;
	if (!hy_token_read(&c->follow_up_key, hy_http_param(q, "token"), &token) || token.purpose != 'r') {
		show(c, q, 404, "bad", NULL, NULL);
		return;
	}
	struct hy_arena *a = hy_arena_new(0);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(c->daemon), HY_READ);
	struct hy_id ticket = token.ticket;
	int err = view_public(t, a, &ticket, &p);
	if (view_answer(t, a, &token, &before) != HY_OK)
		before = NULL;
	hy_txn_abort(&t);
	const char *part = err ? "not_ready" : part_for(&token, &ticket, p);
	show(c, q, 200, part, err ? NULL : p, before);
	hy_arena_free(&a);
}

static void answered(struct submission *s, int err)
{
	struct collector *c = s->collector;
	const char *part = s->note;
	show(c, s->request, err ? 503 : 200, err ? "busy" : part, NULL, NULL);
	submission_free(&s);
}

void page_post(struct hy_request *q, void *arg)
{
	struct collector *c = arg;
	struct hy_token token;
	Huiyin__Collector__Public *p = NULL;
	char helped[8] = "", nonce[65] = "", *comment = calloc(1, COMMENT_MAX * 4 + 1);
	struct submission *s = NULL;
	if (!comment)
		return hy_http_problem(q, 503, "busy", "No memory right now; try again.", NULL);
	if (!hy_token_read(&c->follow_up_key, hy_http_param(q, "token"), &token) || token.purpose != 'r') {
		show(c, q, 404, "bad", NULL, NULL);
		goto out;
	}
	struct hy_arena *a = hy_arena_new(0);
	struct hy_txn *t = hy_txn_begin(hy_daemon_store(c->daemon), HY_READ);
	struct hy_id ticket = token.ticket;
	const char *part = view_public(t, a, &ticket, &p) == HY_OK ? part_for(&token, &ticket, p) : "not_ready";
	uint32_t project = p ? p->project : 0;
	hy_txn_abort(&t);
	hy_arena_free(&a);
	hy_http_form(q, "helped", helped, sizeof(helped));
	hy_http_form(q, "nonce", nonce, sizeof(nonce));
	int long_comment = hy_http_form(q, "comment", comment, COMMENT_MAX * 4 + 1);
	int answer = strcmp(helped, "yes") == 0 ? 1 : strcmp(helped, "no") == 0 ? 0 : -1;
	if (strcmp(part, "finished") == 0 || strcmp(part, "not_ready") == 0) {
		show(c, q, 200, part, NULL, NULL);
		goto out;
	}
	if (long_comment == HY_TOO_LARGE || long_comment == HY_BAD_INPUT || (answer < 0 && !comment[0])) {
		show(c, q, 422, "choose", NULL, NULL);
		goto out;
	}
	s = submission_new(c, q, 1);
	if (!s) {
		show(c, q, 503, "busy", NULL, NULL);
		goto out;
	}
	/* A form sent twice (a reload, a nervous thumb) carries the same nonce and is entered once; gone back to and answered otherwise it is a
	 * new answer, and the last one counts. */
	char whole[HY_TOKEN_TEXT + 128], words[33];
	uint8_t hash[16];
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)comment, strlen(comment), NULL, 0);
	hy_hex(hash, sizeof(hash), words);
	snprintf(whole, sizeof(whole), "%s/%s/%d/%s", hy_http_param(q, "token"), nonce, answer, words);
	struct intake in = { &c->contact_key, &c->follow_up_key, project, 0, hy_now_ms(), s->arena, NULL, NULL };
	intake_answer(&in, &token, answer, comment, whole, &s->items[0]);
	s->project = project;
	s->single = true;
	s->answer = answered;
	s->note = (void *)(uintptr_t)(answer == 1 ? "thanks_yes" : answer == 0 ? "thanks_no" : "thanks_words");
	int err = s->items[0].ok ? accept_submit(s) : HY_TOO_LARGE;
	if (err == HY_OK) {
		hy_http_later(q);
	} else {
		submission_free(&s);
		show(c, q, err == HY_TOO_LARGE ? 422 : 503, err == HY_TOO_LARGE ? "choose" : "busy", NULL, NULL);
	}
out:
	free(comment);
}
