// Certificate chains, one for each rule by which the device judges a server. Test data both for Node and for XS with the
// SDK's own arithmetic (`npm run sdk-tests`).

import "reflect-metadata";
import {
	AuthorityKeyIdentifierExtension,
	ExtendedKeyUsage,
	ExtendedKeyUsageExtension,
	Extension,
	KeyUsageFlags,
	KeyUsagesExtension,
} from "@peculiar/x509";
import { BIT_STRING, encodeDer, OCTET_STRING, openDer, SEQUENCE } from "../../src/identity/der.js";
import { EC, issue, type Name, names, type Party, RSA, SERVER, type Wishes } from "./parties.js";

/** A server's chain, and whether the device must accept it. */
export interface Chain {
	readonly what: string;
	readonly certificates: readonly Uint8Array[];
	readonly roots: readonly Uint8Array[];
	readonly serverName: string;
	/** Part of the error message with which it is rejected; `undefined` if it is trusted. */
	readonly rule?: string;
}

/** 187 bytes of valid DER that make the SDK's own parser read 545 MB past them: they have a length where the version should be. */
export const WILD = Buffer.from(
	`3081b830819ea08184df8181${"00".repeat(129)}020101300a06082a8648ce3d0403023000300030003000300a06082a8648ce3d0403020309000101010101010101`,
	"hex",
);

const der = (party: Party) => party.certificate;
const usage = (flags: KeyUsageFlags) => new KeyUsagesExtension(flags, true);
const purposes = (...which: string[]) => new ExtendedKeyUsageExtension(which);
const extension = (oid: string, critical: boolean, hex: string) =>
	new Extension(oid, critical, Buffer.from(hex, "hex"));

/** The same certificate with the first occurrence of `from` in its hexadecimal digits replaced. Its signature is then invalid. */
function altered({ certificate }: Party, from: string, to: string): Uint8Array {
	const hex = Buffer.from(certificate).toString("hex");
	if (!hex.includes(from) || from.length !== to.length) throw new Error(`no ${from} to alter`);
	return new Uint8Array(Buffer.from(hex.replace(from, to), "hex"));
}

/** The certificate with a different signature. */
function resigned(certificate: Uint8Array, signature: Uint8Array): Uint8Array {
	const parts = openDer(certificate, SEQUENCE);
	const signedPart = parts.readElement(SEQUENCE);
	const algorithm = parts.readElement(SEQUENCE);
	return encodeDer(SEQUENCE, signedPart, algorithm, encodeDer(BIT_STRING, Uint8Array.of(0), signature));
}

