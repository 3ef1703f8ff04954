// Payloads as bytes: what is written for each setting, what is read.

import t from "tap";
import { defaultSettings } from "../../../hosts/cloud/base/settings.js";
import { decodeRequest, encodeReply } from "../../../hosts/cloud/provisioning/codec.js";

const members = [
	["thingName", "t"],
	["statusCode", 400],
	["deviceConfiguration", new Map([["b", "2"]])],
] as const;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

t.test("Replies are compact, definite, in the given order", async (t) => {
	const settings = defaultSettings();
	t.equal(
		Buffer.from(encodeReply("json", members, settings)).toString(),
		'{"thingName":"t","statusCode":400,"deviceConfiguration":{"b":"2"}}',
	);
	// RFC 8949: A3 map of three, 69 text of nine, 19 0190 the number 400, A1 map of one.
	t.equal(
		hex(encodeReply("cbor", members, settings)),
		`a3${"69"}${Buffer.from("thingName").toString("hex")}6174${"6a"}${Buffer.from("statusCode").toString("hex")}190190${"73"}${Buffer.from("deviceConfiguration").toString("hex")}a161626132`,
	);
	settings.cbor.reverseMembers = true;
	t.same(Object.keys(JSON.parse(Buffer.from(encodeReply("json", members, settings)).toString())), [
		"deviceConfiguration",
		"statusCode",
		"thingName",
	]);
});

t.test("By setting, maps and texts have indefinite length", async (t) => {
	const settings = defaultSettings();
	settings.cbor.indefinite = true;
	const bytes = encodeReply("cbor", [["thingName", "abc"]], settings);
	// BF … FF, 7F … FF (RFC 8949 section 3.2).
	t.equal(hex(bytes), "bf7f657468696e67644e616d65ff7f6261626163ffff");
	for (const text of ["😀", "a😀", "😀a", "😀😀😀"]) {
		const members = [["thingName", text]] as const;
		t.same(decodeRequest("cbor", encodeReply("cbor", members, settings)), new Map(members), `${text} stays whole`);
	}
});

t.test("By setting, replies are filled up to the byte", async (t) => {
	const settings = defaultSettings();
	for (const encoding of ["json", "cbor"] as const) {
		for (const padTo of [100, 300, 5_000, 70_000]) {
			settings.reply.padTo = padTo;
			const { length } = encodeReply(encoding, members, settings);
			t.ok(length >= padTo && length <= padTo + 3, `${encoding} ${padTo}: ${length}`);
		}
		settings.reply.padTo = 10;
		t.ok(encodeReply(encoding, members, settings).length > 10, "what is longer stays as it is");
	}
});

t.test("Requests are read in definite and indefinite form, empty ones as an empty map", async (t) => {
	const empty = new Map();
	for (const encoding of ["json", "cbor"] as const) t.same(decodeRequest(encoding, new Uint8Array()), empty);
	t.same(decodeRequest("json", Buffer.from("{}")), empty);
	t.same(decodeRequest("cbor", Buffer.from("a0", "hex")), empty);
	for (const form of [
		"a16261626163",
		"bf7f61616162ff6163ff",
		"a17f61616162ff7f6163ff",
		"bf6261626163ff",
		"a1780261627f7900016360ff",
	]) {
		t.same(decodeRequest("cbor", Buffer.from(form, "hex")), new Map([["ab", "c"]]), form);
	}
	for (const broken of [
		"7f",
		"7f61",
		"7f4161ff",
		"7f7f6161ffff",
		"a1",
		"1c",
		`${"81".repeat(300)}00`,
		"ff",
		"bf6161ff",
	]) {
		t.throws(() => decodeRequest("cbor", Buffer.from(broken, "hex")), broken);
	}
	const hostile = decodeRequest("json", Buffer.from('{"__proto__":{"a":"b"}}'));
	t.same(hostile, new Map([["__proto__", new Map([["a", "b"]])]]));
	t.throws(() => decodeRequest("json", Buffer.from([0x22, 0xff, 0x22])), "bad UTF-8");
	t.throws(() => decodeRequest("cbor", Buffer.from("a0a0", "hex")), "something after the end");
});
