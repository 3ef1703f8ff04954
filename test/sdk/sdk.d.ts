// The SDK's modules that program.ts uses beside those of the device's host.

declare module "sdk-tests/cases" {
	const cases: import("./cases.js").Cases;
	export default cases;
}

declare module "x509" {
	/** The SDK's own reader of certificates. */
	const X509: {
		decode(certificate: Uint8Array): { readonly tbs: Uint8Array; readonly sig: Uint8Array };
		/** Names as DER; times in ms since 1970. */
		decodeTBS(tbs: Uint8Array): {
			readonly issuer: Uint8Array;
			readonly subject: Uint8Array;
			readonly validity: { readonly from: number; readonly to: number };
		};
		decodeSAN(certificate: Uint8Array): unknown;
	};
	export default X509;
}
