// A key with a rate: clients that are told to wait wait, and nothing of theirs is lost.
import assert from 'node:assert/strict';
import { kept, key, need, run, url } from './ring.mjs';

const { Analytics } = need('@segment/analytics-node');

async function a_client_faster_than_its_key_waits_and_loses_nothing() {
	const analytics = new Analytics({ writeKey: key, host: url, flushAt: 4 });
	const statuses = [], failures = [];
	analytics.on('http_response', (r) => statuses.push(r.status));
	analytics.on('error', (e) => failures.push(e));
	for (let i = 0; i < 24; i++)
		analytics.track({ userId: 'fast', event: 'Feedback Given', properties: { text: `faster-than-allowed-${i}.` } });
	await analytics.flush({ close: true, timeout: 120000 });
	assert.deepEqual(failures, []);
	assert.ok(statuses.includes(429), `it was told to wait: ${statuses}`);
	assert.equal(new Set(kept().map((f) => f.text)).size, 24);
	assert.equal(kept().length, 24);
}

async function a_sentry_sdk_is_told_in_its_own_words() {
	const envelope = ['{}', ...Array(20).fill('{"type":"feedback"}\n{"contexts":{"feedback":{"message":"too fast"}}}')].join('\n');
	let answer;
	do answer = await fetch(`${url}/api/1/envelope/?sentry_key=${key}`, { method: 'POST', body: envelope, headers: { Origin: 'https://app.example' } });
	while (answer.status === 200);
	assert.equal(answer.status, 429);
	assert.match(answer.headers.get('X-Sentry-Rate-Limits'), /^[1-9]\d*:feedback:organization$/);
	assert.match(answer.headers.get('Retry-After'), /^[1-9]\d*$/);
	assert.match(answer.headers.get('Access-Control-Expose-Headers'), /X-Sentry-Rate-Limits/i);
}

await run([a_client_faster_than_its_key_waits_and_loses_nothing, a_sentry_sdk_is_told_in_its_own_words]);
