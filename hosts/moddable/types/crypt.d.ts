// As the SDK declares it, which leaves out that views may be written, and `process`.

declare module "crypt" {
	export class Digest {
		constructor(algorithm: "SHA256" | "SHA384" | "SHA512");
		write(bytes: string | ArrayBuffer): void;
		close(): ArrayBuffer;
	}
}
