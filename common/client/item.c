/* Written by hand rather than through protobuf-c's structs: this runs in the app's own thread, for a record of 300 bytes in some 100 ns. */
#include "client/item.h"

#include "base/clock.h"
#include "base/text.h"
#include "json/json.h"

#include <math.h>

/* Field numbers of proto/intake.proto and feedback.proto. */
enum { SUBMIT_ITEMS = 4 };
enum {
	ITEM_TEXT = 1,
	ITEM_ID,
	ITEM_KIND,
	ITEM_CHANNEL,
	ITEM_CUSTOMER,
	ITEM_RATING,
	ITEM_CONTEXT,
	ITEM_TAGS,
	ITEM_OCCURRED_MS,
	ITEM_IN_REPLY_TO,
	ITEM_HELPED
};
enum { WHO_ID = 1, WHO_EMAIL, WHO_PHONE, WHO_NAME, WHO_LOCALE, WHO_TIMEZONE, WHO_TRAITS };
enum { RATING_SCALE = 1, RATING_SCORE, RATING_MAX, RATING_LOWER_BETTER };
enum { PAIR_NAME = 1, PAIR_VALUE };
enum { VARINT = 0, FIXED64 = 1, BYTES = 2 }; /* wire types */
enum { REPEATED_MAX = 1000 }; /* pairs, tags, ratings: below what the gate lets through */

int item_take(const struct hy_client_feedback *f, struct hy_client_feedback *out)
{
	if (!f || f->size < sizeof(f->size) + sizeof(f->text))
		return HY_CLIENT_INVALID;
	size_t known = f->size < sizeof(*out) ? f->size : sizeof(*out);
	memcpy(out, f, known);
	memset((char *)out + known, 0, sizeof(*out) - known);
	return HY_CLIENT_OK;
}

/* ---- sizes: every text is looked at once; all tags here are one byte ---- */

struct meter {
	size_t size;
	int err;
};

static void meter_text(struct meter *m, const char *text)
{
	if (!text || !*text)
		return;
	size_t size = strlen(text);
	m->size += 1 + hy_wire_varint_size(size) + size;
	if (m->size > HY_WIRE_INTAKE_MAX)
		m->err = HY_CLIENT_TOO_LARGE;
	else if (!hy_utf8_valid(hy_bytes(text, size)))
		m->err = HY_CLIENT_INVALID;
}

static void meter_inner(struct meter *m, struct meter inner)
{
	m->size += 1 + hy_wire_varint_size(inner.size) + inner.size;
	if (inner.err)
		m->err = inner.err;
	else if (m->size > HY_WIRE_INTAKE_MAX)
		m->err = HY_CLIENT_TOO_LARGE;
}

static struct meter pair_meter(const struct hy_client_pair *p)
{
	struct meter m = { 0 };
	meter_text(&m, p->name);
	meter_text(&m, p->value);
	return m;
}

static void meter_pairs(struct meter *m, const struct hy_client_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count && !m->err; i++)
		meter_inner(m, pair_meter(&pairs[i]));
}

static struct meter who_meter(const struct hy_client_feedback *f)
{
	struct meter m = { 0 };
	meter_text(&m, f->customer_id);
	meter_text(&m, f->customer_email);
	meter_text(&m, f->customer_phone);
	meter_text(&m, f->customer_name);
	meter_text(&m, f->customer_locale);
	meter_text(&m, f->customer_timezone);
	meter_pairs(&m, f->customer_traits, f->customer_trait_count);
	return m;
}

static struct meter rating_meter(const struct hy_client_rating *r)
{
	struct meter m = { 0 };
	meter_text(&m, r->scale);
	m.size += 9 + (r->max != 0 ? 9 : 0) + (r->lower_better ? 2 : 0);
	if (!isfinite(r->score) || !isfinite(r->max))
		m.err = HY_CLIENT_INVALID;
	return m;
}

static struct meter item_meter(const struct hy_client_feedback *f)
{
	struct meter m = { 0 }, who = who_meter(f);
	meter_text(&m, f->text);
	meter_text(&m, f->id);
	m.size += f->kind ? 2 : 0;
	meter_text(&m, f->channel);
	if (who.size || who.err)
		meter_inner(&m, who);
	for (size_t i = 0; i < f->rating_count && !m.err; i++)
		meter_inner(&m, rating_meter(&f->ratings[i]));
	meter_pairs(&m, f->context, f->context_count);
	for (size_t i = 0; i < f->tag_count && !m.err; i++)
		meter_inner(&m, (struct meter){ .size = f->tags[i] ? strlen(f->tags[i]) : 0,
					.err = hy_utf8_valid(hy_bytes_text(f->tags[i])) ? 0 : HY_CLIENT_INVALID });
	m.size += f->occurred_ms ? 1 + hy_wire_varint_size((uint64_t)f->occurred_ms) : 0;
	meter_text(&m, f->in_reply_to);
	m.size += f->helped ? 2 : 0;
	return m;
}

