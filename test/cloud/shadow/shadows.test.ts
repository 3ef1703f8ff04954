// Device shadows as a device, an application and a second device see them: over MQTT with MQTT.js, and over HTTPS with AWS's SDK.

import {
	DeleteThingShadowCommand,
	GetThingShadowCommand,
	IoTDataPlaneClient,
	ListNamedShadowsForThingCommand,
	UpdateThingShadowCommand,
} from "@aws-sdk/client-iot-data-plane";
import type { MqttClient } from "mqtt";
import t, { type Test } from "tap";
import type { CloudOptions } from "../../../hosts/cloud/cloud.js";
import { refusal } from "../control/started.js";
import { connect, everything, identity, last, startRig } from "../rig.js";

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = "true";

interface Received {
	readonly topic: string;
	readonly message: { readonly [member: string]: unknown };
}

/** A cloud with a control plane, a device that hears everything about its shadows, and AWS's client. The clock stands at `now`. */
async function start(t: Test, settings: CloudOptions["settings"] = {}) {
	// Certificates are valid from today on.
	const clock = { now: Math.floor(Date.now() / 1000) * 1000 };
	const rig = await startRig({ settings, now: () => clock.now, controlPlane: { signatures: "any" } });
	t.teardown(() => rig.cloud.close());
	const owner = await identity(rig, "all", everything, ["lamp"]);
	const device = await connect(rig, owner, "lamp");
	t.teardown(() => device.endAsync(true));
	await device.subscribeAsync("$aws/things/lamp/shadow/#", { qos: 1 });
	const received = listenTo(device);
	const aws = new IoTDataPlaneClient({
		region: rig.account.region,
		endpoint: rig.cloud.controlPlane!.url,
		maxAttempts: 1,
		credentials: { accessKeyId: "AKIA", secretAccessKey: "secret" },
	});
	t.teardown(() => aws.destroy());
	const ask = (operation: string, payload: object | string = "", name?: string) =>
		device.publishAsync(
			`$aws/things/lamp/shadow${name === undefined ? "" : `/name/${name}`}/${operation}`,
			typeof payload === "string" ? payload : JSON.stringify(payload),
			{ qos: 1 },
		);
	return { rig, clock, owner, device, received, aws, ask };
}

/** Gives the messages that come, one after the other. */
function listenTo(client: MqttClient) {
	const waiting: Received[] = [];
	let wake = () => {};
	client.on("message", (topic, payload) => {
		waiting.push({ topic, message: JSON.parse(payload.toString()) });
		wake();
	});
	return async (): Promise<Received> => {
		while (waiting.length === 0) await new Promise<void>((resolve) => (wake = resolve));
		return waiting.shift()!;
	};
}

const json = (payload: Uint8Array | undefined) => JSON.parse(Buffer.from(payload!).toString());
const bytes = (value: object) => Buffer.from(JSON.stringify(value));

