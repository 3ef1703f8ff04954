// Client ids that are taken over at each moment of the end of who had them, by connections in memory.

import { X509Certificate } from "node:crypto";
import { setImmediate as turn } from "node:timers/promises";
import { generate, type Packet } from "mqtt-packet";
import t from "tap";
import { openBroker } from "../../../hosts/cloud/mqtt/broker.js";
import { everything, openWorld } from "../../fuzz/cloud/world.js";
import { pair } from "../../fuzz/mqtt/socket.js";
import { makeRequest } from "../csr.js";

t.test(
	"given a client that is just going when its id is taken over, then the next that takes over ends the one before it",
	async (t) => {
		const world = await openWorld();
		const { registry } = world;
		const { certificateArn, certificatePem } = await registry.certificates.createCertificateFromCsr({
			certificateSigningRequest: makeRequest("takeover").csr,
			setAsActive: true,
		});
		registry.policies.createPolicy({ policyName: "all", policyDocument: JSON.stringify(everything) });
		registry.policies.attachPolicy({ policyName: "all", target: certificateArn });
		const broker = await openBroker({ ...world, report: world.faults.report });
		t.teardown(async () => {
			await broker.close();
			await world.close();
		});
		const certificate = new X509Certificate(certificatePem).raw;
		/** Opens, and resolves when a packet of this type has come. */
		const open = () => {
			const waiting = new Map<number, () => void>();
			const { socket, client } = pair(certificate, (bytes) => waiting.get(bytes[0]! >> 4)?.());
			broker.accept(socket);
			const send = (packet: object) => client.write(generate(packet as Packet));
			const answered = (type: number) => new Promise<void>((resolve) => waiting.set(type, resolve));
			return { ...client, send, answered };
		};
		const connect = (clean: boolean) => ({
			cmd: "connect",
			protocolId: "MQTT",
			protocolVersion: 4,
			clientId: "one",
			clean,
			keepalive: 30,
		});
		for (const clean of [true, false]) {
			for (let turns = 0; turns < 6; turns++) {
				const [first, second, third] = [open(), open(), open()];
				first.send(connect(clean));
				await first.answered(2);
				first.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "a", qos: 1 }] });
				await first.answered(9);
				second.send(connect(clean));
				const seconds = second.answered(2);
				for (let left = turns; left > 0; left--) await turn();
				first.reset();
				await Promise.all([seconds, first.closed]);
				third.send(connect(clean));
				await Promise.all([third.answered(2), second.closed]);
				t.equal(broker.connections, 1, `${turns} turns after CONNECT, clean ${clean}`);
				third.end();
				await third.closed;
				t.equal(broker.connections, 0, "and none is left");
			}
		}
		world.faults.check();
	},
);
