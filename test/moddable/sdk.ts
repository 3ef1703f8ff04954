/// <reference path="../../hosts/moddable/types/certificates.d.ts" />
// What handshake.ts uses of the SDK, stood in for by Node's OpenSSL and @peculiar/x509. Import it ahead of handshake.ts.

import "reflect-metadata";
import { X509Certificate as NodeCertificate } from "node:crypto";
import { register } from "node:module";
import { SubjectAlternativeNameExtension, X509Certificate } from "@peculiar/x509";

const modules = {
	x509: new URL("x509.ts", import.meta.url).href,
	"ssl/cert": new URL("cert.ts", import.meta.url).href,
};
const hooks = `
	const modules = ${JSON.stringify(modules)};
	export const resolve = (specifier, context, next) => next(modules[specifier] ?? specifier, context);
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

/** `x509`. What is opaque there is a certificate here. */
export const X509 = {
	decode: (certificate: Uint8Array) => ({ tbs: certificate, spki: certificate }),
	decodeTBS(tbs: Uint8Array) {
		const { issuerName, subjectName, notBefore, notAfter } = new X509Certificate(tbs);
		return {
			issuer: new Uint8Array(issuerName.toArrayBuffer()),
			subject: new Uint8Array(subjectName.toArrayBuffer()),
			validity: { from: notBefore.getTime(), to: notAfter.getTime() },
		};
	},
	decodeSAN(certificate: Uint8Array) {
		const names = new X509Certificate(certificate).getExtension(SubjectAlternativeNameExtension)?.names.items;
		return names?.map(({ type, value }) =>
			type === "ip" ? { tag: 7, value: Uint8Array.from(value.split("."), Number).buffer } : { tag: 2, value },
		);
	},
	decodeExtension(certificate: Uint8Array, identifier: readonly number[]) {
		return new X509Certificate(certificate).getExtension(identifier.join("."))?.value;
	},
};

/** `ssl/cert`. */
export class CertificateManager {
	_verify(issuer: Uint8Array, certificate: { readonly tbs: Uint8Array }): boolean {
		return new NodeCertificate(certificate.tbs).verify(new NodeCertificate(issuer).publicKey);
	}
}
