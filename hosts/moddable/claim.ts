// The claim and the root certificates, which `fleet claim embed` embeds in flash as resources. A program cannot erase the
// flash that holds it, so a used claim stays there, and a mark in storage keeps it from being used again.

import Resource from "Resource";
import { Failure } from "../../src/base/failure.js";
import type { ClaimStore, Credentials, Storage } from "../../src/contract/host.js";
import { readCredentials } from "../../src/identity/credentials.js";
import { DerReader, SEQUENCE } from "../../src/identity/der.js";
import { decodePem } from "../../src/identity/pem.js";
import { ecdsa } from "./tls/ecdsa.js";
import { sha256 } from "./tls/sha256.js";

const CERTIFICATE = "claim.certificate.der";
const KEY = "claim.key.der";
const ROOT = "root.der";

/** Storage key of the mark. Its value is the SHA-256 of the used claim certificate, so that new firmware can bring a new claim. */
const SPENT = "claim.spent";

/** A view of the resource in flash, which takes no RAM. */
function resource(name: string): Uint8Array {
	return new Uint8Array(new Resource(name));
}

/**
 * The root certificates as DER, from one resource that holds them one after another. @throws Failure CONFIGURATION_INVALID
 * if there are none
 */
export function embeddedRoots(): Uint8Array[] {
	if (!Resource.exists(ROOT))
		throw new Failure("CONFIGURATION_INVALID", `no ${ROOT} in this firmware: run fleet claim embed, and build again`);
	const reader = new DerReader(resource(ROOT));
	const roots: Uint8Array[] = [];
	while (!reader.atEnd) roots.push(reader.readElement(SEQUENCE));
	return roots;
}

/** The claim that was built into the firmware. */
export function embeddedClaim(storage: Storage): ClaimStore {
	function spent(fingerprint: Uint8Array): boolean {
		const mark = storage.read(SPENT);
		if (mark?.byteLength !== fingerprint.length) return false;
		const bytes = new Uint8Array(mark);
		return fingerprint.every((byte, index) => byte === bytes[index]);
	}
	return {
		read() {
			if (!Resource.exists(CERTIFICATE) || !Resource.exists(KEY)) return undefined;
			const certificate = resource(CERTIFICATE);
			return spent(sha256(certificate)) ? undefined : { certificate, key: resource(KEY) };
		},
		erase() {
			if (Resource.exists(CERTIFICATE)) storage.write(SPENT, sha256(resource(CERTIFICATE)).buffer as ArrayBuffer);
		},
	};
}

/** A claim as CreateProvisioningClaim returns it to a trusted user's app: its `certificatePem` and `keyPair.PrivateKey`. */
export interface GivenClaim {
	readonly certificatePem: string;
	readonly privateKeyPem: string;
}

/**
 * A claim from a trusted user. It is kept in memory only, and AWS accepts it for five minutes.
 * @throws Failure CONFIGURATION_INVALID unless it is a certificate and its private key, RSA or EC, in PEM
 */
export function givenClaim({ certificatePem, privateKeyPem }: GivenClaim): ClaimStore {
	let claim: Credentials | undefined;
	try {
		claim = readCredentials(decodePem(certificatePem), decodePem(privateKeyPem), ecdsa);
	} catch (error) {
		throw new Failure("CONFIGURATION_INVALID", `claim: ${(error as Error).message}`);
	}
	return {
		read: () => claim,
		erase() {
			claim = undefined;
		},
	};
}
