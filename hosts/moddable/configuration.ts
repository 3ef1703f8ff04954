// The device program's configuration, from `config` in the manifests and from mcconfig's command line, where every value is
// text. `boot` validates it, not this file.

import config from "mc/config";
import { Failure } from "../../src/base/failure.js";
import type { Configuration } from "../../src/contract/configuration.js";

/**
 * Reads the settings that were chosen for this firmware. @throws Failure CONFIGURATION_INVALID when `parameters` is text
 * that is not JSON
 */
export function readConfiguration(): Configuration {
	const { endpoint, serverName, template, parameters, thingName, encoding, keyPair, claimAfterwards } = config;
	const { commonName, pipeline } = config;
	const settings = {
		endpoint,
		serverName,
		template,
		parameters: typeof parameters === "string" ? parse(parameters) : parameters,
		thingName,
		encoding,
		keyPair,
		claimAfterwards,
		commonName,
		// It used to be true or false.
		pipeline: String(pipeline) === "true" ? "subscribe" : String(pipeline) === "false" ? "none" : pipeline,
		port: number("port"),
		keepAlive: number("keepAlive"),
		startSpread: number("startSpread"),
	};
	// Settings without a value are left out, rather than set to undefined.
	return Object.fromEntries(
		Object.entries(settings).filter(([, value]) => value !== undefined),
	) as unknown as Configuration;
}

function parse(parameters: string): unknown {
	try {
		return JSON.parse(parameters);
	} catch {
		throw new Failure("CONFIGURATION_INVALID", "parameters: not JSON");
	}
}

function number(name: string): number | undefined {
	const value = config[name];
	return value === undefined ? undefined : Number(value);
}
