// Given a server's side of a TLS handshake, record by record, then the device's watch over it lets only the real server pass.

import "./sdk.js";
import { KeyObject, randomBytes, webcrypto } from "node:crypto";
import {
	BasicConstraintsExtension,
	cryptoProvider,
	SubjectAlternativeNameExtension,
	X509CertificateGenerator,
} from "@peculiar/x509";
import t from "tap";
import { BIT_STRING, encodeDer, INTEGER, openDer, SEQUENCE } from "../../src/identity/der.js";

const { used } = await import("./sdk.js");
const { Handshake, HandshakeError } = await import("../../hosts/moddable/handshake.js");

cryptoProvider.set(webcrypto as unknown as Parameters<typeof cryptoProvider.set>[0]);
const EC = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const RSA = {
	name: "RSASSA-PKCS1-v1_5",
	hash: "SHA-256",
	modulusLength: 2048,
	publicExponent: Uint8Array.of(1, 0, 1),
};
const DAY = 86_400_000;
const SERVER = "endpoint.example.com";

interface Party {
	readonly name: string;
	readonly keys: webcrypto.CryptoKeyPair;
	readonly algorithm: typeof EC | typeof RSA;
	readonly certificate: Uint8Array;
}

interface Wishes {
	readonly ca?: boolean;
	readonly names?: readonly { type: "dns" | "ip"; value: string }[];
	/** Days from now. */
	readonly from?: number;
	readonly to?: number;
	/** Claims to be issued by `issuer`, which has not signed it. */
	readonly forged?: boolean;
	readonly algorithm?: typeof EC | typeof RSA;
}

async function issue(name: string, issuer: Party | undefined, wishes: Wishes = {}): Promise<Party> {
	const { ca, names, from = -1, to = 1, forged = false, algorithm = EC } = wishes;
	const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
	const signer = forged || !issuer ? { keys, algorithm } : issuer;
	const certificate = await X509CertificateGenerator.create({
		subject: `CN=${name}`,
		issuer: `CN=${issuer?.name ?? name}`,
		notBefore: new Date(Date.now() + from * DAY),
		notAfter: new Date(Date.now() + to * DAY),
		publicKey: keys.publicKey,
		signingKey: signer.keys.privateKey,
		signingAlgorithm: signer.algorithm,
		extensions: [
			...(ca === undefined ? [] : [new BasicConstraintsExtension(ca)]),
			...(names ? [new SubjectAlternativeNameExtension([...names])] : []),
		],
	} as Parameters<typeof X509CertificateGenerator.create>[0]);
	return { name, keys, algorithm, certificate: new Uint8Array(certificate.rawData) };
}

/** An ECDSA signature; the integers as they stand in DER. */
const signature = (r: Uint8Array, s: Uint8Array) => encodeDer(SEQUENCE, encodeDer(INTEGER, r), encodeDer(INTEGER, s));

/** The same with another signature. */
function resigned(party: Party, signature: Uint8Array): Party {
	const parts = openDer(party.certificate, SEQUENCE);
	const certificate = encodeDer(
		SEQUENCE,
		encodeDer(SEQUENCE, parts.read(SEQUENCE)),
		encodeDer(SEQUENCE, parts.read(SEQUENCE)),
		encodeDer(BIT_STRING, Uint8Array.of(0), signature),
	);
	return { ...party, certificate };
}

const keyOf = ({ keys }: Party) =>
	KeyObject.from(keys.publicKey).export({ type: "spki", format: "der" }).toString("hex");

const names = [{ type: "dns", value: SERVER }] as const;
const root = await issue("Root", undefined, { ca: true });
const intermediate = await issue("Intermediate", root, { ca: true });
const server = await issue("server", intermediate, { names });

const sized = (bytes: Uint8Array) => Buffer.concat([Buffer.from([0, bytes.length >> 8, bytes.length & 0xff]), bytes]);
const message = (type: number, body: Uint8Array) => Buffer.concat([Buffer.of(type), sized(body)]);
const record = (type: number, ...messages: Uint8Array[]) => {
	const body = Buffer.concat(messages);
	return new Uint8Array(Buffer.concat([Buffer.of(type, 3, 3, body.length >> 8, body.length & 0xff), body]));
};
const chain = (...parties: Party[]) =>
	message(11, sized(Buffer.concat(parties.map(({ certificate }) => sized(certificate)))));
