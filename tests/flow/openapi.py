"""Walks every path of the API's description against the running collector.

    openapi.py PORT KEY SOURCES

Each request example is sent and has to be accepted. Then each operation is asked in ways that it has to refuse: without a key, with another
content type, with a body that is none. Whatever comes back, the document must list its status and its content type, and its JSON must fit the schema.
Every route that the sources know must be in the document, and the other way round. Exit status 77: PyYAML or jsonschema is missing."""
import http.client
import json
import pathlib
import re
import sys

try:
	import jsonschema
	import yaml
except ImportError as missing:
	print(f"{missing}: deploy/packages test")
	sys.exit(77)

PORT, KEY, SOURCES = int(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
faults = []
asked = 0


def ask(method, path, headers=None, body=None):
	global asked
	asked += 1
	c = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
	c.request(method, path, body=body, headers=headers or {})
	r = c.getresponse()
	answer = r.status, (r.getheader("Content-Type") or "").split(";")[0], r.read()
	c.close()
	return answer


def resolve(node):
	while isinstance(node, dict) and "$ref" in node:
		at = spec
		for step in node["$ref"][2:].split("/"):
			at = at[step.replace("~1", "/").replace("~0", "~")]
		node = at
	return node


def fits(schema, value):
	resolver = jsonschema.RefResolver("", spec)
	found = jsonschema.Draft202012Validator(schema, resolver=resolver).iter_errors(value)
	return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in found]


def check(what, operation, answer, accepted=False):
	"""The answer is one that the document lists."""
	status, kind, body = answer
	listed = operation["responses"].get(str(status))
	words = body.decode("utf-8", "replace")[:200]
	if listed is None:
		return faults.append(f"{what}: {status} is not listed: {words}")
	if accepted and status >= 300:
		return faults.append(f"{what}: {status}: {words}")
	content = resolve(listed).get("content", {})
	if not body and not content:
		return None
	if kind not in content:
		return faults.append(f"{what}: {status} comes as {kind}, listed are {list(content)}")
	schema = resolve(content[kind].get("schema", {}))
	value = json.loads(body) if kind.endswith("json") else body.decode()
	for fault in fits(schema, value):
		faults.append(f"{what}: {status}: {fault}")
	return value


def parameters(path, operation):
	return [resolve(p) for p in spec["paths"][path].get("parameters", []) + operation.get("parameters", [])]


def address(path, operation, known):
	for p in parameters(path, operation):
		if p["in"] == "path":
			value = known.get(path + p["name"], p["example"])
			path = path.replace("{%s}" % p["name"], str(value).replace("hy_EXAMPLE", KEY))
	return path


def with_key(operation, url):
	names = {name for way in operation.get("security", spec["security"]) for name in way}
	if "sentryKey" in names:
		return f"{url}?sentry_key={KEY}", {}
	return url, {"Authorization": f"Bearer {KEY}"}


def bodies(operation):
	for kind, media in resolve(operation.get("requestBody", {})).get("content", {}).items():
		for name, example in media.get("examples", {}).items():
			value = resolve(example)["value"]
			for fault in fits(resolve(media.get("schema", {})), value):
				faults.append(f"the example {name}: {fault}")
			text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
			yield kind, name, text.encode()


def walk(path, method, operation, known):
	what = f"{method.upper()} {path}"
	url, key = with_key(operation, address(path, operation, known))
	method = method.upper()
	sent = 0
	for kind, name, body in bodies(operation):
		extra = {p["name"]: p["example"] for p in parameters(path, operation) if p["name"].startswith("ce-")}
		answer = ask(method, url, {**key, **extra, "Content-Type": kind}, body)
		value = check(f"{what}, the example {name} as {kind}", operation, answer, accepted=True)
		if path == "/v1/feedback" and value:
			known["/v1/feedback/{id}id"] = value["ids"][0]
		sent += 1
	if method == "GET":
		check(what, operation, ask(method, url, key), accepted=path != "/r/{token}")
		check(f"{what} without a key", operation, ask(method, address(path, operation, known)))
		return
	if "{" not in path.replace("{project}", "") and not sent:
		faults.append(f"{what}: no example of a request")
	json_body = {**key, "Content-Type": "application/json"}
	check(f"{what} with half an object", operation, ask(method, url, json_body, b'{"text":'))
	check(f"{what} with an empty object", operation, ask(method, url, json_body, b"{}"))
	check(f"{what} without a body", operation, ask(method, url, json_body))
	check(f"{what} as an image", operation, ask(method, url, {**key, "Content-Type": "image/png"}, b"{}"))
	check(f"{what} in a coding nobody knows", operation, ask(method, url, {**json_body, "Content-Encoding": "lzma"}, b"{}"))
	plain = address(path, operation, known)
	check(f"{what} without a key", operation, ask(method, plain, {"Content-Type": "application/json"}, b"{}"))
	check(f"{what} with a key that is none", operation,
		ask(method, plain, {"Content-Type": "application/json", "Authorization": "Bearer hy_none"}, b"{}"))


def routes_of_sources():
	"""Rows { "GET", "/path", ... } and SEGMENT_POST("/path") in the collector's sources."""
	found = set()
	for file in sorted((SOURCES / "services/collector").rglob("*.[ch]")):
		text = file.read_text()
		found |= {(m.lower(), p) for m, p in re.findall(r'\{\s*\\?\s*"(GET|POST)",\s*"(/[^"]*)"', text)}
		found |= {("post", p) for p in re.findall(r'SEGMENT_POST\("(/[^"]*)"\)', text)}
	return found


status, kind, served = ask("GET", "/openapi.yaml")
spec = yaml.safe_load(served)
if served != (SOURCES / "services/collector/web/openapi.yaml").read_bytes():
	faults.append("what is served is not services/collector/web/openapi.yaml")
documented = {(m, p) for p, item in spec["paths"].items() for m in item if m in ("get", "post")}
for m, p in sorted(routes_of_sources() ^ documented):
	where = "the document" if (m, p) in documented else "the sources"
	faults.append(f"{m.upper()} {p} is in {where} alone")
known = {}
for m, p in sorted(documented, key=lambda each: (each[0] != "post", each[1])):
	walk(p, m, spec["paths"][p][m], known)
print("\n".join(faults))
print(f"{asked} requests, {len(documented)} operations, {len(faults)} faults")
sys.exit(1 if faults else 0)
