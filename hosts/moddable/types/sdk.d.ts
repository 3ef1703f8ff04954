// The Moddable SDK's modules as far as this host uses them, based on the SDK's sources (8.2), for `npm run check`, which
// runs without the SDK. When mcconfig compiles, it uses the SDK's own declarations, and checks an app's sources against
// those.

declare module "mc/config" {
	/** `config` from the manifests, overridden by mcconfig's command line, where every value is text. */
	const config: Readonly<Record<string, unknown>>;
	export default config;
}

declare module "timer" {
	const Timer: {
		/** Calls back once. */
		set(callback: () => void, milliseconds?: number): object;
		/** Calls back repeatedly. */
		repeat(callback: () => void, milliseconds: number): object;
		/** Does nothing for a timer that has already fired. */
		clear(timer: object | undefined): void;
	};
	export default Timer;
}

declare module "time" {
	const Time: {
		/** Sets the clock, in whole seconds since 1970. Does nothing on the desktop simulator. */
		set(seconds: number): void;
		/** ms; wraps around on a device. */
		readonly ticks: number;
		/** ms between two values of `ticks`, correct even if they wrapped around once in between. */
		delta(start: number, end: number): number;
	};
	export default Time;
}

declare module "net" {
	const Net: {
		/** Calls back later. `address` is undefined if the name has none. */
		resolve(host: string, callback: (host: string, address: string | undefined) => void): void;
	};
	export default Net;
}

declare module "sntp" {
	/** Asks one server, up to five times at intervals of five seconds. */
	export default class SNTP {
		static readonly time: 1;
		static readonly retry: 2;
		static readonly error: -1;
		/** Throws without a network. `value`: seconds since 1970 with `time`, text with `error`. After `error` a host name that is returned is asked next. */
		constructor(options: { host: string }, callback: (message: number, value?: number | string) => string | undefined);
		close(): void;
	}
}

declare module "Resource" {
	/** A resource's bytes in flash. A typed array may view them but must not write to them. Throws if there is no such resource. */
	export default class Resource extends ArrayBuffer {
		constructor(name: string);
		static exists(name: string): boolean;
	}
}

declare module "file" {
	/** Opens a file; for writing, creates it if it does not exist. Never truncates it. Throws if it cannot be opened. */
	export class File {
		constructor(path: string, write?: boolean);
		readonly length: number;
		read(type: typeof ArrayBuffer): ArrayBuffer;
		write(bytes: ArrayBuffer): void;
		close(): void;
		static exists(path: string): boolean;
		/** Returns false if it failed. */
		static delete(path: string): boolean;
		/** Renames to `name` in the folder of `path`; replaces an existing file. Returns false if it failed. */
		static rename(path: string, name: string): boolean;
	}
	export const Directory: {
		/** Does nothing if the folder exists. */
		create(path: string): void;
	};
}

declare module "embedded:storage/key-value" {
	/** A namespace of NVS. */
	export interface Store {
		read(key: string): ArrayBuffer | undefined;
		write(key: string, value: ArrayBuffer): void;
		delete(key: string): void;
	}
	const storage: { open(options: { path: string; mode?: "r" | "r+" }): Store };
	export default storage;
}

declare module "embedded:network/interface/wifi" {
	export default class WiFi {
		constructor(options: { onChanged?(this: WiFi, property: "connection" | "address"): void });
		/** Throws when a connection attempt is under way already, or cannot be started. */
		connect(options: { SSID: string; password?: string }): void;
		/** Does not call back for the connection that it ends. */
		disconnect(): void;
		/** May be called twice; all other members throw after it. */
		close(): void;
		/** 200 disconnected, 300 connecting, 400 associated, 500 has its address. */
		readonly connection: number;
		/** For example `a4:cf:12:00:00:01`. */
		readonly MAC: string | undefined;
	}
}

declare module "embedded:io/socket/tcp" {
	/** RawTCP in undeclared.d.ts describes what it does; the SDK declares its members differently. */
	export default class TCP {}
}

declare module "commodetto/Poco" {
	/** Pixels on a screen; `screen` is the SDK's global one. */
	export interface Font {
		readonly height: number;
	}
	export interface PocoPrototype {
		readonly width: number;
		readonly height: number;
		/** Limits drawing to a part of the screen; without arguments, the whole screen. */
		begin(x?: number, y?: number, width?: number, height?: number): void;
		/** Throws when more was drawn than the display list can hold. */
		end(): void;
		makeColor(red: number, green: number, blue: number): number;
		fillRectangle(color: number, x: number, y: number, width: number, height: number): void;
		drawText(text: string, font: Font, color: number, x: number, y: number): void;
		getTextWidth(text: string, font: Font): number;
	}
	const Poco: new (pixelsOut: object, options: { displayListLength: number }) => PocoPrototype;
	export default Poco;

	global {
		const screen: object;
	}
}

declare module "commodetto/parseBMF" {
	import type { Font } from "commodetto/Poco";
	export default function parseBMF(font: ArrayBuffer): Font;
}
