// The kinds of frames between device and host on the engine's pipe, from 32 up (those below are the engine's own, see
// ../channel.ts). Frames with odd numbers need no answer; those with even numbers are questions, answered at once.

// told by the device
/** JSON of a DeviceEvent. */
export const REPORT = 33;
/** id of the socket, bytes. */
export const SOCKET_WRITE = 35;
/** id. */
export const SOCKET_CLOSE = 37;
/** id, milliseconds. */
export const TIMER_SET = 39;
/** id. */
export const TIMER_CLEAR = 41;
export const CLOCK_SYNCHRONIZE = 43;
/** For the next SOCKET_OPEN, DER: the device's certificate, its key, and each root. */
export const SOCKET_CERTIFICATE = 45;
export const SOCKET_KEY = 47;
export const SOCKET_ROOT = 49;
/** For the next STORAGE_WRITE: the key. */
export const STORAGE_KEY = 51;
/** The device program has ended. */
export const HALTED = 55;
/** id of the connection; JSON of what the application is given. */
export const APPLICATION = 57;
/** id of the call; empty, or JSON of a failure. */
export const RETURNED = 59;
/** id of the connection; topic, newline, payload. */
export const MESSAGE = 61;
/** id of the connection: it has ended. */
export const CONNECTION_ENDED = 63;

// asked by the device
/** JSON of Settings. */
export const SETTINGS = 32;
/** DER, in flash, or nothing. */
export const CLAIM_CERTIFICATE = 34;
export const CLAIM_KEY = 36;
export const CLAIM_ERASE = 38;
/** id: which one, from 0: DER, in flash, or nothing. */
export const ROOT = 40;
/** key: bytes or nothing. */
export const STORAGE_READ = 42;
/** value. */
export const STORAGE_WRITE = 44;
/** key. */
export const STORAGE_DELETE = 46;
/** ms since 1970, or nothing. */
export const CLOCK_NOW = 48;
/** ms. */
export const CLOCK_TICKS = 50;
/** count: bytes. */
export const RANDOM = 52;
/** id, JSON of host, port, serverName, protocols. */
export const SOCKET_OPEN = 54;
/** id: bytes or nothing. */
export const SOCKET_READ = 56;
/** bytes: 32 bytes. */
export const SHA256 = 58;
/** number: bits of the curve's order; a scalar: its point. */
export const PUBLIC_KEY = 60;
/** number: bits of the curve's order; a scalar and a message: the signature. */
export const SIGN = 62;

// told by the host
/** id, count. */
export const SOCKET_READABLE = 33;
/** id, count. */
export const SOCKET_WRITABLE = 35;
/** id, JSON of a SocketError. */
export const SOCKET_ERROR = 37;
/** id. */
export const TIMER_FIRED = 39;
/** Message of an error, or nothing. */
export const CLOCK_SYNCHRONIZED = 43;
/** id of the call; number: QoS, and RETAIN; topic, newline, payload. */
export const PUBLISH = 57;
/** Added to the QoS. */
export const RETAIN = 2;
/** id of the call; JSON of filters. */
export const SUBSCRIBE = 59;
export const CONNECTION_CLOSE = 61;
/** `forget` or `keep`. */
export const FACTORY_RESET = 63;
/** id of the call; JSON of filters. */
export const UNSUBSCRIBE = 65;

/** What the device is told about itself at power-on. */
export interface Settings {
	readonly configuration: object;
	readonly device: { readonly serialNumber: string; readonly firmwareVersion: string };
	readonly floor: number;
	readonly hasEcdsa: boolean;
}
