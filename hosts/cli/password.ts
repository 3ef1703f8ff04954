// Gets a password: from an environment variable, or else from the terminal without showing it. Never from an argument, because
// every process of the machine can read arguments.

import { CommandError } from "./command.js";

const VARIABLE = "IDENTITY_PASSWORD";
const CONTROL_C = "\x03";
const CONTROL_D = "\x04";
const BACKSPACE = ["\b", "\x7f"];

/** The password from IDENTITY_PASSWORD or the terminal. @throws CommandError when there is neither, or on Ctrl-C */
export async function askPassword(question: string): Promise<string> {
	const given = process.env[VARIABLE];
	if (given !== undefined) return given;
	const { stdin, stderr } = process;
	if (!stdin.isTTY) throw new CommandError(`a password is needed: set ${VARIABLE} or call this from a terminal`);
	stderr.write(`${question}: `);
	stdin.setRawMode(true).setEncoding("utf8").resume();
	try {
		return await new Promise<string>((resolve, reject) => {
			let password = "";
			const take = (text: string) => {
				for (const character of text) {
					if (character === "\r" || character === "\n" || character === CONTROL_D) {
						stdin.off("data", take);
						resolve(password);
						return;
					}
					if (character === CONTROL_C) {
						stdin.off("data", take);
						reject(new CommandError("cancelled"));
						return;
					}
					password = BACKSPACE.includes(character) ? password.slice(0, -1) : password + character;
				}
			};
			stdin.on("data", take);
		});
	} finally {
		stdin.setRawMode(false).pause();
		stderr.write("\n");
	}
}
