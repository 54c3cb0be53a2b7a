// Chromium without a window, and the web page of somebody's app: served from another origin than the collector's, so that what browsers check is checked.
import { createServer } from 'node:http';
import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { need, packages } from './ring.mjs';

const { chromium } = need('playwright-core');
const types = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.html': 'text/html; charset=utf-8' };

// /packages/... are the installed packages, everything else is the page.
function serve(html) {
	const server = createServer(async (request, response) => {
		const path = new URL(request.url, 'http://app').pathname;
		try {
			const body = path.startsWith('/packages/') ? await readFile(packages + path.slice('/packages'.length)) : html;
			response.setHeader('Content-Type', types[extname(path)] ?? types['.html']);
			response.end(body);
		} catch {
			response.statusCode = 404;
			response.end();
		}
	});
	return new Promise((done) => server.listen(0, '127.0.0.1', () => done(server)));
}

// `use` gets a page that shows `html`; what the browser complains about is in page.complaints.
export async function withPage(html, use) {
	const server = await serve(html);
	const browser = await chromium.launch({
		executablePath: process.env.HUIYIN_CHROMIUM,
		args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
	});
	try {
		const context = await browser.newContext({ locale: 'zh-CN', timezoneId: 'Asia/Shanghai' });
		const page = await context.newPage();
		page.complaints = [];
		page.on('console', (m) => m.type() === 'error' && page.complaints.push(m.text()));
		page.on('pageerror', (e) => page.complaints.push(String(e)));
		await page.goto(`http://localhost:${server.address().port}/`);
		await use(page);
	} finally {
		await browser.close();
		server.close();
	}
}
