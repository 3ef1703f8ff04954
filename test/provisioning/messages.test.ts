// Replies of the provisioning API against encoders that are not ours (cborg, JSON, OpenSSL): read right when they are
// right, and a typed failure, nothing else, whatever byte is wrong.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { encode } from "cborg";
import t from "tap";
import { checkCbor } from "../../src/base/cbor.js";
import { Failure } from "../../src/base/failure.js";
import { Malformed } from "../../src/base/malformed.js";
import {
	encodeRegisterThing,
	readIssuedCertificate,
	readRegistration,
	readRejection,
} from "../../src/provisioning/messages.js";
import { type Issued, issueCertificate } from "../support/credentials.js";
import { all, leaveOut } from "../support/sample.js";

const issued = await issueCertificate();
const other = await issueCertificate();
const TOKEN = "eyJ0b2tlbiI6".repeat(38).slice(0, 456);
const reply = ({ certificateId, certificatePem, privateKey }: Issued, more: object = {}): Record<string, unknown> => ({
	certificateId,
	certificatePem,
	privateKey,
	certificateOwnershipToken: TOKEN,
	...more,
});
const golden = encode(reply(issued));

/** The code with which it fails; anything but a Failure is thrown on. */
function codeOf(work: () => unknown): string {
	try {
		work();
		return "none";
	} catch (error) {
		if (!(error instanceof Failure)) throw error;
		return error.code;
	}
}

/** What is wrong with what was read, when something is: judged by OpenSSL. */
function wrongWith(payload: Uint8Array): string | undefined {
	const { credentials } = readIssuedCertificate("cbor", payload);
	const key = createPrivateKey({ key: Buffer.from(credentials.key), format: "der", type: "pkcs8" });
	let certificate: X509Certificate;
	try {
		certificate = new X509Certificate(credentials.certificate);
	} catch {
		// OpenSSL reads names, dates and extensions, which a device does not: their bytes are the service's to answer for.
		return undefined;
	}
	return certificate.checkPrivateKey(key) ? undefined : "the key is another's";
}

t.test("given a reply in CBOR or JSON, keys in any order and strangers among them, then it is read", async (test) => {
	const stranger = reply(issued, { extra: [1, { deep: new Uint8Array(3) }, null, -1.5], other: true });
	const turned = Object.fromEntries(Object.entries(stranger).reverse());
	const plain = Object.fromEntries(Object.entries(turned).filter(([name]) => name !== "extra"));
	for (const [encoding, payload] of [
		["cbor", encode(stranger)],
		["cbor", encode(turned)],
		["json", Buffer.from(JSON.stringify(stranger))],
		["json", Buffer.from(JSON.stringify(plain, undefined, 2))],
	] as const) {
		const read = readIssuedCertificate(encoding, payload);
		test.equal(read.certificateId, issued.certificateId);
		test.equal(read.ownershipToken, TOKEN);
		test.same([...read.credentials.certificate], [...issued.credentials.certificate]);
		test.same([...read.credentials.key], [...issued.credentials.key], "PKCS#1 became the PKCS#8 that OpenSSL makes");
	}
});

t.test("given a key in PKCS#8, lines ending in CR LF, or a chain, then it is read", async (test) => {
	const key = createPrivateKey(issued.privateKey);
	const variants = [
		{ privateKey: key.export({ type: "pkcs8", format: "pem" }) },
		{ certificatePem: issued.certificatePem.replaceAll("\n", "\r\n") },
		{ certificatePem: issued.certificatePem + other.certificatePem },
		{ certificatePem: issued.certificatePem.trimEnd() },
	];
	for (const variant of variants)
		test.same(
			[...readIssuedCertificate("cbor", encode(reply(issued, variant))).credentials.key],
			[...issued.credentials.key],
		);
});

