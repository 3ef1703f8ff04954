// The local administration path: settings, events as JSON and live, metrics, health, and who may not use it.

import { get } from "node:http";
import { networkInterfaces } from "node:os";
import t from "tap";
import { started } from "./started.js";

const refused = {
	event: "denied",
	connectionId: "1",
	principal: "0".repeat(64),
	clientId: "lamp",
	action: "iot:Publish",
	resource: "arn:aws:iot:eu-west-1:123456789012:topic/a",
	explanation: "No statement allows it.",
} as const;

async function ask(url: string, path: string, init: RequestInit = {}) {
	const response = await fetch(`${url}/_local/${path}`, init);
	return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const patch = (body: unknown) => ({ method: "PATCH", body: JSON.stringify(body) });

t.test("settings are read and changed while the cloud runs", async (t) => {
	const { url, settings } = await started(t);
	t.same((await ask(url, "settings")).body, JSON.parse(JSON.stringify(settings)));
	const faults = [{ operation: "RegisterThing", times: 1, action: "drop" }];
	const changed = await ask(url, "settings", patch({ faults, reply: { delay: 250 } }));
	t.match(changed, { status: 200, body: { faults, reply: { delay: 250, qos: 1 } } });
	t.match(settings, { faults, reply: { delay: 250 } }, "and the cloud has them");
});

t.test("what may be absent is taken out with null", async (t) => {
	const { url, settings } = await started(t);
	await ask(url, "settings", patch({ hook: { fault: "deny" }, errors: { denied: { statusCode: 401 } } }));
	t.equal(settings.hook.fault, "deny");
	t.same(settings.errors.denied, { statusCode: 401, errorCode: "AccessDenied" }, "an object is merged");
	await ask(url, "settings", patch({ hook: { fault: null }, throttle: { RegisterThing: null } }));
	t.equal(settings.hook.fault, undefined);
	t.equal(settings.throttle.RegisterThing, undefined);
	await ask(url, "settings", patch({ throttle: { RegisterThing: { rate: 5, burst: 1 } } }));
	t.same(settings.throttle.RegisterThing, { rate: 5, burst: 1 });
});

t.test("a change that is not good changes nothing and says why", async (t) => {
	const { url, settings } = await started(t);
	const before = structuredClone(settings);
	for (const [change, message] of [
		[{ reply: { delay: 1, dealy: 2 } }, /reply\.dealy/],
		[{ token: { singleUse: "sometimes" } }, /token\.singleUse/],
		[{ token: { lifetime: "long" } }, /token\.lifetime/],
		[{ token: { lifetime: -1 } }, /token\.lifetime/],
		[{ nothing: 1 }, /nothing/],
		[{ controlPlane: { throttle: { CreateThing: { rate: 1 } } } }, /controlPlane\.throttle/],
	] as const) {
		const answer = await ask(url, "settings", patch(change));
		t.match(answer, { status: 400, body: { message } });
	}
	for (const body of ["{", "[]", "null", '"x"']) {
		t.match(await ask(url, "settings", { method: "PATCH", body }), { status: 400 }, body);
	}
	t.same(settings, before);
});

t.test("events and refusals are read as JSON, from a number on and by name", async (t) => {
	const { url, events } = await started(t);
	events.report({ event: "warning", message: "first" });
	events.report(refused);
	events.report({ event: "warning", message: "third" });
	const names = async (path: string) =>
		((await ask(url, path)).body.events as { event: string; sequence: number }[]).map(
			({ event, sequence }) => `${sequence} ${event}`,
		);
	t.same(await names("events"), ["1 warning", "2 denied", "3 warning"]);
	t.same(await names("events?since=2"), ["3 warning"]);
	t.same(await names("events?event=denied"), ["2 denied"]);
	t.same(await names("refusals"), ["2 denied"]);
	await fetch(`${url}/things`);
	t.same(await names("refusals?since=3"), ["4 unauthorized"], "those of the control plane too");
	const { resource: _, ...about } = refused;
	events.report({ ...about, event: "unsupported", topic: "$aws/things/lamp/shadow/get" });
	t.same(await names("refusals?since=4"), ["5 unsupported"], "and what comes to nothing here");
});

t.test("events come as a live stream that can be taken up again", async (t) => {
	const { url, events } = await started(t);
	events.report({ event: "warning", message: "missed" });
	const live = await fetch(`${url}/_local/events`, { headers: { accept: "text/event-stream", "last-event-id": "0" } });
	t.equal(live.headers.get("content-type"), "text/event-stream");
	const reader = live.body!.pipeThrough(new TextDecoderStream()).getReader();
	let text = "";
	const until = async (wanted: RegExp) => {
		while (!wanted.test(text)) text += (await reader.read()).value ?? t.fail("the stream ended");
	};
	await until(/^id: 1\nevent: warning\ndata: \{.*"missed".*\}\n\n/m);
	events.report(refused);
	await until(/^id: 2\nevent: denied\ndata: \{.*\}\n\n/m);
	await reader.cancel();
});

t.test("a reader of the stream that does not read is dropped", async (t) => {
	const { url, events } = await started(t);
	const gone = await fetch(`${url}/_local/events`, { headers: { accept: "text/event-stream" } });
	const before = process.memoryUsage().arrayBuffers;
	for (let i = 0; i < 20_000; i++) {
		events.report({ event: "warning", message: "x".repeat(1_000) });
		if (i % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
	}
	await t.rejects(gone.text(), "it was hung up on");
	t.ok(process.memoryUsage().arrayBuffers - before < 20_000_000, "and its events were not kept for it");
});

t.test("there are at most 32 streams", async (t) => {
	const { url } = await started(t);
	const controller = new AbortController();
	const stream = () =>
		fetch(`${url}/_local/events`, { headers: { accept: "text/event-stream" }, signal: controller.signal });
	for (let i = 0; i < 32; i++) t.equal((await stream()).status, 200);
	t.equal((await stream()).status, 503);
	controller.abort();
	while ((await fetch(`${url}/_local/health`)).status !== 200) t.fail("health");
	for (let status = 503; status !== 200; ) {
		const again = await fetch(`${url}/_local/events`, { headers: { accept: "text/event-stream" } });
		status = again.status;
		await again.body!.cancel();
	}
	t.pass("and when they end there is room again");
});

t.test("metrics and health", async (t) => {
	const { url, metrics } = await started(t);
	metrics.count("RegisterThingFailed", { ClaimCertificateId: "c", TemplateName: "fleet" });
	t.same((await ask(url, "metrics", { headers: { accept: "application/json" } })).body, {
		metrics: [
			{ name: "RegisterThingFailed", dimensions: { ClaimCertificateId: "c", TemplateName: "fleet" }, value: 1 },
		],
	});
	t.same(await ask(url, "health"), { status: 200, body: { status: "ok" } });
	t.equal((await ask(url, "nothing")).status, 404);
	t.equal((await ask(url, "health", { method: "POST" })).status, 404);
});

t.test("neither web pages nor other machines reach it", async (t) => {
	const { url, port } = await started(t, { host: "0.0.0.0" });
	const local = `http://127.0.0.1:${port}`;
	for (const headers of [{ origin: "http://evil.example" }, { origin: "null" }, { "sec-fetch-site": "cross-site" }]) {
		t.equal((await ask(local, "settings", { headers: headers as Record<string, string> })).status, 403);
	}
	const named = await new Promise((resolve) =>
		get({ host: "127.0.0.1", port, path: "/_local/settings", headers: { host: "192.0.2.1" } }, resolve),
	);
	t.match(named, { statusCode: 403 }, "through a proxy on this machine");
	const address = Object.values(networkInterfaces())
		.flat()
		.find((entry) => entry && !entry.internal && entry.family === "IPv4")?.address;
	if (address === undefined) t.comment("this machine has no other address to try from");
	else t.equal((await ask(`http://${address}:${port}`, "settings")).status, 403, "from another address");
	t.match(url, /^http:/);
});
