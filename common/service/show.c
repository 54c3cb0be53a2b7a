/* Any message as JSON by its descriptor: ids as text, sealed bytes as their size, absent fields left out. For people and scripts. */
#include "service/daemon.h"

#include <sodium.h>

static json_t *show_bytes(const ProtobufCBinaryData *b, const char *name)
{
	char text[129];
	if (strcmp(name, "sealed") == 0)
		return json_sprintf("sealed, %zu bytes", b->len);
	if (b->len == 16) {
		hy_id_text(hy_id_from(hy_bytes(b->data, b->len)), text);
		return json_string(text);
	}
	hy_hex(b->data, b->len < 64 ? b->len : 64, text);
	return json_string(text);
}

/* One value of a field at `p`; NULL when it is absent or says nothing. */
static json_t *show_value(const ProtobufCFieldDescriptor *f, const void *p, bool optional)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		return *(const int32_t *)p || optional ? json_integer(*(const int32_t *)p) : NULL;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		return *(const uint32_t *)p || optional ? json_integer(*(const uint32_t *)p) : NULL;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return *(const int64_t *)p || optional ? json_integer(*(const int64_t *)p) : NULL;
	case PROTOBUF_C_TYPE_FLOAT:
		return *(const float *)p != 0 || optional ? json_real(*(const float *)p) : NULL;
	case PROTOBUF_C_TYPE_DOUBLE:
		return *(const double *)p != 0 || optional ? json_real(*(const double *)p) : NULL;
	case PROTOBUF_C_TYPE_BOOL:
		return *(const protobuf_c_boolean *)p || optional ? json_boolean(*(const protobuf_c_boolean *)p) : NULL;
	case PROTOBUF_C_TYPE_ENUM: {
		const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(f->descriptor, *(const int *)p);
		return *(const int *)p || optional ? json_string(v ? v->name : "?") : NULL;
	}
	case PROTOBUF_C_TYPE_STRING: {
		const char *text = *(char *const *)p;
		return text && (text[0] || optional) ? json_string(text) : NULL;
	}
	case PROTOBUF_C_TYPE_BYTES:
		return ((const ProtobufCBinaryData *)p)->len ? show_bytes(p, f->name) : NULL;
	case PROTOBUF_C_TYPE_MESSAGE: {
		const ProtobufCMessage *m = *(ProtobufCMessage *const *)p;
		return m ? hy_show_message(m) : NULL;
	}
	}
	return NULL;
}

static size_t value_size(ProtobufCType type)
{
	switch (type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	default:
		return 4;
	}
}

json_t *hy_show_message(const ProtobufCMessage *m)
{
	json_t *out = json_object();
	const char *base = (const char *)m;
	for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
		const char *p = base + f->offset;
		json_t *v = NULL;
		if (f->label == PROTOBUF_C_LABEL_REPEATED) {
			size_t n = *(const size_t *)(base + f->quantifier_offset), size = value_size(f->type);
			const char *items = *(const char *const *)p;
			if (n > 0)
				v = json_array();
			for (size_t k = 0; k < n; k++) {
				json_t *item = show_value(f, items + k * size, true);
				json_array_append_new(v, item ? item : json_null());
			}
		} else if (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) {
			if (*(const int *)(base + f->quantifier_offset) == (int)f->id)
				v = show_value(f, p, true);
		} else {
			bool optional = f->quantifier_offset && f->type != PROTOBUF_C_TYPE_STRING &&
					f->type != PROTOBUF_C_TYPE_MESSAGE;
			if (!optional || *(const protobuf_c_boolean *)(base + f->quantifier_offset))
				v = show_value(f, p, optional);
		}
		if (v)
			json_object_set_new(out, f->name, v);
	}
	return out;
}

json_t *hy_show_envelope(struct hy_bytes raw)
{
	struct hy_arena *a = hy_arena_new(0);
	Huiyin__Envelope *e;
	struct hy_fault f;
	json_t *out;
	if (hy_wire_open(a, raw, &e, &f) == HY_OK)
		out = hy_show_message(&e->base);
	else
		out = json_pack("{s:s, s:I}", "unreadable", f.text, "bytes", (json_int_t)raw.size);
	hy_arena_free(&a);
	return out;
}
