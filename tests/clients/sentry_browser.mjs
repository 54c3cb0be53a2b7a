// @sentry/browser in Chromium with a DSN of ours: by hand, and through its own feedback dialog.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { withPage } from './browser.mjs';
import { key, packages, run, said, untilSaid, url } from './ring.mjs';

// The packages as they are, module by module; node says where each one is.
const resolver = `${packages}/../resolve.mjs`;
writeFileSync(resolver, 'export const at = (name) => import.meta.resolve(name);\n');
const { at } = await import(pathToFileURL(resolver).href);
const names = [
	'@sentry/browser', '@sentry/core', '@sentry/core/browser', '@sentry/browser-utils', '@sentry/feedback', '@sentry/replay',
	'@sentry/replay-canvas', '@sentry/conventions/attributes', '@sentry/conventions/metrics', '@sentry/conventions/op', 'web-vitals',
];
const root = pathToFileURL(packages).href;
const imports = Object.fromEntries(names.map((name) => [name, `/packages${at(name).slice(root.length)}`]));

const dsn = url.replace('://', `://${key}@`) + '/1';
const html = `<!doctype html><title>app</title>
<script type="importmap">${JSON.stringify({ imports })}</script>
<script type="module">
	import * as Sentry from '@sentry/browser';
	const feedback = Sentry.feedbackIntegration({ autoInject: false, showBranding: false, enableScreenshot: false });
	Sentry.init({ dsn: ${JSON.stringify(dsn)}, release: 'web@3', integrations: [feedback] });
	Object.assign(window, { Sentry, feedback });
</script>`;

async function a_page_sends_feedback_from_another_origin() {
	await withPage(html, async (page) => {
		await page.waitForFunction(() => window.Sentry);
		const status = await page.evaluate(
			() => new Promise((done) => {
				Sentry.setUser({ id: 'sentry-web' });
				Sentry.getClient().on('afterSendEvent', (event, answer) => done(answer.statusCode));
				Sentry.captureFeedback({ message: '页面往下拉会跳回顶部', email: 'web@example.com', name: '韩梅梅' });
			}),
		);
		assert.equal(status, 200);
		const f = await untilSaid('跳回顶部');
		assert.equal(f.customer.id, 'sentry-web');
		assert.equal(f.customer.name, '韩梅梅');
		assert.equal(f.context.release, 'web@3');
		assert.deepEqual(page.complaints, []);
	});
}

async function the_dialog_that_users_know_works() {
	await withPage(html, async (page) => {
		await page.waitForFunction(() => window.feedback);
		await page.evaluate(async () => {
			const form = await feedback.createForm();
			form.appendToDom();
			form.open();
		});
		await page.locator('input[name=name]').fill('Ann');
		await page.locator('input[name=email]').fill('ann@example.com');
		await page.locator('textarea[name=message]').fill('I cannot find the export button\nanywhere <b>at all</b>');
		await page.locator('button[type=submit]').click();
		const f = await untilSaid('export button');
		assert.equal(f.text, 'I cannot find the export button\nanywhere <b>at all</b>');
		assert.equal(f.customer.name, 'Ann');
		assert.match(f.context.url, /^http:\/\/localhost/);
		assert.deepEqual(page.complaints, []);
		said('export button');
	});
}

await run([a_page_sends_feedback_from_another_origin, the_dialog_that_users_know_works]);
