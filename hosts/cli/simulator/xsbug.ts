// The debugger's side of the protocol between XS and xsbug, as far as the simulator needs it: receives traces and
// measurements, and lets the program continue at each exception. Never stops a program for longer than a garbage collection
// takes.

import { createServer, type Server, type Socket } from "node:net";
import { addressOf } from "./relay.js";

/** XS's measurements, by the names that xsbug displays, for example `Slot used`. Sizes are in bytes. */
export type Sample = Readonly<Record<string, number>>;

/** Receives what the debugger learns. */
export interface DebuggerOptions {
	/** Called with each line that the program traces. */
	onLine(line: string): void;
	/** Called once a second with XS's measurements since the last call. */
	onSample?(sample: Sample): void;
	/** Whether to report exceptions, caught or not, with their location. They are reported in the same form as traced lines. */
	readonly exceptions: boolean;
}

/** Acts as the debugger (the SDK's documentation/xs/XS in C.md, xs/sources/xsDebug.c, tools/xsbug-log). */
export class Debugger {
	readonly #options: DebuggerOptions;
	readonly #server: Server;
	readonly #sockets = new Set<Socket>();
	/** The program's connection. There is also one for the simulator's window, because that is a program in XS, too. */
	#program: Socket | undefined;
	#names: readonly string[] = [];
	#sample: Sample = {};
	#waiting: ((sample: Sample) => void) | undefined;
	/** Whether the program has started measuring. Before that, it has not sent the names of its measurements. */
	#measures = false;

	constructor(options: DebuggerOptions) {
		this.#options = options;
		this.#server = createServer((socket) => this.#accept(socket));
	}

	/** Starts listening. Returns the port. */
	listen(): Promise<number> {
		return new Promise((resolve, reject) => {
			this.#server.once("error", reject);
			this.#server.listen(0, "127.0.0.1", () => resolve(addressOf(this.#server).port));
		});
	}

	close(): void {
		this.#server.close();
		for (const socket of this.#sockets) socket.destroy();
	}

	/**
	 * Measures what is alive: stops the program, which makes XS collect garbage and measure, and then lets it continue. Never
	 * settles if the program ends.
	 */
	collect(): Promise<Sample> {
		return new Promise((resolve) => {
			this.#waiting = resolve;
			if (this.#program && this.#measures) command(this.#program, "<step/>");
		});
	}

	#accept(socket: Socket): void {
		this.#sockets.add(socket);
		let received = "";
		let line = "";
		socket.setEncoding("utf8").on("data", (text: string) => {
			received += text;
			for (let end = received.indexOf(END); end >= 0; end = received.indexOf(END)) {
				const message = received.slice(0, end);
				received = received.slice(end + END.length);
				if (message.includes("<login ")) {
					if (!message.includes('name="mcsim"')) this.#program = socket;
					command(socket, this.#options.exceptions ? "<go/>" : `${clear("exceptions")}<go/>`);
				}
				if (socket === this.#program) {
					for (const [, log] of message.matchAll(/<log[^>]*>([^<]*)<\/log>/g)) {
						const lines = (line + plain(log!)).split("\n");
						line = lines.pop()!;
						for (const whole of lines)
							if (this.#options.exceptions || !whole.startsWith("# Exception: throw")) this.#options.onLine(whole);
					}
					this.#measure(message);
				}
				if (message.includes("<break")) this.#stopped(socket, message);
			}
		});
		// The connection breaks when the simulator exits, which is not an error here.
		socket.on("error", () => {});
		socket.on("close", () => {
			this.#sockets.delete(socket);
			if (this.#program === socket) this.#program = undefined;
		});
	}

	#measure(message: string): void {
		if (message.includes("<instruments>"))
			this.#names = Array.from(message.matchAll(/<instrument name="([^"]*)"/g), ([, name]) => plain(name!));
		for (const [, values] of message.matchAll(/<samples>([^<]*)<\/samples>/g)) {
			const numbers = values!.split(",").map(Number);
			this.#sample = Object.fromEntries(this.#names.map((name, index) => [name, numbers[index] ?? 0]));
			this.#options.onSample?.(this.#sample);
			if (!this.#measures && this.#waiting) command(this.#program!, "<step/>");
			this.#measures = true;
		}
	}

	/** The program has stopped: at an exception, at a `debugger` statement, or because `collect` stopped it. */
	#stopped(socket: Socket, message: string): void {
		const resolve = this.#waiting;
		if (socket === this.#program && resolve && /xsDebugger|step!/.test(message)) {
			this.#waiting = undefined;
			resolve(this.#sample);
			command(socket, `${clear("start")}<go/>`);
			return;
		}
		const [, file = "", number = "", what = ""] =
			/<break(?: path="([^"]*)" line="(\d+)")?[^>]*>([^<]*)<\/break>/.exec(message) ?? [];
		if (socket === this.#program) this.#options.onLine(`${plain(file)}:${number} ${plain(what).trim()}`);
		command(socket, "<go/>");
	}
}

const END = "</xsbug>";

const command = (socket: Socket, text: string): boolean => socket.write(`\r\n${text}\r\n`);

/** XS stops at exceptions and when a program starts, unless it is configured not to. */
const clear = (what: "exceptions" | "start"): string => `<clear-breakpoint path="${what}" line="0"/>`;

const ENTITIES: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function plain(text: string): string {
	return text.replace(/&(?:#(\d+)|(\w+));/g, (whole, code, name) =>
		code ? String.fromCodePoint(Number(code)) : (ENTITIES[name] ?? whole),
	);
}
