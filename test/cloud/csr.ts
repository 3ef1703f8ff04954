// Certificate signing requests for the tests, made by OpenSSL, so that the cloud's own code does not check itself.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A new key and a request for it; `key` as for `openssl req -newkey`. */
export function makeRequest(
	commonName: string,
	...key: string[]
): { readonly csr: string; readonly privateKeyPem: string } {
	const directory = mkdtempSync(join(tmpdir(), "fleet-csr-"));
	try {
		const keyFile = join(directory, "key.pem");
		const newKey = key.length > 0 ? key : ["-newkey", "rsa:2048"];
		const csr = execFileSync(
			"openssl",
			["req", "-new", ...newKey, "-nodes", "-keyout", keyFile, "-subj", `/CN=${commonName}`],
			{ stdio: ["ignore", "pipe", "ignore"] },
		).toString();
		return { csr, privateKeyPem: readFileSync(keyFile, "utf8") };
	} finally {
		rmSync(directory, { recursive: true });
	}
}
