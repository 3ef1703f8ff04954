// `fleet failures`: the catalogue of everything that can go wrong on a device, from the device program itself.

import { catalogue, type FailureStep } from "../../src/provisioning/failure.js";
import { command } from "./command.js";
import { style } from "./terminal.js";

const STEPS: Readonly<Record<FailureStep, string>> = {
	start: "at power-on",
	clock: "setting the clock",
	connect: "connecting",
	subscribe: "subscribing to the replies",
	create: "getting a certificate",
	register: "registering the thing",
	prove: "proving the new identity",
	store: "reading and writing flash",
	run: "running",
};

export const failures = command({
	name: "failures",
	summary: "everything that can go wrong on a device, with what to do about it",
	options: {
		markdown: { type: "boolean", help: "as a table for the README" },
		json: { type: "boolean", help: "as one JSON object by code" },
	},
	details: `Each failure has a stable code, and a number that an LED can blink. Its class says what the device does:
retry: again soon; recreate: again with a new certificate; operator: again, but seldom, since
somebody has to mend something; fatal: stops until there is new firmware.`,
	async run({ markdown, json }) {
		console.log(json ? JSON.stringify(catalogue, undefined, "\t") : markdown ? markdownTable() : listing());
		return 0;
	},
});

const entries = Object.entries(catalogue);

function markdownTable(): string {
	const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
	return [
		"| number | code | class | what it means | what to do |",
		"|---|---|---|---|---|",
		...entries.map(
			([code, { number, class: cls, meaning, advice }]) =>
				`| ${number} | \`${code}\` | ${cls} | ${cell(meaning)} | ${cell(advice)} |`,
		),
	].join("\n");
}

function listing(): string {
	const width = Math.max(...entries.map(([code]) => code.length));
	const steps = [...new Set(entries.map(([, { step }]) => step))];
	return steps
		.map((step) => {
			const rows = entries
				.filter(([, entry]) => entry.step === step)
				.map(
					([code, { number, class: cls, meaning, advice }]) =>
						`  ${style.dim(String(number))}  ${style.bold(code.padEnd(width))}  ${cls.padEnd(8)}  ${meaning}\n` +
						`${" ".repeat(width + 16)}${style.dim(advice)}`,
				);
			return `${style.cyan(STEPS[step])}\n${rows.join("\n")}`;
		})
		.join("\n\n");
}
