#include "columns.h"

#include "base/clock.h"
#include "base/text.h"
#include "when.h"

#include <stdlib.h>

enum place {
	P_IGNORED,
	P_ID,
	P_TEXT,
	P_KIND,
	P_CHANNEL,
	P_OCCURRED,
	P_REPLY,
	P_HELPED,
	P_TAGS,
	P_CUSTOMER_ID,
	P_CUSTOMER_EMAIL,
	P_CUSTOMER_PHONE,
	P_CUSTOMER_NAME,
	P_CUSTOMER_LOCALE,
	P_CUSTOMER_TIMEZONE,
	P_NPS,
	P_CSAT,
	P_CES,
	P_STARS,
	P_SCORE,
	P_SCALE,
	P_MAX,
	P_DIRECTION,
	P_TRAIT,
	P_CONTEXT,
	PLACES
};

/* Names as --map has them, and what columns are called in the exports of shops, forms and help desks: without blanks, - and _, in small letters. */
static const struct {
	const char *path, *synonyms;
} places[PLACES] = {
	[P_IGNORED] = { "", " importline importreason " },
	[P_ID] = { "id", " feedbackid reviewid commentid 编号 反馈编号 反馈id 评论id " },
	[P_TEXT] = { "text", " content comment comments feedback review reviewtext message body opinion description "
			     "verbatim answer 内容 评论 评论内容"
			     " 反馈 反馈内容 意见 意见反馈 留言 留言内容 评价 评价内容 描述 问题描述 文本 正文 建议 " },
	[P_KIND] = { "kind", " " },
	[P_CHANNEL] = { "channel", " source 渠道 来源 反馈渠道 " },
	[P_OCCURRED] = { "occurred_at", " date time datetime createdat created timestamp submittedat occurredat 时间 "
					"日期 创建时间 提交时间 反馈时间"
					" 评论时间 评价时间 " },
	[P_REPLY] = { "in_reply_to", " inreplyto " },
	[P_HELPED] = { "helped", " " },
	[P_TAGS] = { "tags", " tag labels label 标签 " },
	[P_CUSTOMER_ID] = { "customer.id", " customer customerid userid user uid memberid 客户编号 客户id 用户编号 "
					   "用户id 会员号 会员编号 会员id " },
	[P_CUSTOMER_EMAIL] = { "customer.email", " email mail emailaddress 邮箱 电子邮箱 邮箱地址 邮件 电子邮件 " },
	[P_CUSTOMER_PHONE] = { "customer.phone",
		" phone mobile tel telephone phonenumber cell 手机 手机号 手机号码 电话 联系电话 电话号码 " },
	[P_CUSTOMER_NAME] = { "customer.name",
		" name customername username fullname author 姓名 名字 客户姓名 客户名称 客户 用户名 昵称 称呼 " },
	[P_CUSTOMER_LOCALE] = { "customer.locale", " locale language lang 语言 " },
	[P_CUSTOMER_TIMEZONE] = { "customer.timezone", " timezone 时区 " },
	[P_NPS] = { "rating.nps", " nps npsscore 推荐度 推荐意愿 净推荐值 " },
	[P_CSAT] = { "rating.csat", " csat csatscore satisfaction 满意度 满意度评分 " },
	[P_CES] = { "rating.ces", " ces cesscore effort 费力度 " },
	[P_STARS] = { "rating.stars", " rating stars star score 评分 星级 打分 分数 得分 评星 " },
	[P_SCORE] = { "rating.score", " " },
	[P_SCALE] = { "rating.scale", " " },
	[P_MAX] = { "rating.max", " " },
	[P_DIRECTION] = { "rating.direction", " " },
	[P_TRAIT] = { "customer.traits.", " " },
	[P_CONTEXT] = { "context.", " " },
};

struct column {
	enum place place;
	size_t index; /* in the table */
	char *constant; /* instead of a cell: from --set */
	char *name; /* of a trait, of a member of the context, and for people */
};

struct columns {
	const struct table *table;
	struct column *list; /* sorted by place */
	size_t count, others;
	size_t first[PLACES + 1]; /* where each place's columns begin */
};

/* ---- finding places ---- */

static bool by_path(const char *path, enum place *place, const char **rest)
{
	for (int i = P_ID; i < PLACES; i++) {
		size_t size = strlen(places[i].path);
		bool open = i == P_TRAIT || i == P_CONTEXT;
		if (open ? strncmp(path, places[i].path, size) == 0 && path[size] : strcmp(path, places[i].path) == 0) {
			*place = (enum place)i;
			*rest = open ? path + size : NULL;
			return true;
		}
	}
	return false;
}

