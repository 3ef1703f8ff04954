// How text for people is laid out, and how commands are printed for pasting.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t from "tap";
import { invocation, printedCall, quote } from "../../hosts/cli/invocation.js";
import { didYouMean } from "../../hosts/cli/nearest.js";
import { columns, hanging, line, paragraphs, wrap } from "../../hosts/cli/terminal.js";

const execute = promisify(execFile);
const clone = fileURLToPath(new URL("../..", import.meta.url));
const TEXT = "Lines break between words, and a word is never cut, however narrow the terminal may be.";
const widest = (text: string) => Math.max(...text.split("\n").map((line) => line.length));

t.test("lines break between words at the width", async (t) => {
	for (const width of [20, 36, 60, 80]) {
		const lines = wrap(TEXT, width);
		t.ok(lines.length > 1);
		t.ok(lines.every((line) => line.length <= width));
		t.equal(lines.join(" "), TEXT, "nothing is lost");
	}
	t.strictSame(wrap("a topic/that/is/longer/than/all b", 10), ["a", "topic/that/is/longer/than/all", "b"]);
	t.strictSame(wrap("\x1b[31mred and\x1b[39m plain", 9), ["\x1b[31mred and\x1b[39m", "plain"], "colours take no room");
	t.strictSame(wrap("sent 3\u00a0B", 6), ["sent", "3 B"], "a number stays with its unit");
});

t.test("names that a stranger has chosen cannot control the terminal", async (t) => {
	const text = "lets in as \x1b]0;mine\x07\r\n12:00:00  \x9b2J\u202eevil\u2028ü 😀";
	t.equal(line({ text }), "lets in as \\u001b]0;mine\\u0007\\u000d\\u000a12:00:00  \\u009b2J\\u202eevil\\u2028ü 😀");
});

t.test("further lines are indented to where the first one begins", async (t) => {
	t.equal(hanging("12 ms  ", "one two three", 14), "12 ms  one two\n       three");
});

t.test("two columns are side by side where there is room, otherwise one below the other", async (t) => {
	const rows = [["--option VALUE", TEXT]] as const;
	const wide = columns(rows, 60);
	t.match(wide, /^ {2}--option VALUE {2}Lines break/);
	t.ok(widest(wide) <= 60);
	const narrow = columns(rows, 40);
	t.match(narrow, /^ {2}--option VALUE\n {6}Lines break/);
	t.ok(widest(narrow) <= 40);
});

t.test("paragraphs are wrapped, and indented text stays as it is", async (t) => {
	t.equal(paragraphs("one\ntwo\n\n  a   b\n\nthree", 40), "one two\n\n  a   b\n\nthree");
});

t.test("a similar word is suggested, and a very different one is not", async (t) => {
	const words = ["demo", "device", "cloud"];
	t.equal(didYouMean("dmeo", words), "; did you mean demo?", "two letters exchanged");
	t.equal(didYouMean("devic", words, "fleet "), "; did you mean fleet device?", "one left out");
	t.equal(didYouMean("clo", words), "; did you mean cloud?", "the beginning");
	t.equal(didYouMean("fly", words), "");
});

t.test("words are quoted so that a shell leaves them as they are", async (t) => {
	const words = ["plain", "with space", "it's", "$HOME", "a;b", "", "*", "back\\slash", '"', "ünï"];
	const { stdout } = await execute("sh", ["-c", `printf '%s\\n' ${words.map(quote).join(" ")}`]);
	t.strictSame(stdout.split("\n").slice(0, -1), words);
	t.equal(quote("./a/b-1.pem"), "./a/b-1.pem", "what needs no quotes has none");
});

t.test("a printed call can be pasted at any width", async (t) => {
	for (const width of [30, 60, 100]) {
		const text = printedCall("device", { claim: "my files/a.pem", endpoint: "localhost", port: "8883" }, width);
		const { stdout } = await execute("sh", ["-c", `printf '%s|' ${text.slice(text.indexOf("device"))}`]);
		t.equal(stdout, "device|--claim|my files/a.pem|--endpoint|localhost|--port|8883|");
	}
});

t.test("a printed call of fleet begins the way fleet was called", async (t) => {
	const here = { folder: clone, environment: {} };
	const file = join(clone, "hosts/cli/fleet.js");
	const inClone = { npm_lifecycle_event: "start", npm_package_json: join(clone, "package.json") };
	t.equal(invocation({ ...here, script: file, environment: inClone }), "npm run fleet --");
	t.equal(invocation({ ...here, script: "/app/node_modules/.bin/fleet" }), "npx fleet");
	t.equal(invocation({ ...here, script: file, environment: { npm_command: "exec" } }), "npx fleet");
	t.equal(invocation({ ...here, script: "/usr/local/bin/fleet" }), "fleet");
	t.equal(invocation({ ...here, script: file }), "node hosts/cli/fleet.js");
	const elsewhere = { npm_lifecycle_event: "dev", npm_package_json: "/app/package.json" };
	t.equal(
		invocation({ folder: "/app", script: "/app/node_modules/.bin/fleet", environment: elsewhere }),
		"npx fleet",
		"a script of somebody else's package",
	);
});
