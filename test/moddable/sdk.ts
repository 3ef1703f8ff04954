/// <reference path="../../hosts/moddable/types/certificates.d.ts" />
/// <reference path="../../hosts/moddable/types/crypt.d.ts" />
// Replaces with plain arithmetic what signature.ts and ecdsa.ts use of the SDK. Import it before handshake.ts. `npm run
// sdk-tests` uses the SDK's own modules.

import { createHash, createHmac } from "node:crypto";
import { register } from "node:module";
import { INTEGER, openDer, SEQUENCE } from "../../src/identity/der.js";

const modules = Object.fromEntries(
	["crypt", "curve", "ecdsa", "ecp", "hmac", "mont", "rsa"].map((name) => [
		name,
		new URL(`${name}.ts`, import.meta.url).href,
	]),
);
const hooks = `
	const modules = ${JSON.stringify(modules)};
	export const resolve = (specifier, context, next) => next(modules[specifier] ?? specifier, context);
`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);

const number = (bytes: Uint8Array) => BigInt(`0x0${Buffer.from(bytes).toString("hex")}`);

Object.assign(BigInt, {
	fromArrayBuffer: (bytes: ArrayBuffer) => number(new Uint8Array(bytes)),
	bitLength: (value: bigint) => value.toString(2).length,
});
Object.assign(ArrayBuffer, {
	// XS writes whole words, so there may be leading zeros.
	fromBigInt: (value: bigint) => new Uint8Array(Buffer.from(value.toString(16).padStart(160, "0"), "hex")).buffer,
});
Object.assign(String, {
	fromArrayBuffer: (bytes: ArrayBuffer) => new TextDecoder("utf-8", { fatal: true }).decode(bytes),
});

/** The moduli and points of the keys that were used in computations, in order, in hexadecimal. */
export const used: string[] = [];

/** `crypt`. */
export class Digest {
	readonly #hash: ReturnType<typeof createHash>;

	constructor(algorithm: string) {
		this.#hash = createHash(algorithm);
	}

	write(bytes: ArrayBuffer | Uint8Array): void {
		this.#hash.update(new Uint8Array(bytes));
	}

	close(): ArrayBuffer {
		return new Uint8Array(this.#hash.digest()).buffer;
	}

	process(...parts: Uint8Array[]): ArrayBuffer {
		for (const part of parts) this.write(part);
		return this.close();
	}
}

/** `a` to the power of `e`. */
function power(a: bigint, e: bigint, m: bigint): bigint {
	let result = 1n;
	for (let [base, rest] = [a % m, e]; rest > 0n; base = (base * base) % m, rest >>= 1n) {
		if (rest & 1n) result = (result * base) % m;
	}
	return result;
}

/** `rsa`. */
export class RSA {
	readonly #exponent: bigint;
	readonly #modulus: bigint;

	constructor(exponent: bigint, modulus: bigint) {
		this.#exponent = exponent;
		this.#modulus = modulus;
		used.push(modulus.toString(16));
	}

	process(value: bigint): bigint {
		return power(value, this.#exponent, this.#modulus);
	}
}

interface Parameters {
	readonly p: bigint;
	readonly n: bigint;
	readonly g: Point;
}
type Point = readonly [x: bigint, y: bigint];

/** The curves (SEC 2, 2.4.2 and 2.5.1). On both, `a` is -3. */
const curves: Readonly<Record<string, Parameters>> = {
	secp256r1: {
		p: 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn,
		n: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
		g: [
			0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296n,
			0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5n,
		],
	},
	secp384r1: {
		p: 0xfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffeffffffff0000000000000000ffffffffn,
		n: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
		g: [
			0xaa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e3872760ab7n,
			0x3617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a431d7c90ea0e5fn,
		],
	},
};

/** `curve`. */
export class Curve {
	readonly parameters: Parameters;

	constructor(name: string) {
		this.parameters = curves[name]!;
	}

