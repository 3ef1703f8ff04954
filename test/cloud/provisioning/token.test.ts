// Ownership tokens look like AWS's, and no two are the same.

import t from "tap";
import { ownershipToken } from "../../../hosts/cloud/provisioning/token.js";

t.test("A token is base64 of AWS's JSON, 464 characters long, and another one each time", async (t) => {
	const tokens = Array.from({ length: 200 }, () => ownershipToken());
	for (const token of tokens) {
		t.match(token, /^[A-Za-z0-9+/]{462}==$/);
		const text = Buffer.from(token, "base64").toString();
		const { cipher, ...rest } = JSON.parse(text) as { cipher: string };
		t.same(rest, { version: "20191023" });
		t.match(text, /^\{"version":"20191023","cipher":"[A-Za-z0-9+/]{311}="\}$/);
		const bytes = Buffer.from(cipher, "base64");
		t.equal(bytes.length, 233);
		t.match(bytes.subarray(0, 2).toString("hex"), /^021.$/);
	}
	t.equal(new Set(tokens).size, tokens.length);
});

t.test("Other lengths are kept to the character, and stay different", async (t) => {
	for (const length of [128, 129, 130, 131, 400, 463, 465, 1_000, 65_536]) {
		const tokens = Array.from({ length: 20 }, () => ownershipToken(length));
		for (const token of tokens) t.match(token, /^eyJ2ZXJzaW9uIjoiMjAxOTEwMjMiLCJjaXBoZXIiOi/);
		t.ok(
			tokens.every((token) => token.length === length),
			String(length),
		);
		t.equal(new Set(tokens).size, tokens.length, String(length));
	}
});
