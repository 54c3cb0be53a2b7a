// @segment/analytics-node, with nothing but a host and a key of ours.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { comeBack, cut, huiyin, kept, key, mailTo, need, resolve, run, said, sleep, until, untilSaid, url } from './ring.mjs';

const { Analytics } = need('@segment/analytics-node');

function client(more = {}) {
	const analytics = new Analytics({ writeKey: key, host: url, flushAt: 1, ...more });
	analytics.failures = [];
	analytics.on('error', (e) => analytics.failures.push(e));
	return analytics;
}

async function an_answered_survey_is_kept_with_its_score_its_words_and_who_gave_it() {
	const analytics = client();
	analytics.identify({ userId: 'node-1', traits: { email: 'node1@example.com', name: '王小明', plan: 'pro' } });
	analytics.track({
		userId: 'node-1',
		event: 'NPS Answered',
		properties: { score: 3, comment: '物流太慢,等了九天 🚚', survey: 'spring' },
		context: { locale: 'zh-CN', timezone: 'Asia/Shanghai' },
	});
	await analytics.closeAndFlush();
	assert.deepEqual(analytics.failures, []);
	const f = said('等了九天');
	assert.equal(f.text, '物流太慢,等了九天 🚚');
	assert.equal(f.kind, 'SURVEY');
	assert.equal(f.channel, 'segment');
	assert.deepEqual({ ...f.rating }, { scale: 'nps', score: 3, max: 10 });
	assert.equal(f.customer.id, 'node-1');
	assert.equal(f.customer.locale, 'zh-CN');
	assert.equal(f.customer.timezone, 'Asia/Shanghai');
	assert.equal(f.context.event, 'NPS Answered');
	assert.equal(f.context.survey, 'spring');
	assert.match(f.context['context.library'], /analytics-node/);
	assert.ok(Math.abs(f.at_ms - Date.now()) < 600000, 'it was said just now');
	const who = kept().find((k) => k.profile?.user_id === 'node-1');
	assert.equal(who.traits.plan, 'pro');
	assert.equal(who.customer.name, '王小明');
}

async function an_address_is_sealed_wherever_it_stood() {
	const analytics = client();
	analytics.track({
		userId: 'node-2',
		event: 'Feedback Given',
		properties: { text: 'sealed-address', email: 'hidden@example.com', contact_email: 'hidden@example.com' },
		context: { traits: { email: 'hidden@example.com', phone: '+86 138 0000 0000', team: 'blue' } },
	});
	await analytics.closeAndFlush();
	const all = huiyin('tail', 'feedback', '--json', '--once', '-n', '100000');
	assert.ok(all.includes('sealed-address'));
	assert.ok(!all.includes('hidden@example.com') && !all.includes('138 0000'));
	assert.equal(said('sealed-address').traits.team, 'blue');
}

async function the_same_message_sent_again_adds_nothing() {
	const call = { userId: 'node-3', event: 'CSAT Answered', properties: { score: 5, comment: 'twice-the-same' }, messageId: 'again-1' };
	for (let i = 0; i < 2; i++) {
		const analytics = client();
		analytics.track(call);
		await analytics.closeAndFlush();
		assert.deepEqual(analytics.failures, []);
		await sleep(20); // sentAt differs
	}
	said('twice-the-same');
}

async function a_batch_of_many_calls_is_kept_and_page_views_are_not() {
	const analytics = client({ flushAt: 50, maxEventsInBatch: 50 });
	const before = kept().length;
	for (let i = 0; i < 120; i++) {
		analytics.page({ userId: 'node-4', name: 'Home' });
		analytics.track({ userId: 'node-4', event: 'Order Completed', properties: { total: i } });
		analytics.track({ userId: 'node-4', event: 'Feature Requested', properties: { text: `batch-idea-${i}.` } });
	}
	await analytics.closeAndFlush();
	assert.deepEqual(analytics.failures, []);
	assert.equal(kept().length, before + 120);
	assert.equal(said('batch-idea-119.').kind, 'IDEA');
}

async function what_was_sent_while_the_collector_was_dead_arrives_once() {
	const analytics = client({ maxRetries: 100, httpRequestTimeout: 5000 });
	await cut();
	analytics.track({ userId: 'node-5', event: 'Feedback Given', properties: { text: 'through-the-cut' } });
	await sleep(500);
	await comeBack();
	await untilSaid('through-the-cut');
	await analytics.closeAndFlush();
	said('through-the-cut');
	assert.deepEqual(analytics.failures, []);
}

