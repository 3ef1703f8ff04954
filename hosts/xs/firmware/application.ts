// The application of this machine is outside, in Node: what it is given goes out, what it calls comes in.

import type { Application, ApplicationContext } from "../../../src/application.js";
import * as kinds from "./kinds.js";

const text = (bytes: ArrayBuffer | undefined): string => (bytes === undefined ? "" : String.fromArrayBuffer(bytes));

/** One application, and what must hear of what Node calls. */
export function createApplication(): {
	readonly application: Application;
	call(kind: number, id: number, number: number, bytes?: ArrayBuffer): void;
} {
	let context: ApplicationContext | undefined;
	let connections = 0;

	const returned = (id: number, work: Promise<void>): void => {
		work.then(
			() => machine.tell(kinds.RETURNED, id),
			(error: Error) => machine.tell(kinds.RETURNED, id, 0, JSON.stringify({ ...error, message: error.message })),
		);
	};

	return {
		application(given) {
			context = given;
			const id = ++connections;
			const { identity, serialNumber, firmwareVersion, connection } = given;
			connection.onMessage = (topic, payload) => {
				const head = new Uint8Array(ArrayBuffer.fromString(`${topic}\n`));
				const bytes = new Uint8Array(head.length + payload.length);
				bytes.set(head);
				bytes.set(payload, head.length);
				machine.tell(kinds.MESSAGE, id, 0, bytes);
			};
			const { clientId } = connection;
			machine.tell(kinds.APPLICATION, id, 0, JSON.stringify({ identity, serialNumber, firmwareVersion, clientId }));
			return () => {
				context = undefined;
				machine.tell(kinds.CONNECTION_ENDED, id);
			};
		},
		call(kind, id, number, bytes) {
			if (context === undefined) return;
			const { connection } = context;
			switch (kind) {
				case kinds.PUBLISH: {
					const all = new Uint8Array(bytes as ArrayBuffer);
					const end = all.indexOf(10);
					const topic = String.fromArrayBuffer(all.slice(0, end).buffer as ArrayBuffer);
					return returned(id, connection.publish(topic, all.subarray(end + 1), number as 0 | 1));
				}
				case kinds.SUBSCRIBE:
					return returned(id, connection.subscribe(JSON.parse(text(bytes))));
				case kinds.CONNECTION_CLOSE:
					return connection.close();
				case kinds.FACTORY_RESET:
					return context.factoryReset(text(bytes) as "forget" | "keep");
			}
		},
	};
}
