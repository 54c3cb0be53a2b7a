#!/usr/bin/env bash
# Sends feedback with curl: one object, then a file of many, one a line.
#
#     ./feedback.sh http://127.0.0.1:8080 huiyin/keys/app-default.key [FILE.jsonl]
set -euo pipefail
url=$1 key_file=$2 file=${3:-}

# The key goes through a descriptor: what stands in the arguments can be read by everybody on the machine.
post() {
	curl --silent --show-error --fail-with-body -H @<(printf 'Authorization: Bearer %s\n' "$(cat "$key_file")") "$@" "$url/v1/feedback"
	echo
}

# Sent again with the same Idempotency-Key, it is still one feedback.
post -H 'Content-Type: application/json' -H "Idempotency-Key: order-17-crash" \
	--data '{"text":"点开订单就闪退","rating":{"scale":"stars","score":2},"customer":{"id":"u-17","locale":"zh-CN"}}'

# A bad line costs only itself. Lines with an "id" can be sent again without harm.
if [ -n "$file" ]; then
	gzip -c "$file" | post -H 'Content-Type: application/x-ndjson' -H 'Content-Encoding: gzip' --data-binary @-
fi
