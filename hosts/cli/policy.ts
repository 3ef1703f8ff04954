// `fleet policy check`: tries a claim policy, a device policy and a template from files before anybody puts them into an account.
// hosts/cloud/policy-check.ts does the work.

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
import { accountId, region } from "./values.js";

export const policyCheck = command({
	options: {
		"claim-policy": { type: "string", value: "FILE", required: true, help: "policy document of the claim certificate" },
		"template-body": { type: "string", value: "FILE", required: true, help: "the provisioning template" },
		template: {
			type: "string",
			value: "NAME",
			required: true,
			help: "the template's name, as the claim policy contains it",
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
		account: {
			type: "string",
			value: "NUMBER",
			help: "the account that they are for (default: the one that the claim policy names)",
		},
		region: {
			type: "string",
			value: "REGION",
			help: "the region that they are for (default: that of the claim policy)",
		},
		hook: {
			type: "boolean",
			help: "the template has a pre-provisioning hook that refuses serial numbers of other devices",
		},
		keys: {
			type: "boolean",
			help: "AWS makes the key pairs (create); otherwise devices make their own (create-from-csr)",
		},
		format: { type: "string", value: "cbor|json", default: "cbor", help: "encoding of requests and replies" },
		json: { type: "boolean", help: "print the report as one JSON object" },
	},
	details: `Runs the whole flow against a private cloud in memory, so no account is needed. The exit code is 1 when devices
could not provision. The report also says what else the claim could do, and whether its holder can become a thing that exists
already; neither changes the exit code.`,
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
			...(values.account !== undefined && { accountId: accountId(values.account) }),
			...(values.region !== undefined && { region: region(values.region) }),
			...(clientId === undefined ? {} : { clientId }),
		}).catch((error: unknown) => {
			throw explain(error, values["template-body"]);
		});
		console.log(values.json ? JSON.stringify(report, undefined, "\t") : inWords(report));
		return report.succeeded ? 0 : 1;
	},
});

/** Reads a file and checks that `parse` accepts it. @throws CommandError */
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

function inWords(report: PolicyCheckReport): string {
	const verdict = report.succeeded
		? style.green(`Devices can provision: this one would be thing ${report.thingName}.`)
		: style.red(`Devices cannot provision${report.failure === undefined ? "" : `: ${report.failure}`}.`);
	const sections: [title: string, lines: readonly string[]][] = [
		["The flow", report.steps.map(step)],
		["Needed", report.needed.map(statement)],
		["Redundant: the flow works without any one of these", report.redundant.map(statement)],
		["Not used in the flow (a device's application may need them)", report.unused.map(statement)],
		[
			"What else the claim, and anybody who extracts it from a device, could do",
			report.excess.map(
				({ action, resource, danger }) =>
					`${style.yellow(`${action} ${name(resource)}`)}\n${hanging("      ", danger)}`,
			),
		],
		[
			"What the template allows anybody who has the claim",
			report.risks.map((risk) => style.yellow(hanging("", risk, lineWidth() - 2).replaceAll("\n", "\n  "))),
		],
		["Assumed", report.notes.map((note) => hanging("", note, lineWidth() - 2).replaceAll("\n", "\n  "))],
	];
	return [verdict, ...sections.filter(([, lines]) => lines.length > 0).map(section)].join("\n\n");
}

const section = ([title, lines]: [title: string, lines: readonly string[]]): string =>
	`${hanging("", style.bold(title))}\n${lines.map((text) => `  ${text}`).join("\n")}`;

/** A resource's ARN without its account and region, as people speak of it. */
const name = (arn: string): string => arn.split(":").slice(5).join(":");

const statement = ({ policy, index, sid }: CheckedStatement): string =>
	`${policy} policy, statement ${index + 1}${sid === undefined ? "" : ` (${sid})`}`;

function step({ identity, action, resource, allowed, explanation }: CheckedAction): string {
	const what = `${identity.padEnd(6)}  ${action.padEnd(13)}  ${name(resource)}`;
	return allowed ? `${style.green("ok")}  ${what}` : `${style.red("NO")}  ${what}\n${hanging("      ", explanation)}`;
}
