// Tries the scripts of `fleet completion` in the shells themselves.

import { execFile, execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import t, { type Test } from "tap";
import { fleet, temporaryFolder } from "./fleet.js";

t.setTimeout(300_000);

const execute = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));

/** Why tests of a shell are skipped, when this machine does not have it. */
function without(shell: string): string | false {
	try {
		execFileSync(shell, ["-c", "true"], { stdio: "ignore" });
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code === "ENOENT") return `${shell} is not installed (Debian: ${shell})`;
	}
	return false;
}

/** What is typed, and the only text that it can be completed to. Paths are those of this repository. */
const CASES: readonly (readonly [typed: string, completed: string])[] = [
	["fleet dem", "fleet demo"],
	["fleet pol", "fleet policy"],
	["fleet policy che", "fleet policy check"],
	["fleet policy check --claim-p", "fleet policy check --claim-policy"],
	["fleet demo --format j", "fleet demo --format json"],
	["fleet device --factory-reset f", "fleet device --factory-reset forget"],
	["fleet failures IDENT", "fleet failures IDENTITY_REFUSED"],
	["fleet help fail", "fleet help failures"],
	["fleet completion z", "fleet completion zsh"],
	["fleet claim embed --root biom", "fleet claim embed --root biome.json"],
	["fleet demo --keep hos", "fleet demo --keep hosts"],
];

async function scriptOf(t: Test, shell: string): Promise<string> {
	const { code, stdout, stderr } = await fleet("completion", shell);
	t.equal(code, 0, stderr);
	const path = join(temporaryFolder(t), `fleet.${shell}`);
	writeFileSync(path, stdout);
	return path;
}

/** The longest text with which all these words begin. */
const common = (words: readonly string[]): string => {
	let text = words[0] ?? "";
	while (!words.every((word) => word.startsWith(text))) text = text.slice(0, -1);
	return text;
};

t.test("bash", { skip: without("bash") }, async (t) => {
	const script = await scriptOf(t, "bash");
	for (const [typed, completed] of CASES) {
		const words = typed.split(" ");
		const call = `. "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fleet; printf '%s\\n' "\${COMPREPLY[@]}"`;
		const { stdout } = await execute("bash", ["--norc", "-c", call, "bash", script, ...words], { cwd: root });
		t.equal([...words.slice(0, -1), common(stdout.trimEnd().split("\n"))].join(" "), completed);
	}
});

t.test("fish", { skip: without("fish") }, async (t) => {
	const script = await scriptOf(t, "fish");
	for (const [typed, completed] of CASES) {
		const call = "source $argv[1]; complete -C $argv[2]";
		const { stdout } = await execute("fish", ["--no-config", "-c", call, script, typed], { cwd: root });
		const words = stdout
			.trimEnd()
			.split("\n")
			.map((line) => line.split("\t")[0]!.replace(/\/$/, ""));
		t.equal([...typed.split(" ").slice(0, -1), common(words)].join(" "), completed);
	}
});

/** Types a text and Tab into a new interactive zsh, and lets it print the resulting line. */
const ZSH = `
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; autoload -Uz compinit; compinit -u -D; . $1; print READY\\$((1+1))"
zpty -r z out '*READY2*'
zpty -w -n z "$2"$'\\t'
zpty -w -n z $'\\C-a'"print -r -- 'GOT:"$'\\C-e'"'"$'\\n'
zpty -r z out $'*\\nGOT:*\\n'
print -r -- "\${\${out##*GOT:}%%$'\\r'*}"
`;

t.test("zsh", { skip: without("zsh") }, async (t) => {
	const script = await scriptOf(t, "zsh");
	// The same environment everywhere, whatever the tests run in: an ordinary shell in an ordinary terminal.
	const env = { PATH: process.env.PATH, HOME: temporaryFolder(t), TERM: "xterm", LC_ALL: "C.UTF-8" };
	for (const [typed, completed] of CASES) {
		const call = ["-f", "-c", ZSH, "zsh", script, typed];
		const { stdout } = await execute("zsh", call, { cwd: root, env, timeout: 120_000 });
		t.equal(stdout.trimEnd().replace(/\/$/, ""), completed);
	}
});

t.test("every command and option is in each script", async (t) => {
	const help = (await fleet("device", "--help")).stdout;
	const options = [...help.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name!);
	t.ok(options.length > 15, "the help was read");
	for (const shell of ["bash", "zsh", "fish"]) {
		const { stdout } = await fleet("completion", shell);
		const flag = shell === "fish" ? "-l " : "--";
		t.strictSame(
			options.filter((option) => !stdout.includes(`${flag}${option}`)),
			[],
			shell,
		);
	}
});
