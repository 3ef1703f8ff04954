// The SDK's modules that program.ts uses besides those that the device's host uses.

declare module "sdk-tests/cases" {
	const cases: import("./cases.js").Cases;
	export default cases;
}

declare module "x509" {
	/** The SDK's own certificate parser. */
	const X509: {
		decode(certificate: Uint8Array): { readonly tbs: Uint8Array; readonly sig: Uint8Array };
		/** Names are DER; times are ms since 1970. */
		decodeTBS(tbs: Uint8Array): {
			readonly issuer: Uint8Array;
			readonly subject: Uint8Array;
			readonly validity: { readonly from: number; readonly to: number };
		};
		decodeSAN(certificate: Uint8Array): unknown;
	};
	export default X509;
}
