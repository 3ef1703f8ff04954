// Stand-ins for the Moddable SDK's modules that hosts/moddable imports, on top of the machine in chip.ts. Exceptions and the
// order of callbacks are as in the SDK's sources (8.2.3). docs/sdk-modules.md lists the rules.

import { createHash, randomBytes } from "node:crypto";
import { machine, type Peer } from "./chip.js";

// modules/base/timer/modTimer.c. `clear` ignores an id of a timer that has fired, or of no timer at all.
interface TimerRecord {
	cancel: () => void;
	live: boolean;
}
const arm = (record: TimerRecord, callback: () => void, delay: number, repeat: number): void => {
	const { chip } = machine;
	record.cancel = chip.post(() => {
		if (repeat > 0) arm(record, callback, repeat, repeat);
		else retire(record);
		callback();
	}, delay);
};
const retire = (record: TimerRecord): void => {
	if (record.live) machine.chip.timers -= 1;
	record.live = false;
};
const callbacks = new WeakMap<TimerRecord, () => void>();
export const Timer = {
	set(callback: () => void, delay = 0, repeat = 0): object {
		const record: TimerRecord = { cancel: () => {}, live: machine.chip.powered };
		if (record.live) machine.chip.timers += 1;
		callbacks.set(record, callback);
		arm(record, callback, delay, repeat);
		return record;
	},
	repeat: (callback: () => void, interval: number): object => Timer.set(callback, interval, interval),
	schedule(id: object, delay: number, repeat = 0): void {
		const record = id as TimerRecord;
		if (!record?.live) throw new TypeError("this: not a host object");
		record.cancel();
		arm(record, callbacks.get(record)!, delay, repeat);
	},
	clear(id: object | undefined): void {
		const record = id as TimerRecord | undefined;
		if (!record?.live) return;
		record.cancel();
		retire(record);
	},
};

// modules/base/time/esp/modTime.c: 32 bits, which wrap around; this machine's do so soon after power-on.
const TICKS_AT_POWER_ON = 2 ** 31 - 60_000;
export const Time = {
	get ticks(): number {
		return (TICKS_AT_POWER_ON + machine.chip.time.ticks()) | 0;
	},
	delta: (start: number, end: number): number => (end - start) | 0,
	set(seconds: number): void {
		const { chip } = machine;
		if (chip.clockCanBeSet) chip.clockOffset = (seconds >>> 0) * 1_000 - chip.time.ticks();
	},
};

// modules/network/net/esp/modResolve.c: always calls back later; the address is undefined if there is none.
export const Net = {
	resolve(host: string, callback: (host: string, address: string | undefined) => void): void {
		const { chip } = machine;
		const literal = /^\d+\.\d+\.\d+\.\d+$/.test(host) ? host : undefined;
		chip.post(() => callback(host, literal ?? (chip.hasNetwork ? chip.names.get(host) : undefined)), literal ? 0 : DNS);
	},
};
const DNS = 100;

// modules/network/sntp/sntp.js, over socket.js (lwip/modSocket.c): the constructor throws without a network.
export class SNTP {
	static readonly time = 1;
	static readonly retry = 2;
	static readonly error = -1;
	readonly #callback: (message: number, value?: number | string) => string | undefined;
	#timer: object | undefined;
	#retry = 0;
	#host = "";
	#resolved = false;

