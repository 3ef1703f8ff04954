// `fleet demo`, which npm start runs: what it prints, and that the result is true.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import t from "tap";
import { openState } from "../../hosts/cloud/state/state.js";
import { credentialsInFlash, fleet, keyBytes, printedNoSecret, saysInOneLine, temporaryFolder } from "./fleet.js";

t.test("with --json it prints one summary and nothing else", async (t) => {
	const { code, stdout, stderr } = await fleet("demo", "--json");
	t.equal(code, 0);
	t.equal(stderr, "");
	const summary = JSON.parse(stdout);
	t.match(summary, {
		thingName: /^240ac4[0-9a-f]{6}$/,
		certificateId: /^[0-9a-f]{64}$/,
		format: "cbor",
		keyPair: "csr",
		boots: 2,
		confirmed: {
			certificateStatus: "ACTIVE",
			thing: summary.thingName,
			policies: ["fleet-device"],
			firstMessage: { topic: `devices/${summary.thingName}/hello` },
		},
	});
	t.equal(summary.roundTrips, 4, "four round trips after TLS");
	t.equal(summary.roundTripsAfterConnack, 3, "three of them after CONNACK");
	t.strictSame(summary.refusals, [], "the cloud refused nothing");
	t.ok(summary.bytesSent > 500 && summary.bytesReceived > 1500, "a certificate came over the wire");
	t.equal(summary.connections.length, 2);
	t.equal(
		summary.bytesReceived,
		summary.connections.reduce((sum: number, { bytesReceived }: { bytesReceived: number }) => sum + bytesReceived, 0),
	);
	for (const step of ["boot", "connect", "subscribe", "create", "register", "restart", "prove", "message", "total"])
		t.type(summary.milliseconds[step], "number", `${step} has a time`);
});

t.test("the service can make the key pair, and the device speak JSON", async (t) => {
	const { code, stdout } = await fleet("demo", "--json", "--keys", "--format", "json");
	t.equal(code, 0);
	t.match(JSON.parse(stdout), { format: "json", keyPair: "keys", roundTripsAfterConnack: 3, boots: 2 });
});

t.test("a device that asks while it subscribes saves a round trip, and while it connects, two", async (t) => {
	for (const [pipeline, roundTrips] of [
		["subscribe", 3],
		["connect", 2],
	] as const) {
		const { code, stdout } = await fleet("demo", "--json", "--pipeline", pipeline);
		t.equal(code, 0);
		t.match(JSON.parse(stdout), { roundTrips, roundTripsAfterConnack: roundTrips - 1, boots: 2, refusals: [] });
	}
});

t.test("the story is told in order and without colour where there is no terminal", async (t) => {
	const { code, stdout } = await fleet("demo");
	t.equal(code, 0);
	t.notMatch(stdout, "\x1b", "no colour");
	const told = [
		"flash is empty",
		"connects with the claim certificate",
		"subscribes to the 4 reply topics",
		"CreateCertificateFromCsr",
		"issues certificate",
		"round trip 3",
		"RegisterThing",
		"provisions thing",
		"round trip 4",
		"restarts",
		"connects with its own certificate",
		"takes 82 B from",
		"The cloud confirms:",
		"4 after TLS",
	].map((part) => stdout.indexOf(part));
	t.notOk(told.includes(-1), "everything is told");
	t.strictSame(
		told,
		[...told].sort((a, b) => a - b),
		"in order",
	);
});

t.test("after --keep, the same cloud and device can be used again", async (t) => {
	const folder = join(temporaryFolder(t), "kept");
	const { code, stdout } = await fleet("demo", "--keep", folder);
	t.equal(code, 0);
	t.match(stdout, "Go on with the same cloud and device");
	t.ok(existsSync(join(folder, "cloud/fleet-claim.pem")));

	const again = await fleet("demo", "--keep", folder);
	saysInOneLine(t, again, 1, /kept is not empty/);

	const device = credentialsInFlash(join(folder, "device.flash"));
	const claimKey = keyBytes(readFileSync(join(folder, "cloud/fleet-claim-key.pem")));
	const state = await openState({ directory: join(folder, "cloud") });
	const authorities = ["root", "server", "devices-RSA"].map((name) =>
		keyBytes(state.identities.get(name)!.privateKeyPem),
	);
	await state.close();
	printedNoSecret(t, [device.key, claimKey, ...authorities]);
});