t.test(
	"given members that are missing, of another type or out of bounds, then the failure says which",
	async (test) => {
		const cases: [object, string, RegExp][] = [
			[{ certificateId: undefined }, "CREATE_REPLY_MALFORMED", /certificateId/],
			[{ certificateId: "A".repeat(64) }, "CREATE_REPLY_MALFORMED", /certificateId/],
			[{ certificateId: issued.certificateId.slice(1) }, "CREATE_REPLY_MALFORMED", /certificateId/],
			[{ certificateOwnershipToken: "" }, "CREATE_REPLY_MALFORMED", /certificateOwnershipToken/],
			[{ certificateOwnershipToken: "x".repeat(2049) }, "CREATE_REPLY_MALFORMED", /2049/],
			[{ certificateOwnershipToken: 7 }, "CREATE_REPLY_MALFORMED", /certificateOwnershipToken/],
			[{ certificatePem: Buffer.from(issued.certificatePem) }, "CREATE_REPLY_MALFORMED", /certificatePem/],
			[{ certificatePem: "x".repeat(7000) }, "CREATE_REPLY_MALFORMED", /7000/],
			[{ certificatePem: issued.privateKey }, "CERTIFICATE_MALFORMED", /certificate/],
			[{ privateKey: issued.certificatePem }, "CERTIFICATE_MALFORMED", /private key/],
			[{ privateKey: other.privateKey }, "KEY_MISMATCH", /./],
			[{ certificatePem: other.certificatePem }, "KEY_MISMATCH", /./],
		];
		for (const [change, code, detail] of cases) {
			const members = Object.entries(reply(issued, change)).filter(([, value]) => value !== undefined);
			const payload = encode(Object.fromEntries(members));
			test.equal(
				codeOf(() => readIssuedCertificate("cbor", payload)),
				code,
				`${Object.keys(change)[0]}, ${detail}`,
			);
			test.throws(() => readIssuedCertificate("cbor", payload), detail);
		}
	},
);

t.test("given a golden reply cut short anywhere, then it is refused", async (test) => {
	const codes = new Set<string>();
	for (let length = 0; length < golden.length; length++)
		codes.add(codeOf(() => readIssuedCertificate("cbor", golden.subarray(0, length))));
	test.same([...codes], ["CREATE_REPLY_MALFORMED"]);
});

t.test(
	"given a golden reply with any byte changed to any other, then what is read is a certificate and its own key",
	async (test) => {
		const codes: Record<string, number> = {};
		const wrong: string[] = [];
		const changed = golden.slice();
		// All 255 other values, or by default a few of them, another set for each byte.
		const step = all ? 1 : 59;
		for (let at = 0; at < golden.length; at++) {
			for (let value = at % step; value < 256; value += step) {
				if (value === golden[at]) continue;
				changed[at] = value;
				const code = codeOf(() => readIssuedCertificate("cbor", changed));
				codes[code] = (codes[code] ?? 0) + 1;
				// OpenSSL takes its time: it judges one in seven.
				if (code !== "none" || value % 7 !== at % 7) continue;
				const defect = wrongWith(changed);
				if (defect !== undefined) wrong.push(`byte ${at} as ${value}: ${defect}`);
			}
			changed[at] = golden[at]!;
		}
		const cases = golden.length * 255;
		leaveOut(test, cases - Object.values(codes).reduce((sum, count) => sum + count), cases);
		test.comment(JSON.stringify(codes));
		test.same(wrong, []);
		test.same(Object.keys(codes).sort(), ["CERTIFICATE_MALFORMED", "CREATE_REPLY_MALFORMED", "KEY_MISMATCH", "none"]);
	},
);

t.test("given CBOR that would hurt a decoder, then it is refused before one sees it", async (test) => {
	const text = (length: number) => encode({ a: "x".repeat(length) });
	const nested = (depth: number) => Uint8Array.of(0xa1, 0x61, 0x61, ...new Array(depth).fill(0x81), 0x00);
	const cases: Record<string, Uint8Array> = {
		nothing: new Uint8Array(0),
		"an array": encode([1]),
		"a text": encode("a"),
		"nested 100 deep": nested(100),
		"nested 5 deep": nested(4),
		"a map of 2^32 pairs": Uint8Array.of(0xba, 0xff, 0xff, 0xff, 0xff),
		"a map of 2^64 pairs": Uint8Array.of(0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff),
		"a text of 2^32 bytes": Uint8Array.of(0xa1, 0x61, 0x61, 0x7a, 0xff, 0xff, 0xff, 0xff),
		"a key twice": Uint8Array.of(0xa2, 0x61, 0x61, 0x00, 0x61, 0x61, 0x01),
		"a tag": Uint8Array.of(0xa1, 0x61, 0x61, 0xc1, 0x00),
		"a stray break": Uint8Array.of(0xa1, 0x61, 0x61, 0xff),
		"a break between key and value": Uint8Array.of(0xbf, 0x61, 0x61, 0xff),
		"a chunk within a chunk": Uint8Array.of(0xa1, 0x61, 0x61, 0x7f, 0x7f, 0x61, 0x61, 0xff, 0xff),
		"a chunk of bytes in a text": Uint8Array.of(0xa1, 0x61, 0x61, 0x7f, 0x41, 0x61, 0xff),
		"513 items": encode({ a: new Array(513).fill(0) }),
		"bytes to spare": Uint8Array.of(...encode({ a: 1 }), 0),
	};
	for (const [name, payload] of Object.entries(cases))
		test.equal(
			codeOf(() => readRegistration("cbor", payload)),
			"REGISTER_REPLY_MALFORMED",
			name,
		);
	for (const length of [1, 23, 24, 255, 256, 8192])
		test.equal(
			codeOf(() => readRegistration("cbor", text(length))),
			"THING_NAME_MISSING",
			`a text of ${length} is read`,
		);
	test.equal(
		codeOf(() => readRegistration("cbor", nested(3))),
		"THING_NAME_MISSING",
		"four deep is read",
	);
});

