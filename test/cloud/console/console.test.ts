// The server's side of the web page: what is served to whom, what needs the token, and that no reader of the live stream can
// take memory or time from the cloud. What a person sees is tested in Chromium, in the file beside this one.

import { EventEmitter } from "node:events";
import { get, type ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import t, { type Test } from "tap";
import { FleetNumbers } from "../../../hosts/cloud/console/fleet-numbers.js";
import { Live } from "../../../hosts/cloud/console/live.js";
import { describeThing } from "../../../hosts/cloud/console/views.js";
import { secretIn } from "../../secrets.js";
import { started } from "../control/started.js";
import { startRig, templateName } from "../rig.js";

const PAGE_FILES = ["app.js", "style.css", "icon.svg"].map((name) => `/_console/${name}`);

interface ThingsPage {
	readonly things: readonly { readonly thingName: string }[];
	readonly more: boolean;
}

const denial = {
	event: "denied",
	connectionId: "1",
	principal: "0".repeat(64),
	clientId: "lamp",
	action: "iot:Publish",
	resource: "arn:aws:iot:eu-west-1:123456789012:topic/a",
	explanation: "No statement allows it.",
} as const;

async function withRig(t: Test) {
	const rig = await startRig({ controlPlane: {} });
	t.teardown(() => rig.cloud.close());
	const { url, pageToken } = rig.cloud.controlPlane!;
	const authorization = `Bearer ${pageToken}`;
	const ask = async (path: string, init: RequestInit = {}) => {
		const response = await fetch(`${url}/_local/${path}`, init);
		return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> };
	};
	return { ...rig, url, authorization, ask };
}

/** What a path of this host answers when it is called by another name. */
function statusAs(url: string, path: string, headers: Record<string, string>): Promise<number | undefined> {
	return new Promise((resolve, reject) => {
		get(`${url}${path}`, { headers }, (response) => {
			response.resume();
			resolve(response.statusCode);
		}).on("error", reject);
	});
}