/* By what people call it. */
static bool by_name(struct hy_bytes head, enum place *place)
{
	char word[80] = " ";
	size_t size = 1;
	for (size_t i = 0; i < head.size; i++) {
		uint8_t c = head.data[i];
		if (c == ' ' || c == '_' || c == '-')
			continue;
		if (size + 2 >= sizeof(word))
			return false;
		word[size++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
	}
	word[size] = 0;
	for (int i = P_ID; i < P_TRAIT; i++)
		if (strcmp(places[i].path, word + 1) == 0) {
			*place = (enum place)i;
			return true;
		}
	word[size++] = ' ';
	word[size] = 0;
	for (int i = 0; i < PLACES && size > 2; i++)
		if (strstr(places[i].synonyms, word)) {
			*place = (enum place)i;
			return true;
		}
	return false;
}

static bool taken(const struct columns *c, enum place place)
{
	for (size_t i = 0; i < c->count; i++)
		if (c->list[i].place == place && place != P_IGNORED && place < P_TRAIT)
			return true;
	return false;
}

static int add(struct columns *c, enum place place, size_t index, const char *name, const char *constant)
{
	c->list[c->count++] = (struct column){ place, index, constant ? strdup(constant) : NULL, strdup(name) };
	return c->list[c->count - 1].name && (!constant || c->list[c->count - 1].constant) ? HY_OK : HY_NO_MEMORY;
}

static const char *head_text(const struct table *t, size_t i)
{
	return (const char *)table_head(t, i).data;
}

/* The column that a rule names, by name or by number from 1. */
static int find_column(const struct table *t, const char *from, size_t *index, struct hy_fault *f)
{
	const char *names[TABLE_COLUMNS_MAX + 1];
	size_t n = table_columns(t), number = from[strspn(from, "0123456789")] ? 0 : strtoul(from, NULL, 10);
	for (size_t i = 0; i < n; i++) {
		names[i] = head_text(t, i);
		if (strcmp(names[i], from) == 0) {
			*index = i;
			return HY_OK;
		}
	}
	names[n] = NULL;
	if (number >= 1 && number <= n) {
		*index = number - 1;
		return HY_OK;
	}
	const char *meant = hy_did_you_mean(from, names);
	return hy_fail(f, HY_USAGE, "--map: the table has no column '%s'%s%s%s; its columns are %.*s", from,
		meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "",
		(int)(table_head_row(t).size < 400 ? table_head_row(t).size : 400),
		(const char *)table_head_row(t).data);
}

static int add_rule(struct columns *c, const struct line_rule *r, struct hy_fault *f)
{
	const char *names[PLACES + 1] = { NULL }, *rest = NULL, *meant;
	enum place place;
	size_t index = 0;
	if (!by_path(r->to, &place, &rest)) {
		for (size_t i = P_ID; i < P_TRAIT; i++)
			names[i - P_ID] = places[i].path;
		meant = hy_did_you_mean(r->to, names);
		return hy_fail(f, HY_USAGE,
			"a feedback has no '%s'%s%s%s; there are text, id, rating.stars, customer.email, context.NAME "
			"...",
			r->to, meant ? "; did you mean '" : "", meant ? meant : "", meant ? "'?" : "");
	}
	if (taken(c, place))
		return hy_fail(f, HY_USAGE, "'%s' is said twice", r->to);
	int err = r->constant ? HY_OK : find_column(c->table, r->from, &index, f);
	return err ? err
		   : add(c, place, index,
			     rest          ? rest
			     : r->constant ? r->to
					   : r->from,
			     r->constant ? r->from : NULL);
}

static bool ruled(const struct columns *c, size_t index)
{
	for (size_t i = 0; i < c->count; i++)
		if (!c->list[i].constant && c->list[i].index == index)
			return true;
	return false;
}

/* A name in the context that no other column has: a second one would make the JSON unreadable. */
static void own_name(const struct columns *c, const char *head, size_t index, char *out, size_t room)
{
	struct hy_bytes cut = hy_utf8_prefix(hy_bytes_text(head), 60);
	snprintf(out, room, "%.*s", (int)cut.size, (const char *)cut.data);
	if (!out[0])
		snprintf(out, room, "column %zu", index + 1);
	for (size_t i = 0; i < c->count; i++)
		if (c->list[i].place == P_CONTEXT && strcmp(c->list[i].name, out) == 0) {
			size_t size = strlen(out);
			snprintf(out + size, room - size, " (column %zu)", index + 1);
			return;
		}
}

static int add_others(struct columns *c)
{
	int err = HY_OK;
	for (size_t i = 0; i < table_columns(c->table) && err == HY_OK; i++) {
		const char *head = head_text(c->table, i), *rest = NULL;
		char name[320];
		enum place place = P_CONTEXT;
		if (ruled(c, i))
			continue;
		bool known = by_path(head, &place, &rest) || by_name(table_head(c->table, i), &place);
		if (!known || taken(c, place))
			place = P_CONTEXT;
		if (place == P_CONTEXT)
			own_name(c, rest ? rest : head, i, name, sizeof(name));
		c->others += place == P_CONTEXT;
		err = add(c, place, i, place == P_CONTEXT ? name : rest ? rest : head, NULL);
	}
	return err;
}

static int compare(const void *a, const void *b)
{
	const struct column *x = a, *y = b;
	return x->place != y->place ? (x->place > y->place) - (x->place < y->place)
				    : (x->index > y->index) - (x->index < y->index);
}

int columns_open(struct columns **out, const struct table *t, const struct line_rules *rules, struct hy_fault *f)
{
	struct columns *c = *out = calloc(1, sizeof(*c));
	size_t room = table_columns(t) + rules->count + 1;
	if (c)
		c->list = calloc(room, sizeof(*c->list));
	if (!c || !c->list)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	c->table = t;
	for (size_t i = 0; i < rules->count; i++) {
		int err = add_rule(c, &rules->list[i], f);
		if (err)
			return err;
	}
	if (add_others(c) != HY_OK)
		return hy_fail(f, HY_NO_MEMORY, "no memory");
	qsort(c->list, c->count, sizeof(*c->list), compare);
	for (size_t i = 0, p = 0; p <= PLACES; p++) {
		while (i < c->count && c->list[i].place < p)
			i++;
		c->first[p] = i;
	}
	if (c->first[P_TEXT] == c->first[P_TEXT + 1] && c->first[P_NPS] == c->first[P_SCALE] &&
		c->first[P_HELPED] == c->first[P_HELPED + 1])
		return hy_fail(f, HY_BAD_INPUT,
			"no column is known as a text or a rating; say which with --map text=COLUMN. The columns are "
			"%.*s",
			(int)(table_head_row(t).size < 600 ? table_head_row(t).size : 600),
			(const char *)table_head_row(t).data);
	return HY_OK;
}

void columns_close(struct columns **c)
{
	if (!*c)
		return;
	for (size_t i = 0; i < (*c)->count; i++) {
		free((*c)->list[i].name);
		free((*c)->list[i].constant);
	}
	free((*c)->list);
	free(*c);
	*c = NULL;
}

void columns_describe(const struct columns *c, struct hy_buffer *out)
{
	const char *comma = "";
	for (size_t i = c->first[P_ID]; i < c->first[P_CONTEXT]; i++) {
		const struct column *k = &c->list[i];
		if (k->constant)
			continue;
		hy_buffer_text(out, comma);
		hy_text_line(out, table_head(c->table, k->index));
		hy_buffer_printf(out, " → %s%s", places[k->place].path, k->place == P_TRAIT ? k->name : "");
		comma = ", ";
	}
	if (c->others)
		hy_buffer_printf(out, "%s%zu other%s → context", comma, c->others, c->others == 1 ? "" : "s");
}

/* ---- values ---- */

static struct hy_bytes trim(struct hy_bytes v)
{
	while (v.size && v.data[0] <= ' ')
		v = hy_bytes(v.data + 1, v.size - 1);
	while (v.size && v.data[v.size - 1] <= ' ')
		v.size--;
	return v;
}

/* What exports write where there is nothing. */
static bool nothing(struct hy_bytes v)
{
	static const char *const words[] = { "-", "--", "N/A", "n/a", "NULL", "null", "None", "无", "空" };
	if (v.size > 4)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (hy_bytes_equal(v, hy_bytes_text(words[i])))
			return true;
	return v.size == 0;
}

static struct hy_bytes value(const struct columns *c, const struct column *k)
{
	if (k->constant)
		return hy_bytes_text(k->constant);
	struct hy_bytes v = table_cell(c->table, k->index);
	if (k->place == P_TEXT || k->place == P_CONTEXT || k->place == P_TRAIT)
		return v;
	v = trim(v);
	return nothing(v) ? hy_bytes(v.data, 0) : v;
}

static bool short_text(struct hy_bytes v, char *out, size_t room)
{
	if (v.size >= room)
		return false;
	memcpy(out, v.data, v.size);
	out[v.size] = 0;
	return true;
}

/* "4", "4.5", "5星", "8/10"; anything else stays a text, and the collector says what it thinks of it. */
static void put_score(struct hy_buffer *out, struct hy_bytes v, bool has_max)
{
	static const char *const units[] = { "", "星", "分", "颗星", "star", "stars", "points" };
	char text[40], *end, *top;
	double n, max;
	if (short_text(v, text, sizeof(text)) && (n = strtod(text, &end), end != text)) {
		end += strspn(end, " ");
		for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
			if (strcmp(end, units[i]) == 0) {
				if (n >= 0 && n < 10 && n == (int)n)
					hy_buffer_put(out,
						(char[]){ ',', '"', 's', 'c', 'o', 'r', 'e', '"', ':',
							(char)('0' + (int)n) },
						10);
				else
					hy_buffer_printf(out, ",\"score\":%.10g", n);
				return;
			}
		if (*end == '/' && !has_max && (max = strtod(end + 1, &top), top != end + 1 && !*top)) {
			hy_buffer_printf(out, ",\"score\":%.10g,\"max\":%.10g", n, max);
			return;
		}
	}
	hy_buffer_text(out, ",\"score\":");
	hy_json_put_text(out, v);
}

static void put_time(struct hy_buffer *out, struct hy_bytes v)
{
	char text[48], iso[25];
	int64_t ms;
	if (short_text(v, text, sizeof(text)) && when_read(text, &ms)) {
		hy_time_text(ms, iso);
		v = hy_bytes_text(iso);
	}
	hy_json_put_text(out, v);
}

static void put_helped(struct hy_buffer *out, struct hy_bytes v)
{
	static const struct {
		const char *word;
		bool yes;
	} words[] = { { "yes", true }, { "y", true }, { "true", true }, { "1", true }, { "是", true }, { "no", false },
		{ "n", false }, { "false", false }, { "0", false }, { "否", false } };
	char text[16];
	for (size_t i = 0; i < sizeof(words) / sizeof(*words) && short_text(v, text, sizeof(text)); i++)
		if (strcasecmp(text, words[i].word) == 0) {
			hy_buffer_text(out, words[i].yes ? "true" : "false");
			return;
		}
	hy_json_put_text(out, v);
}

/* "a, b; c、d" as a list. */
static void put_tags(struct hy_buffer *out, struct hy_bytes v)
{
	struct hy_bytes tag = hy_bytes(v.data, 0);
	bool any = false;
	hy_buffer_byte(out, '[');
	for (size_t at = 0; at <= v.size;) {
		size_t from = at;
		uint32_t cp = at < v.size ? hy_utf8_next(v, &at) : ',';
		at += from == v.size;
		if (cp != ',' && cp != ';' && cp != '|' && cp != 0xff0c && cp != 0xff1b && cp != 0x3001) {
			tag.size = at - (size_t)(tag.data - v.data);
			continue;
		}
		tag = trim(tag);
		if (tag.size) {
			if (any)
				hy_buffer_byte(out, ',');
			hy_json_put_text(out, tag);
			any = true;
		}
		tag = hy_bytes(v.data + (at < v.size ? at : v.size), 0);
	}
	hy_buffer_byte(out, ']');
}

/* ---- the row ---- */

static const struct column *only(const struct columns *c, enum place place)
{
	return c->first[place] < c->first[place + 1] ? &c->list[c->first[place]] : NULL;
}

static void name_member(struct hy_buffer *out, const char *name)
{
	hy_buffer_byte(out, ',');
	hy_json_put_text(out, hy_bytes_text(name));
	hy_buffer_byte(out, ':');
}

/* Members of one place; true when there was one. `open` goes before the first. */
static bool put_group(
	const struct columns *c, enum place from, enum place to, const char *open, bool begun, struct hy_buffer *out)
{
	for (size_t i = c->first[from]; i < c->first[to]; i++) {
		const struct column *k = &c->list[i];
		struct hy_bytes v = value(c, k);
		if (v.size == 0)
			continue;
		hy_buffer_text(out, begun ? "," : open);
		const char *dot = k->place < P_TRAIT ? strchr(places[k->place].path, '.') : NULL;
		hy_json_put_text(out, hy_bytes_text(dot ? dot + 1 : k->name));
		hy_buffer_byte(out, ':');
		hy_json_put_text(out, v);
		begun = true;
	}
	return begun;
}

static void put_customer(const struct columns *c, struct hy_buffer *out)
{
	bool any = put_group(c, P_CUSTOMER_ID, P_NPS, ",\"customer\":{", false, out);
	if (put_group(c, P_TRAIT, P_CONTEXT, any ? ",\"traits\":{" : ",\"customer\":{\"traits\":{", false, out)) {
		hy_buffer_byte(out, '}');
		any = true;
	}
	if (any)
		hy_buffer_byte(out, '}');
}

static void put_ratings(const struct columns *c, struct hy_buffer *out)
{
	bool any = false;
	for (int p = P_NPS; p <= P_SCORE; p++) {
		const struct column *k = only(c, (enum place)p), *scale = only(c, P_SCALE), *max = only(c, P_MAX),
				    *way = only(c, P_DIRECTION);
		struct hy_bytes v = k ? value(c, k) : hy_bytes("", 0);
		if (v.size == 0)
			continue;
		hy_buffer_text(out, any ? ",{\"scale\":" : ",\"rating\":[{\"scale\":");
		struct hy_bytes name = p == P_SCORE && scale
					       ? value(c, scale)
					       : hy_bytes_text(p == P_SCORE ? "stars" : places[p].path + 7);
		hy_json_put_text(out, name.size ? name : HY_LIT("stars"));
		struct hy_bytes top = p == P_SCORE && max ? value(c, max) : hy_bytes("", 0);
		put_score(out, v, top.size > 0);
		char text[40], *end;
		if (top.size && short_text(top, text, sizeof(text)) && (strtod(text, &end), end != text && !*end))
			hy_buffer_printf(out, ",\"max\":%.10g", strtod(text, NULL));
		struct hy_bytes direction = p == P_SCORE && way ? value(c, way) : hy_bytes("", 0);
		if (direction.size) {
			name_member(out, "direction");
			hy_json_put_text(out, direction);
		}
		hy_buffer_byte(out, '}');
		any = true;
	}
	if (any)
		hy_buffer_byte(out, ']');
}

/* A channel is a word of the collector's; what is none is kept in the context. */
static bool channel_word(struct hy_bytes v, char out[static 33])
{
	for (size_t i = 0; i < v.size; i++) {
		uint8_t c = v.data[i];
		c = c >= 'A' && c <= 'Z' ? c + 32 : c == ' ' ? '-' : c;
		if (i == 32 || !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-'))
			return false;
		out[i] = (char)c;
		out[i + 1] = 0;
	}
	return v.size > 0;
}

static void put_simple(const struct columns *c, enum place place, void (*put)(struct hy_buffer *out, struct hy_bytes v),
	struct hy_buffer *out)
{
	const struct column *k = only(c, place);
	struct hy_bytes v = k ? value(c, k) : hy_bytes("", 0);
	if (v.size == 0)
		return;
	name_member(out, places[place].path);
	put(out, v);
}

static bool blank(const struct columns *c)
{
	for (size_t i = 0; i < c->count; i++)
		if (!c->list[i].constant && trim(table_cell(c->table, c->list[i].index)).size)
			return false;
	return true;
}

int columns_item(const struct columns *c, const char *id, struct hy_buffer *out)
{
	const struct column *own = only(c, P_ID), *from = only(c, P_CHANNEL);
	struct hy_bytes own_id = own ? value(c, own) : hy_bytes("", 0),
			channel = from ? value(c, from) : hy_bytes("", 0);
	char word[33] = "import";
	if (blank(c))
		return HY_NOT_FOUND;
	bool spoken = channel_word(channel, word);
	hy_buffer_text(out, "{\"id\":");
	hy_json_put_text(out, own_id.size ? own_id : hy_bytes_text(id));
	put_simple(c, P_TEXT, hy_json_put_text, out);
	put_simple(c, P_KIND, hy_json_put_text, out);
	name_member(out, "channel");
	hy_json_put_text(out, hy_bytes_text(spoken ? word : "import"));
	put_simple(c, P_OCCURRED, put_time, out);
	put_simple(c, P_REPLY, hy_json_put_text, out);
	put_simple(c, P_HELPED, put_helped, out);
	put_simple(c, P_TAGS, put_tags, out);
	put_customer(c, out);
	put_ratings(c, out);
	bool context = false;
	if (channel.size && !spoken) {
		hy_buffer_text(out, ",\"context\":{");
		hy_json_put_text(out, hy_bytes_text(from->name));
		hy_buffer_byte(out, ':');
		hy_json_put_text(out, channel);
		context = true;
	}
	if (put_group(c, P_CONTEXT, PLACES, ",\"context\":{", context, out))
		hy_buffer_byte(out, '}');
	hy_buffer_byte(out, '}');
	return out->err;
}
