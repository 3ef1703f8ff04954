// Replies of the provisioning API against encoders that are not ours (cborg, JSON, OpenSSL): read right when they are
// right, and a typed failure, nothing else, whatever byte is wrong.

import { createPrivateKey, X509Certificate } from "node:crypto";
import { encode } from "cborg";
import t from "tap";
import { Failure } from "../../src/provisioning/failure.js";
import {
	encodeRegisterThing,
	readIssuedCertificate,
	readRegistration,
	readRejection,
} from "../../src/provisioning/messages.js";
import { type Issued, issueCertificate } from "../support/credentials.js";

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
	for (const [format, payload] of [
		["cbor", encode(stranger)],
		["cbor", encode(turned)],
		["json", Buffer.from(JSON.stringify(stranger))],
		["json", Buffer.from(JSON.stringify(plain, undefined, 2))],
	] as const) {
		const read = readIssuedCertificate(format, payload);
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
		// All 255 other values in CI, 37 of them, another set for each byte, where somebody waits.
		const step = process.env.CI ? 1 : 7;
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
	// The error map of AWS_IOT.md 1.4, built by hand from RFC 8949.
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
