// Checks option values that must have a certain form, and the dates of certificates, before a device is switched on. Each refusal
// says what was given and what is allowed, and gives an example.

import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import { accountProblem, regionProblem } from "../cloud/base/account.js";
import { CommandError, UsageError } from "./command.js";

/** Returns the text if it has the form. @throws UsageError with what is allowed, in words, and an example */
function matching(option: string, text: string, form: RegExp, allowed: string, example: string): string {
	return proper(option, text, form.test(text) ? undefined : allowed, example);
}

/** An AWS account's id. @throws UsageError */
export const accountId = (text: string): string => proper("account", text, accountProblem(text), "123456789012");

/** A region whose ARNs begin with `arn:aws:`. @throws UsageError */
export const region = (text: string): string => proper("region", text, regionProblem(text), "eu-west-1");

/** Returns the text if there is no problem with it. @throws UsageError with what is allowed, in words, and an example */
function proper(option: string, text: string, problem: string | undefined, example: string): string {
	if (problem === undefined) return text;
	throw new UsageError(`--${option} must be ${problem}, not ${text}; for example --${option} ${example}`);
}

/** A provisioning template's name (CreateProvisioningTemplate, API reference). @throws UsageError */
export const templateName = (text: string): string =>
	matching("template", text, /^[0-9A-Za-z_-]{1,36}$/, "1 to 36 of 0-9 A-Z a-z _ -", "my-template");

/** A host name or an address, without scheme, port or path. @throws UsageError */
export function endpoint(text: string): string {
	const example = "--endpoint abc123-ats.iot.eu-west-1.amazonaws.com";
	const [, scheme] = /^([a-z+.-]+):\/\//i.exec(text) ?? [];
	if (scheme !== undefined)
		throw new UsageError(
			`--endpoint must be a host name alone, not ${text}: leave out ${scheme}://; for example ${example}`,
		);
	const [, host, port] = /^([^:]*):(\d+)$/.exec(text) ?? [];
	if (port !== undefined)
		throw new UsageError(
			`--endpoint must be a host name alone, not ${text}: give the port by its own option, --endpoint ${host} --port ${port}`,
		);
	if (text.includes("/"))
		throw new UsageError(
			`--endpoint must be a host name alone, not ${text}: leave out the path; for example ${example}`,
		);
	return matching(
		"endpoint",
		text,
		/^[a-zA-Z0-9.:_-]{1,253}$/,
		"a host name or an address, 1 to 253 of 0-9 A-Z a-z . : _ -",
		"abc123-ats.iot.eu-west-1.amazonaws.com",
	);
}

/** A name or an address to put into the server's certificate. @throws UsageError */
export const serverName = (text: string, option = "server-name"): string =>
	isIP(text) !== 0
		? text
		: matching(
				option,
				text,
				/^(?=.{1,253}$)[a-zA-Z0-9_-]{1,63}(?:\.[a-zA-Z0-9_-]{1,63})*$/,
				"a host name or an address, 1 to 253 of 0-9 A-Z a-z . _ -",
				"factory-pc.local",
			);

/** A device's serial number. @throws UsageError */
export const serialNumber = (text: string): string =>
	matching(
		"serial",
		text,
		/^[a-zA-Z0-9:_-]{1,100}$/,
		"1 to 100 of 0-9 A-Z a-z : _ -, because the thing is named after it",
		"board-7",
	);

/** How a template names things, with `{Parameter}` in it. @throws UsageError */
export const thingName = (text: string): string =>
	matching(
		"thing-name",
		text,
		/^(?:[a-zA-Z0-9:_-]|\{\w+\}){1,128}$/,
		"1 to 128 of 0-9 A-Z a-z : _ - and parameters in braces",
		"'esp32-{SerialNumber}'",
	);

/** A topic to publish on (AWS IoT Core quotas: 256 bytes, 7 slashes). @throws UsageError */
export function helloTopic(text: string): string {
	if (Buffer.byteLength(text) > 256 || text.split("/").length > 8)
		throw new UsageError(
			"--topic must have at most 256 bytes and 7 slashes; for example --topic devices/board-7/hello",
		);
	return matching("topic", text, /^[^+#\0]+$/, "one topic, without the wildcards + and #", "devices/board-7/hello");
}

/** Checks that at least one of these certificates (DER) is valid now. @throws CommandError */
export function checkDates(path: string, certificates: readonly Uint8Array[], now = Date.now()): void {
	const all = certificates.map((der) => new X509Certificate(der));
	if (all.some(({ validFrom, validTo }) => Date.parse(validFrom) <= now && now <= Date.parse(validTo))) return;
	const { validFrom, validTo } = all[0]!;
	const when = (text: string) => new Date(text).toISOString().slice(0, 10);
	throw new CommandError(
		now < Date.parse(validFrom)
			? `the certificate in ${path} is not valid before ${when(validFrom)}: check the clock of this machine`
			: `the certificate in ${path} has expired: it was valid until ${when(validTo)}`,
	);
}
