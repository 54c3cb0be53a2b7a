#include "submit.h"

/* Fields of Submit. */
enum { KEY = 1, CLIENT_ID = 2, FIRST_SEQ = 3, ITEMS = 4 };
enum { VARINT = 0, BYTES = 2 };

static bool good_client_id(struct hy_bytes id)
{
	for (size_t i = 0; i < id.size; i++) {
		uint8_t c = id.data[i];
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
			    c == '.' || c == '-';
		if (!good)
			return false;
	}
	return id.size > 0 && id.size <= SUBMIT_CLIENT_ID;
}

static bool take_field(struct submit *m, const struct hy_wire_item *field)
{
	switch (field->number) {
	case KEY:
		m->key = field->bytes;
		return field->wire_type == BYTES;
	case CLIENT_ID:
		m->client_id = field->bytes;
		return field->wire_type == BYTES;
	case FIRST_SEQ:
		m->first_seq = field->value;
		return field->wire_type == VARINT;
	case ITEMS:
		m->count++;
		return field->wire_type == BYTES;
	default:
		return true; /* of a later version */
	}
}

int submit_read(struct submit *m, struct hy_bytes raw, struct hy_fault *f)
{
	struct hy_wire_item field;
	size_t at = 0;
	int err = HY_OK;
	*m = (struct submit){ .raw = raw };
	if (raw.size > HY_WIRE_FRAME_MAX)
		return hy_fail(f, HY_TOO_LARGE, "%zu bytes: a Submit has at most %zu", raw.size, SUBMIT_MAX);
	while (hy_wire_next(raw, &at, &field, &err))
		if (!take_field(m, &field))
			return hy_fail(
				f, HY_BAD_INPUT, "field %u is of another type than in intake.proto", field.number);
	if (err)
		return hy_fail(f, HY_BAD_INPUT,
			"this is no Submit as intake.proto describes it: it is cut off at byte %zu", at);
	if (raw.size > SUBMIT_MAX)
		return hy_fail(f, HY_TOO_LARGE, "%zu bytes: a Submit has at most %zu; send the items in several",
			raw.size, SUBMIT_MAX);
	if (m->count > SUBMIT_ITEMS)
		return hy_fail(f, HY_TOO_LARGE, "%zu items: a Submit has at most %d; send them in several", m->count,
			SUBMIT_ITEMS);
	if (!good_client_id(m->client_id))
		return hy_fail(f, HY_BAD_INPUT, "client_id is 1 to %d of A-Z a-z 0-9 _ . -", SUBMIT_CLIENT_ID);
	if (m->count > 0 && (m->first_seq == 0 || m->first_seq > UINT64_MAX / 2))
		return hy_fail(f, HY_BAD_INPUT, "first_seq is the number of items[0]; an app's numbers begin at 1");
	return HY_OK;
}

bool submit_next(const struct submit *m, size_t *at, struct hy_bytes *item)
{
	struct hy_wire_item field;
	while (hy_wire_next(m->raw, at, &field, NULL))
		if (field.number == ITEMS) {
			*item = field.bytes;
			return true;
		}
	return false;
}

/* The gate says "customer.traits[3].value: not UTF-8"; apps are told "/customer/traits/3/value" and the rest. */
static void gate_fault(const char *text, struct item *out)
{
	char pointer[256];
	const char *colon = strstr(text, ": ");
	size_t n = 0;
	if (colon)
		pointer[n++] = '/';
	for (const char *p = text; colon && p < colon && n + 1 < sizeof(pointer); p++)
		if (*p != ']')
			pointer[n++] = *p == '.' || *p == '[' ? '/' : *p;
	pointer[n] = '\0';
	intake_fault(out, pointer, colon ? colon + 2 : text);
}

void submit_item(const struct intake *in, struct hy_arena *scratch, struct hy_bytes raw, struct item *out)
{
	Huiyin__Item *said;
	struct hy_fault f = { 0 };
	hy_arena_reset(scratch);
	if (raw.size > HY_WIRE_INTAKE_MAX) {
		*out = (struct item){ 0 };
		intake_fault(out, "", "larger than 48 KiB in all");
	} else if (hy_wire_unpack(scratch, &huiyin__item__descriptor, raw, &said, &f) != HY_OK) {
		*out = (struct item){ 0 };
		gate_fault(f.text, out);
	} else {
		intake_item(in, said, out);
	}
}
