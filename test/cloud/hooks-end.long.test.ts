// Given a hook in flight, when the cloud is closed or reset, then the hook ends with it; and an authority that is none is told.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import t from "tap";
import { devicePolicy, provisioningTemplate } from "../../hosts/cloud/base/samples.js";
import { startCloud } from "../../hosts/cloud/cloud.js";
import { eventually } from "./rig.js";

const account = { accountId: "123456789012", region: "eu-west-1" };

for (const [how, settings] of [
	["close", {}],
	["reset", {}],
	["close", { hook: { fault: "hang", timeout: 600_000 } }],
] as const)
	t.test(`${how} ends ${"hook" in settings ? "a hook that the settings let hang" : "a command"}`, async (t) => {
		const folder = mkdtempSync(join(tmpdir(), "fleet-hooks-"));
		t.teardown(() => rmSync(folder, { recursive: true, force: true }));
		const [started, ended] = [join(folder, "started"), join(folder, "ended")];
		// It would answer when the other file is there, which is never.
		writeFileSync(
			join(folder, "hook.sh"),
			`touch '${started}'\nwhile [ ! -e '${ended}' ]; do sleep 0.05; done\necho '{"allowProvisioning": true}'\n`,
		);
		const cloud = await startCloud({
			settings: { hook: { timeout: 600_000 }, ...settings, keyPairs: { ahead: 0 } },
			setup: {
				account: account.accountId,
				region: account.region,
				policies: { device: devicePolicy(account) as never },
				templates: {
					fleet: {
						body: provisioningTemplate("device") as never,
						hook: { command: `sh '${join(folder, "hook.sh")}'` },
					},
				},
			},
		});
		const ask = async (operation: "CreateKeysAndCertificate" | "RegisterThing", payload: object) => {
			const reply = await cloud.provisioning.handle({
				operation,
				encoding: "json",
				templateName: "fleet",
				payload: Buffer.from(JSON.stringify(payload)),
				claimCertificateId: "c",
				clientId: "d",
				connectionId: "e",
			});
			return JSON.parse(Buffer.from(reply.payload).toString());
		};
		const { certificateOwnershipToken } = await ask("CreateKeysAndCertificate", {});
		const explanations: string[] = [];
		cloud.events.listen((event) => {
			if (event.event === "provisioning" && event.explanation !== undefined) explanations.push(event.explanation);
		});
		const reply = ask("RegisterThing", { certificateOwnershipToken, parameters: { SerialNumber: "one" } });
		if (!("hook" in settings)) await eventually(() => (existsSync(started) ? true : undefined));
		await cloud[how]();
		t.match(await reply, { statusCode: 403 });
		t.match(explanations, [/the cloud was closed or reset before it answered/]);
		t.notOk(cloud.registry.state.things.has("one"));
		if (how === "reset") await cloud.close();
	});

t.test("an authority without identities is an error, not an authority of its own", async (t) => {
	for (const authority of [{}, { identities: undefined }])
		await t.rejects(startCloud({ authority: authority as never }), {
			name: "TypeError",
			message: "authority must be that of another cloud: startCloud({ authority: other.authority }).",
		});
});