t.test(
	"the page is served with its files, which come from nowhere else and hold no script or style of their own",
	async (t) => {
		const { url } = await started(t);
		const page = await fetch(url);
		t.equal(page.status, 200);
		t.match(page.headers.get("content-type"), /^text\/html/);
		const policy = page.headers.get("content-security-policy")!;
		for (const part of [
			/default-src 'none'/,
			/script-src 'self'/,
			/frame-ancestors 'none'/,
			/require-trusted-types-for 'script'/,
		])
			t.match(policy, part);
		t.notMatch(policy, /unsafe|\*|https?:/);
		const html = await page.text();
		t.notMatch(html, /<script(?![^>]* src=)|<style| on[a-z]+=| style=/, "nothing that the policy would have to allow");
		const seen = new Set<string>();
		const follow = async (path: string): Promise<number> => {
			if (seen.has(path)) return 0;
			seen.add(path);
			const response = await fetch(`${url}${path}`);
			t.equal(response.status, 200, path);
			t.equal(response.headers.get("x-content-type-options"), "nosniff");
			const text = await response.text();
			t.notMatch(text.replaceAll("http://www.w3.org/2000/svg", ""), /https?:\/\//, `${path} names no other host`);
			t.notMatch(text, /innerHTML|insertAdjacentHTML|outerHTML|document\.write/, `${path} makes no markup of text`);
			let bytes = Buffer.byteLength(text);
			for (const [, one, other] of text.matchAll(/"(\/_console\/[\w-]+\.\w+)"|(?:from|import\() ?"\.(\/[\w-]+\.js)"/g))
				bytes += await follow(one ?? `/_console${other}`);
			return bytes;
		};
		const bytes = await follow("/");
		t.ok(seen.size > 8, [...seen].join(" "));
		t.ok(bytes < 100_000, `${bytes} bytes in ${seen.size} files, not compressed`);
		for (const path of ["/_console/", "/_console/nothing.js", "/_console/..%2findex.html", "/_console/../console.js"])
			t.equal(await statusAs(url, path, {}), 404, `${path} is no file of it`);
	},
);

t.test("neither another site nor another host name reaches the page or what it asks", async (t) => {
	const { url } = await started(t);
	for (const path of ["/", ...PAGE_FILES, "/_local/console/account", "/_local/console/live"]) {
		const strangers: Record<string, string>[] = [
			{ host: "rebound.example" },
			{ origin: "http://evil.example" },
			{ origin: "null" },
			{ "sec-fetch-site": "cross-site" },
			{ "sec-fetch-site": "same-site" },
		];
		for (const headers of strangers)
			t.equal(await statusAs(url, path, headers), 403, `${path} ${JSON.stringify(headers)}`);
	}
	t.equal(await statusAs(url, "/", { "sec-fetch-site": "none" }), 200, "but the address bar does");
});

t.test("a browser reads without the token, and changes nothing without it", async (t) => {
	const { ask, url, authorization, cloud } = await withRig(t);
	const browser = { origin: url, "sec-fetch-site": "same-origin" };
	t.match(await ask("console/account", { headers: browser }), { status: 200, body: { can: { change: false } } });
	t.match(await ask("console/account", { headers: { ...browser, authorization } }), {
		body: { can: { change: true } },
	});
	const changes = [
		["settings", { method: "PATCH", body: JSON.stringify({ reply: { delay: 1 } }) }],
		["reset", { method: "POST" }],
		["console/trial", { method: "POST", body: JSON.stringify({ templateName, parameters: { SerialNumber: "7" } }) }],
	] as const;
	for (const [path, init] of changes) {
		t.equal((await ask(path, { ...init, headers: browser })).status, 403, `${path} without`);
		const wrong = { ...browser, authorization: "Bearer nearly" };
		t.equal((await ask(path, { ...init, headers: wrong })).status, 403, `${path} with a wrong one`);
	}
	t.equal(cloud.registry.state.things.size, 0);
	t.equal(cloud.settings.reply.delay, 0);
	t.equal((await ask("settings", { ...changes[0][1], headers: { ...browser, authorization } })).status, 200);
	t.equal(cloud.settings.reply.delay, 1);
	t.equal((await ask("settings", { method: "PATCH", body: "{}" })).status, 200, "a program of this machine needs none");
	t.equal((await ask("console/trial", changes[2][1])).status, 403, "but for what only the page does");
});

t.test("the token that was given is the page's, too", async (t) => {
	const rig = await startRig({ controlPlane: { localToken: "given" } });
	t.teardown(() => rig.cloud.close());
	t.equal(rig.cloud.controlPlane!.pageToken, "given");
});

t.test("a template is tried: a thing is registered, or the cloud says why not", async (t) => {
	const { ask, authorization, cloud } = await withRig(t);
	const attempt = async (body: object) =>
		ask("console/trial", { method: "POST", headers: { authorization }, body: JSON.stringify(body) });
	const good = await attempt({ templateName, parameters: { SerialNumber: "1001" } });
	t.match(good, { status: 200, body: { accepted: true, reply: { thingName: "1001" } } });
	t.equal(cloud.registry.certificates.get(String(good.body.certificateId))?.status, "ACTIVE");
	t.equal(secretIn(JSON.stringify(good.body)), undefined, "neither key nor token is told");
	t.match((await attempt({ templateName, parameters: {} })).body, {
		accepted: false,
		reply: { statusCode: 400, errorCode: "InvalidParameters" },
		explanation: /SerialNumber/,
	});
	cloud.changeSettings({ template: { roleBroken: true } });
	t.match((await attempt({ templateName, parameters: { SerialNumber: "1" } })).body, {
		accepted: false,
		reply: { errorMessage: "Access denied." },
		explanation: /template\.roleBroken/,
	});
	for (const body of [{}, { templateName, parameters: [] }, { templateName, parameters: { SerialNumber: 1 } }])
		t.equal((await attempt(body)).status, 400, JSON.stringify(body));
});

t.test("things are listed page by page and searched", async (t) => {
	const { url, registry } = await started(t);
	registry.state.transaction(() => {
		for (let at = 0; at < 320; at++)
			registry.state.things.put(`lamp-${at}`, { thingName: `lamp-${at}`, thingId: "", attributes: {}, version: 1 });
	});
	const list = async (query: string) =>
		(await (await fetch(`${url}/_local/console/things?${query}`)).json()) as ThingsPage;
	const names: string[] = [];
	for (let after = "", more = true; more; ) {
		const page = await list(`after=${after}`);
		t.ok(page.things.length <= 50);
		names.push(...page.things.map(({ thingName }) => thingName));
		after = names.at(-1)!;
		more = page.more;
	}
	t.same(names, [...registry.state.things.keys()].sort(), "all of them once, in order");
	t.match(await list("text=LAMP-31"), { matching: 11, total: 320, more: false });
	t.match(await list("text=nothing"), { things: [], matching: 0 });
});

t.test("a thing is shown with its shadow and jobs where there are such services", async (t) => {
	const { registry } = await started(t);
	registry.things.createThing({ thingName: "lamp" });
	t.notOk("shadows" in describeThing(registry, {}, [], "lamp"));
	const services = {
		shadows: {
			listNamedShadowsForThing: () => ({ results: ["colour"] }),
			getThingShadow: ({ shadowName }: { shadowName?: string }) => {
				if (shadowName === undefined) throw new Error("no classic shadow");
				return Buffer.from(JSON.stringify({ state: { desired: { hue: 7 } }, version: 3 }));
			},
		},
		jobs: { listJobExecutionsForThing: () => ({ executionSummaries: [{ jobId: "update" }] }) },
	};
	t.match(describeThing(registry, services, [], "lamp"), {
		shadows: [{ shadowName: "colour", document: { version: 3 } }],
		jobs: [{ jobId: "update" }],
	});
});

/** A message of the live stream; only `events` has these members. */
interface Batch {
	readonly events: readonly Readonly<Record<string, string>>[];
	readonly dropped: number;
}

/** Reads the live stream message by message. */
async function live(t: Test, url: string, query = "") {
	const controller = new AbortController();
	t.teardown(() => controller.abort());
	const response = await fetch(`${url}/_local/console/live?${query}`, { signal: controller.signal });
	const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
	let text = "";
	/** The data of the next message of this name; those before it are passed over. */
	const next = async (name: string): Promise<Batch> => {
		for (;;) {
			const end = text.indexOf("\n\n");
			if (end < 0) {
				text += (await reader.read()).value ?? t.fail("the stream has ended");
				continue;
			}
			const [event = "", data = ""] = text.slice(0, end).split("\ndata: ");
			text = text.slice(end + 2);
			if (event === `event: ${name}`) return JSON.parse(data);
		}
	};
	return { next };
}

t.test("the stream begins with what was, and goes on with what fits the filter", async (t) => {
	const { url, events } = await started(t);
	events.report({ event: "warning", message: "earlier" });
	const all = await live(t, url);
	t.match(await all.next("numbers"), { things: 0, certificates: {} });
	t.match(await all.next("events"), { events: [{ message: "earlier" }], dropped: 0 });
	const refusals = await live(t, url, "kind=refusals&text=LAMP");
	t.match(await refusals.next("events"), { events: [] });
	events.report({ ...denial, clientId: "other" });
	events.report({ event: "warning", message: "about a lamp" });
	events.report(denial);
	t.match(await refusals.next("events"), { events: [{ clientId: "lamp" }], dropped: 0 });
	const one = await live(t, url, "about=lamp&about=x");
	t.match((await one.next("events")).events.length, 1);
});

t.test(
	"of 100,000 events at once a reader is sent the newest, the refusals among them, and told how many are left out",
	async (t) => {
		const { url, events } = await started(t);
		const reader = await live(t, url);
		await reader.next("events");
		events.report(denial);
		const begun = performance.now();
		for (let at = 0; at < 100_000; at++) events.report({ event: "warning", message: `${at}` });
		const each = (performance.now() - begun) / 100_000;
		const batch = await reader.next("events");
		t.ok(batch.events.length <= 80, `${batch.events.length} events`);
		t.match(batch.events[0], { event: "denied" });
		t.match(batch.events.at(-1), { message: "99999" });
		t.equal(batch.events.length + batch.dropped, 100_001);
		t.comment(`${(each * 1000).toFixed(1)} µs for an event`);
	},
);

/** A response whose reader reads when it is told to, and what was written to it. */
class Reluctant extends EventEmitter {
	writableNeedDrain = false;
	readonly written: string[] = [];
	writeHead(): void {}
	write(text: string): void {
		this.written.push(text);
	}
}

t.test("to a reader that does not read nothing is written, and nothing is kept for it but the newest", async (t) => {
	const { registry, events } = await started(t);
	const numbers = new FleetNumbers({ registry, events, connections: undefined });
	t.teardown(() => numbers.close());
	const live = new Live({ events, numbers, isRefusal: () => false });
	const [slow, quick] = [new Reluctant(), new Reluctant()];
	for (const reader of [slow, quick]) {
		live.open({}, 0, reader as unknown as ServerResponse);
		t.teardown(() => reader.emit("close"));
	}
	slow.writableNeedDrain = true;
	const before = slow.written.length;
	const toldOf = async (reader: Reluctant, message: string) => {
		while (!reader.written.some((text) => text.includes(`"${message}"`))) await delay(20);
	};
	for (const message of ["first", "second", "third"]) {
		for (let at = 0; at < 1_000; at++) events.report({ event: "warning", message: "another" });
		events.report({ event: "warning", message });
		await toldOf(quick, message);
	}
	t.equal(slow.written.length, before, "while it does not read");
	slow.writableNeedDrain = false;
	await toldOf(slow, "third");
	const batch = slow.written.find((text) => text.includes('"third"'))!;
	t.notMatch(batch, /"second"/, "old events are gone");
	const { events: sent, dropped } = JSON.parse(batch.split("\ndata: ")[1]!);
	t.equal(sent.length + dropped, 3_003, "but counted");
});

t.test("a refusal is still told when a thousand other events have followed, until a reset", async (t) => {
	const { url, events } = await started(t);
	events.report(denial);
	for (let at = 0; at < 3_000; at++) events.report({ event: "warning", message: `${at}` });
	t.match((await (await live(t, url, "kind=refusals")).next("events")).events, [{ clientId: "lamp" }]);
	events.report({ event: "reset", milliseconds: 1 });
	t.match((await (await live(t, url, "kind=refusals")).next("events")).events, []);
});

t.test("long texts of strangers are cut for the page", async (t) => {
	const { url, events } = await started(t);
	events.report({ ...denial, clientId: "c".repeat(60_000) });
	const reader = await live(t, url);
	const { events: found } = await reader.next("events");
	t.equal(found.at(-1)?.clientId?.length, 1_001);
});