int item_measure(const struct hy_client_feedback *f, uint32_t *item_size)
{
	if (f->kind < HY_CLIENT_REMARK || f->kind > HY_CLIENT_REPLY || f->helped < HY_CLIENT_NOT_HELPED ||
		f->helped > HY_CLIENT_HELPED || (f->rating_count && !f->ratings) || (f->tag_count && !f->tags) ||
		(f->context_count && !f->context) || (f->customer_trait_count && !f->customer_traits))
		return HY_CLIENT_INVALID;
	if (!(f->text && *f->text) && !f->rating_count && !f->helped)
		return HY_CLIENT_INVALID;
	if (f->rating_count > REPEATED_MAX || f->tag_count > REPEATED_MAX || f->context_count > REPEATED_MAX ||
		f->customer_trait_count > REPEATED_MAX)
		return HY_CLIENT_TOO_LARGE;
	struct meter m = item_meter(f);
	if (m.err)
		return m.err;
	if (m.size > HY_WIRE_INTAKE_MAX)
		return HY_CLIENT_TOO_LARGE;
	*item_size = (uint32_t)m.size;
	return HY_CLIENT_OK;
}

/* ---- bytes: never more than were measured, since another thread of the app may be changing its text under our hands ---- */

struct pen {
	uint8_t *to, *end;
};

static void put_varint(struct pen *p, uint64_t v)
{
	if (hy_wire_varint_size(v) > (size_t)(p->end - p->to))
		return;
	for (; v >= 0x80; v >>= 7)
		*p->to++ = (uint8_t)(v | 0x80);
	*p->to++ = (uint8_t)v;
}

static void put_number(struct pen *p, int number, uint64_t v)
{
	put_varint(p, (uint64_t)number << 3 | VARINT);
	put_varint(p, v);
}

static void put_head(struct pen *p, int number, size_t size)
{
	put_varint(p, (uint64_t)number << 3 | BYTES);
	put_varint(p, size);
}

static void put_bytes(struct pen *p, int number, const char *text, size_t size)
{
	put_head(p, number, size);
	if (!size || size > (size_t)(p->end - p->to))
		return;
	memcpy(p->to, text, size);
	p->to += size;
}

static void put_text(struct pen *p, int number, const char *text)
{
	if (text && *text)
		put_bytes(p, number, text, strlen(text));
}

static void put_double(struct pen *p, int number, double v)
{
	uint64_t bits;
	memcpy(&bits, &v, sizeof(bits));
	put_varint(p, (uint64_t)number << 3 | FIXED64);
	if (p->end - p->to < 8)
		return;
	for (int i = 0; i < 8; i++, bits >>= 8)
		*p->to++ = (uint8_t)bits;
}

static void put_pairs(struct pen *p, int number, const struct hy_client_pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		put_head(p, number, pair_meter(&pairs[i]).size);
		put_text(p, PAIR_NAME, pairs[i].name);
		put_text(p, PAIR_VALUE, pairs[i].value);
	}
}

static void put_who(struct pen *p, const struct hy_client_feedback *f)
{
	size_t size = who_meter(f).size;
	if (!size)
		return;
	put_head(p, ITEM_CUSTOMER, size);
	put_text(p, WHO_ID, f->customer_id);
	put_text(p, WHO_EMAIL, f->customer_email);
	put_text(p, WHO_PHONE, f->customer_phone);
	put_text(p, WHO_NAME, f->customer_name);
	put_text(p, WHO_LOCALE, f->customer_locale);
	put_text(p, WHO_TIMEZONE, f->customer_timezone);
	put_pairs(p, WHO_TRAITS, f->customer_traits, f->customer_trait_count);
}

static void put_rating(struct pen *p, const struct hy_client_rating *r)
{
	put_head(p, ITEM_RATING, rating_meter(r).size);
	put_text(p, RATING_SCALE, r->scale);
	put_double(p, RATING_SCORE, r->score);
	if (r->max != 0)
		put_double(p, RATING_MAX, r->max);
	if (r->lower_better)
		put_number(p, RATING_LOWER_BETTER, 1);
}

bool item_write(const struct hy_client_feedback *f, uint8_t *to, uint32_t item_size)
{
	struct pen p = { to, to + item_field_size(item_size) };
	put_head(&p, SUBMIT_ITEMS, item_size);
	put_text(&p, ITEM_TEXT, f->text);
	put_text(&p, ITEM_ID, f->id);
	if (f->kind)
		put_number(&p, ITEM_KIND, (uint64_t)f->kind);
	put_text(&p, ITEM_CHANNEL, f->channel);
	put_who(&p, f);
	for (size_t i = 0; i < f->rating_count; i++)
		put_rating(&p, &f->ratings[i]);
	put_pairs(&p, ITEM_CONTEXT, f->context, f->context_count);
	for (size_t i = 0; i < f->tag_count; i++)
		put_bytes(&p, ITEM_TAGS, f->tags[i], f->tags[i] ? strlen(f->tags[i]) : 0);
	if (f->occurred_ms)
		put_number(&p, ITEM_OCCURRED_MS, (uint64_t)f->occurred_ms);
	put_text(&p, ITEM_IN_REPLY_TO, f->in_reply_to);
	if (f->helped)
		put_number(&p, ITEM_HELPED, f->helped > 0);
	return p.to == p.end;
}

