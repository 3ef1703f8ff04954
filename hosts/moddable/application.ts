// Your application: what the device does once it has its identity. Replace this file; nothing else depends on it.

import type { Application } from "../../src/contract/application.js";

/** Publishes a greeting on every connection, and traces the messages that the device receives. */
export const application: Application = ({ identity, firmwareVersion, connection }) => {
	connection.onMessage = (topic, payload) => trace(`${topic}: ${payload.length} bytes\n`);
	connection.publish(`devices/${identity.thingName}/hello`, JSON.stringify({ firmwareVersion })).catch((error) => {
		trace(`hello was not sent: ${error.message}\n`);
	});
	return undefined;
};
