// The SDK's MQTT client, connected.

import TCP from "embedded:io/socket/tcp";
import MQTTClient from "embedded:network/mqtt/client";
import dns from "loopback";
import config from "mc/config";

export default function () {
	globalThis.kept = new MQTTClient({
		...{ host: "server", port: Number(config.extraPort), id: "own", dns, socket: { io: TCP } },
		onControl({ operation }) {
			if (operation === MQTTClient.CONNACK) trace("ready\n");
		},
	});
}
