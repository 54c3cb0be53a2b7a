// @segment/analytics-next in Chromium, loaded as web pages load it: the write key is ours, and so are CDN and host.
import assert from 'node:assert/strict';
import { withPage } from './browser.mjs';
import { kept, key, mailTo, resolve, run, said, untilSaid, url } from './ring.mjs';

// What Segment's snippet does, in few words: a queue until the library is there. It asks `cdn` for the settings, which name the host.
const html = `<!doctype html><title>app</title><script>
	const analytics = (window.analytics = []);
	analytics.invoked = true;
	analytics._writeKey = ${JSON.stringify(key)};
	analytics._cdn = ${JSON.stringify(url)};
	for (const method of ['identify', 'track', 'page', 'ready', 'on', 'reset'])
		analytics[method] = (...args) => analytics.push([method, ...args]);
</script><script src="/packages/@segment/analytics-next/dist/umd/standalone.js"></script>`;

const analytics = (page, method, ...args) =>
	page.evaluate(([name, list]) => window.analytics[name](...list).then((c) => (c?.event ?? c)?.messageId ?? null), [method, args]);

async function a_page_says_what_its_user_thinks_from_another_origin() {
	await withPage(html, async (page) => {
		await page.waitForFunction(() => window.analytics.initialized);
		await analytics(page, 'page', 'Home');
		await analytics(page, 'identify', 'web-1', { email: 'web1@example.com', plan: 'free' });
		await analytics(page, 'track', 'CSAT Answered', { score: 2, comment: '导出按钮点了没反应' });
		const f = await untilSaid('导出按钮');
		assert.deepEqual({ ...f.rating }, { scale: 'csat', score: 2, max: 5 });
		assert.equal(f.kind, 'SURVEY');
		assert.equal(f.customer.id, 'web-1');
		assert.equal(f.customer.locale, 'zh-CN');
		assert.equal(f.customer.timezone, 'Asia/Shanghai');
		assert.match(f.context['context.userAgent'], /Chrome/);
		assert.equal(kept().find((k) => k.profile?.user_id === 'web-1').traits.plan, 'free');
		assert.deepEqual(page.complaints.filter((c) => /CORS|blocked/.test(c)), []);
	});
}

async function a_visitor_without_a_name_is_one_person_all_the_same() {
	await withPage(html, async (page) => {
		await page.waitForFunction(() => window.analytics.initialized);
		await analytics(page, 'track', 'Feedback Given', { text: 'nobody-knows-me-1' });
		await analytics(page, 'track', 'Feedback Given', { text: 'nobody-knows-me-2', rating: 1 });
		const [a, b] = [await untilSaid('nobody-knows-me-1'), await untilSaid('nobody-knows-me-2')];
		assert.ok(a.customer.id);
		assert.equal(a.customer.id, b.customer.id);
	});
}

async function what_a_page_sent_is_sent_again_by_itself_and_kept_once() {
	await withPage(html, async (page) => {
		await page.waitForFunction(() => window.analytics.initialized);
		let calls = 0;
		await page.route(`${url}/v1/t`, async (route) => {
			if (route.request().method() !== 'POST') return route.continue();
			calls++;
			const answer = await route.fetch();
			if (calls > 1) return route.fulfill({ response: answer });
			return route.abort(); // it was kept, and the answer got lost
		});
		page.evaluate(() => window.analytics.track('Feedback Given', { text: 'lost-answer' }));
		await untilSaid('lost-answer');
		await page.waitForTimeout(100);
		for (let i = 0; calls < 2 && i < 600; i++) await page.waitForTimeout(100);
		assert.ok(calls >= 2, 'the client sent it again');
		said('lost-answer');
	});
}

async function the_visitor_is_told_when_it_is_resolved() {
	await withPage(html, async (page) => {
		await page.waitForFunction(() => window.analytics.initialized);
		await analytics(page, 'identify', 'web-9', { email: 'web9@example.com' });
		await analytics(page, 'track', 'Feedback Given', { text: '登录以后页面一直白屏', rating: 1 });
		await resolve((await untilSaid('一直白屏')).id, '白屏已经修好。');
		await mailTo('web9@example.com', '白屏已经修好');
	});
}

await run([
	a_page_says_what_its_user_thinks_from_another_origin,
	a_visitor_without_a_name_is_one_person_all_the_same,
	what_a_page_sent_is_sent_again_by_itself_and_kept_once,
	the_visitor_is_told_when_it_is_resolved,
]);