t.test("A device's shadow over MQTT", async (t) => {
	const { clock, received, ask, rig } = await start(t);
	const at = clock.now / 1000;

	await t.test("does not exist at first", async (t) => {
		await ask("get", { clientToken: "a" });
		t.same(await received(), {
			topic: "$aws/things/lamp/shadow/get/rejected",
			message: { code: 404, message: "No shadow exists with name: 'lamp'", clientToken: "a" },
		});
		t.match(last(rig, "shadow"), {
			operation: "get",
			thingName: "lamp",
			clientId: "lamp",
			status: "rejected",
			code: 404,
		});
	});

	await t.test("is made by an update, which tells what was accepted, what differs, and both documents", async (t) => {
		await ask("update", { state: { desired: { on: true } }, clientToken: "b" });
		const metadata = { desired: { on: { timestamp: at } } };
		t.same(await received(), {
			topic: "$aws/things/lamp/shadow/update/accepted",
			message: { state: { desired: { on: true } }, metadata, version: 1, timestamp: at, clientToken: "b" },
		});
		t.same(await received(), {
			topic: "$aws/things/lamp/shadow/update/delta",
			message: { version: 1, timestamp: at, state: { on: true }, metadata: metadata.desired, clientToken: "b" },
		});
		t.same(await received(), {
			topic: "$aws/things/lamp/shadow/update/documents",
			message: {
				previous: { state: {}, metadata: {}, version: 0 },
				current: { state: { desired: { on: true } }, metadata, version: 1 },
				timestamp: at,
				clientToken: "b",
			},
		});
		t.match(last(rig, "shadow"), { operation: "update", status: "accepted", version: 1, delta: ["on"] });
	});

	await t.test("is in step when the device has reported what is desired: then there is no delta", async (t) => {
		await ask("update", { state: { reported: { on: true } }, version: 1 });
		t.match(await received(), { topic: /accepted$/, message: { version: 2 } });
		t.match(await received(), { topic: /documents$/, message: { previous: { version: 1 }, current: { version: 2 } } });
	});

	await t.test("is not changed by an update for another version", async (t) => {
		await ask("update", { state: { reported: { on: false } }, version: 1, clientToken: "c" });
		t.same(await received(), {
			topic: "$aws/things/lamp/shadow/update/rejected",
			message: { code: 409, message: "Version conflict", clientToken: "c" },
		});
	});

	await t.test("is read with the delta in it", async (t) => {
		await ask("update", { state: { desired: { on: false } } });
		for (let count = 0; count < 3; count++) await received();
		await ask("get");
		t.match(await received(), {
			topic: "$aws/things/lamp/shadow/get/accepted",
			message: {
				state: { desired: { on: false }, reported: { on: true }, delta: { on: false } },
				metadata: { desired: { on: { timestamp: at } }, reported: { on: { timestamp: at } } },
				version: 3,
				timestamp: at,
			},
		});
	});

	await t.test("has a version that goes on after a deletion, for two days", async (t) => {
		await ask("delete", "this is not looked at");
		t.same(await received(), {
			topic: "$aws/things/lamp/shadow/delete/accepted",
			message: { version: 3, timestamp: at },
		});
		await ask("get");
		t.match(await received(), { message: { code: 404 } });
		await ask("update", { state: { reported: { on: true } } });
		t.match(await received(), { message: { version: 4 } });
		t.match(await received(), { topic: /documents$/, message: { previous: { state: {} } } });
		await ask("delete");
		await received();
		clock.now += 48 * 3_600_000;
		await ask("update", { state: { reported: { on: true } } });
		t.match(await received(), { message: { version: 1 } });
	});
});

t.test("Named shadows are apart from the classic one, and from each other", async (t) => {
	const { received, ask, aws, clock } = await start(t);
	await ask("update", { state: { reported: { a: 1 } } }, "one");
	t.match(await received(), { topic: "$aws/things/lamp/shadow/name/one/update/accepted", message: { version: 1 } });
	await received();
	await ask("get", "", "two");
	t.match(await received(), {
		topic: "$aws/things/lamp/shadow/name/two/get/rejected",
		message: { code: 404, message: "No shadow exists with name: 'two'" },
	});
	await ask("get");
	t.match(await received(), { topic: "$aws/things/lamp/shadow/get/rejected" });
	for (const shadowName of ["b", "a", "$c:_-"]) {
		await aws.send(new UpdateThingShadowCommand({ thingName: "lamp", shadowName, payload: bytes({ state: {} }) }));
	}
	await aws.send(new DeleteThingShadowCommand({ thingName: "lamp", shadowName: "b" }));
	const page = await aws.send(new ListNamedShadowsForThingCommand({ thingName: "lamp", pageSize: 2 }));
	t.same(page.results, ["$c:_-", "a"]);
	t.equal(page.timestamp, clock.now / 1000);
	const { results, nextToken } = await aws.send(
		new ListNamedShadowsForThingCommand({ thingName: "lamp", nextToken: page.nextToken }),
	);
	t.same([results, nextToken], [["one"], undefined]);
	await ask("get", "", "not a name");
	let rejected = await received();
	while (!rejected.topic.includes("not a name")) rejected = await received();
	t.match(rejected, { topic: /rejected$/, message: { code: 400 } });
});

