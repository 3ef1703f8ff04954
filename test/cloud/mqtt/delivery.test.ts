// Replies and other deliveries: to whom, when, and what the settings change; temporary claims.

import mqtt from "mqtt";
import t from "tap";
import { makeRequest } from "../csr.js";
import {
	clientOptions,
	closed,
	connect,
	eventually,
	everything,
	exchange,
	identity,
	last,
	startRig,
	subscribeToReplies,
	templateName,
	topics,
} from "../rig.js";

t.test("Nobody but the asking connection sees a request or its reply", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const spy = await identity(rig, "all", everything);
	const listener = await connect(rig, spy, "spy", { clean: false });
	await listener.subscribeAsync(
		["#", "$aws/#", "$aws/certificates/create/json", "$aws/provisioning-templates/+/provision/+"],
		{ qos: 1 },
	);
	await subscribeToReplies(listener, topics.create("json"), topics.register("json"));
	const heard: string[] = [];
	listener.on("message", (topic) => heard.push(topic));
	const claim = await connect(rig, rig.claim, "asker");
	await subscribeToReplies(claim, topics.create("json"));
	t.ok((await exchange(claim, topics.create("json"), "")).accepted);
	await listener.publishAsync("mark", "", { qos: 1 });
	await eventually(() => (heard.includes("mark") ? true : undefined));
	t.same(
		heard.filter((topic) => !topic.startsWith("$aws/events/presence/")),
		["mark"],
	);
	t.ok(
		heard.some((topic) => topic === "$aws/events/presence/connected/asker"),
		"lifecycle events do arrive",
	);
	await claim.endAsync();
	await listener.endAsync();
});

/** A request that is granted without making a key. */
const request = JSON.stringify({ certificateSigningRequest: makeRequest("delivery").csr });

t.test("A reply needs a subscription, by the setting", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const owner = await identity(rig, "all", everything);
	const outcome = async (subscription: "exact" | "matching" | "none", filter?: string) => {
		rig.cloud.changeSettings({ reply: { subscription } });
		const before = rig.events.length;
		const client = await connect(rig, owner, "asks");
		if (filter) await client.subscribeAsync(filter, { qos: 1 });
		client.publish(topics.csr("cbor"), Buffer.of(0xa0), { qos: 1 });
		const reply = await eventually(() => rig.events.slice(before).find((event) => event.event === "reply"));
		await client.endAsync();
		return reply.outcome;
	};
	const exact = `${topics.csr("cbor")}/rejected`;
	t.equal(await outcome("matching"), "unsubscribed");
	t.equal(await outcome("matching", `${topics.csr("cbor")}/#`), "sent");
	t.equal(await outcome("exact", `${topics.csr("cbor")}/#`), "unsubscribed");
	t.equal(await outcome("exact", exact), "sent");
	t.equal(await outcome("none"), "sent");
});

t.test("Faults happen to the next replies", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const client = await connect(rig, rig.claim, "f");
	await subscribeToReplies(client, topics.csr("json"));
	const seen: string[] = [];
	client.on("message", (topic) => seen.push(topic.split("/").at(-1)!));
	const ask = () => client.publishAsync(topics.csr("json"), request, { qos: 1 });
	const outcome = async (fault: object, count: number) => {
		const before = rig.events.length;
		rig.cloud.settings.faults.push({ operation: "CreateCertificateFromCsr", ...fault } as never);
		seen.length = 0;
		await ask();
		await eventually(() => rig.events.slice(before).find((event) => event.event === "reply"));
		await eventually(() => (seen.length >= count ? true : undefined));
		await ask();
		await eventually(() => (seen.length >= count + 1 ? true : undefined));
		t.same(rig.cloud.settings.faults, [], "and is over");
		return seen.slice();
	};
	t.same(await outcome({ action: "drop" }, 0), ["accepted"]);
	t.same(await outcome({ action: "duplicate" }, 2), ["accepted", "accepted", "accepted"]);
	t.same(await outcome({ action: "delay", milliseconds: 10 }, 1), ["accepted", "accepted"]);
	t.same(await outcome({ action: "reject", rejection: { statusCode: 500, errorCode: "X" } }, 1), [
		"rejected",
		"accepted",
	]);
	rig.cloud.changeSettings({ reply: { padTo: 9_000 } });
	const { payload } = await exchange(client, topics.csr("json"), request);
	t.equal(payload.length, 9_000);
	rig.cloud.changeSettings({ faults: [{ operation: "CreateCertificateFromCsr", action: "close" }] });
	client.publish(topics.csr("json"), request, { qos: 1 });
	await closed(client);
});

t.test("The PUBACK of a request comes before its reply, after it, or not at all", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const order = async (puback: "before" | "after" | "withhold") => {
		rig.cloud.changeSettings({ reply: { puback } });
		const client = mqtt.connect(clientOptions(rig, rig.claim, `puback-${puback}`));
		const packets: string[] = [];
		client.on("packetreceive", ({ cmd }) => packets.push(cmd));
		await new Promise((resolve) => client.once("connect", resolve));
		await subscribeToReplies(client, topics.csr("json"));
		client.publish(topics.csr("json"), request, { qos: 1 });
		await eventually(() =>
			packets.includes("publish") && (puback === "withhold" || packets.includes("puback")) ? true : undefined,
		);
		// A round trip more, so that a PUBACK that should not come would have come.
		await client.subscribeAsync(`${topics.csr("json")}/rejected`, { qos: 1 });
		await client.endAsync(true);
		return packets.filter((cmd) => cmd === "publish" || cmd === "puback");
	};
	t.same(await order("before"), ["puback", "publish"]);
	t.same(await order("after"), ["publish", "puback"]);
	t.same(await order("withhold"), ["publish"]);
});

