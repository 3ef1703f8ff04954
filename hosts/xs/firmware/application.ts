// Connects the device program to an application outside, in Node: passes out what the application is given, and in what it calls.

import type { Application, ApplicationContext } from "../../../src/contract/application.js";
import { type Handlers, text } from "./host.js";
import * as kinds from "./kinds.js";

/** Makes the application for the device program, and the handlers of the calls that come from outside. */
export function createApplication(): { readonly application: Application; readonly handlers: Handlers } {
	let context: ApplicationContext | undefined;
	let connections = 0;

	const returned = (id: number, work: Promise<void> | undefined): void => {
		work?.then(
			() => machine.tell(kinds.RETURNED, id),
			(error: Error) => machine.tell(kinds.RETURNED, id, 0, JSON.stringify({ ...error, message: error.message })),
		);
	};

	const application: Application = (given) => {
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
	};

	const handlers: Handlers = {
		[kinds.PUBLISH](id, flags, bytes) {
			const all = new Uint8Array(bytes as ArrayBuffer);
			const end = all.indexOf(10);
			const topic = text(all.slice(0, end).buffer as ArrayBuffer);
			returned(
				id,
				context?.connection.publish(topic, all.subarray(end + 1), (flags & 1) as 0 | 1, (flags & kinds.RETAIN) !== 0),
			);
		},
		[kinds.SUBSCRIBE]: (id, _, bytes) => returned(id, context?.connection.subscribe(JSON.parse(text(bytes)))),
		[kinds.UNSUBSCRIBE]: (id, _, bytes) => returned(id, context?.connection.unsubscribe(JSON.parse(text(bytes)))),
		[kinds.CONNECTION_CLOSE]: () => context?.connection.close(),
		[kinds.FACTORY_RESET]: (_id, _number, bytes) => context?.factoryReset(text(bytes) as "forget" | "keep"),
	};
	return { application, handlers };
}