t.test("The limits are AWS's", async (t) => {
	const { received, ask, rig } = await start(t);
	const text = (length: number) => ({ state: { reported: { a: "x".repeat(length) } } });
	const around = JSON.stringify(text(0).state).length;
	await ask("update", text(8192 - around));
	t.match(await received(), { topic: /accepted$/ });
	await received();
	await ask("update", { state: { desired: { a: 1 } } });
	t.match(await received(), { message: { code: 413, message: "The payload exceeds the maximum size allowed" } });
	for (let count = 0; count < 18; count++) await ask("get");
	for (let count = 0; count < 18; count++) t.match(await received(), { topic: /accepted$/ });
	await ask("get", { clientToken: "d" });
	t.match(
		await received(),
		{ topic: /rejected$/, message: { code: 429, clientToken: "d" } },
		"20 a second and a thing",
	);
	rig.cloud.changeSettings({ shadow: { requests: null } });
	await ask("get");
	t.match(await received(), { topic: /accepted$/ });
	rig.cloud.changeSettings({ shadow: { maximum: 1 } });
	await ask("update", { state: {} }, "another");
	t.match(await received(), { message: { code: 429 } });
});

t.test("AWS's SDK works over HTTPS, and devices hear of it", async (t) => {
	const { received, aws } = await start(t);
	const thingName = "lamp";
	const missing = await refusal(aws.send(new GetThingShadowCommand({ thingName })));
	t.match(missing, { name: "ResourceNotFoundException", status: 404, message: "No shadow exists with name: 'lamp'" });

	const { payload } = await aws.send(
		new UpdateThingShadowCommand({ thingName, payload: bytes({ state: { desired: { a: 1 } }, clientToken: "e" }) }),
	);
	t.match(json(payload), { state: { desired: { a: 1 } }, version: 1, clientToken: "e" });
	t.match(await received(), { topic: /accepted$/, message: { version: 1, clientToken: "e" } });
	t.match(await received(), { topic: /delta$/ });
	t.match(await received(), { topic: /documents$/ });

	t.match(json((await aws.send(new GetThingShadowCommand({ thingName }))).payload), { state: { delta: { a: 1 } } });
	const stale = aws.send(new UpdateThingShadowCommand({ thingName, payload: bytes({ state: {}, version: 9 }) }));
	t.match(await refusal(stale), { name: "ConflictException", status: 409, message: "Version conflict" });
	const broken = aws.send(new UpdateThingShadowCommand({ thingName, payload: Buffer.from("{") }));
	t.match(await refusal(broken), { name: "InvalidRequestException", status: 400, message: "Invalid JSON" });
	const large = bytes({ state: { reported: { a: "x".repeat(9_000) } } });
	t.match(await refusal(aws.send(new UpdateThingShadowCommand({ thingName, payload: large }))), {
		name: "RequestEntityTooLargeException",
		status: 413,
	});
	const coded = aws.send(new UpdateThingShadowCommand({ thingName, payload: Uint8Array.of(0xff) }));
	t.match(await refusal(coded), { name: "UnsupportedDocumentEncodingException", status: 415 });

	t.match(json((await aws.send(new DeleteThingShadowCommand({ thingName }))).payload), { version: 1 });
	t.match(
		await received(),
		{ topic: "$aws/things/lamp/shadow/delete/accepted" },
		"no rejection of HTTPS is told to devices",
	);
	t.match(await refusal(aws.send(new DeleteThingShadowCommand({ thingName }))), { status: 404 });
});

