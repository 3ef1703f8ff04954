// PEM compared with Node and OpenSSL: what they write is read, and what is not exactly PEM is refused.

import t from "tap";
import { Malformed } from "../../src/base/malformed.js";
import { decodePem } from "../../src/identity/pem.js";
import { issueCertificate } from "../support/credentials.js";

const issued = await issueCertificate();

/** Whether it is refused as malformed; any other exception is thrown on. */
function isRefused(work: () => unknown): boolean {
	try {
		work();
		return false;
	} catch (error) {
		if (error instanceof Malformed) return true;
		throw error;
	}
}

t.test("given PEM that is not exactly one, then it is refused", async (test) => {
	const { certificatePem } = issued;
	for (const [name, text] of Object.entries({
		empty: "",
		"text before": `x${certificatePem}`,
		"text after": `${certificatePem}x`,
		"no end": certificatePem.slice(0, -30),
		"another end": certificatePem.replace("END CERTIFICATE", "END SOMETHING"),
		"a stray character": certificatePem.replace("M", "!"),
		"a character missing": certificatePem.replace("M", ""),
		"padding in the middle": certificatePem.replace("M", "="),
		"nothing within": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
		"no label": `-----BEGIN ${"X".repeat(100)}-----`,
	}))
		test.ok(
			isRefused(() => decodePem(text)),
			name,
		);
	for (const body of ["AAEC\r\nAw==\n", "AAECAw==", "A\nA E\tC\nA\rw\n=\n=\n\n"])
		test.same([...decodePem(`-----BEGIN X-----\n${body}-----END X-----`).der], [0, 1, 2, 3]);
	for (const body of ["AAECA===", "AAECAw=", "AAECAw", "AA=EC", "AAECAw==AAEC", "====", "é==="])
		test.ok(
			isRefused(() => decodePem(`-----BEGIN X-----\n${body}\n-----END X-----`)),
			body,
		);
	test.throws(() => decodePem("-----BEGIN X-----\nAx==\n-----END X-----"), /bits to spare/);
});

t.test(
	"given bytes of every length, in lines of every length, then their base64 is decoded as Node encodes it",
	async (test) => {
		for (let length = 1; length < 700; length += length < 70 ? 1 : 61)
			for (const line of [3, 64, 76, 2000]) {
				const bytes = Buffer.from(Array.from({ length }, (_, i) => (i * 73 + length) & 0xff));
				const body = bytes.toString("base64").replaceAll(new RegExp(`.{${line}}`, "g"), "$&\n");
				const { der } = decodePem(`-----BEGIN X-----\n${body}\n-----END X-----\n`);
				if (!bytes.equals(der)) test.fail(`${length} bytes in lines of ${line}`);
			}
		test.pass();
	},
);

t.test("given a machine with base64 of its own, then that decodes, and what it refuses is malformed", async (test) => {
	const asked: unknown[] = [];
	const fromBase64 = (text: string, options: unknown) => {
		asked.push(options);
		if (text.includes("!")) throw new SyntaxError("not base64");
		return new Uint8Array(Buffer.from(text, "base64"));
	};
	Object.defineProperty(Uint8Array, "fromBase64", { value: fromBase64, configurable: true });
	test.teardown(() => Reflect.deleteProperty(Uint8Array, "fromBase64"));
	test.same([...decodePem("-----BEGIN X-----\nAAECAw==\n-----END X-----").der], [0, 1, 2, 3]);
	test.same(asked, [{ lastChunkHandling: "strict" }], "strictly");
	test.ok(isRefused(() => decodePem("-----BEGIN X-----\nAA!=\n-----END X-----")));
	test.ok(isRefused(() => decodePem("-----BEGIN X-----\n\n-----END X-----")));
});
