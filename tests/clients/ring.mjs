// The ring around a client's test (see with_ring.c): where it is, what it has kept, and the few checks that all of them make.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readdirSync, readFileSync } from 'node:fs';

export const { HUIYIN_URL: url, HUIYIN_KEY: key, HUIYIN_DIR: dir, HUIYIN_BIN: bin, HUIYIN_RING: ring } = process.env;
export const need = createRequire(`${process.env.HUIYIN_CLIENTS}/clients.js`); // require() from the installed packages
export const packages = `${process.env.HUIYIN_CLIENTS}/node_modules`;

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export function huiyin(...args) {
	return execFileSync(`${bin}/huiyin`, [...args, '-C', dir], { encoding: 'utf8', maxBuffer: 64 << 20 });
}

// Waits for an event, not for a time: `look` is asked until it gives something.
export async function until(what, look) {
	const end = Date.now() + 120000;
	for (;;) {
		const found = await look();
		if (found) return found;
		if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
		await sleep(50);
	}
}

// Every record of the stream `feedback`, as {id, ...what was kept}: context and traits as objects.
export function kept() {
	const pairs = (list) => Object.fromEntries((list ?? []).map((p) => [p.name, p.value ?? '']));
	const lines = huiyin('tail', 'feedback', '--json', '--once', '-n', '100000').split('\n').filter(Boolean);
	return lines.map((line) => {
		const { id, feedback } = JSON.parse(line).envelope;
		const remark = feedback.remark;
		return {
			id,
			customer: feedback.customer,
			traits: pairs(feedback.customer?.traits),
			profile: feedback.profile,
			remark,
			text: remark?.text,
			kind: remark?.kind ?? 'FEEDBACK',
			channel: remark?.channel,
			rating: remark?.ratings?.[0],
			context: pairs(remark?.context),
			at_ms: Number(remark?.occurred_ms ?? 0),
		};
	});
}

// The one feedback that holds these words.
export function said(words) {
	const found = kept().filter((f) => f.text?.includes(words));
	assert.equal(found.length, 1, `'${words}' is kept ${found.length} times`);
	return found[0];
}

export const untilSaid = (words) => until(words, () => kept().some((f) => f.text?.includes(words))).then(() => said(words));

export async function resolve(id, note) {
	const ticket = await until('a ticket', async () => {
		const view = JSON.parse(huiyin('trace', id, '--json'));
		return view.ticket?.number;
	});
	huiyin('ticket', 'resolve', ticket, '--note-zh', note, '--note-en', note);
}

// The mails of the outbox that go to this address, decoded.
export async function mailTo(address, words) {
	const { simpleParser } = need('mailparser');
	return until(`a mail to ${address}`, async () => {
		for (const name of readdirSync(`${dir}/outbox`).filter((n) => n.endsWith('.eml'))) {
			const mail = await simpleParser(readFileSync(`${dir}/outbox/${name}`));
			if (mail.to?.text.includes(address) && mail.text.includes(words)) return mail;
		}
		return null;
	});
}

// The collector dies as by a power cut, and comes back.
export async function cut() {
	process.kill(Number(ring), 'SIGUSR1');
	await until('the collector to be gone', () => fetch(`${url}/healthz`).then(() => false, () => true));
}
export async function comeBack() {
	process.kill(Number(ring), 'SIGUSR2');
	await until('the collector to be back', () => fetch(`${url}/readyz`).then((r) => r.ok, () => false));
}

// Each test by name; the first that fails ends it all.
export async function run(tests) {
	for (const test of tests) {
		const name = test.name.replaceAll('_', ' ');
		try {
			await test();
			console.log(`[       OK ] ${name}`);
		} catch (error) {
			console.log(`[  FAILED  ] ${name}`);
			console.log(error);
			console.log('[  FAILED  ] 1 test(s)');
			process.exit(1);
		}
	}
	process.exit(0); // clients keep timers
}
