// The Moddable SDK's modules as far as this host uses them, after the SDK's own sources (8.2), for `npm run check`, which has no
// SDK. When mcconfig compiles, the SDK's own declarations are taken instead, and an app's sources are checked against those.

declare module "mc/config" {
	/** The manifests' `config`, overridden by what stands on mcconfig's command line: there every value is text. */
	const config: Readonly<Record<string, unknown>>;
	export default config;
}

declare module "timer" {
	const Timer: {
		/** One shot. */
		set(callback: () => void, milliseconds?: number): object;
		/** Again and again. */
		repeat(callback: () => void, milliseconds: number): object;
		/** Not an error for a timer that has gone off. */
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
		/** ms between two `ticks`, right across one wrap. */
		delta(start: number, end: number): number;
	};
	export default Time;
}

declare module "net" {
	const Net: {
		/** Calls back later; `address` is undefined when there is none. */
		resolve(host: string, callback: (host: string, address: string | undefined) => void): void;
	};
	export default Net;
}

declare module "sntp" {
	/** Asks one server up to five times, five seconds apart. */
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
	/** Bytes in flash, in place: may be viewed by a typed array, must not be written. Throws when there is no such resource. */
	export default class Resource extends ArrayBuffer {
		constructor(name: string);
		static exists(name: string): boolean;
	}
}

declare module "file" {
	/** Opens a file, for writing makes it when there is none. Never cuts it short. Throws when it cannot. */
	export class File {
		constructor(path: string, write?: boolean);
		readonly length: number;
		read(type: typeof ArrayBuffer): ArrayBuffer;
		write(bytes: ArrayBuffer): void;
		close(): void;
		static exists(path: string): boolean;
		/** False when it failed. */
		static delete(path: string): boolean;
		/** `name` is in the folder of `path`; replaces what is there. False when it failed. */
		static rename(path: string, name: string): boolean;
	}
	export const Directory: {
		/** Not an error when there is one already. */
		create(path: string): void;
	};
}

declare module "embedded:storage/key-value" {
	/** One NVS namespace. */
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
		/** Throws when it is connecting already, or cannot. */
		connect(options: { SSID: string; password?: string }): void;
		/** Does not call back for what it ends. */
		disconnect(): void;
		/** Not an error when called twice; every other member throws afterwards. */
		close(): void;
		/** 200 disconnected, 300 connecting, 400 associated, 500 has its address. */
		readonly connection: number;
		/** `a4:cf:12:00:00:01` */
		readonly MAC: string | undefined;
	}
}

declare module "embedded:io/socket/tcp" {
	/** See RawTCP in undeclared.d.ts for what it does; the SDK declares its members otherwise. */
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
		/** The part that is drawn anew: the whole screen without arguments. */
		begin(x?: number, y?: number, width?: number, height?: number): void;
		/** Throws when more was drawn than fits into the display list. */
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