	constructor({ host }: { host: string }, callback: (message: number, value?: number | string) => string | undefined) {
		if (!machine.chip.hasNetwork) throw new Error("no network");
		machine.chip.sockets += 1;
		this.#callback = callback;
		this.#timer = Timer.repeat(() => {
			this.#retry -= 1;
			if (this.#retry === 0) return this.#failed("no response from SNTP server");
			this.#write();
			this.#callback(SNTP.retry);
		}, 5_000);
		this.#start(host);
	}

	#start(host: string): void {
		this.#retry = 5;
		this.#host = host;
		Net.resolve(host, (_host, address) => {
			if (!this.#timer) return;
			if (address === undefined) return this.#failed(`cannot resolve ${host}`);
			this.#resolved = true;
			this.#write();
			Timer.schedule(this.#timer, 5_000, 5_000);
		});
	}

	#failed(message: string): void {
		const host = this.#callback(SNTP.error, message);
		if (host) {
			// Throws when the callback has closed this object, as in the SDK.
			Timer.schedule(this.#timer!, 5_000, 5_000);
			this.#start(host);
		} else this.close();
	}

	#write(): void {
		const { chip } = machine;
		const answer = chip.timeServers.get(this.#host);
		// A lost UDP packet is not an error.
		if (!this.#resolved || !chip.hasNetwork || answer === undefined || answer === "silent") return;
		chip.post(() => {
			if (!this.#timer) return;
			if (answer === "garbage") return this.#failed("unexpected SNTP packet length");
			this.close();
			const seconds = answer === "right" ? Math.floor(chip.time.timeOfDay() / 1_000) : answer;
			// A signed 32-bit number: negative after 2038.
			this.#callback(SNTP.time, seconds | 0);
		}, 50);
	}

	close(): void {
		if (this.#timer) machine.chip.sockets -= 1;
		Timer.clear(this.#timer);
		this.#timer = undefined;
	}
}

// modules/io/wifi/esp32/wifi-esp32.c: calls back only for a change. After `close` every member throws, except `close`
// itself.
export class WiFi {
	readonly #onChanged: ((this: WiFi, property: string) => void) | undefined;
	#connecting = false;
	#connected: boolean;
	#address: boolean;
	#closed = false;
	readonly #station = (event: "connected" | "disconnected" | "address"): void => {
		if (this.#closed) return;
		const before = [this.#connecting, this.#connected, this.#address].join();
		const had = this.#address;
		if (event === "connected") [this.#connecting, this.#connected, this.#address] = [false, true, false];
		else if (event === "address") [this.#connected, this.#address] = [true, true];
		else this.#connecting = this.#connected = this.#address = false;
		if (before !== [this.#connecting, this.#connected, this.#address].join()) this.#onChanged?.("connection");
		if (!had && this.#address && !this.#closed) this.#onChanged?.("address");
	};

	constructor({ onChanged }: { onChanged?(this: WiFi, property: string): void }) {
		const { chip } = machine;
		this.#onChanged = onChanged;
		this.#connected = chip.associated;
		this.#address = chip.address;
		chip.stations.add(this.#station);
	}

	connect({ SSID, password }: { SSID: string; password?: string }): void {
		this.#check();
		if (this.#connecting) throw new Error("already connecting");
		if (new TextEncoder().encode(SSID).length > 32) throw new RangeError("buffer too small");
		if (machine.chip.wifiFails) throw new Error("connect failed");
		this.#connecting = true;
		machine.chip.join(SSID, password);
	}

	disconnect(): void {
		this.#check();
		machine.chip.leave();
		this.#connecting = this.#connected = this.#address = false;
	}

	get connection(): number {
		this.#check();
		return this.#connected ? (this.#address ? 500 : 400) : this.#connecting ? 300 : 200;
	}

	get MAC(): string {
		this.#check();
		return "a4:cf:12:00:00:01";
	}

	close(): void {
		this.#closed = true;
		machine.chip.stations.delete(this.#station);
	}

	#check(): void {
		if (this.#closed) throw new TypeError("this: not a host object");
	}
}

interface TcpOptions {
	readonly address: string;
	readonly port: number;
	onReadable(count: number): void;
	onWritable(count: number): void;
	onError(): void;
}

// modules/io/socket/lwip/tcp.c. Its `CHECK_NETWORK_SAFE` throws without a network. An error is reported only after all
// received data has been read. After an error, callbacks that were already triggered report the error once more.
const SEND_BUFFER = 5_744;
export class TCP {
	readonly #options: TcpOptions;
	#peer: Peer | undefined;
	#waiting = Buffer.alloc(0);
	#ready = false;
	#error = false;
	#closed = false;
	#unsent = 0;
	readonly #lose = (): void => {
		if (this.#error) return;
		this.#error = true;
		this.#ready = false;
		this.#trigger();
		// For the output callback that was already triggered.
		this.#trigger();
	};

	constructor(options: TcpOptions) {
		const { chip } = machine;
		if (!chip.hasNetwork) throw new Error("no network");
		if (!/^\d+\.\d+\.\d+\.\d+$/.test(options.address)) throw new Error("invalid address");
		this.#options = options;
		chip.sockets += 1;
		chip.connections.add(this.#lose);
		chip.post(() => this.#connect(), 50);
	}

	#connect(): void {
		if (this.#closed || this.#error) return;
		const { chip } = machine;
		const wire = {
			send: (bytes: Uint8Array) => void chip.post(() => this.#receive(bytes), 5),
			hangUp: () => void chip.post(this.#lose, 5),
			certificate: chip.certificate,
		};
		this.#peer = chip.listener?.(wire, this.#options.address, this.#options.port);
		if (!this.#peer) return this.#lose();
		this.#ready = true;
		this.#options.onWritable(SEND_BUFFER);
	}

	#receive(bytes: Uint8Array): void {
		if (this.#closed || this.#error) return;
		this.#waiting = Buffer.concat([this.#waiting, bytes]);
		this.#trigger();
	}

	#trigger(): void {
		machine.chip.post(() => {
			if (this.#closed) return;
			if (this.#waiting.length > 0) this.#options.onReadable(this.#waiting.length);
			if (!this.#closed && this.#error && this.#waiting.length === 0) this.#options.onError();
		});
	}

	read(into: Uint8Array): number | undefined {
		this.#check();
		if (this.#waiting.length === 0) return undefined;
		if (into.length === 0 || into.length > this.#waiting.length) throw new Error("invalid");
		into.set(this.#waiting.subarray(0, into.length));
		this.#waiting = this.#waiting.subarray(into.length);
		if (this.#waiting.length === 0 && this.#error) this.#trigger();
		return into.length;
	}

	write(bytes: ArrayBuffer | Uint8Array): number | undefined {
		this.#check();
		if (!this.#ready) throw new Error("not ready");
		const written = new Uint8Array(bytes instanceof ArrayBuffer ? bytes.slice(0) : bytes);
		if (written.length > SEND_BUFFER - this.#unsent) throw new Error("would block");
		this.#unsent += written.length;
		machine.chip.post(() => {
			this.#unsent -= written.length;
			if (this.#error) return;
			// Data written before a close is still sent.
			this.#peer!.received(written);
			if (!this.#closed && !this.#error) this.#options.onWritable(SEND_BUFFER - this.#unsent);
		}, 5);
		return SEND_BUFFER - this.#unsent;
	}

	close(): void {
		if (this.#closed) return;
		this.#closed = true;
		const { chip } = machine;
		chip.sockets -= 1;
		chip.connections.delete(this.#lose);
		const peer = this.#peer;
		chip.post(() => peer?.closed?.(), 10);
	}

	#check(): void {
		if (this.#closed) throw new TypeError("this: not a host object");
	}
}

interface Counted extends TCP {
	readable: number;
	writable: number;
}
interface TlsOptions extends TcpOptions {
	readonly TCP: { readonly io: new (options: never) => object };
	readonly secure: { readonly clientCertificates: readonly Uint8Array[]; readonly serverName: string };
}

const HEAD = 5;
const record = (type: number, body: Uint8Array): Uint8Array =>
	Uint8Array.of(type, 3, 3, body.length >> 8, body.length & 0xff, ...body);

/** What a CertificateVerify message signs here; in real TLS, the messages of the handshake. */
export const SIGNED = "what was said until now";
const handshakeMessage = (type: number, body: Uint8Array): Uint8Array =>
	record(22, Uint8Array.of(type, 0, body.length >> 8, body.length & 0xff, ...body));

// modules/crypt/ssl/ssl_stream.js
export class SSLStream {
	bytes = new Uint8Array();

	writeChars(value: number, size: number): void {
		this.writeChunk(Uint8Array.from({ length: size }, (_, at) => value >>> (8 * (size - 1 - at))));
	}

	writeChunk(bytes: Uint8Array): void {
		this.bytes = Uint8Array.of(...this.bytes, ...bytes);
	}
}

// modules/crypt/ssl/ssl_handshake.js: what a client sends after ServerHelloDone. The SDK freezes it.
interface Message {
	readonly msgType: number;
	packetize(session: SSLSession): Uint8Array;
}
const messageOf = (msgType: number, body = new Uint8Array()): Message => ({
	msgType,
	packetize: () => handshakeMessage(msgType, body),
});
export const handshake = Object.freeze({
	packetize: (_session: SSLSession, type: number, { bytes }: SSLStream) => handshakeMessage(type, bytes),
	certificate: messageOf(11),
	clientKeyExchange: messageOf(16),
	certificateVerify: {
		...messageOf(15, Uint8Array.of(4, 1, 0, 0)),
		calculateDigest: () => new Uint8Array(createHash("sha256").update(SIGNED).digest()).buffer,
	},
	finished: { msgType: 20, packetize: () => record(22, randomBytes(40)) } satisfies Message,
});
const changeCipherSpec = { packetize: () => record(20, Uint8Array.of(1)) };

// modules/crypt/ssl/session_419.js, for the client's second flight.
export class SSLSession {
	readonly options: object;
	handshakeProcess = -1;
	clientCerts: readonly Uint8Array[] | undefined;
	myCert: Uint8Array | undefined;

	constructor(options: object) {
		this.options = options;
	}

	traceProtocol(_protocol: unknown): void {}

	handshake(socket: Counted): boolean {
		if (this.handshakeProcess !== 14) return false;
		if (this.clientCerts !== undefined) this.doProtocol(socket, handshake.certificate);
		this.doProtocol(socket, handshake.clientKeyExchange);
		if (this.myCert) this.doProtocol(socket, handshake.certificateVerify);
		this.doProtocol(socket, changeCipherSpec);
		this.doProtocol(socket, handshake.finished);
		return false;
	}

	doProtocol(socket: Counted, protocol: { packetize(session: SSLSession): Uint8Array }): void {
		const packet = protocol.packetize(this);
		socket.write(packet);
		socket.writable -= packet.length;
	}
}

// examples/io/tcp/tlssocket/tlssocket.js over modules/crypt/ssl/session_419.js: when records are read and written, and what
// is thrown. There is no cryptography, so data is sent in the clear.
export class TLSSocket {
	readonly #callbacks: Pick<TlsOptions, "onReadable" | "onWritable" | "onError">;
	#socket: Counted | undefined;
	#ready = false;
	#data: Uint8Array | undefined;
	#application: Uint8Array | undefined;
	#doRead: object | undefined;
	#begun = false;
	#alert: number | undefined;
	#packet: (Uint8Array & { offset?: number }) | undefined;
	#next: "hello" | "wait" | "answer" | "finished" = "hello";
	#encrypted = false;
	readonly #secure: TlsOptions["secure"];

	constructor(options: TlsOptions) {
		this.#callbacks = options;
		this.#secure = options.secure;
		machine.chip.certificate = new Uint8Array(options.secure.clientCertificates[0]!);
		this.#socket = new options.TCP.io({
			...options,
			onReadable: (count: number) => this.#onReadable(count),
			onWritable: (count: number) => this.#onWritable(count),
			onError: () => this.#callbacks.onError(),
		} as never) as Counted;
		this.#socket.readable = this.#socket.writable = 0;
	}

	close(): void {
		this.#socket?.close();
		Timer.clear(this.#doRead);
		this.#socket = this.#doRead = undefined;
	}

	read(): ArrayBuffer | undefined {
		const data = this.#data;
		if (!data) return undefined;
		this.#data = undefined;
		if (this.#socket!.readable) {
			this.#doRead ??= Timer.set(() => {
				this.#doRead = undefined;
				if (this.#socket!.readable) this.#onReadable(this.#socket!.readable);
			});
		}
		return data.slice().buffer as ArrayBuffer;
	}

	write(bytes: Uint8Array): void {
		const socket = this.#socket!;
		socket.writable = socket.write(record(23, bytes))!;
	}

	#onWritable(count: number): void {
		this.#socket!.writable = count;
		if (!this.#ready) this.#messageHandler();
		else if (count > 96) this.#callbacks.onWritable(count - 96);
	}

	#onReadable(count: number): void {
		this.#socket!.readable = count;
		if (this.#data) return;
		this.#messageHandler(true);
		if (!this.#ready) this.#messageHandler();
	}

	#messageHandler(read = false): void {
		if (!this.#ready) {
			if (this.#handshake()) {
				this.#ready = true;
				this.#onWritable(this.#socket!.writable);
			}
			if (read) this.#sessionRead();
			return;
		}
		const data = this.#sessionRead();
		if (data === undefined) return;
		if (data === null) return void this.#callbacks.onError();
		if (data.length === 0) return;
		this.#data = data;
		this.#callbacks.onReadable(data.length);
	}

	#handshake(): boolean {
		const step = this.#next;
		this.#next = "wait";
		if (step === "hello" && !this.#begun) {
			this.#begun = true;
			this.#send(record(22, Uint8Array.of(1, 0, 0, 35, 3, 3, ...randomBytes(32), 0)));
		} else if (step === "answer") {
			const clientCerts = this.#secure.clientCertificates;
			const session = Object.assign(new SSLSession(this.#secure), { clientCerts, myCert: clientCerts[0] });
			session.handshakeProcess = 14;
			session.handshake(this.#socket!);
		} else if (step === "finished") return true;
		else if (this.#socket!.readable > 0) {
			const packet = this.#readPacket();
			if (packet) this.#unpacketize(packet);
		}
		return this.#alert !== undefined;
	}

	#send(bytes: Uint8Array): void {
		this.#socket!.write(bytes);
		this.#socket!.writable -= bytes.length;
	}

	#sessionRead(): Uint8Array | null | undefined {
		while (this.#socket!.readable) {
			if (!this.#application) {
				const packet = this.#readPacket();
				if (!packet) return undefined;
				this.#unpacketize(packet);
				if (this.#alert !== undefined) return null;
			}
			if (this.#application) {
				const data = this.#application;
				this.#application = undefined;
				return data;
			}
		}
		return undefined;
	}

	#unpacketize(packet: Uint8Array): void {
		const body = packet.subarray(HEAD);
		if (packet[0] === 21) {
			this.#alert = body[1]!;
			if (this.#alert !== 0) throw new Error(`alert: ${body[0]}, ${body[1]}`);
		} else if (packet[0] === 20) this.#encrypted = true;
		else if (packet[0] === 23) this.#application = body;
		else if (this.#encrypted) this.#next = "finished";
		else if (body[body.length - 4] === 14) this.#next = "answer";
	}

	/** As in the SDK: reads the five bytes of the header, then resizes the same buffer to read the rest into it. */
	#readPacket(): Uint8Array | undefined {
		const socket = this.#socket!;
		if (!this.#packet || this.#packet.offset! < HEAD) {
			this.#packet ??= Object.assign(new Uint8Array(HEAD), { offset: 0 });
			const packet = this.#packet;
			const need = Math.min(HEAD - packet.offset!, socket.readable);
			socket.read(packet.subarray(packet.offset!, packet.offset! + need));
			socket.readable -= need;
			packet.offset! += need;
			if (packet.offset! < HEAD) return undefined;
			const whole = new Uint8Array(((packet[3]! << 8) | packet[4]!) + HEAD);
			whole.set(packet);
			this.#packet = Object.assign(whole, { offset: HEAD });
		}
		const packet = this.#packet!;
		const need = Math.min(packet.length - packet.offset!, socket.readable);
		if (need > 0) {
			socket.read(packet.subarray(packet.offset!, packet.offset! + need));
			socket.readable -= need;
			packet.offset! += need;
		}
		if (packet.offset! < packet.length) return undefined;
		this.#packet = undefined;
		return packet;
	}
}

// modules/files/resource: a view of flash. The constructor throws if there is no such resource.
export class Resource extends ArrayBuffer {
	constructor(name: string) {
		const bytes = machine.chip.resources.get(name);
		if (!bytes) throw new URIError(`Resource not found: ${name}`);
		super(bytes.length);
		new Uint8Array(this).set(bytes);
	}

	static exists(name: string): boolean {
		return machine.chip.resources.has(name);
	}
}

// modules/crypt/etc/rng.c
export const RNG = {
	init(seed: ArrayBuffer): void {
		if (!(seed instanceof ArrayBuffer)) throw new TypeError("no buffer");
	},
	get: (count: number): ArrayBuffer => new Uint8Array(randomBytes(count)).buffer,
};

// modules/files/file/lin: opening for writing creates the file but never truncates it. Operations that fail throw or return
// false.
export class File {
	readonly #path: string;
	#position = 0;

	constructor(path: string, write = false) {
		const { files } = machine.chip;
		if (!files.has(path)) {
			if (!write) throw new Error("file not found");
			files.set(path, new Uint8Array());
		}
		this.#path = path;
	}

	get length(): number {
		return machine.chip.files.get(this.#path)!.length;
	}

	read(_type: unknown): ArrayBuffer {
		const bytes = machine.chip.files.get(this.#path)!;
		if (this.#position >= bytes.length) throw new Error("read past end of file");
		const rest = bytes.slice(this.#position);
		this.#position = bytes.length;
		return rest.buffer as ArrayBuffer;
	}

	write(bytes: ArrayBuffer): void {
		const { files } = machine.chip;
		const old = files.get(this.#path)!;
		const whole = new Uint8Array(Math.max(old.length, this.#position + bytes.byteLength));
		whole.set(old);
		whole.set(new Uint8Array(bytes), this.#position);
		this.#position += bytes.byteLength;
		files.set(this.#path, whole);
	}

	close(): void {}

	static exists(path: string): boolean {
		return machine.chip.files.has(path);
	}

	static delete(path: string): boolean {
		return machine.chip.files.delete(path);
	}

	static rename(path: string, name: string): boolean {
		const { files } = machine.chip;
		const bytes = files.get(path);
		if (!bytes) return false;
		files.delete(path);
		files.set(path.slice(0, path.lastIndexOf("/") + 1) + name, bytes);
		return true;
	}
}
export const Directory = { create(_path: string): void {} };

// modules/io/storage/esp32: NVS. For a missing key `read` returns undefined, and `delete` does nothing.
export const keyValue = {
	open: ({ path }: { path: string }) => ({
		read: (key: string): ArrayBuffer | undefined => machine.chip.nvs.get(`${path}/${key}`)?.slice(0),
		write: (key: string, value: ArrayBuffer): void => {
			if (key.length > 15) throw new Error("ESP_ERR_NVS_KEY_TOO_LONG");
			machine.chip.nvs.set(`${path}/${key}`, value.slice(0));
		},
		delete: (key: string): void => void machine.chip.nvs.delete(`${path}/${key}`),
	}),
};

/** `mc/config`: always reads the current machine's configuration. */
export const config: Record<string, unknown> = new Proxy(
	{},
	{ get: (_target, name) => machine.chip.config[name as string] },
);

// modules/commodetto/commodettoPoco.js and .c, with a monospaced font.
interface Font {
	readonly height: number;
}
export class Poco {
	readonly #screen = machine.chip.screen;
	#part: readonly [y: number, height: number] = [0, 0];

	get width(): number {
		return this.#screen.width;
	}
	get height(): number {
		return this.#screen.height;
	}
	begin(_x = 0, y = 0, _width = this.width, height = this.height): void {
		this.#part = [y, height];
	}
	end(): void {
		if (this.#screen.broken) throw new Error("display list overflowed");
	}
	makeColor(red: number, green: number, blue: number): number {
		return (red << 16) | (green << 8) | blue;
	}
	fillRectangle(_color: number, _x: number, y: number, width: number, height: number): void {
		if (width < this.width || height < this.height) return;
		const [top, part] = this.#part;
		this.#screen.lines = this.#screen.lines.filter((line) => line.y < Math.max(y, top) || line.y >= top + part);
	}
	drawText(text: string, _font: Font, _color: number, x: number, y: number): void {
		this.#screen.lines.push({ text, x, y });
	}
	getTextWidth(text: string, { height }: Font): number {
		return text.length * (height >> 1);
	}
}
/** A font in these tests is a single byte: the height of its letters. */
export const parseBMF = (font: ArrayBuffer): Font => ({ height: new Uint8Array(font)[0]! });
