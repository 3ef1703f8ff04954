// The `fleet` command: finds the command that is meant, and turns whatever goes wrong into one clear line and an exit code.

import { AccessKeyError } from "../cloud/control/iam.js";

import { type Command, CommandError, UsageError } from "./command.js";
import { columns } from "./terminal.js";

import { version } from "./version.js";

/** The commands by name. Loaded only when called: the local cloud alone takes a third of a second. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
	demo: async () => (await import("./demo.js")).demo,
	cloud: async () => (await import("./cloud.js")).cloud,
	device: async () => (await import("./device.js")).device,
	"claim embed": async () => (await import("./claim.js")).claimEmbed,
	"policy check": async () => (await import("./policy.js")).policyCheck,
	xs: async () => (await import("./xs.js")).xs,
	failures: async () => (await import("./failures.js")).failures,
};

/** Runs `fleet` with these arguments and gives its exit code: 0, 1 when the work could not be done, 2 when called wrongly. */
export async function main(args: readonly string[]): Promise<number> {
	// Whoever reads our output may stop reading: `fleet failures | head`.
	process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
	let called = "fleet";
	try {
		const [first, second] = args;
		if (first === undefined || first === "--help" || first === "-h" || first === "help") {
			console.log(await overview());
			return first === undefined ? 2 : 0;
		}
		if (first === "--version") {
			console.log(version);
			return 0;
		}
		const name = [first, `${first} ${second}`].find((words) => Object.hasOwn(commands, words));
		if (name === undefined) throw new UsageError(unknown(first));
		called = `fleet ${name}`;
		const found = await commands[name]!();
		const rest = args.slice(name.split(" ").length);
		const own = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
		if (own.includes("--help") || own.includes("-h")) {
			console.log(found.help().trimEnd());
			return 0;
		}
		return await found.run(rest);
	} catch (error) {
		if (error instanceof UsageError) {
			console.error(`${called}: ${error.message} (see ${called} --help)`);
			return 2;
		}
		console.error(`${called}: ${explain(error)}`);
		return 1;
	}
}

async function overview(): Promise<string> {
	const all = await Promise.all(Object.values(commands).map((load) => load()));
	const rows = all.map(({ name, summary }) => [`fleet ${name}`, summary] as const);
	return `fleet ${version}: AWS IoT fleet provisioning for ESP32 firmware, and a local AWS IoT to prove it against\n
${columns([...rows, ["fleet --version", "the version of this command"]])}\n
Each command explains itself with --help. Exit codes: 0 done, 1 could not be done, 2 called wrongly.`;
}

function unknown(first: string): string {
	const group = Object.keys(commands).filter((name) => name.startsWith(`${first} `));
	return group.length > 0 ? `say which: fleet ${group.join(", fleet ")}` : `there is no command ${first}`;
}

/** What went wrong as one line. Errors of the system are named by what they mean for the caller. */
function explain(error: unknown): string {
	if (error instanceof CommandError || error instanceof AccessKeyError) return error.message;
	const { code, message, path } = error as NodeJS.ErrnoException;
	if (code === "ENOSPC") return "the disk is full";
	if ((code === "EACCES" || code === "EPERM" || code === "EROFS") && path !== undefined)
		return `no permission to write ${path}`;
	return `failed, which is a defect of this command: ${String(message ?? error).split("\n")[0]}`;
}