t.test("A temporary claim has five minutes, one template and no listing", async (t) => {
	const start = Date.now();
	let now = start;
	const rig = await startRig({ now: () => now });
	t.teardown(() => rig.cloud.close());
	const { registry } = rig.cloud;
	const claim = await registry.certificates.createProvisioningClaim({ templateName });
	t.equal(claim.expiration, (start + 300_000) / 1000);
	t.notOk(
		registry.certificates
			.listCertificates()
			.certificates.some(({ certificateId }) => certificateId === claim.certificateId),
	);
	const credentials = { certificatePem: claim.certificatePem, privateKeyPem: claim.keyPair.PrivateKey };
	const client = await connect(rig, credentials, "any-client-id");
	await subscribeToReplies(client, topics.create("json"), topics.register("json"));
	const { payload } = await exchange(client, topics.create("json"), "");
	const { certificateOwnershipToken } = JSON.parse(payload.toString());
	const parameters = { SerialNumber: "S" };
	const registered = await exchange(
		client,
		topics.register("json"),
		JSON.stringify({ certificateOwnershipToken, parameters }),
	);
	t.ok(registered.accepted);
	client.publish(topics.register("json", "another-template"), "{}", { qos: 1 });
	await closed(client);
	t.match(last(rig, "denied"), { action: "iot:Publish" });
	const open = await connect(rig, credentials, "again");
	now += 300_000;
	await t.rejects(connect(rig, credentials, "too-late"));
	t.match(last(rig, "refused"), { reason: "temporary claim ended" });
	rig.cloud.provisioning.sweep();
	await closed(open);
});

t.test("A persistent session keeps what policies allow, and no longer than they do", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const { registry } = rig.cloud;
	const statement = (Action: string, Resource: string) => ({ Effect: "Allow", Action, Resource });
	const subscribing = (...filters: string[]) =>
		JSON.stringify({
			...everything,
			Statement: filters.map((filter) => statement("iot:Subscribe", registry.arn("topicfilter", filter))),
		});
	const device = await identity(rig, "basis", {
		...everything,
		Statement: [statement("iot:Connect", "*"), statement("iot:Receive", "*")],
	});
	registry.policies.createPolicy({ policyName: "subscribing", policyDocument: subscribing("mine", "end") });
	registry.policies.attachPolicy({ policyName: "subscribing", target: device.certificateArn });
	const sender = await connect(rig, await identity(rig, "all", everything), "sender");
	const keep = { protocolVersion: 5, clean: false, properties: { sessionExpiryInterval: 1_000 } } as const;
	const first = await connect(rig, device, "keeper", keep);
	await first.subscribeAsync(["mine", "end", "secret/#"], { qos: 1 }).catch(() => {});
	await first.endAsync();
	const afterAbsence = async () => {
		for (const topic of ["secret/x", "mine", "end"]) await sender.publishAsync(topic, "x", { qos: 1 });
		const client = mqtt.connect(clientOptions(rig, device, "keeper", keep));
		const heard: string[] = [];
		client.on("message", (topic) => heard.push(topic));
		await eventually(() => (heard.includes("end") ? true : undefined));
		await client.endAsync();
		return heard;
	};
	t.same(await afterAbsence(), ["mine", "end"], "a filter that was refused is not kept");
	registry.policies.createPolicyVersion({
		policyName: "subscribing",
		policyDocument: subscribing("end"),
		setAsDefault: true,
	});
	t.same(await afterAbsence(), ["end"], "nor is one heeded that has been withdrawn");
	await sender.endAsync();
});

t.test("A reply that was not acknowledged is not for the next connection with the client id", async (t) => {
	const rig = await startRig();
	t.teardown(() => rig.cloud.close());
	const other = await identity(rig, "all", everything);
	const asker = await connect(rig, rig.claim, "shared", { clean: false });
	await subscribeToReplies(asker, topics.csr("json"));
	// Takes no message, so that no PUBACK is sent.
	asker.handleMessage = () => {};
	asker.publish(topics.csr("json"), request, { qos: 1 });
	await eventually(() => rig.events.find((event) => event.event === "reply"));
	asker.end(true);
	await eventually(() => last(rig, "disconnected"));
	const heir = mqtt.connect(clientOptions(rig, other, "shared", { clean: false }));
	const heard: string[] = [];
	heir.on("message", (topic) => heard.push(topic));
	await new Promise((resolve) => heir.once("connect", resolve));
	await heir.subscribeAsync("mark", { qos: 1 });
	await heir.publishAsync("mark", "", { qos: 1 });
	await eventually(() => (heard.includes("mark") ? true : undefined));
	t.same(heard, ["mark"]);
	await heir.endAsync();
});
