// Yours: what the device does once it has its identity. Replace this file; nothing else depends on what it does.

import type { Application } from "../../src/contract/application.js";

/** Says hello once on every connection, and traces what is sent to the device. */
export const application: Application = ({ identity, firmwareVersion, connection }) => {
	connection.onMessage = (topic, payload) => trace(`${topic}: ${payload.length} bytes\n`);
	connection.publish(`devices/${identity.thingName}/hello`, JSON.stringify({ firmwareVersion })).catch((error) => {
		trace(`hello was not sent: ${error.message}\n`);
	});
	return undefined;
};
