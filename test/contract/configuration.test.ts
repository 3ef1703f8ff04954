// Settings that are accepted and refused at power-on, and the names that are made from them.

import t from "tap";
import { type Configuration, checkConfiguration, commonName } from "../../src/contract/configuration.js";

const plain: Configuration = { endpoint: "iot.test", template: "fleet" };

/** What is refused; undefined when nothing is. */
function refused(configuration: Partial<Configuration>, serialNumber = "240ac4000001"): string | undefined {
	try {
		checkConfiguration({ ...plain, ...configuration }, serialNumber);
		return undefined;
	} catch (error) {
		return (error as { detail?: string }).detail;
	}
}

t.test("given no common name, then it is the serial number, cut off where X.520 ends it", async (test) => {
	test.equal(commonName(plain, "240ac4000001"), "240ac4000001");
	test.equal(commonName(plain, "x".repeat(100)), "x".repeat(64));
	test.equal(refused({}, "x".repeat(100)), undefined);
});

t.test("given a pattern, then parameters and the serial number are put in, and what is unknown stays", async (test) => {
	const parameters = { Batch: "7" };
	const of = (pattern: string) => commonName({ ...plain, parameters, commonName: pattern }, "s1");
	test.equal(of("esp32-{SerialNumber}-{Batch}"), "esp32-s1-7");
	test.equal(of("{Unknown}"), "{Unknown}");
	test.equal(of("all the same"), "all the same");
});

t.test("given a common name, then it has 1 to 64 printable characters, however many bytes they take", async (test) => {
	for (const good of ["a", "x".repeat(64), "é".repeat(64), "😀".repeat(64), "Zürich, Gerät #7 = {x}", "日本"])
		test.equal(refused({ commonName: good }), undefined, good);
	const bad = ["", "x".repeat(65), "😀".repeat(65), "a\0", "a\nb", "\x1b[31m", "a\x7f", "a\x85", "\ud800", "a\udc00b"];
	for (const name of bad) test.equal(refused({ commonName: name }), "commonName", JSON.stringify(name));
	test.equal(refused({ commonName: "{SerialNumber}" }, "x".repeat(65)), "commonName", "filled in, it is too long");
	for (const name of [7, true, null, {}])
		test.equal(refused({ commonName: name as unknown as string }), "commonName", JSON.stringify(name));
});

t.test("given pipeline, then it is one of three words", async (test) => {
	for (const pipeline of ["none", "subscribe", "connect"] as const) test.equal(refused({ pipeline }), undefined);
	for (const pipeline of ["", "connected", "true", true, false, 1])
		test.equal(refused({ pipeline: pipeline as "none" }), "pipeline", String(pipeline));
});
