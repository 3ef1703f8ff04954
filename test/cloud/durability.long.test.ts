// State outlives its process: kill -9 at any moment loses nothing that was acknowledged and leaves nothing by halves.

import { type ChildProcess, fork } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import mqtt from "mqtt";
import t from "tap";
import type { SettingsPatch } from "../../hosts/cloud/base/settings.js";
import { startCloud } from "../../hosts/cloud/cloud.js";
import { StateInUseError } from "../../hosts/cloud/state/state.js";
import { sampleSize } from "../support/sample.js";
import { clientOptions, connect, eventually, type Rig, startRig } from "./rig.js";

function directory(t: { teardown(callback: () => void): void }): string {
	const made = mkdtempSync(join(tmpdir(), "fleet-state-"));
	t.teardown(() => rmSync(made, { recursive: true, force: true }));
	return made;
}

const child = fileURLToPath(new URL("durability-child.ts", import.meta.url));

/** A process that registers things in a directory as fast as it can; tells the number of each that is done. */
function writer(where: string): ChildProcess {
	return fork(child, [where], { execArgv: ["--import", "tsx"], stdio: ["ignore", "ignore", "inherit", "ipc"] });
}

t.test("Everything is there again after a restart, and a device connects as before", async (t) => {
	const where = directory(t);
	const first = await startRig({ directory: where });
	const { endpoint, rootCertificate } = first.cloud;
	await first.cloud.close();
	const second = await startCloud({ directory: where });
	t.teardown(() => second.close());
	t.equal(second.endpoint, endpoint);
	t.equal(second.rootCertificate, rootCertificate);
	t.match(second.registry.policies.listPolicies({ isAscendingOrder: true }), {
		policies: [{ policyName: "claim" }, { policyName: "device" }],
	});
	await (await connect({ ...first, cloud: second }, first.claim, "again")).endAsync();
});

t.test(
	"Settings changed while the cloud runs are there after a restart, hook targets too; faults are not",
	async (t) => {
		const where = directory(t);
		const restart = async (settings?: SettingsPatch) => {
			const warnings: string[] = [];
			const cloud = await startCloud({
				directory: where,
				controlPlane: {},
				...(settings && { settings }),
				onEvent: (event) => event.event === "warning" && warnings.push(event.message),
			});
			const patch = async (body: object) => {
				const url = `${cloud.controlPlane!.url}/_local/settings`;
				return (await fetch(url, { method: "PATCH", body: JSON.stringify(body) })).status;
			};
			return { cloud, patch, warnings };
		};
		const targets = { "arn:aws:lambda:us-east-1:123456789012:function:hook": "http://127.0.0.1:9/hook" };
		const first = await restart();
		t.equal(await first.patch({ hook: { targets, fault: "deny" }, throttle: { RegisterThing: null } }), 200);
		const faults = [{ operation: "RegisterThing", action: "drop" }];
		t.equal(await first.patch({ hook: { fault: null, timeout: 7_000 }, tls: { certificates: "ecdsa" }, faults }), 200);
		t.equal(await first.patch({ token: { length: 1 } }), 400, "what is refused");
		await first.cloud.close();

		const second = await restart();
		t.match(second.cloud.settings.hook, { targets, timeout: 7_000 });
		t.equal(second.cloud.settings.hook.fault, undefined);
		t.equal(second.cloud.settings.throttle.RegisterThing, undefined);
		t.equal(second.cloud.settings.token.length, 464, "is not kept");
		t.same(second.cloud.settings.faults, []);
		t.equal(new X509Certificate(second.cloud.rootCertificate).publicKey.asymmetricKeyType, "ec", "read at start");
		second.cloud.changeSettings({ hook: { targets: {} } });
		await second.cloud.close();

		const third = await restart({ hook: { timeout: 1 } });
		t.match(third.cloud.settings.hook, { targets: {}, timeout: 1 }, "options go before what is kept");
		// As a later version of this program would find it.
		const { state } = third.cloud.registry;
		state.transaction(() => state.settings.put("changes", { patch: { gone: { x: 1 }, hook: { timeout: 5 } } }));
		await third.cloud.close();
		const fourth = await restart();
		t.equal(fourth.cloud.settings.hook.timeout, 5_000);
		t.match(fourth.warnings, [/from an earlier run are not used: There is no setting gone/]);
		await fourth.cloud.close();
	},
);

t.test("Names that JavaScript or the database have a use for themselves are kept like others", async (t) => {
	const where = directory(t);
	const names = ["__proto__", "__proto_", "constructor"];
	const attributes = Object.fromEntries(names.map((name) => [name, name]));
	const first = await startCloud({ directory: where });
	first.registry.things.createThing({
		thingName: "odd",
		thingTypeName: first.registry.thingTypes.createThingType({ thingTypeName: "odd" }).thingTypeName,
		attributePayload: { attributes },
	});
	const { thingTypeArn } = first.registry.thingTypes.describeThingType({ thingTypeName: "odd" });
	first.registry.tags.tagResource({ resourceArn: thingTypeArn, tags: names.map((Key) => ({ Key, Value: Key })) });
	first.changeSettings({ hook: { targets: attributes } });
	await first.close();
	const second = await startCloud({ directory: where });
	t.teardown(() => second.close());
	const sorted = (row: object) => Object.entries(row).sort();
	t.same(sorted(second.registry.things.describeThing({ thingName: "odd" }).attributes), sorted(attributes));
	t.same(
		second.registry.tags
			.listTagsForResource({ resourceArn: thingTypeArn })
			.tags.map(({ Key }) => Key)
			.sort(),
		names.sort(),
	);
	t.same(sorted(second.settings.hook.targets), sorted(attributes));
});