async function a_faulty_call_is_refused_with_a_pointer_and_costs_only_itself() {
	const post = (path, body, headers = {}) =>
		fetch(url + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers });
	let answer = await post('/v1/batch', {
		writeKey: key,
		batch: [
			{ type: 'track', userId: 'u', event: 'NPS Answered', properties: { score: 11 }, messageId: 'bad-score' },
			{ type: 'page', userId: 'u' },
			{ type: 'track', userId: 'u', event: 'Feedback Given', properties: { text: 'good-neighbour' }, messageId: 'ok' },
		],
	});
	assert.equal(answer.status, 200);
	const { success, rejected } = await answer.json();
	assert.equal(success, true);
	assert.equal(rejected.length, 1);
	assert.equal(rejected[0].index, 0);
	assert.equal(rejected[0].errors[0].pointer, '/batch/0/properties/score');
	said('good-neighbour');
	answer = await post('/v1/t', { writeKey: key, userId: 'u', event: 'NPS Answered', properties: {} });
	assert.equal(answer.status, 400);
	answer = await post('/v1/track', { writeKey: 'hy_nobody', event: 'x' });
	assert.equal(answer.status, 401);
	answer = await post('/v1/track', { writeKey: key, event: 'Feedback Given', properties: { text: 'x'.repeat(40000) } });
	assert.equal(answer.status, 400);
	answer = await post('/v1/track', '{"broken');
	assert.equal(answer.status, 400);
}

// analytics-kotlin and analytics-swift need a phone and TLS; these are their requests.
async function a_phone_gets_its_settings_and_its_zipped_batch_is_kept() {
	const settings = await fetch(`${url}/projects/${key}/settings`).then((r) => r.json());
	assert.equal(settings.integrations['Segment.io'].apiKey, key);
	assert.equal(settings.integrations['Segment.io'].apiHost, `${new URL(url).host}/v1`);
	assert.equal((await fetch(`${url}/projects/hy_nobody/settings`)).status, 401);
	const body = JSON.stringify({
		writeKey: key,
		sentAt: new Date().toISOString(),
		batch: [{ type: 'track', event: 'Feedback Given', anonymousId: 'phone', messageId: 'p1', timestamp: new Date().toISOString(), properties: { rating: 4, text: 'from-a-phone' } }],
	});
	for (const path of ['/v1/b', '/b']) {
		const answer = await fetch(url + path, {
			method: 'POST',
			headers: { 'Content-Type': 'text/plain', 'Content-Encoding': 'gzip' },
			body: new Blob([gzipSync(body)]).stream(), // chunked
			duplex: 'half',
		});
		assert.equal(answer.status, 200);
		assert.deepEqual(await answer.json(), { success: true });
	}
	assert.deepEqual({ ...said('from-a-phone').rating }, { scale: 'stars', score: 4, max: 5 });
}

async function a_clock_that_is_wrong_is_put_right() {
	const wrong = Date.now() - 86400000; // a day behind
	const answer = await fetch(`${url}/v1/track`, {
		method: 'POST',
		headers: { Authorization: `Basic ${Buffer.from(`${key}:`).toString('base64')}` },
		body: JSON.stringify({
			event: 'Feedback Given',
			userId: 'slow-clock',
			properties: { text: 'said-a-minute-ago' },
			timestamp: new Date(wrong - 60000).toISOString(),
			sentAt: new Date(wrong).toISOString(),
		}),
	});
	assert.equal(answer.status, 200);
	const f = said('said-a-minute-ago');
	const ago = Date.now() - f.at_ms;
	assert.ok(ago >= 60000 && ago < 3600000, `${ago} ms ago`);
}

async function the_customer_is_told_when_it_is_resolved() {
	const analytics = client();
	analytics.track({
		userId: 'node-9',
		event: 'Feedback Given',
		properties: { text: '导出报表时总是闪退,报错 500' },
		context: { locale: 'zh-CN', traits: { email: 'told@example.com' } },
	});
	await analytics.closeAndFlush();
	await resolve(said('导出报表时总是闪退').id, '已经修好,请更新到 2.1 版。');
	const mail = await mailTo('told@example.com', '已经修好');
	assert.ok(mail.text.includes('/r/'));
}

await run([
	an_answered_survey_is_kept_with_its_score_its_words_and_who_gave_it,
	an_address_is_sealed_wherever_it_stood,
	the_same_message_sent_again_adds_nothing,
	a_batch_of_many_calls_is_kept_and_page_views_are_not,
	what_was_sent_while_the_collector_was_dead_arrives_once,
	a_faulty_call_is_refused_with_a_pointer_and_costs_only_itself,
	a_phone_gets_its_settings_and_its_zipped_batch_is_kept,
	a_clock_that_is_wrong_is_put_right,
	the_customer_is_told_when_it_is_resolved,
]);
