// Given a server's side of a TLS handshake, record by record, then the device's handshake checks accept only the real
// server.

import "./sdk.js";
import { createSign, KeyObject, randomBytes } from "node:crypto";
import t from "tap";
import { BIT_STRING, encodeDer, INTEGER, openDer, SEQUENCE } from "../../src/identity/der.js";
import {
	chain as certificateMessage,
	change,
	clientHello,
	exchanged,
	finished,
	hello,
	helloDone,
	issue,
	keyExchange,
	message,
	names,
	one,
	type Party,
	RSA,
	record,
	SERVER,
	serverHello,
	signature,
	signed,
} from "./parties.js";

const { used } = await import("./sdk.js");
const { checkRecordHead, Handshake, HandshakeError } = await import("../../hosts/moddable/tls/handshake.js");

/** The same certificate with a different signature. */
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

const keyOf = ({ keys }: Party) => {
	const { n, x, y } = KeyObject.from(keys.publicKey).export({ format: "jwk" });
	const hex = (text?: string) => Buffer.from(text!, "base64url").toString("hex");
	return n ? hex(n) : `04${hex(x)}${hex(y)}`;
};

const root = await issue("Root", undefined, { ca: true });
const intermediate = await issue("Intermediate", root, { ca: true });
const server = await issue("server", intermediate, { names });

const chain = (...parties: Party[]) => certificateMessage(...parties.map(({ certificate }) => certificate));

const watch = (serverName = SERVER, roots = [root]) =>
	new Handshake(
		serverName,
		roots.map(({ certificate }) => certificate),
	);

/** The reason for which `work` is rejected; undefined if it is not. */
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

t.test("a second Certificate message is not taken in place of the first", async (t) => {
	const forged = await issue("server", root, { names, forged: true });
	const both = record(22, chain(server, intermediate), chain(forged, root));
	const refused = reasonOf(() => watch().received(both));
	t.equal(refused, "tls");
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
	const named = await issue("Forger", stranger, { ca: true, issuerName: "Intermediate" });
	t.equal(
		refusal([await issue("server", named, { names }), named, intermediate]),
		"tls-server",
		"in an authority's name",
	);
	t.equal(refusal([forged, await issue("Forger", root, { ca: true, forged: true })]), "tls-server", "in a root's name");
	t.same(new Set(used), new Set([keyOf(root), keyOf(intermediate)]));
});

t.test("certificates that are no sound DER, or far too many, are not looked at", (t) => {
	const broken = (certificate: Uint8Array) => refusal([{ ...server, certificate }]);
	t.equal(broken(Uint8Array.of(0x30, 0x84, 0xff, 0xff, 0xff, 0xf0)), "tls-server", "a length below zero");
	t.equal(broken(server.certificate.slice(0, -1)), "tls-server", "cut short");
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
		reasonOf(() => {
			const handshake = watch();
			handshake.sent(clientHello);
			handshake.received(record(22, serverHello, chain(party, intermediate), exchange));
		});
	const rsa = await issue("server", intermediate, { names, algorithm: RSA });
	const ecdsaSignature = signature(one, one);
	const sign = (bytes: Uint8Array, hash = "sha256") =>
		createSign(hash).update(bytes).sign(KeyObject.from(rsa.keys.privateKey));
	const rsaSignature = sign(exchanged);
	t.equal(received(keyExchange(4, 1, rsaSignature), rsa), undefined, "SHA-256 with RSA");
	t.equal(received(keyExchange(4, 3, ecdsaSignature)), undefined, "SHA-256 with ECDSA");
	t.equal(received(keyExchange(4, 1, randomBytes(256)), rsa), "tls", "no signature of RSA");
	t.equal(received(keyExchange(4, 1, sign(exchanged, "sha384")), rsa), "tls", "signed with another hash than said");
	t.equal(received(keyExchange(4, 1, sign(randomBytes(130))), rsa), "tls", "signed for another handshake");
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
		reasonOf(() => watch().received(record(22, serverHello, signed))),
		"tls",
		"ahead of the certificates",
	);
});

t.test("messages come in their turn, each once, and no others", (t) => {
	const certificates = chain(server, intermediate);
	const request = (...authorities: number[]) => {
		const names = Buffer.concat(authorities.map((size) => Buffer.concat([Buffer.of(0, size), Buffer.alloc(size)])));
		return message(13, Buffer.concat([Buffer.of(1, 1, 0, 2, 4, 1, names.length >> 8, names.length & 0xff), names]));
	};
	const order = (...messages: Uint8Array[]) => reasonOf(() => watch().received(record(22, ...messages)));
	t.equal(order(serverHello, certificates, signed, request(), helloDone), undefined, "as they should");
	t.equal(order(serverHello, certificates, signed, request(...Array(16).fill(20)), helloDone), undefined, "16 names");
	t.equal(order(serverHello, certificates, signed, request(...Array(17).fill(0))), "tls", "17 names of authorities");
	t.equal(order(serverHello, certificates, signed, message(13, Buffer.of(1))), "tls", "a request cut short");
	t.equal(
		order(serverHello, certificates, signed, message(13, Buffer.of(0, 0, 0, 0, 9, 0, 1, 1))),
		"tls",
		"and another",
	);
	t.equal(order(serverHello, certificates, signed, helloDone, helloDone), "tls", "done twice");
	t.equal(order(serverHello, certificates, helloDone), "tls", "without a key exchange");
	t.equal(order(serverHello, certificates, certificates), "tls", "certificates twice");
	t.equal(order(serverHello, serverHello), "tls", "two hellos");
	t.equal(order(certificates), "tls", "without a hello");
	for (const type of [0, 1, 4, 15, 16, 20, 22, 24, 255]) {
		t.equal(order(message(type, new Uint8Array())), "tls", `type ${type} at first`);
		t.equal(order(serverHello, certificates, signed, message(type, new Uint8Array())), "tls", `type ${type} later`);
	}
	t.end();
});

t.test("the head of a record is looked at before anything is set aside for the rest", (t) => {
	const refused = (...head: number[]) => reasonOf(() => checkRecordHead(Uint8Array.from(head)));
	t.equal(refused(22, 3, 3, 0x48, 0x00), undefined, "18 KB, the most that TLS allows");
	t.equal(refused(22, 3, 3, 0x48, 0x01), "tls", "a byte more");
	t.equal(refused(22, 3, 3, 0xff, 0xff), "tls", "64 KB");
	t.equal(refused(22, 3, 3, 0, 0), "tls", "none");
	t.equal(refused(22, 2, 3, 0, 9), "tls", "another version");
	t.equal(refused(...Buffer.from("HTTP/")), "tls", "plain text");
	t.equal(refused(...Buffer.from("220 m")), "tls", "the greeting of a mail server");
	t.end();
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
	t.equal(changed(true, serverHello, certificates, signed, helloDone), undefined, "in its turn");
	t.equal(changed(false, serverHello, certificates, signed, helloDone), "tls", "early");
	t.equal(changed(true, serverHello), "tls", "without certificates");
	t.equal(changed(true, serverHello, certificates), "tls", "without a key exchange");
	t.equal(changed(true, serverHello, certificates, signed), "tls", "before the server is done");
	t.equal(
		reasonOf(() => {
			const handshake = watch();
			handshake.received(record(22, serverHello, certificates, signed, helloDone));
			handshake.sent(change);
			handshake.received(change);
			handshake.received(change);
		}),
		"tls",
		"twice",
	);
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
				handshake.received(record(22, signed, helloDone));
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