const hello = (suite: number, version = 0x0303, session = 32) => {
	const [major, minor] = [version >> 8, version & 0xff];
	const [first, second] = [suite >> 8, suite & 0xff];
	const parts = [Buffer.of(major, minor), randomBytes(32), Buffer.of(session), randomBytes(session)];
	return message(2, Buffer.concat([...parts, Buffer.of(first, second, 0)]));
};
const serverHello = hello(0xc02f);
const keyExchange = (hash: number, algorithm: number, signature: Uint8Array) => {
	const head = Buffer.of(hash, algorithm, signature.length >> 8, signature.length & 0xff);
	return message(12, Buffer.concat([Buffer.of(3, 0, 23, 65), randomBytes(65), head, signature]));
};
const one = Uint8Array.of(1);
const signed = keyExchange(4, 3, signature(one, one));
const helloDone = message(14, new Uint8Array());
const change = record(20, Uint8Array.of(1));
const finished = record(22, randomBytes(40));

const watch = (serverName = SERVER, roots = [root]) =>
	new Handshake(
		serverName,
		roots.map(({ certificate }) => certificate),
	);

/** Why the work is refused; undefined when it is not. */
function reasonOf(work: () => void): string | undefined {
	try {
		work();
		return undefined;
	} catch (error) {
		return error instanceof HandshakeError ? error.reason : String(error);
	}
}

const refusal = (parties: readonly Party[], serverName?: string, roots?: Party[]) =>
	reasonOf(() => watch(serverName, roots).received(record(22, serverHello, chain(...parties))));

t.test("the real server's handshake is finished with its Finished, not before", async (t) => {
	const handshake = watch();
	for (const received of [
		record(22, serverHello),
		record(22, chain(server, intermediate)),
		record(22, signed, helloDone),
	])
		handshake.received(received);
	handshake.sent(record(22, randomBytes(70)));
	handshake.sent(change);
	handshake.received(change);
	t.notOk(handshake.finished);
	handshake.received(finished);
	t.ok(handshake.finished);
});

t.test("a chain is trusted when every link holds up to a root", async (t) => {
	const anywhere = await issue("other root", undefined, { ca: true });
	t.equal(refusal([server, intermediate]), undefined, "as it should be");
	t.equal(refusal([server, intermediate, root]), undefined, "with the root");
	t.equal(refusal([server, intermediate], SERVER, [anywhere, root]), undefined, "several roots");
	t.equal(refusal([await issue("server", root, { names })]), undefined, "issued by the root itself");
});

t.test("a chain with a link that does not hold is refused", async (t) => {
	const stranger = await issue("Intermediate", undefined, { ca: true });
	const device = await issue("device", root, { names });
	const noCa = await issue("Sub", root, { ca: false });
	t.equal(
		refusal([await issue("server", root, { names, forged: true }), root]),
		"tls-server",
		"nobody signed it; the root is sent along",
	);
	t.equal(
		refusal([await issue("server", stranger, { names }), root]),
		"tls-server",
		"a stranger signed it; the root is sent along",
	);
	t.equal(
		refusal([await issue("server", stranger, { names }), stranger, root]),
		"tls-server",
		"the stranger is sent along, too",
	);
	t.equal(
		refusal([await issue("server", device, { names }), device]),
		"tls-server",
		"a device's certificate as authority",
	);
	t.equal(refusal([await issue("server", noCa, { names }), noCa]), "tls-server", "basicConstraints say it is none");
	t.equal(refusal([server]), "tls-server", "the link between is missing");
	t.equal(refusal([server, intermediate], SERVER, [stranger]), "tls-server", "another root");
	t.equal(refusal([intermediate, server]), "tls-server", "in the wrong order");
});

t.test("the server's own certificate must bear the name", async (t) => {
	const named = (...names: { type: "dns" | "ip"; value: string }[]) => issue("server", root, { names });
	const wild = await named({ type: "dns", value: "*.Example.com" });
	t.equal(refusal([wild]), undefined, "a wildcard for the first label, in any case");
	t.equal(refusal([wild], "a.b.example.com"), "tls-server", "a wildcard for two labels");
	t.equal(refusal([wild], "example.com"), "tls-server", "a wildcard for none");
	t.equal(refusal([await named({ type: "ip", value: "127.0.0.1" })], "127.0.0.1"), undefined, "an address");
	t.equal(refusal([await named({ type: "dns", value: `${SERVER}.evil.com` })]), "tls-server", "a longer name");
	t.equal(refusal([await issue(SERVER, root)]), "tls-server", "the name as common name only");
	const authority = await issue("Named", root, { ca: true, names });
	t.equal(
		refusal([await issue("server", authority), authority]),
		"tls-server",
		"the name in the authority's certificate",
	);
});

