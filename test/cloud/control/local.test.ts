// The local administration path: settings, events as JSON and live, metrics, health, and who may not use it.

import { get } from "node:http";
import { networkInterfaces } from "node:os";
import parsePrometheus, { type PrometheusFamily } from "parse-prometheus-text-format";
import t from "tap";
import { startCloud } from "../../../hosts/cloud/cloud.js";
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

t.test("with a token: it is needed for every change, and lets other machines in", async (t) => {
	const localToken = "a-token-of-this-test";
	const { port } = await started(t, { host: "0.0.0.0", localToken, hostNames: ["cloud"], signatures: "any" });
	const local = `http://127.0.0.1:${port}`;
	const bearer = { authorization: `Bearer ${localToken}` };
	t.equal((await ask(local, "settings")).status, 200, "reading from this machine needs none");
	for (const headers of [{}, { authorization: "Bearer another" }, { authorization: localToken }] as Record<
		string,
		string
	>[]) {
		t.equal((await ask(local, "settings", { ...patch({ reply: { delay: 1 } }), headers })).status, 403);
		t.equal((await ask(local, "reset", { method: "POST", headers })).status, 403);
	}
	t.equal((await ask(local, "settings", { ...patch({ reply: { delay: 1 } }), headers: bearer })).status, 200);
	const asked = (host: string, path: string, headers: Record<string, string> = {}) =>
		new Promise<number | undefined>((resolve) =>
			get({ host: "127.0.0.1", port, path: `/_local/${path}`, headers: { host, ...headers } }, (response) => {
				response.resume();
				resolve(response.statusCode);
			}),
		);
	t.equal(await asked("cloud:8880", "settings"), 403, "by the name of a container, without the token");
	t.equal(await asked("cloud:8880", "settings", bearer), 200, "and with it");
	t.equal(await asked("cloud:8880", "health"), 200, "the health is no secret");
	t.equal(await asked("evil.example", "settings", bearer), 403, "by a name that it was not given (DNS rebinding)");
	t.equal(await asked("cloud:8880", "settings", { ...bearer, origin: "http://evil.example" }), 403, "from a web page");
});

t.test("POST reset brings back the state of the last checkpoint", async (t) => {
	const cloud = await startCloud({ controlPlane: {}, settings: { keyPairs: { ahead: 0 } } });
	t.teardown(() => cloud.close());
	const { url } = cloud.controlPlane!;
	cloud.registry.things.createThing({ thingName: "gone" });
	cloud.changeSettings({ controlPlane: { throttle: { ListThings: { rate: 0.001, burst: 1 } } } });
	cloud.checkpoint();
	cloud.registry.things.deleteThing({ thingName: "gone" });
	t.equal((await fetch(`${url}/things`)).status, 200);
	t.equal((await fetch(`${url}/things`)).status, 400, "throttled");
	t.same(await ask(url, "reset", { method: "POST" }), { status: 200, body: { status: "ok" } });
	t.match(await (await fetch(`${url}/things`)).json(), { things: [{ thingName: "gone" }] }, "throttles are forgotten");
	t.equal((await ask(url, "reset", { method: "GET" })).status, 404);
	const { url: alone } = await started(t);
	t.equal((await ask(alone, "reset", { method: "POST" })).status, 404, "a control plane without a cloud has no reset");
});

t.test("metrics for Prometheus: a parser reads them, and they follow the rules of promtool", async (t) => {
	const { url, metrics, events, registry } = await started(t);
	const strange = 'a"b\\c';
	metrics.count("RegisterThingFailed", { ClaimCertificateId: strange, TemplateName: "fleet" });
	registry.things.createThing({ thingName: "one" });
	events.report(refused);
	events.report({
		event: "provisioning",
		eventType: "ProvisionDevice",
		operation: "RegisterThing",
		status: "Success",
		principal: "p",
		clientId: "c",
	});
	const response = await fetch(`${url}/_local/metrics`, {
		headers: { accept: "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.1" },
	});
	t.equal(response.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
	const text = await response.text();
	const families = new Map<string, PrometheusFamily>(parsePrometheus(text).map((family) => [family.name, family]));
	const value = (name: string, labels: Record<string, string> | undefined = undefined) =>
		families.get(name)?.metrics.find((sample) => JSON.stringify(sample.labels) === JSON.stringify(labels))?.value;
	t.equal(value("fleet_things"), "1");
	t.equal(value("fleet_events_total", { event: "denied" }), "1");
	t.equal(value("fleet_provisioning_requests_total", { operation: "RegisterThing", status: "Success" }), "1");
	t.match(text, /metric="RegisterThingFailed",claim_certificate_id="a\\"b\\\\c",template_name="fleet"} 1\n/);
	t.ok(Number(value("process_resident_memory_bytes")) > 1_000_000);
	t.ok(Math.abs(Number(value("process_start_time_seconds")) - Date.now() / 1000) < 3_600);
	// The rules of `promtool check metrics` that can be broken here.
	for (const [name, { type, help }] of families) {
		t.match(name, /^[a-z][a-z0-9_]*$/, `${name} is in snake case`);
		t.ok(help.length > 0, `${name} has a help text`);
		t.equal(type === "COUNTER", name.endsWith("_total"), `${name}: counters and nothing else end in _total`);
		t.notMatch(name, /(?:milliseconds|_ms|kilobytes|_mb)(?:_|$)/, `${name}: base units`);
	}
	const order = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
	t.same(order, [...new Set(order)], "each metric stands in one place");
	t.ok(text.endsWith("\n"));
});
