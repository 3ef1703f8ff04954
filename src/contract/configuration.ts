// What a device maker decides: where to go, which template, what to send. Checked once at power-on.

import { Failure } from "../base/failure.js";

/** Settings of the device program. Only `endpoint` and `template` have no default. */
export interface Configuration {
	/** Host name of the account's data endpoint: `aws iot describe-endpoint --endpoint-type iot:Data-ATS`. */
	readonly endpoint: string;
	/** 8883 (default), or 443, where ALPN `x-amzn-mqtt-ca` is sent. Any other port is allowed, for a local cloud. */
	readonly port?: number;
	/** The name for SNI and in the server's certificate, when it differs from `endpoint` (a local cloud reached by address). */
	readonly serverName?: string;
	/** Name of the provisioning template: 1 to 36 characters of `[0-9A-Za-z_-]`. */
	readonly template: string;
	/** Parameters of the template besides `SerialNumber`, which is always sent. */
	readonly parameters?: Readonly<Record<string, string>>;
	/**
	 * How the template names things, with `{Parameter}` for a parameter. Default `{SerialNumber}`. The device needs it only
	 * when RegisterThing succeeded but its reply was lost: the service may not accept the token again, so the device has to
	 * know under which name to connect.
	 */
	readonly thingName?: string;
	/** Encoding of requests and replies. Default `cbor`. */
	readonly encoding?: "cbor" | "json";
	/**
	 * `csr`: the device makes its key pair, on P-256, and the key never leaves it; the default where the machine can. `keys`: the
	 * service makes it, RSA-2048, and sends it.
	 */
	readonly keyPair?: "keys" | "csr";
	/**
	 * The common name (CN) of the certificate request's subject, with `{Parameter}` for a parameter: printable, at most 64
	 * characters (X.520, ub-common-name). Default: the first 64 characters of the serial number.
	 */
	readonly commonName?: string;
	/**
	 * What the first request is sent together with. After TLS a provisioning then takes
	 * - `none` (default): four round trips. CONNACK and SUBACK are waited for.
	 * - `subscribe`: three. The request follows SUBSCRIBE at once. AWS does not promise that the subscription takes effect before
	 *   it answers the request. If the device misses a reply for that reason, one unused certificate remains in the account.
	 * - `connect`: two. CONNECT, SUBSCRIBE and the request follow each other at once, as MQTT 3.1.1 (section 3.1.4) allows. Nobody
	 *   has tried whether AWS takes it.
	 *
	 * It is tried once after each power-on, with the first connection whose TLS is up. Whatever becomes of that one, those after
	 * it wait for everything.
	 */
	readonly pipeline?: "none" | "subscribe" | "connect";
	/** What happens to the claim once the device has connected with its own identity. Default `keep`. */
	readonly claimAfterwards?: "keep" | "erase";
	/** MQTT keep-alive in seconds, 30 to 1200 (AWS's limits). Default 300. */
	readonly keepAlive?: number;
	/** Longest random wait before the first connection after power-on, in ms. It spreads out a large fleet. Default 0. */
	readonly startSpread?: number;
}

const PATTERNS = Object.freeze({
	endpoint: /^[a-zA-Z0-9.:_-]{1,253}$/,
	serverName: /^[a-zA-Z0-9._-]{1,253}$/,
	template: /^[0-9A-Za-z_-]{1,36}$/,
	encoding: /^(cbor|json)$/,
	keyPair: /^(keys|csr)$/,
	claimAfterwards: /^(keep|erase)$/,
	pipeline: /^(none|subscribe|connect)$/,
	// Any text: what becomes of them with the parameters is checked below.
	thingName: /^/,
	commonName: /^/,
});

/** Checks a configuration. @throws Failure CONFIGURATION_INVALID with the name of the first member that is not valid */
export function checkConfiguration(configuration: Configuration, serialNumber: string): void {
	const refuse = (what: string): never => {
		throw new Failure("CONFIGURATION_INVALID", what);
	};
	for (const [member, pattern] of Object.entries(PATTERNS)) {
		const value = configuration[member as keyof typeof PATTERNS];
		const required = member === "endpoint" || member === "template";
		if (value === undefined ? required : typeof value !== "string" || !pattern.test(value)) refuse(member);
	}
	const number = (member: "port" | "keepAlive" | "startSpread", least: number, most: number): void => {
		const value = configuration[member];
		if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most)) refuse(member);
	};
	number("port", 1, 65_535);
	number("keepAlive", 30, 1200);
	number("startSpread", 0, 3_600_000);
	for (const [name, value] of Object.entries(configuration.parameters ?? {}))
		if (name === "" || typeof value !== "string") refuse(`parameters: ${name}`);
	if (!/^[a-zA-Z0-9:_-]{1,100}$/.test(serialNumber)) refuse("serialNumber");
	if (!/^[a-zA-Z0-9:_-]{1,128}$/.test(expectedThingName(configuration, serialNumber))) refuse("thingName");
	// No control characters, and no half of a surrogate pair, which UTF-8 cannot encode.
	if (!/^[ -~\xa0-\ud7ff\ue000-\u{10ffff}]{1,64}$/u.test(commonName(configuration, serialNumber))) refuse("commonName");
}

/** The parameters for RegisterThing: the configured ones and the serial number. */
export const templateParameters = (configuration: Configuration, SerialNumber: string): Record<string, string> => ({
	...configuration.parameters,
	SerialNumber,
});

/** The name that the template is expected to give this device's thing. */
export const expectedThingName = (configuration: Configuration, serialNumber: string): string =>
	fill(configuration.thingName ?? "{SerialNumber}", templateParameters(configuration, serialNumber));

/** The common name of this device's certificate requests. A serial number may be longer than a common name can be. */
export const commonName = (configuration: Configuration, serialNumber: string): string =>
	configuration.commonName === undefined
		? serialNumber.slice(0, 64)
		: fill(configuration.commonName, templateParameters(configuration, serialNumber));

/** Replaces each `{Parameter}` that there is. */
const fill = (pattern: string, parameters: Readonly<Record<string, string>>): string =>
	pattern.replace(/\{(\w+)\}/g, (whole, name) => parameters[name] ?? whole);
