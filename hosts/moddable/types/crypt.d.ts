// As the SDK declares it. The declaration does not say that `write` accepts views, and lacks `process`.

declare module "crypt" {
	export class Digest {
		constructor(algorithm: "SHA256" | "SHA384" | "SHA512");
		write(bytes: string | ArrayBuffer): void;
		close(): ArrayBuffer;
	}
}
