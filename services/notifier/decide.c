#include "decide.h"

#include "http/smtp.h"

#include <unicode/ucal.h>
#include <unicode/ustring.h>

enum { MINUTE_MS = 60000, DAY_MS = 24 * 60 * MINUTE_MS };

static bool minutes(const char *text, int *out)
{
	if (strlen(text) != 5 || text[2] != ':')
		return false;
	for (int i = 0; i < 5; i++)
		if (i != 2 && (text[i] < '0' || text[i] > '9'))
			return false;
	int h = (text[0] - '0') * 10 + text[1] - '0', m = (text[3] - '0') * 10 + text[4] - '0';
	*out = h * 60 + m;
	return h < 24 && m < 60;
}

/* How far local time is ahead of UTC at `at_ms`; 0 for a zone that nobody knows. */
static int64_t zone_offset(int64_t at_ms, const char *timezone)
{
	UErrorCode e = U_ZERO_ERROR;
	UChar zone[64];
	if (!*timezone || strlen(timezone) >= 64)
		return 0;
	u_uastrcpy(zone, timezone);
	UCalendar *c = ucal_open(zone, -1, "en", UCAL_GREGORIAN, &e);
	if (!c || U_FAILURE(e))
		return 0;
	ucal_setMillis(c, (UDate)at_ms, &e);
	int64_t offset = ucal_get(c, UCAL_ZONE_OFFSET, &e) + ucal_get(c, UCAL_DST_OFFSET, &e);
	ucal_close(c);
	return U_FAILURE(e) ? 0 : offset;
}

int64_t notifier_quiet_until(int64_t now_ms, const char *from, const char *to, const char *timezone)
{
	int begin, end;
	if (!minutes(from, &begin) || !minutes(to, &end) || begin == end)
		return now_ms;
	int64_t offset = zone_offset(now_ms, timezone);
	int64_t local = now_ms + offset, of_day = local % DAY_MS;
	int64_t b = (int64_t)begin * MINUTE_MS, e = (int64_t)end * MINUTE_MS;
	bool quiet = b < e ? of_day >= b && of_day < e : of_day >= b || of_day < e;
	if (!quiet)
		return now_ms;
	int64_t until = local - of_day + e + (of_day < e ? 0 : DAY_MS);
	/* A change to or from summer time in between moves the opening: its own offset counts. */
	return until - zone_offset(until - offset, timezone);
}

static bool refused(const preference_row *p, uint32_t kind)
{
	for (size_t i = 0; i < p->n_refused; i++)
		if (strcmp(p->refused[i], "all") == 0 || strcmp(p->refused[i], "email") == 0 ||
			strcmp(p->refused[i], notifier_kind_name(kind)) == 0)
			return true;
	return false;
}

static int say(struct notifier_verdict *v, Huiyin__Outcome outcome, const char *reason)
{
	v->outcome = outcome;
	v->reason = reason;
	return HY_OK;
}

int notifier_decide(struct hy_txn *t, struct hy_arena *a, const struct notifier *n, struct hy_bytes person,
	uint32_t kind, int64_t now_ms, struct notifier_verdict *out)
{
	*out = (struct notifier_verdict){ .reason = "", .due_ms = now_ms, .contact = { .email = "", .phone = "" } };
	if (!person.size)
		return say(out, HUIYIN__OUTCOME__ANONYMOUS, "");
	if (notifier_people_gone(t, person))
		return say(out, HUIYIN__OUTCOME__OUTCOME_ERASED, "");
	preference_row *p = NULL;
	int err = hy_row_get(t, a, "preference", person, &huiyin__notifier__preference__descriptor, &p);
	if (err && err != HY_NOT_FOUND)
		return err;
	if (p && refused(p, kind))
		return say(out, HUIYIN__OUTCOME__UNSUBSCRIBED, "");
	err = notifier_people_contact(t, a, n, person, &out->contact);
	if (err == HY_NOT_FOUND)
		return say(out, HUIYIN__OUTCOME__NO_CONTACT, "no contact is known");
	if (err == HY_DAMAGED)
		return say(out, HUIYIN__OUTCOME__NO_CONTACT, "the contact was sealed with another key");
	if (err)
		return err;
	if (!*out->contact.email)
		return say(out, HUIYIN__OUTCOME__NO_CONTACT, "no configured channel reaches this contact");
	const char *why;
	if (!hy_smtp_address_ok(out->contact.email, &why))
		return say(out, HUIYIN__OUTCOME__REFUSED, why);
	if (p)
		out->due_ms = notifier_quiet_until(now_ms, p->quiet_from, p->quiet_to, out->contact.row->timezone);
	return HY_OK;
}
