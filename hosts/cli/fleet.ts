// The `fleet` command: finds the command that was called, and turns every error into one clear line and an exit code.

import { CommandError, UsageError } from "./command.js";
import { commandIn } from "./commands.js";
import { explanation, noCommand, overview } from "./help.js";
import { hanging, lineWidth } from "./terminal.js";

/** Runs `fleet` and returns its exit code: 0 done, 1 when it could not do its work, 2 when it was called incorrectly. */
export async function main(args: readonly string[]): Promise<number> {
	// The reader of the output may close the pipe before the end: `fleet failures | head`.
	process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));
	let called = "fleet";
	try {
		const [first] = args;
		if (first === undefined || first === "--help" || first === "-h") {
			console.log(overview());
			return first === undefined ? 2 : 0;
		}
		const entry = commandIn(first === "--version" ? ["version"] : args);
		if (entry === undefined) throw new UsageError(noCommand(args));
		called = `fleet ${entry.name}`;
		const rest = args.slice(entry.name.split(" ").length);
		const own = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
		if (own.includes("--help") || own.includes("-h")) {
			console.log(await explanation(entry));
			return 0;
		}
		return await (await entry.load()).run(rest);
	} catch (error) {
		const [message, code] =
			error instanceof UsageError ? [`${error.message} (see ${called} --help)`, 2] : [explain(error), 1];
		console.error(hanging("", `${called}: ${message}`, lineWidth(process.stderr)));
		return code as number;
	}
}

/** An error as one line. Errors of the operating system are put into words. */
function explain(error: unknown): string {
	if (error instanceof CommandError) return error.message;
	const { code, message, path } = error as NodeJS.ErrnoException;
	if (code === "ENOSPC") return "the disk is full";
	if ((code === "EACCES" || code === "EPERM" || code === "EROFS") && path !== undefined)
		return `no permission to write ${path}`;
	return `failed, which is a defect of this command: ${String(message ?? error).split("\n")[0]}`;
}
