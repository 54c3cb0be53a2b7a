#include "people.h"

#include "outbox.h"
#include "fanout.h"

/* ---- contacts ---- */

/* Sealing takes a new nonce each time, so two sealed contacts are compared by what is inside. */
static bool same_inside(const struct notifier *n, struct hy_bytes a, struct hy_bytes b)
{
	struct hy_buffer x = { 0 }, y = { 0 };
	bool same = hy_unseal(&n->contact_key, a, &x) == HY_OK && hy_unseal(&n->contact_key, b, &y) == HY_OK &&
		    hy_bytes_equal(hy_buffer_view(&x), hy_buffer_view(&y));
	hy_buffer_free(&x);
	hy_buffer_free(&y);
	return same;
}

static bool take(char **to, char *from)
{
	if (!*from || strcmp(*to, from) == 0)
		return false;
	*to = from;
	return true;
}

/* What is said now goes before what was said earlier; what is left out stays as it was. */
static int learn_contact(struct hy_step *s, struct notifier *n, const Huiyin__Feedback *fb, const Huiyin__Customer *c)
{
	contact_row fresh = HUIYIN__NOTIFIER__CONTACT__INIT, *row = &fresh;
	struct hy_bytes person = HY_PB(fb->person);
	int err = hy_row_get(s->txn, s->arena, "person", person, &huiyin__notifier__contact__descriptor, &row);
	if (err && err != HY_NOT_FOUND)
		return err;
	bool changed = false;
	if (c->sealed.len && !(row->sealed.len && same_inside(n, HY_PB(row->sealed), HY_PB(c->sealed)))) {
		row->sealed = c->sealed;
		changed = true;
	}
	changed |= take(&row->name, c->name);
	changed |= take(&row->locale, c->locale);
	changed |= take(&row->timezone, c->timezone);
	changed |= take(&row->customer_id, c->id);
	if (!changed)
		return HY_OK;
	if (row == &fresh)
		notifier_tally(s->txn, "people", 1);
	row->project = s->in->project;
	row->at_ms = s->now_ms;
	return hy_row_put(s->txn, "person", person, &row->base);
}

/* There are far fewer kinds of notices: what is more than this is somebody's joke. */
enum { REFUSED_MAX = 64, KIND_MAX = 64 };

static bool says_no(const char *value)
{
	return strcmp(value, "no") == 0 || strcmp(value, "false") == 0;
}

static int learn_preferences(struct hy_step *s, const Huiyin__Feedback *fb)
{
	const Huiyin__Preferences *p = fb->preferences;
	preference_row fresh = HUIYIN__NOTIFIER__PREFERENCE__INIT, *row = &fresh;
	struct hy_bytes person = HY_PB(fb->person);
	int err = hy_row_get(s->txn, s->arena, "preference", person, &huiyin__notifier__preference__descriptor, &row);
	if (err && err != HY_NOT_FOUND)
		return err;
	char **refused = hy_arena_get(s->arena, (row->n_refused + p->n_consent + 1) * sizeof(*refused));
	if (!refused)
		return HY_NO_MEMORY;
	size_t count = 0;
	for (size_t i = 0; i < row->n_refused; i++) {
		bool again = false;
		for (size_t j = 0; j < p->n_consent; j++)
			again |= strcmp(row->refused[i], p->consent[j]->name) == 0;
		if (!again)
			refused[count++] = row->refused[i];
	}
	for (size_t j = 0; j < p->n_consent && count < REFUSED_MAX; j++)
		if (says_no(p->consent[j]->value) && strlen(p->consent[j]->name) <= KIND_MAX)
			refused[count++] = p->consent[j]->name;
	row->refused = refused;
	row->n_refused = count;
	if (p->n_channels && p->n_channels <= REFUSED_MAX) {
		row->channels = p->channels;
		row->n_channels = p->n_channels;
	}
	if (*p->quiet_from || *p->quiet_to) {
		row->quiet_from = p->quiet_from;
		row->quiet_to = p->quiet_to;
	}
	row->at_ms = s->now_ms;
	return hy_row_put(s->txn, "preference", person, &row->base);
}

/* The tombstone stays for good: it is a keyed hash, and without it a late record would bring the person back. What
 * she is still owed and what was kept of it goes by a walk. */
static int forget(struct hy_step *s, const Huiyin__Feedback *fb)
{
	struct hy_bytes person = HY_PB(fb->person);
	uint8_t at[8];
	hy_be_put64(at, (uint64_t)s->now_ms);
	hy_txn_put(s->txn, "gone", person, hy_bytes(at, sizeof(at)));
	if (hy_txn_del(s->txn, "person", person) == HY_OK)
		notifier_tally(s->txn, "people", -1);
	hy_txn_del(s->txn, "preference", person);
	walk_row w = HUIYIN__NOTIFIER__WALK__INIT;
	w.task = WALK_ERASE;
	w.person = fb->person;
	w.project = s->in->project;
	w.cause = s->in->id;
	w.origin_ms = s->in->origin_ms;
	return notifier_walk_begin(s, &w);
}

