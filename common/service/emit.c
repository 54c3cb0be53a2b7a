/* What a handler may put on its stream, and the ids for it. */
#include "service/daemon.h"

bool hy_is_feedback(const Huiyin__Envelope *e)
{
	return e->feedback && e->feedback->body_case == HUIYIN__FEEDBACK__BODY_REMARK && !e->ticket && !e->delivery;
}

struct hy_id hy_step_id(struct hy_step *s)
{
	s->daemon->ids_used = true;
	return hy_id_new(&s->daemon->ids, s->now_ms);
}

struct hy_id hy_step_derive(struct hy_id id, uint32_t number, struct hy_bytes person, const char *word)
{
	uint8_t be[4] = { number >> 24, number >> 16, number >> 8, number };
	struct hy_bytes parts[] = { hy_bytes(be, 4), person, hy_bytes_text(word) };
	return hy_id_derive(id, parts, 3);
}

int hy_step_emit_packed(struct hy_step *s, struct hy_bytes packed, bool is_feedback)
{
	struct hy_daemon *d = s->daemon;
	if (packed.size > HY_WIRE_ENVELOPE_MAX)
		return HY_TOO_LARGE;
	int err = hy_stream_append(d->out, s->txn, packed, s->now_ms, NULL);
	d->grown += packed.size;
	if (err == HY_OK && is_feedback)
		d->tally.emitted++;
	return err;
}

int hy_step_forward_packed(struct hy_step *s, uint32_t field, struct hy_bytes packed)
{
	struct hy_buffer *b = &s->daemon->pack;
	hy_buffer_clear(b);
	hy_buffer_bytes(b, s->raw);
	int err = hy_wire_append(b, field, packed);
	return err ? err : hy_step_emit_packed(s, hy_buffer_view(b), hy_is_feedback(s->in));
}

int hy_step_forward(struct hy_step *s, uint32_t field, const ProtobufCMessage *ours)
{
	struct hy_buffer *b = &s->daemon->pack;
	hy_buffer_clear(b);
	hy_buffer_bytes(b, s->raw);
	int err = hy_wire_append_message(b, field, ours);
	return err ? err : hy_step_emit_packed(s, hy_buffer_view(b), hy_is_feedback(s->in));
}

int hy_step_pass(struct hy_step *s)
{
	return hy_step_emit_packed(s, s->raw, hy_is_feedback(s->in));
}

int hy_step_emit(struct hy_step *s, Huiyin__Envelope *e)
{
	struct hy_id id;
	if (e->id.len == 0) {
		id = hy_step_id(s);
		e->id = HY_ID_TO_PB(id);
	}
	if (e->key.len == 0)
		e->key = e->id;
	if (e->at_ms == 0)
		e->at_ms = s->now_ms;
	if (e->project == 0 && s->in)
		e->project = s->in->project;
	if (e->origin_ms == 0)
		e->origin_ms = s->in ? s->in->origin_ms : e->at_ms;
	struct hy_buffer *b = &s->daemon->pack;
	hy_buffer_clear(b);
	int err = hy_wire_pack(&e->base, b);
	return err ? err : hy_step_emit_packed(s, hy_buffer_view(b), hy_is_feedback(e));
}
