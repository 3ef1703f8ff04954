// `fleet policy check`: claim policy, device policy and template from files, tried before anybody puts them into an account.
// The work is hosts/cloud/policy-check.ts's.

import { AwsError } from "../cloud/base/errors.js";
import { PolicyError, parsePolicy } from "../cloud/policy/policy.js";
import {
	type CheckedAction,
	type CheckedStatement,
	checkPolicies,
	type PolicyCheckReport,
} from "../cloud/policy-check.js";
import { parseTemplate, TemplateError } from "../cloud/template/template.js";
import { CommandError, command, readPairs } from "./command.js";
import { readInput } from "./credentials.js";
import { hanging, lineWidth, style } from "./terminal.js";

export const policyCheck = command({
	options: {
		"claim-policy": { type: "string", value: "FILE", required: true, help: "policy document of the claim certificate" },
		"template-body": { type: "string", value: "FILE", required: true, help: "the provisioning template" },
		template: {
			type: "string",
			value: "NAME",
			required: true,
			help: "the template's name, as the claim policy has it",
		},
		"device-policy": {
			type: "string",
			value: "FILE",
			help: "document of the policy that the template attaches by name",
		},
		parameter: {
			type: "string",
			value: "NAME=VALUE",
			multiple: true,
			help: "a parameter of the template; may be repeated",
		},
		"client-id": {
			type: "string",
			value: "ID",
			help: "client id of the claim's connection (default claim-<SerialNumber>)",
		},
		hook: { type: "boolean", help: "the template has a pre-provisioning hook that refuses what is another device's" },
		keys: { type: "boolean", help: "AWS makes the key pairs (create); else devices make their own (create-from-csr)" },
		format: { type: "string", value: "cbor|json", default: "cbor", help: "encoding of requests and replies" },
		json: { type: "boolean", help: "the report as one JSON object" },
	},
	details: `Runs the whole flow against a private cloud in memory, no account needed. Exit code 1 when devices would not get
through. What the claim could do beyond its work is told, and so is whether its holder can become a thing that exists; neither
changes the exit code.`,
	async run(values) {
		const claimPolicy = readDocument(values["claim-policy"], parsePolicy);
		const devicePath = values["device-policy"];
		const clientId = values["client-id"];
		const report = await checkPolicies({
			claimPolicy,
			template: readDocument(values["template-body"], parseTemplate),
			...(devicePath === undefined ? {} : { devicePolicy: readDocument(devicePath, parsePolicy) }),
			templateName: values.template,
			parameters: readPairs("parameter", values.parameter),
			creation: values.keys ? "create" : "create-from-csr",
			encoding: values.format,
			hook: values.hook === true,
			...(clientId === undefined ? {} : { clientId }),
		}).catch((error: unknown) => {
			throw explain(error, values["template-body"]);
		});
		console.log(values.json ? JSON.stringify(report, undefined, "\t") : told(report));
		return report.succeeded ? 0 : 1;
	},
});

/** A file's text, once `parse` takes it. @throws CommandError */
function readDocument(path: string, parse: (text: string) => unknown): string {
	const text = readInput(path).toString();
	try {
		parse(text);
	} catch (error) {
		throw explain(error, path);
	}
	return text;
}

function explain(error: unknown, path: string): unknown {
	const known = error instanceof PolicyError || error instanceof TemplateError || error instanceof AwsError;
	return known ? new CommandError(`${path}: ${error.message}`) : error;
}

function told(report: PolicyCheckReport): string {
	const verdict = report.succeeded
		? style.green(`Devices get through: this one would be thing ${report.thingName}.`)
		: style.red(`Devices do not get through${report.failure === undefined ? "" : `: ${report.failure}`}.`);
	const sections: [title: string, lines: readonly string[]][] = [
		["The flow", report.steps.map(step)],
		["Needed", report.needed.map(statement)],
		["Doubled: the flow would do without", report.redundant.map(statement)],
		["Used by nothing in the flow (a device's application may need them)", report.unused.map(statement)],
		[
			"What else the claim could do, and whoever takes it out of a device",
			report.excess.map(
				({ action, resource, danger }) =>
					`${style.yellow(`${action} ${name(resource)}`)}\n${hanging("      ", danger)}`,
			),
		],
		[
			"What the template lets whoever has the claim do",
			report.risks.map((risk) => style.yellow(hanging("", risk, lineWidth() - 2).replaceAll("\n", "\n  "))),
		],
		["Assumed", report.notes.map((note) => hanging("", note, lineWidth() - 2).replaceAll("\n", "\n  "))],
	];
	return [verdict, ...sections.filter(([, lines]) => lines.length > 0).map(section)].join("\n\n");
}

const section = ([title, lines]: [title: string, lines: readonly string[]]): string =>
	`${hanging("", style.bold(title))}\n${lines.map((text) => `  ${text}`).join("\n")}`;

/** A resource without the account: what a policy's author thinks of it as. */
const name = (arn: string): string => arn.split(":").slice(5).join(":");

const statement = ({ policy, index, sid }: CheckedStatement): string =>
	`${policy} policy, statement ${index + 1}${sid === undefined ? "" : ` (${sid})`}`;

function step({ identity, action, resource, allowed, explanation }: CheckedAction): string {
	const what = `${identity.padEnd(6)}  ${action.padEnd(13)}  ${name(resource)}`;
	return allowed ? `${style.green("ok")}  ${what}` : `${style.red("NO")}  ${what}\n${hanging("      ", explanation)}`;
}
