// `fleet completion`: scripts for bash, zsh and fish, made from the same table of commands and options as the help. A script
// contains all words itself, so that completing a word does not start Node.

import { type Command, choices, command, type Option, UsageError } from "./command.js";
import { commands } from "./commands.js";

/** What a shell needs to know about one command. */
interface Described extends Pick<Command, "options" | "operand"> {
	readonly name: string;
	readonly summary: string;
}

const SHELLS: Readonly<Record<string, (all: readonly Described[]) => string>> = { bash, zsh, fish };

export const completion = command({
	options: {},
	operand: { value: "SHELL", help: "bash, zsh or fish", required: true, suggestions: Object.keys(SHELLS) },
	details: `For bash, put this into ~/.bashrc, for zsh into ~/.zshrc after compinit (with zsh in place of bash):

  eval "$(fleet completion bash)"

For fish, run this once:

  fleet completion fish > ~/.config/fish/completions/fleet.fish`,
	async run(_, [shell]) {
		const script = Object.hasOwn(SHELLS, shell!) ? SHELLS[shell!]! : undefined;
		if (script === undefined)
			throw new UsageError(`there is no completion for ${shell}, only for ${Object.keys(SHELLS).join(", ")}`);
		const all = await Promise.all(
			commands.map(async ({ name, summary, load }) => {
				const { options, operand } = await load();
				return { name, summary, options, ...(operand === undefined ? {} : { operand }) };
			}),
		);
		console.log(script(all));
		return 0;
	},
});

/** How an option's value is completed. */
const kind = (option: Option): "words" | "file" | "folder" | "free" =>
	choices(option).length > 0
		? "words"
		: option.value === "FILE"
			? "file"
			: option.value === "FOLDER"
				? "folder"
				: "free";

/** The first words of the commands' names, each once. */
const firstWords = (all: readonly Described[]): string[] => [...new Set(all.map(({ name }) => name.split(" ")[0]!))];

/** The commands whose names have two words, grouped by the first word. */
const secondWords = (all: readonly Described[]): [first: string, seconds: readonly Described[]][] =>
	firstWords(all)
		.map((first): [string, Described[]] => [first, all.filter(({ name }) => name.startsWith(`${first} `))])
		.filter(([, seconds]) => seconds.length > 0);

const optionsOf = ({ options }: Described): string[] => [...Object.keys(options), "help"].map((name) => `--${name}`);
const second = ({ name }: Described): string => name.split(" ")[1]!;

