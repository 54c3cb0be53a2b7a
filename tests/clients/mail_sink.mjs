// A mail server (smtp-server) that reads what it gets with mailparser: the same as tests/support/mail_sink.py, with other eyes.
//
//     node mail_sink.mjs PACKAGES [--tls CERT KEY] [--auth USER PASSWORD]
//
// PACKAGES is the node_modules that both stand in.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [packages, ...words] = process.argv.slice(2);
const require = createRequire(packages + "/");
const { SMTPServer } = require("smtp-server");
const { simpleParser } = require("mailparser");

const after = (name) => (words.includes(name) ? words.slice(words.indexOf(name) + 1, words.indexOf(name) + 3) : null);
const tls = after("--tls");
const auth = after("--auth");
const tell = (value) => process.stdout.write(JSON.stringify(value) + "\n");
const mailboxes = (list) => (list ? list.value.map((a) => ({ name: a.name, address: a.address })) : []);
const header = (mail, name) => mail.headers.get(name) ?? null;

async function read(stream) {
	const mail = await simpleParser(stream, { skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true, skipImageLinks: true });
	return {
		names: mail.headerLines.map((line) => line.key).sort(),
		subject: mail.subject ?? "",
		from: mailboxes(mail.from),
		to: mailboxes(mail.to),
		message_id: mail.messageId,
		in_reply_to: mail.inReplyTo,
		references: mail.references,
		date_ms: mail.date.getTime(),
		auto_submitted: header(mail, "auto-submitted"),
		language: header(mail, "content-language"),
		type: header(mail, "content-type").value,
		text: mail.text,
		html: mail.html,
		attachments: mail.attachments.length,
		defects: [],
	};
}

const server = new SMTPServer({
	name: "sink.test",
	hideSTARTTLS: !tls,
	...(tls && { cert: readFileSync(tls[0]), key: readFileSync(tls[1]) }),
	authOptional: !auth,
	disabledCommands: auth ? [] : ["AUTH"],
	logger: false,
	onAuth(given, session, done) {
		const right = auth && given.username === auth[0] && given.password === auth[1];
		done(right ? null : new Error("wrong user or password"), { user: given.username });
	},
	onData(stream, session, done) {
		read(stream).then(
			(told) => {
				told.envelope = { from: session.envelope.mailFrom.address, to: session.envelope.rcptTo.map((a) => a.address) };
				told.encrypted = session.secure;
				told.user = session.user ?? "";
				tell(told);
				done();
			},
			(fault) => {
				tell({ fault: String(fault) });
				done();
			},
		);
	},
});
server.on("error", (fault) => tell({ fault: String(fault) }));
server.listen(0, "127.0.0.1", () => console.log(server.server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
