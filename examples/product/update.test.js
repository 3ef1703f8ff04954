// Given an order for new firmware, what has been sent is what starts next, or nothing is. Runs without a board: the cloud, flash and
// timers are played.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { readOrder, Update } from "./update.js";

const image = randomBytes(5_000);
const sha256 = createHash("sha256").update(image).digest("hex");
const ordered = { stream: "firmware-2", size: image.length, sha256 };
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A device and its cloud, which answers each request with `answer`. */
function play(order, answer) {
	const seen = { written: [], completed: 0, closed: 0, requests: [], timers: new Set() };
	let handler;
	const connection = {
		subscribe(filters, handle) {
			seen.filters = filters;
			handler = handle;
			return Promise.resolve();
		},
		publish(topic, request) {
			seen.requests.push({ topic, ...request });
			const reply = answer(request, seen.requests.length);
			for (const one of [reply].flat())
				if (one) setImmediate(() => handler(one.topic ?? seen.filters[0], one.topic ? {} : one));
			return Promise.resolve();
		},
	};
	const machine = {
		open: () => ({
			write: (bytes) => seen.written.push(...bytes),
			complete: () => {
				seen.completed += 1;
			},
			close: () => {
				seen.closed += 1;
			},
		}),
		newDigest() {
			const hash = createHash("sha256");
			return { write: (bytes) => hash.update(bytes), close: () => new Uint8Array(hash.digest()).buffer };
		},
		encode: (value) => value,
		decode: (value) => value,
		timer: {
			set(callback) {
				const timer = { callback };
				seen.timers.add(timer);
				return timer;
			},
			clear: (timer) => seen.timers.delete(timer),
		},
	};
	return { seen, update: new Update(order, { connection, thingName: "one", machine }) };
}

const block = ({ o, l }) => ({ i: o, p: new Uint8Array(image.subarray(o * l, (o + 1) * l)) });

test("all blocks come: the image is written as it is, and starts next", async () => {
	const { seen, update } = play(ordered, block);
	assert.equal(await update.done, true);
	assert.deepEqual(Buffer.from(seen.written), image);
	assert.deepEqual([seen.completed, seen.closed, seen.timers.size], [1, 1, 0]);
	assert.deepEqual(seen.filters, [
		"$aws/things/one/streams/firmware-2/data/cbor",
		"$aws/things/one/streams/firmware-2/rejected/cbor",
	]);
	assert.deepEqual(seen.requests[1], {
		topic: "$aws/things/one/streams/firmware-2/get/cbor",
		f: 0,
		l: 2048,
		o: 1,
		n: 1,
	});
});

test("a block comes twice, another is lost and asked for again: nothing is written twice", async () => {
	const { seen, update } = play(ordered, (request, count) => {
		if (count === 1) return [block(request), block(request)];
		return count === 2 ? undefined : block(request);
	});
	while (seen.requests.length < 2) await turn();
	const [timer] = seen.timers;
	timer.callback();
	await update.done;
	assert.deepEqual(Buffer.from(seen.written), image);
	assert.equal(seen.completed, 1);
});

for (const [what, order, answer, reason] of [
	[
		"one byte is another",
		{ ...ordered, sha256: sha256.replace(/./, (digit) => (digit === "0" ? "1" : "0")) },
		block,
		/SHA-256/,
	],
	["a block is too short", ordered, (request) => ({ i: request.o, p: new Uint8Array(7) }), /length/],
	["a block is no bytes", ordered, (request) => ({ i: request.o, p: "text" }), /length/],
	["it is refused", ordered, () => ({ topic: "$aws/things/one/streams/firmware-2/rejected/cbor" }), /refused/],
])
	test(`${what}: the firmware that runs stays`, async () => {
		const { seen, update } = play(order, answer);
		await assert.rejects(update.done, reason);
		assert.deepEqual([seen.completed, seen.closed, seen.timers.size], [0, 1, 0]);
	});

test("no answer: it is given up after six requests", async () => {
	const { seen, update } = play(ordered, () => undefined);
	await turn();
	while (seen.timers.size) for (const timer of [...seen.timers]) timer.callback();
	await assert.rejects(update.done, /no answer/);
	assert.deepEqual([seen.requests.length, seen.completed, seen.closed], [6, 0, 1]);
});

test("the connection ends: it is cancelled, and what comes later changes nothing", async () => {
	const { seen, update } = play(ordered, block);
	await turn();
	update.cancel();
	update.cancel();
	assert.equal(await update.done, false);
	await turn();
	assert.deepEqual([seen.completed, seen.closed, seen.timers.size], [0, 1, 0]);
});

test("an order is read, and refused when it is none", () => {
	const order = { version: "0.2.0", ...ordered };
	assert.deepEqual(readOrder(JSON.stringify(order), "0.1.0"), ordered);
	assert.equal(readOrder(JSON.stringify(order), "0.2.0"), undefined, "it runs already");
	assert.equal(readOrder("", "0.1.0"), undefined, "taken back");
	for (const wrong of [{ size: -1 }, { size: "5000" }, { stream: "a/#" }, { sha256: "no" }, { version: 2 }])
		assert.throws(() => readOrder(JSON.stringify({ ...order, ...wrong }), "0.1.0"), TypeError);
	assert.throws(() => readOrder("{", "0.1.0"), SyntaxError);
});
