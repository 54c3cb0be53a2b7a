/* Mails as huiyin mail-in reads them: whatever comes is refused, passed over, or a feedback within the collector's bounds. */
#include "huiyin/mail/letter.h"

#include "base/text.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct letter l;
	struct hy_fault f;
	if (size > (1 << 20) ||
		letter_read(hy_bytes(data, size), NULL, "reply+x@example.com", INT64_C(1800000000000), &l, &f) != HY_OK)
		return 0;
	if ((l.feedback == NULL) != (l.dropped != NULL))
		abort();
	if (!l.feedback)
		return 0;
	const char *text = json_string_value(json_object_get(l.feedback, "text")),
		   *id = json_string_value(json_object_get(l.feedback, "id"));
	if (!text || !*text || hy_utf8_count(hy_bytes_text(text)) > LETTER_TEXT_MAX || !id || !*id || strlen(id) > 200)
		abort();
	char *all = json_dumps(l.feedback, 0);
	if (!all || strlen(all) > (128 << 10))
		abort();
	free(all);
	json_decref(l.feedback);
	return 0;
}
