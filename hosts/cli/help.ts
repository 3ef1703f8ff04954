// `fleet help`, `fleet help COMMAND` and `--help`: the list of commands, and the explanation of one.

import { command, helpText, UsageError } from "./command.js";
import { commandIn, commands, type Entry } from "./commands.js";
import { didYouMean } from "./nearest.js";
import { columns, paragraphs } from "./terminal.js";
import { version } from "./version.js";

export const help = command({
	options: {},
	operand: {
		value: "COMMAND",
		help: "the command to explain; without it, all commands are listed",
		most: 2,
		suggestions: commands.map(({ name }) => name),
	},
	async run(_, words) {
		const entry = commandIn(words);
		if (words.length > 0 && entry === undefined) throw new UsageError(noCommand(words));
		console.log(entry === undefined ? overview() : await explanation(entry));
		return 0;
	},
});

/** The text of a command's `--help`. */
export async function explanation({ name, summary, load }: Entry): Promise<string> {
	return helpText(`fleet ${name}`, summary, await load());
}

/** The list of commands. */
export function overview(): string {
	return [
		paragraphs(
			`fleet ${version}: AWS IoT fleet provisioning for ESP32 firmware, and a local AWS IoT to prove it against`,
		),
		columns(commands.map(({ name, summary }) => [`fleet ${name}`, summary])),
		paragraphs(
			"Each command explains itself with --help. Exit codes: 0 done, 1 could not be done, 2 called incorrectly. NO_COLOR=1 turns colours off.",
		),
	].join("\n\n");
}

/** The error for arguments that name no command, with the command that was probably meant. */
export function noCommand([first = "", second]: readonly string[]): string {
	const names = commands.map(({ name }) => name);
	const group = names.filter((name) => name.startsWith(`${first} `));
	const both = second === undefined ? first : `${first} ${second}`;
	if (group.length === 1 && second === undefined) return `say which: fleet ${group[0]}`;
	if (group.length > 0)
		return `there is no command ${both}${didYouMean(both, group, "fleet ") || `; there is fleet ${group.join(", fleet ")}`}`;
	if (first.startsWith("-")) return `unknown option ${first}${didYouMean(first, ["--help", "--version"])}`;
	const hint = didYouMean(both, names, "fleet ") || didYouMean(first, names, "fleet ");
	return `there is no command ${first}${
		hint ||
		didYouMean(
			first,
			names.map((name) => name.split(" ")[0]!),
			"fleet ",
		)
	}`;
}
