// Signing requests and certificates that the cloud has not made, such as those of a factory or of another authority.

import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

const newKeys = () => webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);

/** PEM of a PKCS#10 request with a key on P-256. */
export async function signingRequest(name = "CN=device"): Promise<string> {
	const request = await x509.Pkcs10CertificateRequestGenerator.create({
		name,
		keys: await newKeys(),
		signingAlgorithm: algorithm,
	});
	return request.toString("pem");
}

/** PEM of a certificate that only its own key has signed. */
export async function selfSignedCertificate(name = "CN=foreign"): Promise<string> {
	const certificate = await x509.X509CertificateGenerator.createSelfSigned({
		name,
		keys: await newKeys(),
		signingAlgorithm: algorithm,
	});
	return certificate.toString("pem");
}