t.test("A process that is killed loses nothing that was acknowledged", async (t) => {
	const where = directory(t);
	let acknowledged = -1;
	const rounds = sampleSize(t, 5, 3);
	for (let round = 0; round < rounds; round++) {
		const process = writer(where);
		const before = acknowledged;
		process.on("message", (number: number) => {
			acknowledged = number;
			// Somewhere in the middle of what follows.
			if (number === before + 20 + round * 7) process.kill("SIGKILL");
		});
		await once(process, "exit");
		const cloud = await startCloud({ directory: where });
		const { state, certificates, thingPrincipals } = cloud.registry;
		for (let number = 0; number <= acknowledged; number++) {
			t.equal(state.things.has(`thing-${number}`), true, `thing-${number} is there`);
		}
		// The last one may have been written and not acknowledged; a half of it must not be there.
		for (const { thingName } of state.things.values()) {
			const [attachment] = state.thingPrincipals.by("thingName", thingName);
			const id = thingPrincipals.listThingPrincipals({ thingName }).principals[0]?.split("/")[1] ?? "";
			t.equal(certificates.get(id)?.status, "ACTIVE");
			t.equal(state.attachments.by("target", attachment?.principal ?? "").length, 1);
		}
		await cloud.close();
	}
	t.ok(acknowledged >= rounds * 20);
});

t.test(
	"What a client was promised survives the death of the broker: sessions, queued and retained messages",
	async (t) => {
		const where = directory(t);
		const script = fileURLToPath(new URL("messages-child.ts", import.meta.url));
		const process = fork(script, [where], {
			execArgv: ["--import", "tsx"],
			stdio: ["ignore", "ignore", "inherit", "ipc"],
		});
		const [{ cloud: first, owner }] = await once(process, "message");
		const rig = { cloud: first } as Rig;
		const away = await connect(rig, owner, "away", { clean: false });
		await away.subscribeAsync(["queued/+", "other"], { qos: 1 });
		await away.unsubscribeAsync("other");
		await away.endAsync();
		const writer = await connect(rig, owner, "writer");
		const acknowledged: number[] = [];
		writer.on("error", () => {});
		await new Promise<void>((resolve) => {
			writer.once("close", () => resolve());
			for (let number = 0; number < 2_000; number++) {
				writer.publish(`queued/${number}`, String(number), { qos: 1, retain: number % 10 === 0 }, (error) => {
					if (!error) acknowledged.push(number);
					if (acknowledged.length === 300) process.kill("SIGKILL");
				});
			}
		});
		t.ok(acknowledged.length >= 300, `${acknowledged.length} were acknowledged`);
		t.same(
			acknowledged,
			[...acknowledged].sort((a, b) => a - b),
			"in their order",
		);
		const second = await startCloud({ directory: where });
		t.teardown(() => second.close());
		const heir = { cloud: second } as Rig;
		const back = mqtt.connect(clientOptions(heir, owner, "away", { clean: false, resubscribe: false }));
		const heard: number[] = [];
		back.on("message", (_, payload) => heard.push(Number(payload)));
		const present = new Promise<boolean>((resolve) => back.once("connect", (packet) => resolve(packet.sessionPresent)));
		t.equal(await present, true, "the session is there");
		await eventually(() => (heard.length >= acknowledged.length ? true : undefined));
		t.same(heard.slice(0, acknowledged.length), acknowledged, "with all that waited for it");
		await back.endAsync();
		const reader = await connect(heir, owner, "reader");
		const kept: number[] = [];
		reader.on("message", (_, payload) => kept.push(Number(payload)));
		const retained = acknowledged.filter((number) => number % 10 === 0);
		for (let index = 0; index < retained.length; index += 5) {
			const topics = retained.slice(index, index + 5).map((number) => `queued/${number}`);
			await reader.subscribeAsync(topics);
			await eventually(() => (kept.length >= index + topics.length ? true : undefined));
			await reader.unsubscribeAsync(topics);
		}
		t.same(kept, retained, "and the retained ones");
		await reader.endAsync();
	},
);

t.test("A second process is refused while the first lives, and welcome after its death", async (t) => {
	const where = directory(t);
	const process = writer(where);
	await once(process, "message");
	const refused = await startCloud({ directory: where }).catch((error: unknown) => error);
	t.ok(refused instanceof StateInUseError);
	t.match(String(refused), /in use by another process/);
	process.kill("SIGKILL");
	await once(process, "exit");
	const cloud = await startCloud({ directory: where });
	await cloud.close();
	t.pass("no stale lock");
});

t.test("A port that is taken is told as the system tells it, and the directory is free again", async (t) => {
	const where = directory(t);
	const first = await startCloud();
	t.teardown(() => first.close());
	await t.rejects(startCloud({ directory: where, port: first.port }), { code: "EADDRINUSE" });
	await (await startCloud({ directory: where })).close();
});

t.test("Only the owner can read the state", async (t) => {
	const where = join(directory(t), "made", "by", "it");
	const cloud = await startCloud({ directory: where });
	t.teardown(() => cloud.close());
	t.equal(statSync(where).mode & 0o777, 0o700, "a directory of its own making");
	const files = readdirSync(where);
	t.ok(files.length > 0);
	for (const file of files) t.equal(statSync(join(where, file)).mode & 0o077, 0, file);
});