t.test("Policies decide who may ask, who may subscribe, and who receives", async (t) => {
	const { rig, owner, received, ask } = await start(t);
	const { region, accountId } = rig.account;
	const arn = (resource: string) => `arn:aws:iot:${region}:${accountId}:${resource}`;
	const topic = "$aws/things/lamp/shadow";
	const watcher = await identity(rig, "watcher", {
		Version: "2012-10-17",
		Statement: [
			{ Effect: "Allow", Action: "iot:Connect", Resource: "*" },
			{ Effect: "Allow", Action: "iot:Subscribe", Resource: arn(`topicfilter/${topic}/update/*`) },
			{ Effect: "Allow", Action: "iot:Receive", Resource: arn(`topic/${topic}/update/delta`) },
			{ Effect: "Allow", Action: "iot:Publish", Resource: arn(`topic/${topic}/get`) },
		],
	});
	const client = await connect(rig, watcher, "watcher");
	await client.subscribeAsync([`${topic}/update/accepted`, `${topic}/update/delta`], { qos: 1 });
	const heard = listenTo(client);
	await ask("update", { state: { desired: { a: 1 } } });
	t.match(await heard(), { topic: `${topic}/update/delta` }, "accepted may not be received");
	t.match(last(rig, "denied"), {
		clientId: "watcher",
		action: "iot:Receive",
		resource: arn(`topic/${topic}/update/accepted`),
	});
	for (let count = 0; count < 3; count++) await received();

	await client.publishAsync(`${topic}/get`, "", { qos: 1 });
	t.match(await received(), { topic: `${topic}/get/accepted` }, "whoever subscribes sees the answer");
	const gone = new Promise<void>((resolve) => client.once("close", () => resolve()));
	client.publish(`${topic}/update`, JSON.stringify({ state: { reported: { a: 1 } } }));
	await gone;
	t.match(last(rig, "denied"), { clientId: "watcher", action: "iot:Publish", resource: arn(`topic/${topic}/update`) });

	const other = await connect(rig, owner, "other");
	await other.subscribeAsync(`${topic}/get/accepted`);
	t.equal(
		rig.events.filter(({ event }) => event === "unsupported").length,
		0,
		"no subscription to shadows is called unsupported",
	);
	await other.endAsync();
});

t.test("A shadow needs no thing, and stays when its thing is deleted", async (t) => {
	const { rig, aws, owner } = await start(t);
	const payload = bytes({ state: { reported: { a: 1 } } });
	await aws.send(new UpdateThingShadowCommand({ thingName: "no-such-thing", payload }));
	await aws.send(new UpdateThingShadowCommand({ thingName: "lamp", payload }));
	const { registry } = rig.cloud;
	registry.thingPrincipals.detachThingPrincipal({ thingName: "lamp", principal: owner.certificateArn });
	registry.things.deleteThing({ thingName: "lamp" });
	t.match(json((await aws.send(new GetThingShadowCommand({ thingName: "lamp" }))).payload), { version: 1 });
	t.match(json((await aws.send(new GetThingShadowCommand({ thingName: "no-such-thing" }))).payload), { version: 1 });
});

t.test("A shadow is there again when the cloud starts again", async (t) => {
	const directory = t.testdir();
	const first = await startRig({ directory });
	const payload = Buffer.from('{"state":{"desired":{"__proto__":{"x":[1.5,null]}}}}'.replace("null", '"n"'));
	first.cloud.shadows.updateThingShadow({ thingName: "lamp", shadowName: "s", payload });
	const before = first.cloud.shadows.getThingShadow({ thingName: "lamp", shadowName: "s" });
	await first.cloud.close();
	const { startCloud } = await import("../../../hosts/cloud/cloud.js");
	const second = await startCloud({ directory });
	t.teardown(() => second.close());
	const after = second.shadows.getThingShadow({ thingName: "lamp", shadowName: "s" });
	const withoutTime = (document: Uint8Array) =>
		Buffer.from(document)
			.toString()
			.replace(/"timestamp":\d+\}$/, "");
	t.equal(withoutTime(after), withoutTime(before));
});
