// The application of simulated devices: says hello once on every connection, and does a factory reset when told to.
// hosts/moddable/application.ts is its twin on the ESP32.

import type { Application } from "../../src/contract/application.js";

/** What the world around the device wants to hear and to have done. */
export interface HelloOptions {
	/** Where to publish, with `{ThingName}` in it. */
	readonly topic: string;
	/** The message has gone out; called once more with `acknowledged` when the PUBACK is there. */
	onHello?(hello: { readonly topic: string; readonly payload: string; readonly acknowledged: boolean }): void;
	onMessage?(topic: string, bytes: number): void;
	/** Whether to do a factory reset that keeps the identity before anything else; asked with every connection. */
	takeReset?(): boolean;
}

/** Where the sample device policy lets a device publish. */
export const HELLO_TOPIC = "devices/{ThingName}/hello";

export function helloApplication(options: HelloOptions): Application {
	return ({ identity, serialNumber, firmwareVersion, connection, factoryReset }) => {
		if (options.takeReset?.() === true) {
			factoryReset("keep");
			return undefined;
		}
		connection.onMessage = (topic, payload) => options.onMessage?.(topic, payload.length);
		const topic = options.topic.replaceAll("{ThingName}", identity.thingName);
		const { deviceConfiguration } = identity;
		const payload = JSON.stringify({ firmwareVersion, serialNumber, deviceConfiguration });
		options.onHello?.({ topic, payload, acknowledged: false });
		connection.publish(topic, payload).then(
			() => options.onHello?.({ topic, payload, acknowledged: true }),
			// Why is told by the device program, which sees the connection end.
			() => {},
		);
		return undefined;
	};
}
