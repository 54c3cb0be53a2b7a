/* A file of its own: libhuiyin writes JSON, and should not bring a parser along for it. */
#include "json/json.h"

void hy_json_put_text(struct hy_buffer *out, struct hy_bytes text)
{
	static const char escapes[32] = { ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r' };
	size_t from = 0;
	hy_buffer_byte(out, '"');
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		hy_buffer_put(out, text.data + from, i - from);
		from = i + 1;
		hy_buffer_byte(out, '\\');
		if (c >= 0x20)
			hy_buffer_byte(out, c);
		else if (escapes[c])
			hy_buffer_byte(out, (uint8_t)escapes[c]);
		else
			hy_buffer_printf(out, "u%04x", (unsigned)c);
	}
	hy_buffer_put(out, text.data + from, text.size - from);
	hy_buffer_byte(out, '"');
}
