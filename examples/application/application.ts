// An application for the firmware: a lamp that is switched by messages and publishes its state. It uses nothing but the language and
// the context that it is given, so that the same file runs on the ESP32 (in place of hosts/moddable/application.ts), on a simulated
// device in a test, and in the XS engine on your desk (`fleet xs --application application.ts`).

import type { Application } from "moddable-fleet-provisioning/device";

/** Whether a message is this word. Messages of another length are not even read. */
const isWord = (payload: Uint8Array, word: string): boolean =>
	payload.length === word.length && payload.every((byte, index) => byte === word.charCodeAt(index));

/** Called with each new connection under the thing's name. */
export const application: Application = async ({ identity, connection }) => {
	const topic = (name: string) => `devices/${identity.thingName}/${name}`;
	// The DeviceConfiguration comes from the provisioning template. It may be absent.
	let on = identity.deviceConfiguration?.initially === "on";
	const tell = () => connection.publish(topic("state"), on ? "on" : "off");
	connection.onMessage = (_topic, payload) => {
		if (isWord(payload, "on")) on = true;
		else if (isWord(payload, "off")) on = false;
		else return connection.publish(topic("refused"), `${payload.length} bytes`);
		return tell();
	};
	await connection.subscribe([topic("commands")]);
	await tell();
	return undefined;
};
