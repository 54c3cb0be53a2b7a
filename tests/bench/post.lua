-- wrk: single POSTs of one feedback each, with an id of its own; anything but 202 is counted.
local thread_number = 0
function setup(thread)
	thread:set("number", thread_number)
	thread_number = thread_number + 1
end

local count = 0
function init(args)
	local body = '{"id":"w0-000000000","text":"The app closes by itself each time I open my orders, since the update on Monday. I have tried it on two phones.",' ..
		'"channel":"app","customer":{"id":"customer-000042","locale":"en-GB","email":"c42@example.org"},"context":{"app":"8.4.1","device":"Redmi K60, Android 13"}}'
	local run = os.getenv("BENCH_RUN") or "0"
	body = body:gsub("w0%-", "w" .. run .. number .. "-", 1)
	local request = wrk.format("POST", "/v1/feedback", { ["Authorization"] = "Bearer " .. os.getenv("BENCH_KEY"), ["Content-Type"] = "application/json" }, body)
	local at = request:find("%-000000000")
	head, tail = request:sub(1, at), request:sub(at + 10)
end

function request()
	count = count + 1
	return head .. string.format("%09d", count) .. tail
end