	get n(): bigint {
		return this.parameters.n;
	}

	get G(): ECPoint {
		return new ECPoint(this.parameters.g);
	}

	get ec() {
		const { p } = this.parameters;
		return { mul: ({ point }: ECPoint, factor: bigint) => new ECPoint(times(point, factor, p)!) };
	}

	get orderSize(): number {
		return this.n.toString(16).length / 2;
	}
}

/** `ecp`. */
export class ECPoint {
	readonly point: Point;

	constructor(point: Point) {
		this.point = point;
	}

	get X(): bigint {
		return this.point[0];
	}

	get Y(): bigint {
		return this.point[1];
	}

	static fromOctetString(bytes: Uint8Array): ECPoint {
		used.push(Buffer.from(bytes).toString("hex"));
		const half = (bytes.length + 1) / 2;
		return new ECPoint([number(bytes.subarray(1, half)), number(bytes.subarray(half))]);
	}
}

/** `mont`. */
export class Mont {
	readonly #modulus: bigint;

	constructor({ m }: { m: bigint }) {
		this.#modulus = m;
	}

	exp(base: bigint, exponent: bigint): bigint {
		return power(base, exponent, this.#modulus);
	}
}

/** `hmac`, with SHA-256. */
export class HMAC {
	readonly #key: Uint8Array;

	constructor(_digest: Digest, key: Uint8Array) {
		this.#key = key;
	}

	process(...message: readonly Uint8Array[]): ArrayBuffer {
		const hmac = createHmac("sha256", this.#key);
		for (const part of message) hmac.update(part);
		return new Uint8Array(hmac.digest()).buffer;
	}
}

/** `ecdsa`. Throws where the SDK's would never return. Like the SDK's, it does not truncate the hash. */
export class ECDSA {
	readonly #key: Point;
	readonly #curve: Parameters;

	constructor({ point }: ECPoint, { parameters }: Curve) {
		this.#key = point;
		this.#curve = parameters;
	}

	verify(hash: ArrayBuffer, signature: Uint8Array, isDer: boolean): boolean {
		if (!isDer) throw new Error("not provided");
		const { p, n, g } = this.#curve;
		const integers = openDer(signature, SEQUENCE);
		const [r, s] = [integers.read(INTEGER), integers.read(INTEGER)].map(number) as [bigint, bigint];
		if (r <= 0n || s <= 0n || r >= n || s >= n) throw new Error("the device hangs");
		const inverse = power(s, n - 2n, n);
		const u = (number(new Uint8Array(hash)) * inverse) % n;
		const v = (r * inverse) % n;
		return sum(times(g, u, p), times(this.#key, v, p), p)?.[0] === r;
	}
}

const modulo = (value: bigint, p: bigint) => ((value % p) + p) % p;

/** `undefined` is the point at infinity. */
function sum(a: Point | undefined, b: Point | undefined, p: bigint): Point | undefined {
	if (!a || !b) return a ?? b;
	const [[ax, ay], [bx, by]] = [a, b];
	if (ax === bx && modulo(ay + by, p) === 0n) return undefined;
	const slope = ax === bx ? (3n * ax * ax - 3n) * invert(2n * ay, p) : (by - ay) * invert(modulo(bx - ax, p), p);
	const x = modulo(slope * slope - ax - bx, p);
	return [x, modulo(slope * (ax - x) - ay, p)];
}

function invert(value: bigint, p: bigint): bigint {
	let [a, b, x, y] = [modulo(value, p), p, 1n, 0n];
	while (a > 1n) [a, b, x, y] = [b % a, a, y - (b / a) * x, x];
	return modulo(x, p);
}

function times(point: Point, factor: bigint, p: bigint): Point | undefined {
	let result: Point | undefined;
	for (let [double, rest] = [point as Point | undefined, factor]; rest > 0n; rest >>= 1n) {
		if (rest & 1n) result = sum(result, double, p);
		double = sum(double, double, p);
	}
	return result;
}
