// Given a server's certificates, then the device trusts them if every rule is followed, and otherwise names the broken rule.

import "./sdk.js";
import t from "tap";
import { makeChains } from "./chains.js";
import { chain, record, serverHello } from "./parties.js";

await import("./sdk.js");
const { tryMutations } = await import("./mutations.js");
const { Handshake, HandshakeError } = await import("../../hosts/moddable/tls/handshake.js");

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

t.test("mutated certificates are read or refused, and never trusted", (t) => tryMutations(t, 4_000));
