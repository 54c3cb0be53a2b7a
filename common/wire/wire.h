/* Packing and unpacking: the only place that knows protobuf-c, and the one gate for bytes from outside.
 * hy_wire_open() checks size, UTF-8, embedded NUL, repeated counts, enum values and id lengths before anyone looks;
 * behind it code reads plainly. Unpacked messages live in an arena: one reset frees them all, and a message can't grow
 * past the arena's limit (a 1 MiB frame of tiny items would become 36 MiB, reliability.md M8).
 * Absent strings read as "", absent bytes as size 0. */
#ifndef HY_WIRE_H
#define HY_WIRE_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/id.h"

#include "classification.pb-c.h"
#include "delivery.pb-c.h"
#include "envelope.pb-c.h"
#include "feedback.pb-c.h"
#include "intake.pb-c.h"
#include "link.pb-c.h"
#include "ticket.pb-c.h"

#define HY_WIRE_FRAME_MAX ((size_t)1 << 20)   /* any frame */
#define HY_WIRE_ENVELOPE_MAX ((size_t)64 << 10) /* an encoded Envelope */
#define HY_WIRE_INTAKE_MAX ((size_t)48 << 10) /* an intake item, encoded, before the stations add to it */
#define HY_WIRE_REPEATED_MAX 4096             /* items of any repeated field */

/* Memory that is given back all at once. Limit: 16 MiB unless said; past it hy_arena_get() returns NULL. */
struct hy_arena;
struct hy_arena *hy_arena_new(size_t limit_bytes); /* 0 = 16 MiB; panics without memory */
int hy_arena_open(struct hy_arena **out, size_t limit_bytes); /* the same for who must live on: HY_NO_MEMORY */
void *hy_arena_get(struct hy_arena *a, size_t size); /* 16-byte aligned, not zeroed; NULL past the limit */
char *hy_arena_text(struct hy_arena *a, struct hy_bytes text); /* NUL-terminated copy; NULL past the limit */
void hy_arena_reset(struct hy_arena *a);             /* everything handed out is void; keeps up to 8 MiB for the next round */
void hy_arena_free(struct hy_arena **a);

/* Unpacks and checks any message of proto/. `*out` lives in the arena; views into it until the arena is reset.
 * Fields of a later version are passed over; who forwards a message forwards its bytes.
 * HY_TOO_LARGE, HY_BAD_INPUT (the fault names the field: "feedback.remark.text: not UTF-8"), HY_NO_MEMORY (in this arena:
 * a reset may help). */
int hy_wire_unpack(
	struct hy_arena *a, const ProtobufCMessageDescriptor *type, struct hy_bytes raw, void *out, struct hy_fault *f);

/* The same for an Envelope, which must also have a 16-byte id, a known body or event, and be <= HY_WIRE_ENVELOPE_MAX. */
int hy_wire_open(struct hy_arena *a, struct hy_bytes raw, Huiyin__Envelope **out, struct hy_fault *f);
/* The same for who looks at some stations' fields alone: `parts` has bit 1 << HY_FIELD_X for each of them. The others are neither checked
 * nor unpacked and read as absent, so a body is not asked for; hy_wire_field() still finds them. 0 = all. */
int hy_wire_open_parts(
	struct hy_arena *a, struct hy_bytes raw, uint32_t parts, Huiyin__Envelope **out, struct hy_fault *f);

/* Appends the encoded message to `out`. */
int hy_wire_pack(const ProtobufCMessage *m, struct hy_buffer *out);
/* The encoded message in the arena; data NULL when there is no memory. */
struct hy_bytes hy_wire_pack_in(struct hy_arena *a, const ProtobufCMessage *m);
/* The encoded message in the caller's `room` bytes at `to`, which must be enough for any such message. */
struct hy_bytes hy_wire_pack_to(const ProtobufCMessage *m, uint8_t *to, size_t room);
/* Appends `packed` as the length-delimited field `number`: how a station adds its field to an encoded Envelope. */
int hy_wire_append(struct hy_buffer *out, uint32_t number, struct hy_bytes packed);
int hy_wire_append_message(struct hy_buffer *out, uint32_t number, const ProtobufCMessage *m);

/* Field numbers of the stations in Envelope, for hy_wire_append(). */
enum { HY_FIELD_FEEDBACK = 10, HY_FIELD_CLASSIFICATION = 11, HY_FIELD_ROUTED = 12, HY_FIELD_TICKET = 13, HY_FIELD_DELIVERY = 14 };

/* Reading without unpacking: the value of the last length-delimited field `number` at the top level of `raw`, a view
 * into it (size 0 and data NULL when absent or malformed). Costs a walk over the field headers. */
struct hy_bytes hy_wire_field(struct hy_bytes raw, uint32_t number);
/* The same walk, all fields: returns false at the end, HY_BAD_INPUT through *err when malformed. Start with at = 0. */
struct hy_wire_item {
	uint32_t number;
	int wire_type;            /* 0 varint, 1 fixed64, 2 bytes, 5 fixed32 */
	uint64_t value;           /* of a number */
	struct hy_bytes bytes;    /* of length-delimited ones */
};
bool hy_wire_next(struct hy_bytes raw, size_t *at, struct hy_wire_item *out, int *err);
/* Writing a field by hand. */
void hy_wire_put_varint(struct hy_buffer *out, uint64_t v);
size_t hy_wire_varint_size(uint64_t v);

/* Bytes of a message field as a view, and the way back. */
#define HY_PB(field) hy_bytes((field).data, (field).len)
#define HY_TO_PB(bytes_view) ((ProtobufCBinaryData){ (bytes_view).size, (uint8_t *)(uintptr_t)(bytes_view).data })
#define HY_ID_TO_PB(id_lvalue) ((ProtobufCBinaryData){ 16, (id_lvalue).b })
#define HY_ID_FROM_PB(field) hy_id_from(HY_PB(field))

#endif
