#include "manual.h"
#include "reception.h"

#include "base/place.h"

#include <sodium.h>
#include <stdlib.h>

struct manual {
	struct hy_buffer openapi;
	char etag[36]; /* of its content, in quotes */
};

int manual_open(struct manual **out, struct hy_fault *f)
{
	char path[2300];
	uint8_t hash[16];
	struct manual *m = calloc(1, sizeof(*m));
	FILE *file = hy_share_path("openapi.yaml", path, sizeof(path)) ? fopen(path, "re") : NULL;
	if (!m || !file) {
		free(m);
		if (file)
			fclose(file);
		return hy_fail(f, HY_CONFIG, "no %s, which comes with the programs", path);
	}
	char chunk[8192];
	for (size_t got; (got = fread(chunk, 1, sizeof(chunk), file)) > 0;)
		hy_buffer_put(&m->openapi, chunk, got);
	fclose(file);
	crypto_generichash(hash, sizeof(hash), m->openapi.data, m->openapi.size, NULL, 0);
	m->etag[0] = '"';
	hy_hex(hash, sizeof(hash), m->etag + 1);
	strcat(m->etag, "\"");
	*out = m;
	return HY_OK;
}

void manual_close(struct manual **m)
{
	if (*m)
		hy_buffer_free(&(*m)->openapi);
	free(*m);
	*m = NULL;
}

void manual_openapi(struct hy_request *q, void *collector)
{
	const struct manual *m = ((struct collector *)collector)->manual;
	const char *known = hy_http_header(q, "If-None-Match");
	hy_http_add_header(q, "ETag", m->etag);
	hy_http_add_header(q, "Cache-Control", "no-cache");
	if (known && (strstr(known, m->etag) || strcmp(known, "*") == 0))
		hy_http_reply(q, 304, "application/yaml", hy_buffer_view(&m->openapi)); /* its length alone is sent */
	else
		hy_http_reply(q, 200, "application/yaml", hy_buffer_view(&m->openapi));
}

/* ---- problems ---- */

