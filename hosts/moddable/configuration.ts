// The device program's configuration from the manifests' `config` and mcconfig's command line, where every value is text.
// Checks nothing: boot does.

import config from "mc/config";
import { Failure } from "../../src/base/failure.js";
import type { Configuration } from "../../src/contract/configuration.js";

/** What the program is told of the maker's decisions. @throws Failure CONFIGURATION_INVALID when `parameters` is text and not JSON */
export function readConfiguration(): Configuration {
	const { endpoint, serverName, template, parameters, thingName, encoding, keyPair, claimAfterwards, pipeline } =
		config;
	const settings = {
		endpoint,
		serverName,
		template,
		parameters: typeof parameters === "string" ? parse(parameters) : parameters,
		thingName,
		encoding,
		keyPair,
		claimAfterwards,
		pipeline: pipeline === "true" ? true : pipeline === "false" ? false : pipeline,
		port: number("port"),
		keepAlive: number("keepAlive"),
		startSpread: number("startSpread"),
	};
	// Absent, not undefined.
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