t.test("dates are told apart from the rest", async (t) => {
	const past = { from: -3, to: -2 };
	const old = await issue("Old", root, { ca: true, ...past });
	const oldRoot = await issue("Root", undefined, { ca: true, ...past });
	t.equal(refusal([await issue("server", root, { names, ...past })]), "tls-dates", "the server's is over");
	t.equal(refusal([await issue("server", root, { names, from: 1, to: 2 })]), "tls-dates", "the server's has not begun");
	t.equal(refusal([await issue("server", old, { names }), old]), "tls-dates", "the authority's is over");
	t.equal(refusal([await issue("server", oldRoot, { names })], SERVER, [oldRoot]), "tls-dates", "the root's is over");
});

t.test("every Certificate message counts, not the first alone", async (t) => {
	const forged = await issue("server", root, { names, forged: true });
	const both = record(22, chain(server, intermediate), chain(forged, root));
	const refused = reasonOf(() => watch().received(both));
	t.equal(refused, "tls-server");
});

t.test("a chain of RSA keys is trusted, unless its numbers are such as no authority uses", async (t) => {
	const rsaRoot = await issue("RSA root", undefined, { ca: true, algorithm: RSA });
	const rsaServer = await issue("server", rsaRoot, { names, algorithm: RSA });
	t.equal(refusal([rsaServer], SERVER, [rsaRoot]), undefined, "2048 bits");
	for (const [what, algorithm] of [
		["an exponent of 3", { ...RSA, publicExponent: Uint8Array.of(3) }],
		["1024 bits", { ...RSA, modulusLength: 1024 }],
		["4608 bits", { ...RSA, modulusLength: 4608 }],
	] as const) {
		const odd = await issue("RSA root", undefined, { ca: true, algorithm });
		const child = await issue("server", odd, { names });
		used.length = 0;
		t.equal(refusal([child], SERVER, [odd]), "tls-server", what);
		t.same(used, [], `${what}: nothing is computed`);
	}
	used.length = 0;
	const long = resigned(rsaServer, new Uint8Array(512).fill(1));
	t.equal(refusal([long], SERVER, [rsaRoot]), "tls-server", "a signature longer than the key");
	t.same(used, [], "a signature longer than the key: nothing is computed");
});

const ORDER = Buffer.from("00ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex");
const bad: readonly (readonly [string, Uint8Array])[] = [
	["s = 0", signature(one, Uint8Array.of(0))],
	["r = 0", signature(Uint8Array.of(0), one)],
	["an s of no bytes", signature(one, new Uint8Array())],
	["a negative s", signature(one, Uint8Array.of(0x80))],
	["a negative r", signature(Uint8Array.of(0xff), one)],
	["s = the order", signature(one, ORDER)],
	["an s longer than the curve", signature(one, Buffer.alloc(40, 1))],
	["an r of a kilobyte", signature(Buffer.alloc(1000, 1), one)],
	["no s", encodeDer(SEQUENCE, encodeDer(INTEGER, one))],
	["three integers", encodeDer(SEQUENCE, ...[one, one, one].map((value) => encodeDer(INTEGER, value)))],
	["no DER", Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xff)],
];

t.test("no certificate makes the device compute with an ECDSA signature that cannot be one", async (t) => {
	for (const [what, signature] of bad) {
		t.equal(refusal([resigned(server, signature), intermediate]), "tls-server", `${what}, the server's`);
		t.equal(refusal([server, resigned(intermediate, signature)]), "tls-server", `${what}, the authority's`);
	}
	t.equal(refusal([resigned(server, signature(one, one)), intermediate]), "tls-server", "one that can be, but is not");
});

t.test("a key that no root vouches for is never computed with", async (t) => {
	const stranger = await issue("Stranger", undefined, { ca: true });
	const forger = await issue("Forger", stranger, { ca: true });
	const forged = await issue("server", forger, { names });
	used.length = 0;
	t.equal(refusal([forged, forger, stranger]), "tls-server");
	t.equal(refusal([forged, forger, intermediate]), "tls-server", "with a true authority above");
	t.equal(refusal([forged, await issue("Forger", root, { ca: true, forged: true })]), "tls-server", "in a root's name");
	t.same(new Set(used), new Set([keyOf(root), keyOf(intermediate)]));
});

t.test("certificates that are no sound DER, or far too many, are not looked at", (t) => {
	const broken = (certificate: Uint8Array) => refusal([{ ...server, certificate }]);
	t.equal(broken(Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xf0)), "tls", "a length below zero");
	t.equal(broken(server.certificate.slice(0, -1)), "tls", "cut short");
	t.equal(refusal(new Array(7).fill(server)), "tls", "seven");
	t.end();
});