t.test(
	"given all CBOR of two bytes, and all maps of three, then it is refused or holds no thing's name",
	async (test) => {
		const codes = new Set<string>();
		const heads = Array.from({ length: 256 }, (_, head) => head);
		for (const first of heads)
			for (const second of heads) {
				codes.add(codeOf(() => readRegistration("cbor", Uint8Array.of(first, second))));
				// Of the heads of maps those that three bytes can hold, and the indefinite one.
				if (![0xa0, 0xa1, 0xbf].includes(first)) continue;
				for (const third of heads)
					codes.add(codeOf(() => readRegistration("cbor", Uint8Array.of(first, second, third))));
			}
		test.same([...codes].sort(), ["REGISTER_REPLY_MALFORMED", "THING_NAME_MISSING"]);
	},
);

t.test("given JSON that would hurt a parser, then it is refused", async (test) => {
	for (const text of [
		"",
		"[]",
		"7",
		"null",
		"{",
		`{"a":${"[".repeat(100)}${"]".repeat(100)}}`,
		`{"a":[${"0,".repeat(600)}0]}`,
	])
		test.equal(
			codeOf(() => readRegistration("json", Buffer.from(text))),
			"REGISTER_REPLY_MALFORMED",
			text.slice(0, 20),
		);
});

t.test("given device configuration of every shape, then it is a flat map of texts or refused", async (test) => {
	const read = (deviceConfiguration: unknown) =>
		readRegistration(
			"cbor",
			encode({ thingName: "t", ...(deviceConfiguration === undefined ? {} : { deviceConfiguration }) }),
		).deviceConfiguration;
	test.same(read(undefined), {});
	test.same(read(null), {});
	test.same(read({}), {});
	test.same(read({ a: "b", n: 7, yes: true }), { a: "b", n: "7", yes: "true" });
	for (const bad of ["text", [], { a: {} }, { a: ["x"] }])
		test.equal(
			codeOf(() => read(bad)),
			"REGISTER_REPLY_MALFORMED",
			JSON.stringify(bad),
		);
	const odd = readRegistration("json", Buffer.from('{"thingName":"t","deviceConfiguration":{"__proto__":"p"}}'));
	test.equal(Object.getPrototypeOf(odd.deviceConfiguration), Object.prototype);
	test.same(Object.entries(odd.deviceConfiguration), [["__proto__", "p"]]);
});

t.test("given a rejection, even one that cannot be read, then it is one, and holds no secret", async (test) => {
	// A rejection with the three members that AWS documents, encoded by hand after RFC 8949.
	const vector = Buffer.from(
		"A36A737461747573436F6465190190696572726F72436F646571496E76616C6964506172616D65746572736C6572726F724D6573736167656178",
		"hex",
	);
	test.same(readRejection("cbor", vector), { statusCode: 400, errorCode: "InvalidParameters", errorMessage: "x" });
	test.same(readRejection("cbor", Uint8Array.of(0xff)), { statusCode: 0, errorCode: "", errorMessage: "" });
	test.same(readRejection("json", Buffer.from('{"statusCode":"400"}')), {
		statusCode: 0,
		errorCode: "",
		errorMessage: "",
	});
	const failure = new Failure("REGISTER_INVALID", undefined, {
		statusCode: 400,
		errorCode: "E",
		errorMessage: `bad token ${TOKEN}`,
	});
	test.notMatch(JSON.stringify(failure.report()), TOKEN.slice(0, 70));
});

t.test("given parameters, then RegisterThing's request is definite CBOR in its shortest form", async (test) => {
	const request = encodeRegisterThing("cbor", TOKEN, { SerialNumber: "a-1" });
	test.same(
		[...request],
		[
			...encode(new Map(Object.entries({ certificateOwnershipToken: TOKEN, parameters: { SerialNumber: "a-1" } })), {
				mapSorter: () => 0,
			}),
		],
	);
	test.equal(
		Buffer.from(encodeRegisterThing("json", "t", { SerialNumber: "ü" })).toString(),
		'{"certificateOwnershipToken":"t","parameters":{"SerialNumber":"ü"}}',
	);
});

/** The map `{"a": …}` around an item, since replies are maps. */
const inMap = (item: string): Uint8Array => Buffer.from(`a16161${item}`, "hex");

