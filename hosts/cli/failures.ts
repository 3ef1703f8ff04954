// `fleet failures`: the catalogue of everything that can go wrong on a device. The codes are those of the device program itself;
// the words are added here, because a device carries none. Explains one failure by its code or by the number that an LED blinks.

import { catalogue, type FailureClass, type FailureCode, type FailureStep } from "../../src/base/failure.js";
import { command, UsageError } from "./command.js";
import { failureWords } from "./failure-words.js";
import { didYouMean } from "./nearest.js";
import { columns, hanging, style, textWidth } from "./terminal.js";

const STEPS: Readonly<Record<FailureStep, string>> = {
	start: "at power-on",
	clock: "setting the clock",
	network: "joining the network",
	connect: "connecting",
	subscribe: "subscribing to the replies",
	create: "getting a certificate",
	register: "registering the thing",
	prove: "proving the new identity",
	store: "reading and writing flash",
	run: "running",
};

const CLASSES: Readonly<Record<FailureClass, string>> = {
	retry: "it tries again soon",
	recreate: "it begins again with a new certificate",
	operator: "it tries again, but rarely, because somebody has to fix something",
	fatal: "it stops until there is new firmware",
};

/** Every failure with its words, in the order of the catalogue. */
const entries = (Object.keys(catalogue) as FailureCode[]).map((code) => {
	const { number, step, class: cls } = catalogue[code];
	return { code, number, step, class: cls, ...failureWords[code] };
});
type Entry = (typeof entries)[number];

export const failures = command({
	options: {
		markdown: { type: "boolean", help: "print them as the Markdown table of docs/failures.md" },
		json: { type: "boolean", help: "print one JSON object with a member for each code" },
	},
	operand: {
		value: "NUMBER|CODE",
		help: "explain one failure only: the number that an LED blinks, or its code",
		suggestions: entries.map(({ code }) => code),
	},
	details: `Each failure has a stable code, and a number that an LED can blink. Its class says what the device does. ${Object.entries(
		CLASSES,
	)
		.map(([name, does]) => `${name}: ${does}`)
		.join("; ")}.`,
	async run({ markdown, json }, [wanted]) {
		const chosen = wanted === undefined ? entries : [find(wanted)];
		if (json) console.log(JSON.stringify(Object.fromEntries(chosen.map(withoutCode)), undefined, "\t"));
		else if (markdown) console.log(table(chosen));
		else console.log(wanted === undefined ? listing() : explanation(chosen[0]!));
		return 0;
	},
});

const withoutCode = ({ code, ...rest }: Entry) => [code, rest] as const;

/** The failure with this code or number. @throws UsageError when there is none */
function find(wanted: string): Entry {
	const found = entries.find(({ code, number }) => code === wanted.toUpperCase() || String(number) === wanted);
	if (found !== undefined) return found;
	if (/^\d+$/.test(wanted)) throw new UsageError(`no failure has the number ${wanted}: fleet failures lists them all`);
	const codes = entries.map(({ code }) => code);
	throw new UsageError(`no failure has the code ${wanted}${didYouMean(wanted.toUpperCase(), codes)}`);
}

function explanation({ code, number, step, class: cls, meaning, advice }: Entry): string {
	return `${style.bold(code)}, number ${number}\n\n${columns([
		["what it means", meaning],
		["when", STEPS[step]],
		["what the device does", `${CLASSES[cls]} (class ${cls})`],
		["what to do", advice],
	])}`;
}

/** Failures as a Markdown table. Default: all of them. */
export function table(chosen: readonly Entry[] = entries): string {
	const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");
	return [
		"| number | code | class | what it means | what to do |",
		"|---|---|---|---|---|",
		...chosen.map(
			({ code, number, class: cls, meaning, advice }) =>
				`| ${number} | \`${code}\` | ${cls} | ${cell(meaning)} | ${cell(advice)} |`,
		),
	].join("\n");
}

function listing(): string {
	const width = Math.max(...entries.map(({ code }) => code.length));
	const steps = [...new Set(entries.map(({ step }) => step))];
	return steps
		.map((step) => {
			const rows = entries
				.filter((entry) => entry.step === step)
				.map(
					({ code, number, class: cls, meaning, advice }) =>
						`  ${style.dim(String(number))}  ${style.bold(code.padEnd(width))}  ${cls}\n` +
						`${hanging("      ", meaning, textWidth())}\n` +
						hanging("      → ", style.dim(advice), textWidth()),
				);
			return `${style.cyan(STEPS[step])}\n${rows.join("\n")}`;
		})
		.join("\n\n");
}
