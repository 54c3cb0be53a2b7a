/* Prometheus text exposition 0.0.4 of a health document: one family a number, HELP and TYPE on each, no user data in labels. */
#include "routes.h"

static void family(struct hy_buffer *out, const char *name, const char *type, const char *help)
{
	hy_buffer_printf(out, "# HELP huiyin_%s %s\n# TYPE huiyin_%s %s\n", name, help, name, type);
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static const char *word(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text ? text : "";
}

void metrics_text(const json_t *h, struct hy_buffer *out)
{
	const json_t *stream = json_object_get(h, "stream"), *store = json_object_get(h, "store"),
		     *feedback = json_object_get(h, "feedback");
	const json_t *inputs = json_object_get(h, "inputs"), *readers = json_object_get(stream, "readers"),
		     *counters = json_object_get(h, "counters"), *dedupe = json_object_get(h, "dedupe"), *each;
	const char *daemon = word(h, "daemon"), *name;
	size_t i;
	family(out, "up_seconds", "gauge", "Seconds since the daemon started");
	hy_buffer_printf(out, "huiyin_up_seconds{daemon=\"%s\"} %.3f\n", daemon, (double)number(h, "uptime_ms") / 1000);
	family(out, "stream_head", "counter", "Last committed sequence of the daemon's stream");
	hy_buffer_printf(out, "huiyin_stream_head{stream=\"%s\"} %" JSON_INTEGER_FORMAT "\n", word(stream, "name"),
		number(stream, "head"));
	family(out, "reader_lag_records", "gauge", "Records a reader of the stream has not committed yet");
	json_array_foreach(readers, i, each) hy_buffer_printf(out,
		"huiyin_reader_lag_records{stream=\"%s\",reader=\"%s\"} %" JSON_INTEGER_FORMAT "\n",
		word(stream, "name"), word(each, "peer"), number(each, "lag"));
	family(out, "input_lag_records", "gauge", "Records this daemon has not taken from its inputs yet");
	json_array_foreach(inputs, i, each)
		hy_buffer_printf(out, "huiyin_input_lag_records{stream=\"%s\"} %" JSON_INTEGER_FORMAT "\n",
			word(each, "stream"), number(each, "lag"));
	family(out, "store_live_bytes", "gauge", "Bytes in use in the store");
	hy_buffer_printf(out, "huiyin_store_live_bytes{daemon=\"%s\"} %" JSON_INTEGER_FORMAT "\n", daemon,
		number(store, "live_bytes"));
	family(out, "store_quota_bytes", "gauge", "Most the store may hold; intake stops at 85 %");
	hy_buffer_printf(out, "huiyin_store_quota_bytes{daemon=\"%s\"} %" JSON_INTEGER_FORMAT "\n", daemon,
		number(store, "quota_bytes"));
	family(out, "dead_letters", "gauge", "Records that failed for good and wait for somebody");
	hy_buffer_printf(
		out, "huiyin_dead_letters{daemon=\"%s\"} %" JSON_INTEGER_FORMAT "\n", daemon, number(h, "dead"));
	family(out, "feedback_total", "counter", "Feedback put on the stream");
	hy_buffer_printf(out, "huiyin_feedback_total{daemon=\"%s\"} %" JSON_INTEGER_FORMAT "\n", daemon,
		number(feedback, "emitted"));
	family(out, "dedupe_ids", "gauge", "Clients' own ids that are remembered");
	hy_buffer_printf(out, "huiyin_dedupe_ids %" JSON_INTEGER_FORMAT "\n", number(dedupe, "ids"));
	family(out, "dedupe_overflowed_total", "counter",
		"Ids forgotten inside dedupe.window because there were more than dedupe.ids");
	hy_buffer_printf(
		out, "huiyin_dedupe_overflowed_total %" JSON_INTEGER_FORMAT "\n", number(dedupe, "overflowed"));
	family(out, "door_clients", "gauge", "Clients of the ZeroMQ door that said something in the last ten minutes");
	hy_buffer_printf(
		out, "huiyin_door_clients %" JSON_INTEGER_FORMAT "\n", number(json_object_get(h, "door"), "clients"));
	json_object_foreach((json_t *)(uintptr_t)counters, name, each)
	{
		family(out, name, "counter", "Counted since the daemon started");
		hy_buffer_printf(out, "huiyin_%s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(each));
	}
}
