// A certificate authority of the test's own, by OpenSSL.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A CA in a folder. `dispose` removes it. */
export function makeCa(name: string) {
	const folder = mkdtempSync(join(tmpdir(), "fleet-ca-"));
	const file = (of: string) => join(folder, of);
	const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "ignore" });
	const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
	openssl("req", "-x509", ...key, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30", "-subj", `/CN=${name}`);
	let serial = 0;
	const sign = (request: string) => {
		const out = `${++serial}.pem`;
		const ca = ["-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", String(Date.now() + serial)];
		openssl("x509", "-req", "-in", request, ...ca, "-days", "30", "-out", out);
		return readFileSync(file(out), "utf8");
	};
	return {
		certificatePem: readFileSync(file("ca.pem"), "utf8"),
		folder,
		/** A certificate with its key. */
		issue(subject: string) {
			openssl("req", ...key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", subject);
			return { certificatePem: sign("leaf.csr"), privateKeyPem: readFileSync(file("leaf.key"), "utf8") };
		},
		/** Signs a request. */
		sign(csr: string) {
			writeFileSync(file("given.csr"), csr);
			return sign("given.csr");
		},
		dispose: () => rmSync(folder, { recursive: true }),
	};
}
