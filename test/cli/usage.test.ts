// What `fleet` prints for people: help for everything, and one clear line for every incorrect call.

import t from "tap";
import { commands } from "../../hosts/cli/commands.js";
import { fleet, saysInOneLine } from "./fleet.js";

const COMMANDS = commands.map(({ name }) => name);

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
	for (const asked of ["--version", "version"]) {
		const { code, stdout } = await fleet(asked);
		t.equal(code, 0);
		t.match(stdout, /^\d+\.\d+\.\d+\n$/);
	}
});

t.test("fleet help COMMAND prints the same as COMMAND --help", async (t) => {
	for (const name of ["demo", "claim embed"]) {
		const help = await fleet("help", ...name.split(" "));
		t.equal(help.code, 0);
		t.equal(help.stdout, (await fleet(...name.split(" "), "--help")).stdout);
	}
	t.equal((await fleet("help")).stdout, (await fleet("--help")).stdout);
	saysInOneLine(t, await fleet("help", "dmo"), 2, /did you mean fleet demo\?/);
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

const REST = ["--root-ca", "x", "--template", "t", "--flash", "f"];
const samples = (...args: string[]) => [
	"samples",
	...["--account", "123456789012", "--region", "eu-west-1", "--template", "t"],
	...args,
];
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
	["two sources of access keys", ["cloud", "--access-key", "--access-keys", "f"], /cannot be used together/],
	["a claim without its key", device("--claim", "c"), /--claim-key FILE is missing/],
	["a key without its claim", device("--claim-key", "k"), /--claim FILE is missing/],
	["a parameter without a value", device("--parameter", "colour"), /--parameter must be NAME=VALUE, not colour/],
	["a time limit without --once", device("--limit", "3"), /--limit needs --once/],
	["a command nearly right", ["cluod"], /no command cluod; did you mean fleet cloud\?/],
	["the beginning of a command", ["fail"], /did you mean fleet failures\?/],
	["a command of two words nearly right", ["policy", "chekc"], /did you mean fleet policy check\?/],
	["an option nearly right", ["demo", "--jsno"], /unknown option --jsno; did you mean --json\?/],
	["an option nearly right before any command", ["--versoin"], /did you mean --version\?/],
	["a word nearly right", ["demo", "--format", "jsn"], /must be cbor or json, not jsn; did you mean json\?/],
	["an option in place of a value", ["demo", "--keep", "--json"], /--keep needs a value: --keep FOLDER/],
	["a value for a switch", ["demo", "--json=yes"], /--json takes no value, but was given yes/],
	["a negative port", device("--port", "-1"), /from 1 to 65535, not -1; for example --port 8883/],
	["an endpoint with a scheme", ["device", "--endpoint", "mqtts://a", ...REST], /leave out mqtts:\/\/; for example/],
	["an endpoint with a port", ["device", "--endpoint", "a:8883", ...REST], /--endpoint a --port 8883/],
	["an endpoint with a path", ["device", "--endpoint", "a/b", ...REST], /leave out the path/],
	["an endpoint that is no name", ["device", "--endpoint", "a b", ...REST], /must be a host name or an address/],
	["a serial number with other characters", device("--serial", "a.b"), /1 to 100 of .*, not a\.b; for example/],
	["a serial number that is too long", device("--serial", "1".repeat(101)), /--serial must be 1 to 100 of/],
	["a pattern of names with other characters", device("--thing-name", "a/{SerialNumber}"), /--thing-name must be/],
	["a topic with a wildcard", device("--topic", "a/+"), /without the wildcards/],
	["a topic with too many levels", device("--topic", "a/b/c/d/e/f/g/h/i"), /at most 256 bytes and 7 slashes/],
	["a shell without completion", ["completion", "ksh"], /only for bash, zsh, fish/],
	["no shell", ["completion"], /SHELL is missing/],
	["an account that is none", samples("--account", "1234-5678-9012"), /12 digits/],
	["a region that is none", samples("--region", "Ireland"), /must be the code of an AWS region, not Ireland/],
	["a region with other ARNs", samples("--region", "cn-north-1"), /do not begin with arn:aws:/],
	["a template name that cannot be, in samples", samples("--template", "a b"), /--template must be 1 to 36/],
	["a reset of no known meaning", device("--factory-reset", "all"), /--factory-reset must be forget or keep, not all/],
];

for (const [why, args, says] of wrong)
	t.test(`${why} is a usage error`, async (t) => {
		const result = await fleet(...args);
		saysInOneLine(t, result, 2, says);
		t.match(result.stderr, /\(see fleet .*--help\)/);
		t.equal(result.stdout, "");
	});