// clang-format off: a row a problem
static const struct problem {
	const char *name;
	const char *en, *en_do, *zh, *zh_do;
} problems[] = {
	{ "bad-request", "The request is not sound HTTP/1.1, or could be read in two ways.",
		"Send it with an ordinary HTTP client; the detail says which part is at fault.",
		"这不是规范的 HTTP/1.1 请求，或者可以有两种读法。",
		"请用普通的 HTTP 客户端发送；detail 说明了是哪一部分有问题。" },
	{ "busy",
		"Too much is waiting here at the moment. Nothing of this request was kept, unless the detail says "
		"otherwise.",
		"Wait as long as Retry-After says and send the same again. With an id in each item, sending again "
		"never enters anything twice.",
		"现在等待处理的太多。除非 detail 另有说明，这个请求的内容没有保存。",
		"按 Retry-After 等待后原样重发。每条都带上自己的 id，重发就不会重复。" },
	{ "conflict", "This id (or Idempotency-Key) came before, with other content. The first one is kept.",
		"Give different feedback different ids. To repeat a request, repeat it unchanged.",
		"这个 id（或 Idempotency-Key）以前来过，但内容不同；保留的是第一次的内容。",
		"不同的反馈请用不同的 id；要重发就原样重发。" },
	{ "content-encoding", "The body is compressed in a way that is not taken here, or it is not what it says.",
		"Send it as it is, or compressed with gzip where Accept-Encoding names it.",
		"正文的压缩方式这里不接受，或者与所声明的不符。",
		"不压缩直接发送；Accept-Encoding 中列出 gzip 时可用 gzip 压缩。" },
	{ "envelope",
		"The body is no Sentry envelope, or one that is too large. The detail says where it stops making "
		"sense.",
		"An envelope is lines: a header, then for each item its header and its payload. Sentry's SDKs write "
		"it.",
		"正文不是 Sentry 信封，或者太大。detail 说明了从哪里开始读不懂。",
		"信封由多行组成：先是信封头，然后每一项是项头加内容。Sentry 的 SDK 会生成它。" },
	{ "forbidden", "The key is known, but may not do this.",
		"Ask whoever runs this installation for a key of the right scope: `huiyin key add NAME --scope "
		"feedback`.",
		"这个密钥有效，但无权这样做。",
		"请向管理员要一个权限合适的密钥：`huiyin key add NAME --scope feedback`。" },
	{ "full", "The store is full. Nothing of this request was kept; what was accepted earlier is safe.",
		"Wait as long as Retry-After says and send the same again. Whoever runs this installation sees it in "
		"`huiyin status`.",
		"存储空间已满。这个请求没有保存；以前接受的都安全。",
		"按 Retry-After 等待后原样重发。管理员可用 `huiyin status` 查看。" },
	{ "idempotency-key", "The Idempotency-Key can't be used as it is.",
		"It is 1 to 200 printable ASCII characters, bare or in double quotes, and goes with a single object. "
		"In an array, or in lines, give each item its own id.",
		"Idempotency-Key 不能这样使用。",
		"它由 1 到 200 个可打印的 ASCII 字符组成，可加双引号，只用于单个对象。数组或多行正文请给每条写上自己的 "
		"id。" },
	{ "internal", "This is our fault, not yours.",
		"Send the same again later. If it stays, tell whoever runs this installation: the log has more.",
		"这是我们的错，不是您的。", "请稍后重发。如果一直如此，请告诉管理员：日志里有详情。" },
	{ "invalid",
		"Nothing in the request can be accepted. Each fault stands in `errors`, with a JSON pointer to its "
		"place.",
		"Correct what the pointers name. /openapi.yaml describes all fields.",
		"请求中没有可以接受的内容。每个问题都在 `errors` 里，用 JSON 指针标明位置。",
		"请按指针所指修改。全部字段见 /openapi.yaml。" },
	{ "json", "The body is not JSON. The detail says the line, the column and what was expected there.",
		"Correct that place. JSON wants UTF-8, double quotes, and no name twice in one object.",
		"正文不是合法的 JSON。detail 说明了行、列以及那里应当是什么。",
		"请改正该处。JSON 要用 UTF-8 编码和双引号，同一对象里名字不能重复。" },
	{ "media-type", "The Content-Type of the body is not taken at this address. Accept-Post names those that are.",
		"One object or an array: application/json. One object a line: application/x-ndjson.",
		"这个地址不接受这种 Content-Type；Accept-Post 列出了可用的类型。",
		"单个对象或数组用 application/json，每行一个对象用 application/x-ndjson。" },
	{ "method-not-allowed", "This address exists, but takes other methods. Allow names them.",
		"Look the address up in /openapi.yaml.", "这个地址存在，但要用别的方法；Allow 列出了可用的方法。",
		"请在 /openapi.yaml 中查这个地址。" },
	{ "not-found", "There is nothing at this address, or nothing that this key may see.",
		"Check the address and the ID. /openapi.yaml has all addresses.",
		"这个地址没有内容，或者没有这个密钥可以看的内容。", "请检查地址和 ID。全部地址见 /openapi.yaml。" },
	{ "origin", "Pages of this origin may not call this installation.",
		"Whoever runs it lists the origins under http.origins in huiyin.yaml.", "这个来源的网页不能访问这里。",
		"由管理员在 huiyin.yaml 的 http.origins 中列出允许的来源。" },
	{ "rate",
		"This key sends faster than its rate allows. RateLimit says what is left, RateLimit-Policy how much "
		"there is.",
		"Wait as long as Retry-After says and send the same again. Batches cost a token an item.",
		"这个密钥发送得比允许的快。RateLimit 是剩余额度，RateLimit-Policy 是总额度。",
		"按 Retry-After 等待后原样重发。批量中每一条占一个额度。" },
	{ "specversion", "The event is of a version of CloudEvents that is not understood here.",
		"Send CloudEvents 1.0: specversion is \"1.0\".", "这里不支持该事件的 CloudEvents 版本。",
		"请使用 CloudEvents 1.0：specversion 为 \"1.0\"。" },
	{ "strangers", "Too many unknown keys came from this address within a second.",
		"Check the key that your programs send: the text that `huiyin key add` printed, hy_ and 43 letters and "
		"digits. Known keys go on working.",
		"这个地址在一秒内发来了太多无效的密钥。",
		"请检查程序使用的密钥：应是 `huiyin key add` 打印的文本，hy_ 加 43 "
		"个字母或数字。有效的密钥不受影响。" },
	{ "template", "A page can't be shown: its template has a fault.",
		"Tell whoever runs this installation: the log names the place.", "页面无法显示：模板有错误。",
		"请告诉管理员：日志里有位置。" },
	{ "too-large", "The body is larger than this address takes.",
		"Send less at a time. Many items go best as lines, application/x-ndjson, up to 8 MiB unless configured "
		"otherwise.",
		"正文超过了这个地址的上限。",
		"请分成几次发送。大量反馈最好每行一条，用 application/x-ndjson，默认上限 8 MiB。" },
	{ "unauthorized", "A key is needed, and the one that came is not known here.",
		"Send `Authorization: Bearer hy_...`, or Basic with the key as user name. `huiyin key add` makes keys.",
		"需要密钥，而请求没有带，或带的密钥无效。",
		"请发送 `Authorization: Bearer hy_...`，或用 Basic 方式以密钥作用户名。`huiyin key add` 可生成密钥。" },
};
// clang-format on
#define PROBLEMS (sizeof(problems) / sizeof(*problems))

const char *manual_problem_name(size_t i)
{
	return i < PROBLEMS ? problems[i].name : NULL;
}

void manual_problem(struct hy_request *q, void *collector)
{
	const char *name = hy_http_param(q, "name");
	struct hy_buffer text = { 0 };
	bool zh = reception_in_chinese(q);
	(void)collector;
	for (size_t i = 0; i < PROBLEMS && text.size == 0; i++) {
		const struct problem *p = &problems[i];
		if (strcmp(p->name, name) != 0)
			continue;
		hy_buffer_printf(&text, "%s\n\n%s\n\n%s %s\n", name, zh ? p->zh : p->en,
			zh ? "怎么办：" : "What to do:", zh ? p->zh_do : p->en_do);
	}
	if (text.size == 0) {
		hy_http_problem(q, 404, "not-found", "No problem has this name.", NULL);
		return;
	}
	hy_http_add_header(q, "Content-Language", zh ? "zh" : "en");
	hy_http_add_header(q, "Vary", "Accept-Language");
	hy_http_reply(q, 200, "text/plain; charset=utf-8", hy_buffer_view(&text));
	hy_buffer_free(&text);
}
