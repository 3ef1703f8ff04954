// Whatever goes wrong within one request of the control plane ends that request, with a warning that says where, and nothing else.

import { connect } from "node:net";
import t, { type Test } from "tap";
import type { CloudEvent } from "../../../hosts/cloud/base/events.js";
import { startCloud } from "../../../hosts/cloud/cloud.js";

async function start(t: Test) {
	const warnings: string[] = [];
	const onEvent = (event: CloudEvent) => {
		if (event.event === "warning") warnings.push(event.message);
	};
	const cloud = await startCloud({ settings: { keyPairs: { ahead: 0 } }, controlPlane: {}, onEvent });
	t.teardown(() => cloud.close());
	warnings.length = 0;
	const { url } = cloud.controlPlane!;
	const healthy = async () => t.equal((await fetch(`${url}/_local/health`)).status, 200, "and it goes on");
	return { cloud, url, warnings, healthy };
}

t.test("An operation that throws, rejects, or gives what cannot be sent, is a 500 with a warning", async (t) => {
	const { cloud, url, warnings, healthy } = await start(t);
	const { things } = cloud.registry;
	const cyclic: Record<string, unknown> = {};
	cyclic.itself = cyclic;
	const secret = "not to be told";
	for (const [what, listThings] of [
		["throws an error", () => JSON.parse(`{"${secret}`)],
		[
			"throws what is no error",
			() => {
				throw null;
			},
		],
		["rejects", () => Promise.reject(new Error(secret))],
		["rejects with nothing", () => Promise.reject()],
		["gives what is no JSON", () => cyclic],
		["gives a number without end", () => ({ things: 10n })],
	] as const) {
		things.listThings = listThings as typeof things.listThings;
		const response = await fetch(`${url}/things?maxResults=1`);
		t.same([response.status, response.headers.get("x-amzn-errortype")], [500, "InternalFailureException"], what);
		t.same(await response.json(), { message: "An unexpected error has occurred." });
		t.match(warnings.splice(0), [/failed unexpectedly in GET \/things: \w/], `${what}: one warning that says where`);
		await healthy();
	}
	t.notMatch(JSON.stringify(cloud.events.since()), secret);
});

t.test("When not even the refusal can be made, the connection ends, with a warning", async (t) => {
	const { cloud, url, warnings, healthy } = await start(t);
	const report = cloud.events.report;
	cloud.registry.things.listThings = () => {
		throw new TypeError("first");
	};
	cloud.events.report = () => {
		throw new RangeError("second");
	};
	await t.rejects(fetch(`${url}/things`), "it is hung up on");
	cloud.events.report = report;
	t.match(warnings, [/failed unexpectedly in an answer: RangeError at /]);
	await healthy();
});

t.test("A listener of events that throws is nobody's else's trouble", async (t) => {
	const { cloud, url, healthy } = await start(t);
	cloud.events.listen(() => {
		throw new Error("a listener");
	});
	cloud.registry.things.listThings = () => {
		throw new Error("an operation");
	};
	t.equal((await fetch(`${url}/things`)).status, 500);
	await healthy();
});

t.test("Clients that go, in the middle of whatever it is, leave nothing behind", async (t) => {
	const { cloud, url, warnings, healthy } = await start(t);
	const port = Number(new URL(url).port);
	const host = "Host: 127.0.0.1";
	const half = `POST /policies/a HTTP/1.1\r\n${host}\r\nContent-Length: 100000\r\n\r\n{"policyDocument":"`;
	const live = `GET /_local/events HTTP/1.1\r\n${host}\r\nAccept: text/event-stream\r\n\r\n`;
	const ahead = `GET /things HTTP/1.1\r\n${host}\r\n\r\n`.repeat(20);
	const chunked = `POST /policies/a HTTP/1.1\r\n${host}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\nffffff\r\n`;
	for (let round = 0; round < 40; round++) {
		for (const text of [half, live, ahead, chunked, "GET / HTTP/1.1\r\nbroken", `${half}\r\n\0\0`, live.slice(0, 30)]) {
			const socket = connect(port, "127.0.0.1");
			socket.on("error", () => {});
			await new Promise((resolve) => socket.write(text, resolve));
			cloud.events.report({ event: "certificate.expired", certificateId: "0", reason: "token" });
			if (round % 3 === 0) socket.resetAndDestroy();
			else if (round % 3 === 1) socket.destroy();
			else socket.end(() => socket.destroy());
		}
	}
	await healthy();
	t.same(warnings, []);
	// All 32 places for live streams are free again.
	const abort = new AbortController();
	const headers = { accept: "text/event-stream" };
	let opened = 0;
	while (opened < 32) {
		const { status, body } = await fetch(`${url}/_local/events`, { headers, signal: abort.signal });
		if (status === 200) opened++;
		else await body?.cancel();
	}
	abort.abort();
	t.equal(opened, 32);
});
