/* kainjow's mustache with our own variables and our own escaper. */
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include <kainjow/mustache.hpp>

extern "C" {
#pragma GCC diagnostic push
/* hy_bytes() beside struct hy_bytes is plain C; to C++ it is a hidden constructor. */
#pragma GCC diagnostic ignored "-Wshadow"
#include "template/mustache.h"
#pragma GCC diagnostic pop
}

namespace mstch = kainjow::mustache;

namespace
{

struct too_much : std::exception {
};

/* One flat list of names, dots included; an empty value is false, so that a section over it vanishes. Counts what is
 * put in, because a template with many holes and a long text would otherwise grow without bound. */
class values_context : public mstch::basic_context<std::string>
{
      public:
	explicit values_context(const struct hy_template_value *values)
	{
		for (; values->name; values++) {
			bool given = values->text && *values->text;
			values_.insert_or_assign(
				values->name, given ? mstch::data(std::string(values->text)) : mstch::data(false));
		}
	}
	void push(const mstch::data *item) override
	{
		items_.push_back(item);
	}
	void pop() override
	{
		items_.pop_back();
	}
	const mstch::data *get(const std::string &name) const override
	{
		const mstch::data *found = nullptr;
		auto it = values_.find(name);
		if (it != values_.end())
			found = &it->second;
		else if (name == "." && !items_.empty())
			found = items_.back();
		if (found && found->is_string()) {
			put_ += found->string_value().size();
			if (put_ > HY_TEMPLATE_VALUES_MAX)
				throw too_much();
		}
		return found;
	}
	const mstch::data *get_partial(const std::string &) const override
	{
		return nullptr;
	}

      private:
	std::unordered_map<std::string, mstch::data> values_;
	std::vector<const mstch::data *> items_;
	mutable size_t put_ = 0;
};

std::string escaped(hy_mustache_escape *escape, const std::string &text)
{
	struct guard {
		struct hy_buffer buffer = {};
		~guard()
		{
			hy_buffer_free(&buffer);
		}
	} out;
	escape(&out.buffer, hy_bytes(text.data(), text.size()));
	if (out.buffer.err)
		throw std::bad_alloc();
	return std::string(reinterpret_cast<const char *>(out.buffer.data), out.buffer.size);
}

/* The exception in flight as a code and words. */
int caught(char *why, size_t room) noexcept
{
	try {
		throw;
	} catch (const std::bad_alloc &) {
		snprintf(why, room, "no memory");
		return HY_NO_MEMORY;
	} catch (const too_much &) {
		snprintf(why, room, "the values put in are larger than %zu MiB together", HY_TEMPLATE_VALUES_MAX >> 20);
		return HY_TOO_LARGE;
	} catch (const std::exception &e) {
		snprintf(why, room, "%s", e.what());
	} catch (...) {
		snprintf(why, room, "unknown failure");
	}
	return HY_BAD_INPUT;
}

} // namespace

struct hy_mustache {
	mstch::mustache parsed;

	explicit hy_mustache(const std::string &text) : parsed(text)
	{
	}
};

extern "C" int hy_mustache_new(
	struct hy_mustache **out, struct hy_bytes text, hy_mustache_escape *escape, char *why, size_t room)
{
	*out = nullptr;
	try {
		auto m = std::make_unique<hy_mustache>(
			std::string(reinterpret_cast<const char *>(text.data), text.size));
		if (!m->parsed.is_valid()) {
			snprintf(why, room, "%s", m->parsed.error_message().c_str());
			return HY_BAD_INPUT;
		}
		if (escape)
			m->parsed.set_custom_escape([escape](const std::string &s) { return escaped(escape, s); });
		else
			m->parsed.set_custom_escape([](const std::string &s) { return s; });
		*out = m.release();
		return HY_OK;
	} catch (...) {
		return caught(why, room);
	}
}

extern "C" void hy_mustache_free(struct hy_mustache *m)
{
	delete m;
}

extern "C" int hy_mustache_render(
	struct hy_mustache *m, const struct hy_template_value *values, struct hy_buffer *out, char *why, size_t room)
{
	try {
		values_context context(values);
		std::ostringstream stream;
		m->parsed.render(context, stream);
		if (!m->parsed.is_valid()) {
			snprintf(why, room, "%s", m->parsed.error_message().c_str());
			return HY_BAD_INPUT;
		}
		std::string text = stream.str();
		hy_buffer_put(out, text.data(), text.size());
		return out->err;
	} catch (...) {
		return caught(why, room);
	}
}
