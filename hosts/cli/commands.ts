// The commands of `fleet`: the name of each, its purpose in one line, and its module. A command is loaded only when it is called,
// because loading the local cloud alone takes a third of a second; listing the commands loads none.

import type { Command } from "./command.js";

/** A command in the list. */
export interface Entry {
	/** As it is typed: `demo`, `claim embed`. */
	readonly name: string;
	/** One line for the list of commands and for the top of its own help. */
	readonly summary: string;
	load(): Promise<Command>;
}

/** Every command, in the order of the list. */
export const commands: readonly Entry[] = [
	{
		name: "demo",
		summary: "watch a simulated ESP32 provision itself (npm start runs this)",
		load: async () => (await import("./demo.js")).demo,
	},
	{
		name: "cloud",
		summary: "run a local AWS IoT until Ctrl-C",
		load: async () => (await import("./cloud.js")).cloud,
	},
	{
		name: "device",
		summary: "run one simulated ESP32 against a local cloud or a real AWS account",
		load: async () => (await import("./device.js")).device,
	},
	{
		name: "samples",
		summary: "write the policies and the template that a real AWS account needs",
		load: async () => (await import("./samples.js")).samples,
	},
	{
		name: "policy check",
		summary: "find out whether a claim policy lets devices provision, and what else it lets them do",
		load: async () => (await import("./policy.js")).policyCheck,
	},
	{
		name: "claim embed",
		summary: "put claim certificate, key and root certificate into the firmware",
		load: async () => (await import("./claim.js")).claimEmbed,
	},
	{
		name: "failures",
		summary: "explain what can go wrong on a device and what to do about it",
		load: async () => (await import("./failures.js")).failures,
	},
	{
		name: "xs",
		summary: "measure the memory of the device program in the real XS engine",
		load: async () => (await import("./xs.js")).xs,
	},
	{
		name: "completion",
		summary: "print a script that lets a shell complete commands and options",
		load: async () => (await import("./completion.js")).completion,
	},
	{
		name: "help",
		summary: "explain a command (the same as --help after it)",
		load: async () => (await import("./help.js")).help,
	},
	{
		name: "version",
		summary: "print the version of this command",
		load: async () => (await import("./version.js")).versionCommand,
	},
];

/** The command whose name, of one or two words, the arguments begin with. */
export const commandIn = ([first, second]: readonly string[]): Entry | undefined =>
	commands.find(({ name }) => name === first || name === `${first} ${second}`);