int notifier_people_learn(struct hy_step *s, struct notifier *n)
{
	const Huiyin__Feedback *fb = s->in->feedback;
	if (fb->person.len != HY_PERSON_SIZE)
		return HY_OK;
	if (fb->body_case == HUIYIN__FEEDBACK__BODY_ERASURE)
		return forget(s, fb);
	if (notifier_people_gone(s->txn, HY_PB(fb->person)))
		return HY_OK;
	int err = fb->customer ? learn_contact(s, n, fb, fb->customer) : HY_OK;
	if (err == HY_OK && fb->body_case == HUIYIN__FEEDBACK__BODY_PREFERENCES)
		err = learn_preferences(s, fb);
	return err;
}

bool notifier_people_gone(struct hy_txn *t, struct hy_bytes person)
{
	struct hy_bytes ignored;
	return person.size && hy_txn_get(t, "gone", person, &ignored) == HY_OK;
}

int notifier_people_contact(struct hy_txn *t, struct hy_arena *a, const struct notifier *n, struct hy_bytes person,
	struct notifier_contact *out)
{
	contact_row *row;
	*out = (struct notifier_contact){ .email = "", .phone = "" };
	int err = hy_row_get(t, a, "person", person, &huiyin__notifier__contact__descriptor, &row);
	if (err)
		return err;
	out->row = row;
	if (!row->sealed.len)
		return HY_OK;
	struct hy_buffer plain = { 0 };
	Huiyin__Contact *c;
	err = hy_unseal(&n->contact_key, HY_PB(row->sealed), &plain);
	if (err == HY_OK)
		err = hy_wire_unpack(a, &huiyin__contact__descriptor, hy_buffer_view(&plain), &c, NULL);
	if (err == HY_OK) {
		out->email = c->email;
		out->phone = c->phone;
	}
	hy_buffer_free(&plain);
	return err == HY_OK || err == HY_NO_MEMORY ? err : HY_DAMAGED;
}

const char *notifier_people_language(const char *locale, const char *language)
{
	const char *from = locale && *locale ? locale : language;
	bool zh = (from[0] == 'z' || from[0] == 'Z') && (from[1] == 'h' || from[1] == 'H') &&
		  !((from[2] | 0x20) >= 'a' && (from[2] | 0x20) <= 'z');
	return zh ? "zh" : "en";
}

/* ---- cases and links ---- */

int notifier_people_case(struct hy_step *s, const Huiyin__TicketEvent *ev, case_row **out)
{
	struct hy_bytes ticket = HY_PB(ev->ticket);
	case_row *row = NULL;
	int err = hy_row_get(s->txn, s->arena, "case", ticket, &huiyin__notifier__case__descriptor, &row);
	if (err && err != HY_NOT_FOUND)
		return err;
	bool changed = err == HY_NOT_FOUND;
	if (changed) {
		row = hy_arena_get(s->arena, sizeof(*row));
		if (!row)
			return HY_NO_MEMORY;
		huiyin__notifier__case__init(row);
		row->project = s->in->project;
		struct hy_key number = notifier_number_key(row->project, ev->number);
		if (ev->number)
			hy_txn_put(s->txn, "number", hy_key_view(&number), ticket);
	}
	changed |= take(&row->department, ev->department);
	changed |= take(&row->subject, ev->subject);
	if (ev->number && row->number != ev->number) {
		row->number = ev->number;
		changed = true;
	}
	if (ev->round > row->round) {
		row->round = ev->round;
		changed = true;
	}
	if (ev->state && row->state != (uint32_t)ev->state) {
		row->state = (uint32_t)ev->state;
		changed = true;
	}
	/* Staff reopen for everybody; a customer's "no" names her, and is for herself. */
	if (ev->kind == HUIYIN__TICKET_EVENT_KIND__EVENT_REOPENED && ev->person.len == 0 && ev->feedback.len == 0 &&
		row->floor_round < ev->round) {
		row->floor_round = ev->round;
		changed = true;
	}
	*out = row;
	if (!changed)
		return HY_OK;
	row->changed_ms = s->now_ms;
	return hy_row_put(s->txn, "case", ticket, &row->base);
}

int notifier_people_join(struct hy_step *s, const struct notifier_join *j, link_row **out, bool *fresh)
{
	struct hy_key key = notifier_link_key(j->ticket, j->person, j->feedback);
	link_row *row = NULL;
	int err = hy_row_get(s->txn, s->arena, "link", hy_key_view(&key), &huiyin__notifier__link__descriptor, &row);
	if (err && err != HY_NOT_FOUND)
		return err;
	*fresh = err == HY_NOT_FOUND || row->round < j->round;
	if (err == HY_NOT_FOUND) {
		row = hy_arena_get(s->arena, sizeof(*row));
		if (!row)
			return HY_NO_MEMORY;
		huiyin__notifier__link__init(row);
		if (!hy_id_is_zero(j->feedback))
			row->feedback = HY_TO_PB(hy_id_bytes(&j->feedback));
		row->language = row_text(j->language);
		row->words = row_text(j->words);
		row->origin_ms = j->origin_ms;
		struct hy_key of = KEY_OF(j->person, HY_LIT("t"), hy_id_bytes(&j->ticket));
		if (j->person.size)
			hy_txn_put(s->txn, "person", hy_key_view(&of), hy_bytes(NULL, 0));
	}
	*out = row;
	if (!*fresh)
		return HY_OK;
	row->round = j->round;
	return hy_row_put(s->txn, "link", hy_key_view(&key), &row->base);
}