t.test("the server must choose TLS 1.2 with an ephemeral key", (t) => {
	const chosen = (...wishes: Parameters<typeof hello>) =>
		reasonOf(() => watch().received(record(22, hello(...wishes))));
	for (const suite of [0xc027, 0xc02f, 0xc02b]) t.equal(chosen(suite), undefined, `ECDHE ${suite.toString(16)}`);
	for (const suite of [0x2f, 0x35, 0x3c, 0x3d]) t.equal(chosen(suite), "tls", `RSA alone ${suite.toString(16)}`);
	t.equal(chosen(0xc02f, 0x0303, 0), undefined, "without a session");
	t.equal(chosen(0xc02f, 0x0302), "tls", "TLS 1.1");
	t.equal(
		reasonOf(() => watch().received(record(22, message(2, randomBytes(20))))),
		"tls",
		"cut short",
	);
	t.end();
});

t.test("a key exchange must be signed with what was offered, and with the server's kind of key", async (t) => {
	const received = (exchange: Uint8Array, party = server) =>
		reasonOf(() => watch().received(record(22, chain(party, intermediate), exchange)));
	const rsa = await issue("server", intermediate, { names, algorithm: RSA });
	const ecdsaSignature = signature(one, one);
	const rsaSignature = randomBytes(256);
	t.equal(received(keyExchange(4, 1, rsaSignature), rsa), undefined, "SHA-256 with RSA");
	t.equal(received(keyExchange(4, 3, ecdsaSignature)), undefined, "SHA-256 with ECDSA");
	t.equal(received(keyExchange(4, 1, rsaSignature)), "tls", "RSA by a key on a curve");
	t.equal(received(keyExchange(4, 3, ecdsaSignature), rsa), "tls", "ECDSA by an RSA key");
	t.equal(received(keyExchange(0, 0, new Uint8Array())), "tls", "anonymous");
	t.equal(received(keyExchange(0, 3, ecdsaSignature)), "tls", "no hash");
	t.equal(received(keyExchange(2, 3, ecdsaSignature)), "tls", "SHA-1");
	t.equal(received(keyExchange(4, 2, ecdsaSignature)), "tls", "DSA");
	t.equal(received(keyExchange(4, 3, new Uint8Array())), "tls", "no signature");
	t.equal(received(message(12, Buffer.of(1, 0, 23, 0, 4, 1, 0, 1, 0))), "tls", "another kind of curve");
	for (const [what, signature] of bad) t.equal(received(keyExchange(4, 3, signature)), "tls", what);
	t.equal(
		reasonOf(() => watch().received(record(22, signed))),
		"tls",
		"ahead of the certificates",
	);
});

t.test("the server's change of cipher must not come before this side's, nor before all that makes the keys", (t) => {
	const changed = (own: boolean, ...messages: Uint8Array[]) =>
		reasonOf(() => {
			const handshake = watch();
			handshake.received(record(22, ...messages));
			if (own) handshake.sent(change);
			handshake.received(change);
		});
	const certificates = chain(server, intermediate);
	t.equal(changed(true, serverHello, certificates, signed), undefined, "in its turn");
	t.equal(changed(false, serverHello, certificates, signed), "tls", "early");
	t.equal(changed(true, serverHello), "tls", "without certificates");
	t.equal(changed(true, serverHello, certificates), "tls", "without a key exchange");
	t.equal(changed(true, certificates, signed), "tls", "without a hello");
	t.end();
});

t.test("data in the clear, or any other record that has no place in a handshake, ends it", (t) => {
	for (const type of [0, 19, 23, 24, 255]) {
		const first = watch();
		t.equal(
			reasonOf(() => first.received(record(type, randomBytes(8)))),
			"tls",
			`${type} at first`,
		);
		const last = watch();
		last.received(record(22, serverHello, chain(server, intermediate), signed, helloDone));
		last.sent(change);
		last.received(change);
		t.equal(
			reasonOf(() => last.received(record(type, randomBytes(8)))),
			"tls",
			`${type} ahead of Finished`,
		);
	}
	t.equal(
		reasonOf(() => watch().received(record(21, Uint8Array.of(2, 40)))),
		undefined,
		"an alert is for TLS to read",
	);
	t.end();
});

t.test(
	"a record cut anywhere, or with a length changed anywhere, is never trusted for less than it says",
	async (t) => {
		const whole = record(22, chain(server, intermediate));
		const trusted = (bytes: Uint8Array) => {
			const handshake = watch();
			try {
				handshake.received(record(22, serverHello));
				handshake.received(bytes);
				handshake.received(record(22, signed));
				handshake.sent(change);
				handshake.received(change);
				return true;
			} catch {
				return false;
			}
		};
		t.ok(trusted(whole));
		for (let length = 5; length < whole.length; length++)
			if (trusted(whole.slice(0, length))) t.fail(`cut after ${length}`);
		for (const at of [6, 7, 8, 9, 10, 11, 12, 13, 14]) {
			const changed = whole.slice();
			changed[at]! += 1;
			t.notOk(trusted(changed), `length changed at ${at}`);
		}
	},
);
