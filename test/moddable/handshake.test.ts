// Given a server's side of a TLS handshake, record by record, then the device's watch over it lets only the real server pass.

import "./sdk.js";
import { randomBytes, webcrypto } from "node:crypto";
import {
	BasicConstraintsExtension,
	cryptoProvider,
	SubjectAlternativeNameExtension,
	X509CertificateGenerator,
} from "@peculiar/x509";
import t from "tap";

const { Handshake, HandshakeError } = await import("../../hosts/moddable/handshake.js");

cryptoProvider.set(webcrypto as unknown as Parameters<typeof cryptoProvider.set>[0]);
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const DAY = 86_400_000;
const SERVER = "endpoint.example.com";

interface Party {
	readonly name: string;
	readonly keys: webcrypto.CryptoKeyPair;
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
}

async function issue(name: string, issuer: Party | undefined, wishes: Wishes = {}): Promise<Party> {
	const { ca, names, from = -1, to = 1, forged = false } = wishes;
	const keys = (await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
	const certificate = await X509CertificateGenerator.create({
		subject: `CN=${name}`,
		issuer: `CN=${issuer?.name ?? name}`,
		notBefore: new Date(Date.now() + from * DAY),
		notAfter: new Date(Date.now() + to * DAY),
		publicKey: keys.publicKey,
		signingKey: (forged ? keys : (issuer?.keys ?? keys)).privateKey,
		signingAlgorithm: algorithm,
		extensions: [
			...(ca === undefined ? [] : [new BasicConstraintsExtension(ca)]),
			...(names ? [new SubjectAlternativeNameExtension([...names])] : []),
		],
	} as Parameters<typeof X509CertificateGenerator.create>[0]);
	return { name, keys, certificate: new Uint8Array(certificate.rawData) };
}

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
const serverHello = message(2, randomBytes(70));
const keyExchange = (hash: number, signature: number, length: number) =>
	message(
		12,
		Buffer.concat([
			Buffer.of(3, 0, 23, 65),
			randomBytes(65),
			Buffer.of(hash, signature, 0, length),
			randomBytes(length),
		]),
	);
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
		record(22, keyExchange(4, 1, 70), helloDone),
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

t.test("a key exchange must be signed with what was offered", async (t) => {
	const received = (exchange: Uint8Array) => () => watch().received(record(22, exchange));
	t.equal(reasonOf(received(keyExchange(4, 1, 200))), undefined, "SHA-256 with RSA");
	t.equal(reasonOf(received(keyExchange(4, 3, 70))), undefined, "SHA-256 with ECDSA");
	t.equal(reasonOf(received(keyExchange(0, 0, 0))), "tls", "anonymous");
	t.equal(reasonOf(received(keyExchange(0, 1, 70))), "tls", "no hash");
	t.equal(reasonOf(received(keyExchange(2, 1, 70))), "tls", "SHA-1");
	t.equal(reasonOf(received(keyExchange(4, 2, 70))), "tls", "DSA");
	t.equal(reasonOf(received(keyExchange(4, 1, 0))), "tls", "no signature");
	t.equal(reasonOf(received(message(12, Buffer.of(1, 0, 23, 0, 4, 1, 0, 1, 0)))), "tls", "another kind of curve");
});

t.test("the server's change of cipher must not come before this side's, nor without certificates", async (t) => {
	const early = watch();
	early.received(record(22, chain(server, intermediate)));
	t.equal(
		reasonOf(() => early.received(change)),
		"tls",
		"early",
	);
	const nameless = watch();
	nameless.sent(change);
	t.equal(
		reasonOf(() => nameless.received(change)),
		"tls",
		"without certificates",
	);
});

t.test(
	"a record cut anywhere, or with a length changed anywhere, is never trusted for less than it says",
	async (t) => {
		const whole = record(22, chain(server, intermediate));
		const trusted = (bytes: Uint8Array) => {
			const handshake = watch();
			try {
				handshake.received(bytes);
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