struct hy_bytes item_within(struct hy_bytes field)
{
	return hy_wire_field(field, SUBMIT_ITEMS);
}

/* ---- the way back: JSON ---- */

static void name(struct hy_buffer *out, const char *key)
{
	const char last = out->size ? (char)out->data[out->size - 1] : '{';
	if (last != '{' && last != '[')
		hy_buffer_byte(out, ',');
	if (key)
		hy_buffer_printf(out, "\"%s\":", key);
}

static void put_member(struct hy_buffer *out, const char *key, const char *text)
{
	if (!text || !*text)
		return;
	name(out, key);
	hy_json_put_text(out, hy_bytes_text(text));
}

static void put_object(struct hy_buffer *out, const char *key, Huiyin__Pair *const *pairs, size_t count)
{
	if (!count)
		return;
	name(out, key);
	hy_buffer_byte(out, '{');
	for (size_t i = 0; i < count; i++) {
		size_t before = 0; /* JSON has each name once: the first of two counts */
		while (strcmp(pairs[before]->name, pairs[i]->name) != 0)
			before++;
		if (before < i)
			continue;
		name(out, NULL);
		hy_json_put_text(out, hy_bytes_text(pairs[i]->name));
		hy_buffer_byte(out, ':');
		hy_json_put_text(out, hy_bytes_text(pairs[i]->value));
	}
	hy_buffer_byte(out, '}');
}

static void put_customer(struct hy_buffer *out, const Huiyin__Who *who)
{
	if (!who)
		return;
	name(out, "customer");
	hy_buffer_byte(out, '{');
	put_member(out, "id", who->id);
	put_member(out, "email", who->email);
	put_member(out, "phone", who->phone);
	put_member(out, "name", who->name);
	put_member(out, "locale", who->locale);
	put_member(out, "timezone", who->timezone);
	put_object(out, "traits", who->traits, who->n_traits);
	hy_buffer_byte(out, '}');
}

static void put_ratings(struct hy_buffer *out, const Huiyin__Item *item)
{
	if (!item->n_rating)
		return;
	name(out, "rating");
	hy_buffer_text(out, item->n_rating > 1 ? "[" : "");
	for (size_t i = 0; i < item->n_rating; i++) {
		const Huiyin__Rating *r = item->rating[i];
		if (i)
			hy_buffer_byte(out, ',');
		hy_buffer_byte(out, '{');
		put_member(out, "scale", r->scale);
		name(out, "score");
		hy_buffer_printf(out, "%.17g", r->score);
		if (r->has_max_case) {
			name(out, "max");
			hy_buffer_printf(out, "%.17g", r->max);
		}
		if (r->lower_better)
			put_member(out, "direction", "lower_better");
		hy_buffer_byte(out, '}');
	}
	hy_buffer_text(out, item->n_rating > 1 ? "]" : "");
}

int item_json(struct hy_arena *a, struct hy_bytes field, const char *id, struct hy_buffer *out)
{
	static const char *const kinds[] = { "feedback", "survey", "idea", "vote", "mention", "review", "interview",
		"reply" };
	Huiyin__Item *item;
	struct hy_fault f;
	int err = hy_wire_unpack(a, &huiyin__item__descriptor, item_within(field), &item, &f);
	if (err != HY_OK)
		return err;
	hy_buffer_byte(out, '{');
	put_member(out, "id", item->id[0] ? item->id : id);
	put_member(out, "text", item->text);
	if ((size_t)item->kind < sizeof(kinds) / sizeof(*kinds))
		put_member(out, "kind", item->kind ? kinds[item->kind] : NULL);
	put_member(out, "channel", item->channel);
	put_customer(out, item->customer);
	put_ratings(out, item);
	put_object(out, "context", item->context, item->n_context);
	for (size_t i = 0; i < item->n_tags; i++) {
		if (i == 0) {
			name(out, "tags");
			hy_buffer_byte(out, '[');
		}
		put_member(out, NULL, item->tags[i]);
		if (i + 1 == item->n_tags)
			hy_buffer_byte(out, ']');
	}
	if (item->occurred_ms) {
		char time[25];
		hy_time_text(item->occurred_ms, time);
		put_member(out, "occurred_at", time);
	}
	put_member(out, "in_reply_to", item->in_reply_to);
	if (item->has_helped_case) {
		name(out, "helped");
		hy_buffer_text(out, item->helped ? "true" : "false");
	}
	hy_buffer_byte(out, '}');
	return out->err;
}
