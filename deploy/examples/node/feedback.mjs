// Streams the lines of standard input into Huiyin over ZeroMQ, each of them once, however often it is stopped and started.
//
//     npm install zeromq protobufjs
//     node feedback.mjs tcp://127.0.0.1:5570 huiyin/keys/app-default.key my-lines proto/intake.proto < lines.txt
//
// Beyond this machine the door asks for CURVE: give the Dealer curveServerKey, curveSecretKey and curvePublicKey, as huiyin keygen says them.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import protobuf from "protobufjs";
import { Dealer } from "zeromq";

const [url, keyFile, clientId, proto] = process.argv.slice(2);
const key = readFileSync(keyFile, "utf8").trim();
const lines = readFileSync(0, "utf8").split("\n").slice(0, -1);
const root = await protobuf.load(proto);
const Submit = root.lookupType("huiyin.Submit");
const Receipt = root.lookupType("huiyin.Receipt");
const socket = new Dealer({ linger: 0, receiveTimeout: 5000 });
socket.connect(url);

// Sends the items until a Receipt speaks of them; sending again is harmless.
async function submit(firstSeq, texts) {
	const items = texts.map((text) => ({ text, channel: "script" }));
	const message = Submit.encode({ key, clientId, firstSeq, items }).finish();
	for (;;) {
		await socket.send(message);
		const answer = await socket.receive().catch(() => null);
		if (!answer) continue;
		const receipt = Receipt.toObject(Receipt.decode(answer[0]), { defaults: true, longs: Number });
		if (["", "rate", "full", "busy"].includes(receipt.fault)) return receipt;
		throw new Error(`${receipt.fault}: ${receipt.detail}`);
	}
}

let receipt = await submit(1, []); // where did we stop the last time?
while (receipt.durableSeq < lines.length) {
	const first = receipt.durableSeq;
	receipt = await submit(first + 1, lines.slice(first, first + Math.min(receipt.credit, 500)));
	for (const { seq, reasons } of receipt.rejected) console.error(`line ${seq}:`, ...reasons.map((r) => `${r.pointer} ${r.detail}`));
	await sleep(receipt.retryMs);
}
console.log(`${receipt.durableSeq} lines are safe`);