const isWellFormed = (payload: Uint8Array): boolean => {
	try {
		checkCbor(payload);
		return true;
	} catch (error) {
		if (!(error instanceof Malformed)) throw error;
		return false;
	}
};

t.test(
	"given the examples of RFC 8949, appendix A, then those without tags and within bounds are taken",
	async (test) => {
		const taken =
			"00 01 0a 17 1818 1819 1864 1903e8 1a000f4240 1b000000e8d4a51000 1bffffffffffffffff 3bffffffffffffffff 20 29 3863 " +
			"3903e7 f90000 f98000 f93c00 fb3ff199999999999a f93e00 f97bff fa47c35000 fa7f7fffff fb7e37e43c8800759c f90001 f90400 " +
			"f9c400 fbc010666666666666 f97c00 f97e00 f9fc00 fa7f800000 fa7fc00000 faff800000 fb7ff0000000000000 " +
			"fb7ff8000000000000 fbfff0000000000000 f4 f5 f6 f7 f0 f8ff 40 4401020304 60 6161 6449455446 62225c 62c3bc 63e6b0b4 " +
			"64f0908591 80 83010203 8301820203820405 98190102030405060708090a0b0c0d0e0f101112131415161718181819 a0 a201020304 " +
			"a26161016162820203 826161a161626163 a56161614161626142616361436164614461656145 5f42010243030405ff " +
			"7f657374726561646d696e67ff 9fff 9f018202039f0405ffff 9f01820203820405ff 83018202039f0405ff 83019f0203ff820405 " +
			"9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff bf61610161629f0203ffff 826161bf61626163ff " +
			"bf6346756ef563416d7421ff";
		for (const item of taken.split(" ")) test.ok(isWellFormed(inMap(item)), item);
		const tagged =
			"c249010000000000000000 c349010000000000000000 c074323031332d30332d32315432303a30343a30305a c11a514b67b0 " +
			"c1fb41d452d9e8200000 d74401020304 d818456449455446 d82076687474703a2f2f7777772e6578616d706c652e636f6d";
		for (const item of tagged.split(" ")) test.notOk(isWellFormed(inMap(item)), `${item}, a tag`);
	},
);

t.test("given the examples of RFC 8949, appendix F, then none is well-formed, alone or in a map", async (test) => {
	const examples =
		"18 19 1a 1b 1901 1a0102 1b01020304050607 38 58 78 98 9a01ff00 b8 d8 f8 f900 fa0000 fb000000 41 61 5affffffff00 " +
		"5bffffffffffffffff010203 7affffffff00 7b7fffffffffffffff010203 81 818181818181818181 8200 a1 a20102 a100 a2000000 c0 " +
		"5f4100 7f6100 9f 9f0102 bf bf01020102 819f 9f8000 9f9f9f9f9fffffffff 9f819f819f9fffffff 1c 1d 1e 3c 3d 3e 5c 5d 5e 7c 7d " +
		"7e 9c 9d 9e bc bd be dc dd de fc fd fe f800 f801 f818 f81f 5f00ff 5f21ff 5f6100ff 5f80ff 5fa0ff 5fc000ff 5fe0ff 7f4100ff " +
		"5f5f4100ffff 7f7f6100ffff ff 81ff 8200ff a1ff a1ff00 a100ff a20000ff 9f81ff 9f829f819f9fffffffff bf00ff bf000000ff 1f 3f df";
	for (const item of examples.split(" ")) {
		test.notOk(isWellFormed(Buffer.from(item, "hex")), item);
		test.notOk(isWellFormed(inMap(item)), `${item} in a map`);
	}
	for (let value = 0; value < 256; value++)
		test.equal(isWellFormed(inMap(`f8${value.toString(16).padStart(2, "0")}`)), value >= 32, `simple value ${value}`);
});

t.test("given a status code in any encoding of CBOR, then it is the number that it is", async (test) => {
	// RFC 8949, 3: 403 in 16, 32 and 64 bits, and as a float of 32 and of 64 bits.
	for (const number of ["190193", "1a00000193", "1b0000000000000193", "fa43c98000", "fb4079300000000000"]) {
		const payload = Buffer.from(`a16a737461747573436f6465${number}`, "hex");
		test.equal(readRejection("cbor", payload).statusCode, 403, number);
	}
	for (const number of ["1bffffffffffffffff", "3bffffffffffffffff", "f97e00", "fb4079300000000001"]) {
		const payload = Buffer.from(`a16a737461747573436f6465${number}`, "hex");
		test.equal(readRejection("cbor", payload).statusCode, 0, `${number} is none`);
	}
});
