// The cloudevents package: binary, structured, batch.
import assert from 'node:assert/strict';
import { kept, key, mailTo, need, resolve, run, said, untilSaid, url } from './ring.mjs';

const { CloudEvent, HTTP, emitterFor, Mode } = need('cloudevents');
let last;

async function send({ headers, body }) {
	const auth = { Authorization: `Bearer ${key}` };
	const answer = await fetch(`${url}/events`, { method: 'POST', headers: { ...headers, ...auth }, body });
	last = { status: answer.status, body: await answer.json() };
	return last;
}

const event = (more) => new CloudEvent({ type: 'com.example.feedback', source: '/shop/web', ...more });

async function a_binary_event_is_kept() {
	const emit = emitterFor(send, { mode: Mode.BINARY });
	// The package leaves it to the app to encode what a header can't hold; the binding says how.
	await emit(event({ id: 'b1', subject: encodeURIComponent('订单 7'), time: '2026-03-01T08:00:00Z', data: { message: '包装破了,瓶子碎了', stars: 1, user: { id: 'ce-1', email: 'ce1@example.com', vip: true }, order: 7 } }));
	assert.equal(last.status, 202);
	assert.equal(last.body.accepted, 1);
	const f = said('瓶子碎了');
	assert.deepEqual({ ...f.rating }, { scale: 'stars', score: 1, max: 5 });
	assert.equal(f.channel, 'events');
	assert.equal(f.customer.id, 'ce-1');
	assert.equal(f.traits.vip, 'true');
	assert.equal(f.context['ce.type'], 'com.example.feedback');
	assert.equal(f.context['ce.source'], '/shop/web');
	assert.equal(f.context['ce.subject'], '订单 7');
	assert.equal(f.context.order, '7');
	assert.equal(f.at_ms, Date.parse('2026-03-01T08:00:00Z'));
}

async function a_structured_event_in_our_own_shape_is_kept() {
	const emit = emitterFor(send, { mode: Mode.STRUCTURED });
	await emit(event({ id: 's1', data: { text: 'structured-and-ours', rating: { scale: 'nps', score: 9 }, customer: { id: 'ce-2', traits: { plan: 'pro' } }, tags: ['web'] } }));
	assert.equal(last.status, 202);
	const f = said('structured-and-ours');
	assert.deepEqual({ ...f.rating }, { scale: 'nps', score: 9, max: 10 });
	assert.equal(f.traits.plan, 'pro');
	assert.deepEqual(f.remark.tags, ['web']);
}

async function a_batch_keeps_the_good_and_names_the_bad() {
	const events = [
		event({ id: 'x1', data: { text: 'first-of-batch' } }),
		event({ id: 'x2', data: { colour: 'blue' } }),
		event({ id: 'x1', source: '/shop/app', data: { text: 'same-id-other-source' } }),
	];
	const body = JSON.stringify(events.map((e) => JSON.parse(HTTP.structured(e).body)));
	await send({ headers: { 'Content-Type': 'application/cloudevents-batch+json; charset=utf-8' }, body });
	assert.equal(last.status, 202);
	assert.equal(last.body.accepted, 2);
	assert.equal(last.body.rejected[0].index, 1);
	assert.equal(last.body.rejected[0].errors[0].pointer, '/1/data');
	said('first-of-batch');
	await send({ headers: { 'Content-Type': 'application/cloudevents-batch+json' }, body: '[]' });
	assert.equal(last.status, 202);
	assert.equal(last.body.accepted, 0);
	said('same-id-other-source');
}

async function the_same_source_and_id_sent_again_adds_nothing() {
	const again = event({ id: 'twice', data: { text: 'sent-in-two-modes' } });
	await emitterFor(send, { mode: Mode.BINARY })(again);
	const first = last.body.ids[0];
	await emitterFor(send, { mode: Mode.STRUCTURED })(again);
	assert.equal(last.status, 202);
	assert.equal(last.body.duplicates, 1);
	assert.equal(last.body.ids[0], first);
	said('sent-in-two-modes');
}

async function a_row_of_the_configuration_says_where_the_words_are() {
	await emitterFor(send)(event({ id: 'm1', type: 'org.survey.answered.v2', data: { answers: [{ value: 2 }, { value: 'mapped-by-a-row' }], who: 'ce-3' } }));
	assert.equal(last.status, 202);
	const f = said('mapped-by-a-row');
	assert.equal(f.kind, 'SURVEY');
	assert.deepEqual({ ...f.rating }, { scale: 'ces', score: 2, max: 7 });
	assert.equal(f.customer.id, 'ce-3');
}

async function what_is_no_event_is_refused_in_words() {
	const before = kept().length;
	const post = (headers, body = '{"text":"x"}') => send({ headers, body });
	const json = { 'Content-Type': 'application/json' };
	const attributes = { 'ce-id': '1', 'ce-source': '/s', 'ce-type': 't' };
	assert.equal((await post({ ...json, ...attributes, 'ce-specversion': '0.3' })).status, 400);
	assert.match(last.body.detail, /0\.3/);
	assert.equal((await post(json)).status, 400);
	assert.equal((await post({ 'Content-Type': 'application/xml', ...attributes, 'ce-specversion': '1.0' })).status, 415);
	assert.equal((await post({ 'Content-Type': 'application/cloudevents+avro' })).status, 415);
	assert.equal((await post({ ...json, 'ce-specversion': '1.0', 'ce-id': '1', 'ce-type': 't' })).status, 422);
	assert.equal(last.body.errors[0].pointer, '/ce-source');
	assert.equal((await fetch(`${url}/events`, { method: 'POST', headers: json, body: '{}' })).status, 401);
	assert.equal(kept().length, before);
	const hook = await fetch(`${url}/v1/events?access_token=${key}`, {
		method: 'POST', headers: { ...json, ...attributes, 'ce-specversion': '1.0' }, body: '{"text":"by-web-hook"}',
	});
	assert.equal(hook.status, 202);
	said('by-web-hook');
}

async function the_customer_is_told_when_it_is_resolved() {
	await emitterFor(send)(event({ id: 'r1', data: { text: '快递三天没有更新,一直不动', customer: { id: 'ce-9', email: 'ce9@example.com' } } }));
	await resolve((await untilSaid('快递三天')).id, '快递已经送到。');
	await mailTo('ce9@example.com', '快递已经送到');
}

await run([
	a_binary_event_is_kept,
	a_structured_event_in_our_own_shape_is_kept,
	a_batch_keeps_the_good_and_names_the_bad,
	the_same_source_and_id_sent_again_adds_nothing,
	a_row_of_the_configuration_says_where_the_words_are,
	what_is_no_event_is_refused_in_words,
	the_customer_is_told_when_it_is_resolved,
]);
