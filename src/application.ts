// What the device maker's own program is given once the device has its identity. Types only.

import type { Connection } from "./mqtt/connection.js";

/** Who the device is. */
export interface Identity {
	readonly thingName: string;
	/** 64 hexadecimal digits. */
	readonly certificateId: string;
	/** From the template's DeviceConfiguration. Absent when RegisterThing's reply was lost but its effect was not. */
	readonly deviceConfiguration?: Readonly<Record<string, string>>;
}

/** What an application works with. */
export interface ApplicationContext {
	readonly identity: Identity;
	readonly serialNumber: string;
	readonly firmwareVersion: string;
	/** Connected under the thing's name. Lost connections are not mended in place: the application is called again with a new one. */
	readonly connection: Connection;
	/**
	 * Factory reset. `forget`: the identity is erased, the device restarts and claims a new one. `keep`: nothing of the
	 * identity changes; the device restarts (erase what the application itself has stored before calling).
	 */
	factoryReset(identity: "forget" | "keep"): void;
}

/**
 * The application: called with every new connection. May return what is to be called when that connection has ended,
 * to stop timers and the like.
 */
export type Application = (context: ApplicationContext) => (() => void) | undefined;
