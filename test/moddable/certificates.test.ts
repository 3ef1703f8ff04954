// Given a server's certificates, then the device trusts them when every rule is kept, and says which one is not.

import "./sdk.js";
import t from "tap";
import { makeChains, WILD } from "./chains.js";
import { chain, record, serverHello } from "./parties.js";

await import("./sdk.js");
const { Handshake, HandshakeError } = await import("../../hosts/moddable/tls/handshake.js");

/** 100,000 are tried by test/exhaustive, and in XS on the SDK's own modules by `npm run sdk-tests`. */
const COUNT = 4_000;

for (const { what, certificates, roots, serverName, rule } of await makeChains()) {
	t.test(`${what}: ${rule ?? "trusted"}`, (t) => {
		const handshake = new Handshake(serverName, roots);
		let refused: Error | undefined;
		try {
			handshake.received(record(22, serverHello, chain(...certificates)));
		} catch (error) {
			refused = error as Error;
		}
		if (rule === undefined) t.equal(refused?.message, undefined);
		else {
			t.match(refused?.message, rule);
			t.ok(refused instanceof HandshakeError && refused.reason === "tls-server", "untrusted, not TLS that failed");
		}
		t.end();
	});
}

t.test("mutated certificates are read or refused, and never trusted", async (t) => {
	const given = (await makeChains()).filter(({ rule }) => rule === undefined);
	const seeds = [...given.flatMap(({ certificates }) => certificates), WILD];
	const { Fuzzer } = await import("./certificate-fuzz.js");
	const fuzzer = new Fuzzer({ count: COUNT, seed: 9, seeds, roots: given[0]!.roots, serverName: given[0]!.serverName });
	fuzzer.run(COUNT);
	const { read, refused, findings } = fuzzer.outcome;
	t.same(findings, []);
	t.equal(read + refused, COUNT);
	t.ok(read > COUNT / 100, `${read} were read`);
});
