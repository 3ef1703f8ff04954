// Feeds mutated certificates to the device's handshake checks: half of them are still valid DER with other contents, half
// are not even DER. Runs both on Node and in XS, so it uses nothing that only one of them has.

import { type Certificate, readCertificate } from "../../hosts/moddable/tls/certificate.js";
import { Handshake, HandshakeError } from "../../hosts/moddable/tls/handshake.js";
import { Malformed } from "../../src/base/malformed.js";
import { DerReader, encodeDer } from "../../src/identity/der.js";
import { mutate, Random } from "../fuzz/mutate.js";

/** The result of a run. */
export interface Outcome {
	/** How many certificates were parsed, and how many were rejected. */
	read: number;
	refused: number;
	/** Certificates (hexadecimal) for which anything else happened, and what it was. */
	readonly findings: string[];
}

export interface CertificateFuzz {
	readonly count: number;
	readonly seed: number;
	readonly seeds: readonly Uint8Array[];
	readonly roots: readonly Uint8Array[];
	readonly serverName: string;
	/** Called with each certificate that was parsed. Throws when it finds an error in the result. */
	check?(bytes: Uint8Array, certificate: Certificate): void;
}

export class Fuzzer {
	readonly outcome: Outcome = { read: 0, refused: 0, findings: [] };
	readonly #options: CertificateFuzz;
	readonly #random: Random;
	readonly #trees: readonly Element[];
	#done = 0;

	constructor(options: CertificateFuzz) {
		this.#options = options;
		this.#random = new Random(options.seed);
		this.#trees = options.seeds.map((bytes) => parse(bytes)[0]!);
	}

	/** Tries up to `count` more certificates. Returns false when all have been tried. */
	run(count: number): boolean {
		const { seeds, count: all } = this.#options;
		for (let n = 0; n < count && this.#done < all; n++) {
			const sound = this.#done++ % 2 === 0;
			this.#try(sound ? mutateElements(this.#random, this.#trees) : mutate(this.#random, seeds));
		}
		return this.#done < all;
	}

	#try(bytes: Uint8Array): void {
		const { check, roots, serverName } = this.#options;
		try {
			const certificate = readCertificate(bytes);
			this.outcome.read++;
			check?.(bytes, certificate);
		} catch (error) {
			if (error instanceof Malformed) this.outcome.refused++;
			else this.#note(bytes, error);
		}
		try {
			new Handshake(serverName, roots).received(certificateRecord(bytes));
			// Some mutations leave the certificate unchanged.
			if (!this.#options.seeds.some((seed) => seed.join() === bytes.join())) this.#note(bytes, "is trusted");
		} catch (error) {
			if (!(error instanceof HandshakeError)) this.#note(bytes, error);
		}
	}

	#note(bytes: Uint8Array, what: unknown): void {
		const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
		this.outcome.findings.push(`${what instanceof Error ? what.message : what}: ${hex}`);
	}
}

/** A record with a ServerHello and this one certificate. */
function certificateRecord(certificate: Uint8Array): Uint8Array {
	const sizes = [3, 6].map((more) => certificate.length + more);
	const hello = new Uint8Array(42);
	hello.set([2, 0, 0, 38, 3, 3]);
	hello.set([0, 0xc0, 0x2f, 0], 38);
	const size = (length: number) => [length >> 16, (length >> 8) & 0xff, length & 0xff];
	const head = [11, ...size(sizes[1]!), ...size(sizes[0]!), ...size(certificate.length)];
	const record = new Uint8Array(5 + hello.length + head.length + certificate.length);
	record.set([22, 3, 3]);
	record.set(hello, 5);
	record.set(head, 5 + hello.length);
	record.set(certificate, 5 + hello.length + head.length);
	return record;
}

/** A DER element, with the elements that it contains, if any. */
interface Element {
	readonly tag: number;
	readonly contents: Uint8Array;
	readonly parts: readonly Element[] | undefined;
}

function parse(bytes: Uint8Array): Element[] {
	const elements: Element[] = [];
	for (const reader = new DerReader(bytes); !reader.atEnd; ) {
		const tag = reader.nextTag;
		const contents = reader.read(tag);
		let parts: Element[] | undefined;
		// Octet strings may contain DER, too: certificate extensions do.
		if (tag & 0x20 || tag === 4) {
			try {
				parts = parse(contents);
			} catch {
				// The contents are not DER.
			}
		}
		elements.push({ tag, contents, parts });
	}
	return elements;
}

const encode = ({ tag, contents, parts }: Element): Uint8Array =>
	parts ? encodeDer(tag, ...parts.map(encode)) : encodeDer(tag, contents);

const TAGS = [
	0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0c, 0x17, 0x18, 0x30, 0x31, 0x80, 0x81, 0x82, 0x87, 0xa0, 0xa3, 0xdf,
];

/** Makes one to four changes to elements; the lengths remain correct. */
function mutateElements(random: Random, trees: readonly Element[]): Uint8Array {
	let element = trees[random.next(trees.length)]!;
	for (let changes = 1 + random.next(4); changes > 0; changes--) element = change(random, element, trees);
	return encode(element);
}

/** Descends to a random element, and changes it. */
function change(random: Random, element: Element, trees: readonly Element[]): Element {
	const { tag, contents, parts } = element;
	if (parts?.length && random.next(6)) {
		const at = random.next(parts.length);
		return { tag, contents, parts: parts.map((part, i) => (i === at ? change(random, part, trees) : part)) };
	}
	const other = () => {
		let found = trees[random.next(trees.length)]!;
		while (found.parts?.length && random.next(5)) found = found.parts[random.next(found.parts.length)]!;
		return found;
	};
	const filled = (length: number, value: number) => new Uint8Array(length).fill(value);
	const most = parts?.length ?? 0;
	switch (random.next(9)) {
		case 0:
			return { ...element, tag: TAGS[random.next(TAGS.length)]! };
		case 1:
			return { ...element, tag: random.next(256) };
		case 2:
			return { tag, contents: filled(random.next(300), random.next(256)), parts: undefined };
		case 3:
			return { tag, contents: mutate(random, [contents]), parts: undefined };
		case 4:
			return other();
		case 5:
			return { tag, contents, parts: [...(parts ?? []), other()] };
		case 6: {
			const at = random.next(most + 1);
			return parts
				? { tag, contents, parts: parts.filter((_, i) => i !== at) }
				: { tag, contents: filled(0, 0), parts };
		}
		case 7: {
			const at = random.next(most + 1);
			return parts ? { tag, contents, parts: parts.flatMap((part, i) => (i === at ? [part, part] : [part])) } : other();
		}
		default:
			return { tag: TAGS[random.next(TAGS.length)]!, contents, parts: [element] };
	}
}
