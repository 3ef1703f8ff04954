// The Host of this machine: gives src/ what it may use, through the engine's pipe. Decides nothing; all its state is lost with
// the power.

import type { Credentials, CurveName, Ecdsa, Host, SocketOptions } from "../../../src/contract/host.js";
import * as kinds from "./kinds.js";
import type { Payload } from "./machine.js";

/** The text in bytes from outside. */
export const text = (bytes: ArrayBuffer | undefined): string =>
	bytes === undefined ? "" : String.fromArrayBuffer(bytes);

function askBytes(kind: number, id = 0, number = 0, payload?: Payload): ArrayBuffer | undefined {
	return machine.ask(kind, id, number, payload) as ArrayBuffer | undefined;
}

function askView(kind: number, id = 0, number = 0, payload?: Payload): Uint8Array | undefined {
	const bytes = askBytes(kind, id, number, payload);
	return bytes === undefined ? undefined : new Uint8Array(bytes);
}

const bitsOf = (curve: CurveName): number => Number(curve.slice(2));

/** Handlers of what the other side tells, by the kind of frame. */
export type Handlers = Record<number, (id: number, number: number, bytes?: ArrayBuffer) => void>;

/** Makes the Host, and the handlers of what happens to the machine. */
export function createHost(): { readonly host: Host; readonly handlers: Handlers } {
	const settings = JSON.parse(text(askBytes(kinds.SETTINGS))) as kinds.Settings;
	const sockets = new Map<number, SocketOptions>();
	const timers = new Map<number, () => void>();
	let synchronized: ((error?: Error) => void) | undefined;
	let lastId = 0;

	const roots: Uint8Array[] = [];
	for (let root = askView(kinds.ROOT, 0); root !== undefined; root = askView(kinds.ROOT, roots.length))
		roots.push(root);

	const host: Host = {
		configuration: settings.configuration as Host["configuration"],
		device: settings.device,
		roots,
		claim: {
			read() {
				const certificate = askView(kinds.CLAIM_CERTIFICATE);
				const key = askView(kinds.CLAIM_KEY);
				return certificate === undefined || key === undefined
					? undefined
					: ({ certificate, key } satisfies Credentials);
			},
			erase: () => void machine.ask(kinds.CLAIM_ERASE),
		},
		storage: {
			read: (key) => askBytes(kinds.STORAGE_READ, 0, 0, key),
			write(key, value) {
				machine.tell(kinds.STORAGE_KEY, 0, 0, key);
				machine.ask(kinds.STORAGE_WRITE, 0, 0, value);
			},
			delete: (key) => void machine.ask(kinds.STORAGE_DELETE, 0, 0, key),
		},
		clock: {
			now: () => machine.ask(kinds.CLOCK_NOW) as number | undefined,
			ticks: () => machine.ask(kinds.CLOCK_TICKS) as number,
			floor: settings.floor,
			synchronize(done) {
				synchronized = done;
				machine.tell(kinds.CLOCK_SYNCHRONIZE);
			},
		},
		timer: {
			set(callback, milliseconds) {
				const id = ++lastId;
				timers.set(id, callback);
				machine.tell(kinds.TIMER_SET, id, milliseconds);
				return id;
			},
			clear(id) {
				if (timers.delete(id as number)) machine.tell(kinds.TIMER_CLEAR, id as number);
			},
		},
		openSocket(options) {
			const id = ++lastId;
			const { host, port, serverName, protocols, credentials } = options;
			machine.tell(kinds.SOCKET_CERTIFICATE, 0, 0, credentials.certificate);
			machine.tell(kinds.SOCKET_KEY, 0, 0, credentials.key);
			for (const root of options.roots) machine.tell(kinds.SOCKET_ROOT, 0, 0, root);
			sockets.set(id, options);
			machine.ask(kinds.SOCKET_OPEN, id, port, JSON.stringify({ host, serverName, protocols }));
			return {
				read: () => askBytes(kinds.SOCKET_READ, id),
				write(bytes) {
					if (sockets.has(id)) machine.tell(kinds.SOCKET_WRITE, id, 0, bytes);
				},
				close() {
					if (sockets.delete(id)) machine.tell(kinds.SOCKET_CLOSE, id);
				},
			};
		},
		random: (count) => askView(kinds.RANDOM, 0, count) as Uint8Array,
		restart: () => machine.tell(14), // `restart` in ../channel.ts
		report: (event) => machine.tell(kinds.REPORT, 0, 0, JSON.stringify(event)),
		sha256: (bytes) => askView(kinds.SHA256, 0, 0, bytes) as Uint8Array,
		...(settings.hasEcdsa && {
			ecdsa: {
				publicKey: (curve, scalar) => askView(kinds.PUBLIC_KEY, 0, bitsOf(curve), scalar) as Uint8Array,
				sign(curve, scalar, message) {
					const both = new Uint8Array(scalar.length + message.length);
					both.set(scalar);
					both.set(message, scalar.length);
					return askView(kinds.SIGN, 0, bitsOf(curve), both) as Uint8Array;
				},
			} satisfies Ecdsa,
		}),
	};

	const handlers: Handlers = {
		[kinds.SOCKET_READABLE]: (id, count) => sockets.get(id)?.onReadable(count),
		[kinds.SOCKET_WRITABLE]: (id, count) => sockets.get(id)?.onWritable(count),
		[kinds.SOCKET_ERROR](id, _, bytes) {
			const options = sockets.get(id);
			sockets.delete(id);
			options?.onError(JSON.parse(text(bytes)));
		},
		[kinds.TIMER_FIRED](id) {
			const callback = timers.get(id);
			timers.delete(id);
			callback?.();
		},
		[kinds.CLOCK_SYNCHRONIZED](_id, _number, bytes) {
			const done = synchronized;
			synchronized = undefined;
			done?.(bytes === undefined ? undefined : new Error(text(bytes)));
		},
	};
	return { host, handlers };
}