export async function makeChains(): Promise<Chain[]> {
	const root = await issue("Root", undefined, { ca: true });
	const rsaRoot = await issue("RSA root", undefined, { ca: true, algorithm: RSA });
	const chains: Chain[] = [];
	const add = (
		what: string,
		rule: string | undefined,
		certificates: readonly Uint8Array[],
		roots: readonly Party[] = [root],
		serverName = SERVER,
	) => {
		const given = { what, certificates, roots: roots.map(der), serverName };
		chains.push(rule === undefined ? given : { ...given, rule });
	};
	/** Adds a server certificate issued directly by the root. */
	const leaf = async (what: string, rule: string | undefined, wishes: Wishes, serverName?: string) =>
		add(what, rule, [der(await issue("server", root, { names, ...wishes }))], [root], serverName);
	/** Adds a server certificate issued by an authority with the given properties. */
	const below = async (what: string, rule: string | undefined, wishes: Wishes) => {
		const authority = await issue("Authority", root, { ca: true, ...wishes });
		add(what, rule, [await issue("server", authority, { names }), authority].map(der));
	};

	// As AWS sends them: leaf, intermediate, root cross-signed by an older root, and that root cross-signed by an even older
	// one.
	const oldest = await issue("Class 2", undefined, { ca: true, algorithm: RSA });
	const older = await issue("Services G2", undefined, { ca: true, algorithm: RSA });
	const olderAcross = await issue("Services G2", oldest, { ca: true, algorithm: RSA, keys: older.keys });
	const modern = await issue("Root CA 1", undefined, {
		ca: true,
		algorithm: RSA,
		extensions: [usage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature)],
	});
	const modernAcross = await issue("Root CA 1", older, { ca: true, algorithm: RSA, keys: modern.keys });
	const intermediate = await issue("RSA 2048 M01", modern, {
		ca: true,
		pathLength: 0,
		algorithm: RSA,
		extensions: [
			usage(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign | KeyUsageFlags.digitalSignature),
			purposes(ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth),
			extension("2.5.29.32", false, "300a3008060667810c010201"),
		],
	});
	const endpoint = await issue("*.iot.example.com", intermediate, {
		ca: false,
		names: [{ type: "dns", value: "*.iot.example.com" }],
		algorithm: RSA,
		extensions: [
			usage(KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment),
			purposes(ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth),
			await AuthorityKeyIdentifierExtension.create(intermediate.keys.publicKey),
		],
	});
	const cross = [endpoint, intermediate, modernAcross, olderAcross].map(der);
	for (const [which, trusted] of [
		["newest root", [modern]],
		["middle root", [older]],
		["oldest root", [oldest]],
		["newest root and another", [root, modern]],
		["three of them", [oldest, older, modern]],
	] as const) {
		add(`a chain of four, the ${which}`, undefined, cross, trusted, "abc-ats.iot.example.com");
	}
	add(
		"a chain of four, a stranger's root",
		"no root certificate of this device",
		cross,
		[root],
		"abc-ats.iot.example.com",
	);
	const ecRoot = await issue("Root CA 3", undefined, { ca: true, algorithm: { ...EC, hash: "SHA-384" } });
	const onCurves = await issue("server", ecRoot, { names });
	add("a chain to an ECDSA root, both kinds known", undefined, [der(onCurves)], [modern, ecRoot]);

	// Each hash with each type of key. Hashes of 384 and 512 bits are longer than the order of P-256.
	for (const namedCurve of ["P-256", "P-384"]) {
		for (const hash of ["SHA-256", "SHA-384", "SHA-512"]) {
			const authority = await issue("Root", undefined, { ca: true, algorithm: { ...EC, namedCurve, hash } });
			add(`${namedCurve} with ${hash}`, undefined, [der(await issue("server", authority, { names }))], [authority]);
		}
	}
	for (const hash of ["SHA-256", "SHA-384", "SHA-512"]) {
		const authority = await issue("Root", undefined, { ca: true, algorithm: { ...RSA, hash } });
		add(`RSA with ${hash}`, undefined, [der(await issue("server", authority, { names }))], [authority]);
	}
	const sha1 = await issue("Root", undefined, { ca: true, algorithm: { ...RSA, hash: "SHA-1" } });
	add("RSA with SHA-1", "no root certificate of this device", [der(await issue("server", sha1, { names }))], [sha1]);
	const rsaServer = der(await issue("server", rsaRoot, { names }));
	for (const [what, signature] of [
		["zeros", new Uint8Array(256)],
		["one", new Uint8Array(256).fill(1, 255)],
		["more than the modulus", new Uint8Array(256).fill(0xff)],
	] as const) {
		add(
			`an RSA signature of ${what}`,
			"no root certificate of this device",
			[resigned(rsaServer, signature)],
			[rsaRoot],
		);
	}

	// Names.
	const named = (what: string, rule: string | undefined, serverName: string, ...given: Name[]) =>
		leaf(what, rule, { names: given }, serverName);
	const dns = (value: string): Name => ({ type: "dns", value });
	await named("the name in other case", undefined, "Endpoint.example.COM", dns(SERVER));
	await named("a wildcard", undefined, SERVER, dns("*.example.com"));
	await named("a wildcard for a top-level domain", "another name", "example.com", dns("*.com"));
	await named("a wildcard alone", "another name", "com", dns("*"));
	await named("a wildcard within a label", "another name", SERVER, dns("end*.example.com"));
	await named("an address", undefined, "127.0.0.1", { type: "ip", value: "127.0.0.1" });
	await named("another address", "another name", "127.0.0.1", { type: "ip", value: "127.0.0.2" });
	await named("an address as text", "another name", "127.0.0.1", dns("127.0.0.1"));
	await named("an address of IPv6 as text", "another name", "::1", dns("::1"));
	await named("a name of the middle", "another name", SERVER, dns("other.test"), dns("x.endpoint.example.com"));
	await named(
		"the last of many names",
		undefined,
		SERVER,
		...Array.from({ length: 99 }, (_, i) => dns(`a${i}`)),
		dns(SERVER),
	);
	const zero = extension("2.5.29.17", false, `301a8218${Buffer.from(`${SERVER}\0.ab`).toString("hex")}`);
	add("a name with a zero byte in it", "another name", [der(await issue("server", root, { extensions: [zero] }))]);

	// The server's own certificate.
	await leaf("a server's keyUsage", undefined, { extensions: [usage(KeyUsageFlags.digitalSignature)] });
	await leaf("a server that may not sign", "keyUsage", { extensions: [usage(KeyUsageFlags.keyEncipherment)] });
	await leaf("a server's purpose", undefined, { extensions: [purposes(ExtendedKeyUsage.serverAuth)] });
	await leaf("a client as server", "extendedKeyUsage", { extensions: [purposes(ExtendedKeyUsage.clientAuth)] });
	await leaf("any purpose", "extendedKeyUsage", { extensions: [purposes("2.5.29.37.0")] });
	await leaf("no purpose at all", "another element", { extensions: [extension("2.5.29.37", false, "3000")] });
	await leaf("an authority as server", "basicConstraints", { ca: true });
	await leaf("an unknown extension", undefined, { extensions: [extension("1.2.3", false, "0500")] });
	await leaf("an unknown critical extension", "critical extension", { extensions: [extension("1.2.3", true, "0500")] });
	await leaf("an extension twice", "an extension twice", {
		extensions: [extension("1.2.3", false, "0500"), extension("1.2.3", false, "0500")],
	});
	await leaf("names twice", "an extension twice", { extensions: [extension("2.5.29.17", false, "3003820161")] });
	await leaf("25 extensions", "too many extensions", {
		extensions: Array.from({ length: 25 }, (_, i) => extension(`1.2.${i}`, false, "0500")),
	});
	await leaf("keyUsage that is none", "bad keyUsage", { extensions: [extension("2.5.29.15", true, "030100")] });
	add("no extensions", "no extensions", [der(await issue("server", root, {}))]);

	// Authorities.
	await below("an authority with all that it should have", undefined, {
		pathLength: 0,
		extensions: [usage(KeyUsageFlags.keyCertSign), purposes(ExtendedKeyUsage.serverAuth)],
	});
	await below("no authority", "basicConstraints", { ca: false });
	await below("an authority that may not sign certificates", "keyUsage", {
		extensions: [usage(KeyUsageFlags.cRLSign)],
	});
	await below("an authority for clients", "extendedKeyUsage", { extensions: [purposes(ExtendedKeyUsage.clientAuth)] });
	await below("name constraints", "name constraints", {
		extensions: [extension("2.5.29.30", true, "300fa00d300b82096c6f63616c686f7374")],
	});
	await below("name constraints, not critical", "name constraints", {
		extensions: [extension("2.5.29.30", false, "300fa00d300b82096c6f63616c686f7374")],
	});
	await below("critical policyConstraints", "critical extension", {
		extensions: [extension("2.5.29.36", true, "3003800100")],
	});
	const negative = await issue("Authority", root, { extensions: [extension("2.5.29.19", true, "30060101ff0201ff")] });
	add("a path length below zero", "basicConstraints", [await issue("server", negative, { names }), negative].map(der));
	const upper = await issue("Upper", root, { ca: true, pathLength: 0 });
	const lower = await issue("Lower", upper, { ca: true });
	const deep = [await issue("server", lower, { names }), lower, upper].map(der);
	add("an authority too many", "pathLenConstraint", deep);
	const renewed = await issue("Upper", upper, { ca: true });
	add(
		"an authority that renews itself",
		undefined,
		[await issue("server", renewed, { names }), renewed, upper].map(der),
	);
	const shortRoot = await issue("Short", undefined, { ca: true, pathLength: 0 });
	const one = await issue("One", shortRoot, { ca: true });
	add("a root with an authority too many", "pathLenConstraint", [await issue("server", one, { names }), one].map(der), [
		shortRoot,
	]);
	const strange = await issue("Authority", root, { ca: true });
	add("signed by the next, but in another's name", "not signed by the next", [
		der(await issue("server", strange, { names, issuerName: "Somebody" })),
		der(strange),
	]);

	// The encoding.
	const server = await issue("server", root, { names });
	add("187 bytes that end the SDK's own reader", "not of version 3", [WILD]);
	add("version 2", "not of version 3", [altered(server, "a003020102", "a003020101")]);
	add("a version of 129 bytes", "another element", [altered(server, "a003020102", "a103020102")]);
	add(
		"a critical that is false",
		"bad extension",
		[der(await issue("server", root, { names, extensions: [extension("1.2.3", true, "0500")] }))].map((bytes) => {
			const hex = Buffer.from(bytes).toString("hex").replace("06022a030101ff", "06022a03010100");
			return new Uint8Array(Buffer.from(hex, "hex"));
		}),
	);
	add("the signature's algorithm named differently within", "two different signature algorithms", [
		altered(server, "06082a8648ce3d040302", "06082a8648ce3d040303"),
	]);
	let nested: Uint8Array = new Uint8Array();
	for (let depth = 0; depth < 40; depth++) nested = encodeDer(SEQUENCE, nested);
	add("elements in forty others", "nested too deep", [nested]);
	add("bytes behind the certificate", "followed by more", [
		new Uint8Array([...server.certificate, ...encodeDer(OCTET_STRING, Uint8Array.of(1))]),
	]);
	return chains;
}
