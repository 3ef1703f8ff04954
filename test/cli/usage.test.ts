// How `fleet` behaves towards people: help for everything, and one clear line for whatever is wrong with a call.

import t from "tap";
import { fleet, saysInOneLine } from "./fleet.js";

const COMMANDS = ["demo", "cloud", "device", "claim embed", "policy check", "failures"];

t.jobs = 2;
t.test("without a command it lists its commands", async (t) => {
	const { code, stdout } = await fleet();
	t.equal(code, 2);
	for (const name of COMMANDS) t.match(stdout, `fleet ${name}`);
	const help = await fleet("--help");
	t.equal(help.code, 0);
	t.equal(help.stdout, stdout);
});

t.test("it says its version", async (t) => {
	const { code, stdout } = await fleet("--version");
	t.equal(code, 0);
	t.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

for (const name of COMMANDS)
	t.test(`fleet ${name} --help explains every option, whatever else is given`, async (t) => {
		const { code, stdout, stderr } = await fleet(...name.split(" "), "--no-such-option", "--help");
		t.equal(code, 0);
		t.equal(stderr, "");
		t.match(stdout, `fleet ${name}: `);
		t.match(stdout, "--help");
		t.ok(
			stdout.split("\n").every((line) => line.length <= 120),
			"no line is too wide",
		);
	});

const device = (...args: string[]) => [
	"device",
	...["--endpoint", "localhost", "--root-ca", "x", "--template", "t", "--flash", "f"],
	...args,
];

const wrong: readonly (readonly [why: string, args: readonly string[], says: RegExp])[] = [
	["an unknown command", ["fly"], /^fleet: there is no command fly/],
	["half a command", ["claim"], /^fleet: say which: fleet claim embed/],
	["an option that does not exist", ["demo", "--colour"], /^fleet demo: unknown option --colour/],
	["an argument too many", ["demo", "now"], /^fleet demo: .*now/],
	["a value that is missing", ["demo", "--format"], /--format/],
	["a value that is none of those allowed", ["demo", "--format", "xml"], /--format must be cbor or json, not xml/],
	["a required option that is missing", ["device", "--template", "t"], /--endpoint HOST is missing/],
	["a port that is no number", ["cloud", "--port", "mqtt"], /--port must be a whole number from 0 to 65535, not mqtt/],
	["a port that cannot be", device("--port", "70000"), /--port must be a whole number from 1 to 65535/],
	["a template name that cannot be", ["cloud", "--template", "a b"], /--template must be 1 to 36/],
	["a hook without a command", ["cloud", "--hook", "arn:aws:lambda"], /--hook must be ARN=COMMAND/],
	["two sources of access keys", ["cloud", "--access-key", "--access-keys", "f"], /exclude each other/],
	["a claim without its key", device("--claim", "c"), /--claim-key FILE is missing/],
	["a key without its claim", device("--claim-key", "k"), /--claim FILE is missing/],
	["a parameter without a value", device("--parameter", "colour"), /--parameter must be NAME=VALUE, not colour/],
	["a time limit without --once", device("--limit", "3"), /--limit belongs to --once/],
	["a reset of no known meaning", device("--factory-reset", "all"), /--factory-reset must be forget or keep, not all/],
];

for (const [why, args, says] of wrong)
	t.test(`${why} is a usage error`, async (t) => {
		const result = await fleet(...args);
		saysInOneLine(t, result, 2, says);
		t.match(result.stderr, /\(see fleet .*--help\)/);
		t.equal(result.stdout, "");
	});
