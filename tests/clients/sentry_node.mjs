// @sentry/node, with a DSN of ours.
import assert from 'node:assert/strict';
import { deflateSync } from 'node:zlib';
import { kept, key, mailTo, need, resolve, run, said, untilSaid, url } from './ring.mjs';

const Sentry = need('@sentry/node');
const dsn = url.replace('://', `://${key}@`) + '/1';
const answers = [];

function init(options = {}) {
	Sentry.init({ dsn, release: 'app@2.0.1', environment: 'production', defaultIntegrations: false, ...options });
	Sentry.getClient().on('afterSendEvent', (event, answer) => answers.push(answer.statusCode));
}

async function feedback_is_kept_with_who_gave_it_and_where() {
	init();
	Sentry.setUser({ id: 'sentry-1', email: 'other@example.com', segment: 'beta', ip_address: '10.1.2.3' });
	Sentry.setTag('page', 'checkout');
	const id = Sentry.captureFeedback({
		message: '支付按钮点不动 💳',
		name: '李雷',
		email: 'lilei@example.com',
		url: 'https://shop.example.com/pay',
		source: 'widget',
		associatedEventId: 'b'.repeat(32),
	});
	assert.ok(await Sentry.flush(60000));
	const f = said('支付按钮点不动');
	assert.equal(f.text, '支付按钮点不动 💳');
	assert.equal(f.channel, 'sentry');
	assert.equal(f.remark.client_id, id);
	assert.equal(f.customer.id, 'sentry-1');
	assert.equal(f.customer.name, '李雷');
	assert.deepEqual(f.traits, { segment: 'beta' });
	assert.equal(f.context.url, 'https://shop.example.com/pay');
	assert.equal(f.context.source, 'widget');
	assert.equal(f.context.associated_event_id, 'b'.repeat(32));
	assert.equal(f.context.release, 'app@2.0.1');
	assert.equal(f.context.environment, 'production');
	assert.equal(f.context['tags.page'], 'checkout');
	assert.match(f.context.trace_id, /^[0-9a-f]{32}$/);
	assert.ok(Math.abs(f.at_ms - Date.now()) < 600000);
	assert.equal(answers.at(-1), 200);
}

async function an_error_passes_by_and_a_screenshot_does_not_weigh() {
	const before = kept().length;
	Sentry.captureException(new Error('not a word of a customer'));
	assert.ok(await Sentry.flush(60000));
	assert.equal(answers.at(-1), 200);
	assert.equal(kept().length, before);
	Sentry.captureFeedback(
		{ message: 'with-a-screenshot' },
		{ attachments: [{ filename: 'screen.png', contentType: 'image/png', data: new Uint8Array(5 << 20).map((_, i) => i * 7) }] },
	);
	assert.ok(await Sentry.flush(60000));
	assert.equal(answers.at(-1), 200);
	said('with-a-screenshot');
}

async function the_same_event_sent_again_adds_nothing() {
	const header = { event_id: 'c'.repeat(32), sent_at: new Date().toISOString(), dsn };
	const feedback = { type: 'feedback', event_id: header.event_id, contexts: { feedback: { message: 'once-however-often', contact_email: 'no address' } } };
	const body = [header, { type: 'feedback' }, feedback].map((j) => JSON.stringify(j)).join('\n');
	for (const encoding of [null, 'deflate', null]) {
		header.sent_at = new Date().toISOString();
		const answer = await fetch(`${url}/api/1/envelope/`, {
			method: 'POST',
			headers: encoding ? { 'Content-Encoding': encoding } : {},
			body: encoding ? deflateSync(body) : body,
		});
		assert.equal(answer.status, 200);
		assert.deepEqual(await answer.json(), { id: header.event_id });
	}
	const f = said('once-however-often');
	assert.equal(f.customer, undefined, 'what is no address is not taken for one');
}

async function an_old_report_is_kept_too() {
	const body = [
		{ event_id: 'd'.repeat(32) },
		{ type: 'user_report' },
		{ event_id: 'd'.repeat(32), email: 'old@example.com', name: 'Old SDK', comments: 'reported-the-old-way' },
	].map((j) => JSON.stringify(j)).join('\r\n');
	for (let i = 0; i < 2; i++)
		assert.equal((await fetch(`${url}/api/1/envelope?sentry_key=${key}`, { method: 'POST', body })).status, 200);
	const f = said('reported-the-old-way');
	assert.equal(f.customer.name, 'Old SDK');
	assert.equal(f.context.associated_event_id, 'd'.repeat(32));
}

async function who_has_no_key_of_the_project_is_refused() {
	const body = `${JSON.stringify({ event_id: 'e'.repeat(32) })}\n{"type":"feedback"}\n{"contexts":{"feedback":{"message":"a stranger's"}}}`;
	const post = (path, headers = {}) => fetch(url + path, { method: 'POST', body, headers }).then((r) => r.status);
	assert.equal(await post('/api/1/envelope/'), 403);
	assert.equal(await post('/api/1/envelope/?sentry_key=hy_nobody'), 403);
	assert.equal(await post(`/api/2/envelope/?sentry_key=${key}`), 403);
	assert.equal(await post('/api/1/envelope/', { 'X-Sentry-Auth': `Sentry sentry_version=7, sentry_key=${key}` }), 200);
	const broken = await fetch(`${url}/api/1/envelope/?sentry_key=${key}`, { method: 'POST', body: 'no envelope' });
	assert.equal(broken.status, 400);
	assert.match((await broken.json()).detail, /line/);
	said("a stranger's");
}

async function the_customer_is_told_when_it_is_resolved() {
	Sentry.captureFeedback({ message: 'The app crashes whenever I open the settings page', email: 'crash@example.com' });
	assert.ok(await Sentry.flush(60000));
	await resolve((await untilSaid('open the settings page')).id, 'Fixed in version 2.1.');
	await mailTo('crash@example.com', 'Fixed in version 2.1');
}

await run([
	feedback_is_kept_with_who_gave_it_and_where,
	an_error_passes_by_and_a_screenshot_does_not_weigh,
	the_same_event_sent_again_adds_nothing,
	an_old_report_is_kept_too,
	who_has_no_key_of_the_project_is_refused,
	the_customer_is_told_when_it_is_resolved,
]);