/** Quotes a text for all three shells. Single quotes suffice, because none of the texts has a backslash. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function bash(all: readonly Described[]): string {
	const cases = all.flatMap((one) => [
		...Object.entries(one.options)
			.filter(([, { type }]) => type === "string")
			.map(([name, option]) => {
				const does = {
					words: `_fleet_words ${quoted(choices(option).join(" "))}`,
					file: "_fleet_paths -f",
					folder: "_fleet_paths -d",
					free: ":",
				}[kind(option)];
				return `\t${quoted(`${one.name}:--${name}`)}) ${does} ;;`;
			}),
		`\t${quoted(`${one.name}:`)}*) _fleet_words ${quoted([...optionsOf(one), ...(one.operand?.suggestions ?? [])].join(" "))} ;;`,
	]);
	return `# Completion of fleet for bash, printed by: fleet completion bash
_fleet_words() { COMPREPLY=($(compgen -W "$1" -- "$current")); }
_fleet_paths() {
	local IFS=$'\\n'
	compopt -o filenames 2>/dev/null
	COMPREPLY=($(compgen "$1" -- "$current"))
}
_fleet() {
	local current=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]}
	COMPREPLY=()
	if [ "$COMP_CWORD" -eq 1 ]; then
		_fleet_words ${quoted([...firstWords(all), "--help", "--version"].join(" "))}
		return
	fi
	case $command in
${secondWords(all)
	.map(
		([first, seconds]) => `	${first})
		if [ "$COMP_CWORD" -eq 2 ]; then _fleet_words ${quoted(seconds.map(second).join(" "))}; return; fi
		command="$command \${COMP_WORDS[2]}"
		;;`,
	)
	.join("\n")}
	esac
	case "$command:\${COMP_WORDS[COMP_CWORD - 1]}" in
${cases.join("\n")}
	esac
}
complete -F _fleet fleet`;
}

function zsh(all: readonly Described[]): string {
	// Brackets and colons have a meaning for _arguments.
	const text = (words: string) => words.replaceAll(/[[\]:]/g, "\\$&");
	const argument = (name: string, option: Option): string => {
		const action = {
			words: `(${choices(option).join(" ")})`,
			file: "_files",
			folder: "_files -/",
			free: " ",
		}[kind(option)];
		const value = option.type === "string" ? `:${text(option.value ?? name)}:${action}` : "";
		return quoted(`${option.multiple ? "*" : ""}--${name}[${text(option.help)}]${value}`);
	};
	const described = (rows: readonly (readonly [string, string])[]) =>
		rows.map(([word, summary]) => quoted(`${word}:${summary.replaceAll(":", "\\:")}`)).join(" ");
	const top = firstWords(all).map((first): [string, string] => {
		const own = all.filter(({ name }) => name === first || name.startsWith(`${first} `));
		return [first, own.map(({ summary }) => summary).join("; ")];
	});
	return `#compdef fleet
# Completion of fleet for zsh, printed by: fleet completion zsh
_fleet() {
	local -a list
	if (( CURRENT == 2 )); then
		list=(${described(top)})
		_describe command list
		return
	fi
	local command=$words[2]
	case $command in
${secondWords(all)
	.map(
		([first, seconds]) => `	${first})
		if (( CURRENT == 3 )); then
			list=(${described(seconds.map((one) => [second(one), one.summary]))})
			_describe command list
			return
		fi
		command="$command $words[3]"
		shift words
		(( CURRENT-- ))
		;;`,
	)
	.join("\n")}
	esac
	shift words
	(( CURRENT-- ))
	case $command in
${all
	.map((one) => {
		const given = Object.entries(one.options).map(([name, option]) => argument(name, option));
		const operand =
			one.operand === undefined
				? []
				: [
						quoted(
							`*:${text(one.operand.value)}:(${one.operand.suggestions.map((word) => word.replaceAll(" ", "\\ ")).join(" ")})`,
						),
					];
		return `	${quoted(one.name)}) _arguments ${["'--help[this text]'", ...given, ...operand].join(" ")} ;;`;
	})
	.join("\n")}
	esac
}
if [ "$funcstack[1]" = _fleet ]; then _fleet "$@"; else compdef _fleet fleet; fi`;
}

function fish(all: readonly Described[]): string {
	const text = (words: string) => quoted(words.replaceAll("'", "’"));
	const lines = [
		...firstWords(all).map((first) => {
			const own = all.filter(({ name }) => name === first || name.startsWith(`${first} `));
			return `complete -c fleet -n '__fleet_is' -a ${first} -d ${text(own.map(({ summary }) => summary).join("; "))}`;
		}),
		...secondWords(all).flatMap(([first, seconds]) =>
			seconds.map((one) => `complete -c fleet -n '__fleet_is ${first}' -a ${second(one)} -d ${text(one.summary)}`),
		),
		...all.flatMap((one) => [
			...Object.entries(one.options).map(([name, option]) => {
				const value = {
					words: ` -x -a ${quoted(choices(option).join(" "))}`,
					file: " -r -F",
					folder: " -x -a '(__fish_complete_directories)'",
					free: " -x",
				}[kind(option)];
				return `complete -c fleet -n '__fleet_in ${one.name}' -l ${name}${option.type === "string" ? value : ""} -d ${text(option.help)}`;
			}),
			`complete -c fleet -n '__fleet_in ${one.name}' -l help -d 'this text'`,
			...(one.operand === undefined
				? []
				: [`complete -c fleet -n '__fleet_in ${one.name}' -a ${quoted(one.operand.suggestions.join(" "))}`]),
		]),
	];
	return `# Completion of fleet for fish, printed by: fleet completion fish
function __fleet_is
	set -l given (commandline -opc)
	test "$given[2..]" = "$argv"
end
function __fleet_in
	set -l given (commandline -opc)
	string match -qr -- "^\\S+ $argv " "$given "
end
complete -c fleet -f
${lines.join("\n")}`;
}
