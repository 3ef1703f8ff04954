// Replies from the network, read by the device program in the real engine: whatever the bytes are, the answer is a value or
// a failure of the catalogue, never an abort, which on a device would be a restart.

import { encode as encodeCbor } from "cborg";
import t, { type Test } from "tap";
import { Flash, type Life, type Preset, presets } from "../../hosts/xs/engine.js";
import { firmware } from "../../hosts/xs/modules.js";
import { catalogue, type FailureCode } from "../../src/base/failure.js";
import { issueCertificate } from "../support/credentials.js";
import { sample, sampleSize } from "../support/sample.js";
import { engineOrReason } from "../support/xs.js";

const { engine, skip } = await engineOrReason("device");

/** Reads what it is given as a reply of kind 0 to 2, CBOR or JSON, and says what came of it. */
const reader = `
	import { readIssuedCertificate, readRegistration, readRejection } from "src/provisioning/messages";
	const readers = [readIssuedCertificate, readRegistration, readRejection];
	machine.listen((kind, id, number, bytes = new ArrayBuffer(0)) => {
		let outcome = "value";
		try {
			readers[id](number ? "json" : "cbor", new Uint8Array(bytes));
		} catch (error) {
			outcome = error.code ?? "untyped: " + error;
		}
		machine.tell(33, 0, 0, outcome);
	});
`;

const kinds = { issued: 0, registration: 1, rejection: 2 } as const;
type Encoding = "cbor" | "json";

/** A device that reads replies; a new one after an abort, which is noted. */
class Reader {
	readonly aborts: string[] = [];
	readonly #flash: Flash;
	readonly #preset: Preset;
	#life: Life | undefined;
	#outcome = "";

	constructor(flash: Flash, preset: Preset) {
		this.#flash = flash;
		this.#preset = preset;
	}

	read(kind: keyof typeof kinds, encoding: Encoding, bytes: Uint8Array): string {
		this.#life ??= this.#begin();
		this.#outcome = "";
		this.#life.event(33, kinds[kind], encoding === "json" ? 1 : 0, bytes);
		return this.#outcome;
	}

	close(): void {
		this.#flash.close();
	}

	#begin(): Life {
		const life = this.#flash.life({
			answer: () => undefined,
			take: ({ bytes }) => {
				this.#outcome = bytes.toString();
			},
			ended: ({ reason, detail }) => {
				this.aborts.push(`${reason} ${detail ?? ""}`);
				this.#outcome = `abort: ${reason}`;
				this.#life = undefined;
			},
		});
		life.begin(this.#preset);
		return life;
	}
}

const makeReader = async (preset: Preset): Promise<Reader> => {
	const modules = [...(await firmware()), { name: "main", source: reader, preload: false }];
	const made = new Reader(new Flash(engine, modules), preset);
	t.teardown(() => made.close());
	return made;
};
// CBOR does with the least memory there is; JSON holds a reply four times over, and gets what an ESP32-C3 has.
const devices =
	skip === false ? { cbor: await makeReader(presets.tight), json: await makeReader(presets.esp32c3) } : undefined;

const issued = await issueCertificate();
const golden = {
	issued: {
		certificateId: issued.certificateId,
		certificatePem: issued.certificatePem,
		privateKey: issued.privateKey,
		certificateOwnershipToken: "t".repeat(466),
	},
	registration: { thingName: "device-1", deviceConfiguration: { color: "blue", size: "12" } },
	rejection: { statusCode: 400, errorCode: "InvalidParameters", errorMessage: "no" },
};
const encode = (encoding: Encoding, value: unknown): Uint8Array =>
	encoding === "cbor" ? encodeCbor(value) : new TextEncoder().encode(JSON.stringify(value));

/** Reads them all; gives how often each outcome came. */
function readAll(
	test: Test,
	kind: keyof typeof kinds,
	encoding: Encoding,
	replies: Iterable<Uint8Array>,
): Map<string, number> {
	const outcomes = new Map<string, number>();
	for (const reply of replies) {
		const outcome = devices![encoding].read(kind, encoding, reply);
		outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
	}
	const wrong = [...outcomes.keys()].filter((outcome) => outcome !== "value" && !(outcome in catalogue));
	test.same(wrong, [], "every outcome is a value or a failure of the catalogue");
	test.same(devices![encoding].aborts.splice(0), [], "no abort");
	return outcomes;
}

function* truncations(bytes: Uint8Array, step: number): Generator<Uint8Array> {
	for (let length = 0; length < bytes.length; length += step) yield bytes.slice(0, length);
}

function* changes(bytes: Uint8Array, step: number): Generator<Uint8Array> {
	for (let i = 0; i < bytes.length; i += step) {
		const changed = bytes.slice();
		changed[i]! ^= 1 << (i % 8);
		yield changed;
	}
}

for (const encoding of ["cbor", "json"] as const)
	for (const kind of ["issued", "registration", "rejection"] as const)
		t.test(
			`a reply (${kind}, ${encoding}), whole, cut anywhere, or with any one byte changed`,
			{ skip },
			async (test) => {
				const reply = encode(encoding, golden[kind]);
				// JSON is read much slower: of its long reply, every ninth byte
				const step = encoding === "json" && kind === "issued" ? 9 : 1;
				test.equal(devices![encoding].read(kind, encoding, reply), "value", "whole, it is read");
				const part = kind === "issued" ? 19 : 3;
				const cut = readAll(test, kind, encoding, sample(test, [...truncations(reply, step)], part));
				if (kind !== "rejection") test.notOk(cut.has("value"), "cut, it is not");
				readAll(test, kind, encoding, sample(test, [...changes(reply, step)], part));
			},
		);

for (const encoding of ["cbor", "json"] as const)
	t.test(`text of 1 to 8,192 characters in each field, in ${encoding}`, { skip }, async (test) => {
		function* replies(name: string, letter: string): Generator<Uint8Array> {
			for (const length of [1, 2, 15, 16, 23, 24, 31, 32, 63, 64, 65, 128, 129, 255, 256, 1024, 2048, 2049, 4096, 8192])
				for (const others of [golden.issued, {}]) {
					const reply = encode(encoding, { ...others, [name]: letter.repeat(length) });
					// longer packets are refused before they are read
					if (reply.length <= 10_000) yield reply;
				}
		}
		for (const name of Object.keys(golden.issued))
			for (const letter of ["a", "A", "\n", "ä", "€", "😀"]) readAll(test, "issued", encoding, replies(name, letter));
	});

t.test("nesting to 100 levels, and more items than there is memory for", { skip }, async (test) => {
	function* nested(open: number[], close: number[]): Generator<Uint8Array> {
		for (let depth = 1; depth <= 100; depth++)
			yield new Uint8Array([...Array(depth).fill(open).flat(), 0, ...Array(depth).fill(close).flat()]);
	}
	const cbor: [number[], number[]][] = [
		[[0x81], []],
		[[0x9f], [0xff]],
		[[0xa1, 0x61, 0x61], []],
		[[0xbf, 0x61, 0x61], [0xff]],
		[[0xc1], []],
	];
	for (const [open, close] of cbor) {
		const replies = [...nested(open, close)];
		readAll(test, "registration", "cbor", replies);
		readAll(
			test,
			"registration",
			"cbor",
			replies.map((reply) => new Uint8Array([0xa1, 0x61, 0x62, ...reply])),
		);
	}
	const json = function* (): Generator<Uint8Array> {
		for (let depth = 1; depth <= 100; depth++)
			for (const text of ["[".repeat(depth) + "]".repeat(depth), '{"a":'.repeat(depth) + 0 + "}".repeat(depth)]) {
				yield new TextEncoder().encode(text);
				yield new TextEncoder().encode(`{"thingName":"x","deviceConfiguration":${text}}`);
			}
	};
	readAll(test, "registration", "json", json());
	const many = [
		new Uint8Array([0x99, 0x1f, 0x40, ...Array(8000).fill(0)]),
		new Uint8Array([0xa1, 0x61, 0x61, 0x9f, ...Array(8000).fill(0), 0xff]),
		new Uint8Array([0xbf, ...Array(4000).fill(0), 0xff]),
		new Uint8Array([0xba, 0xff, 0xff, 0xff, 0xff]),
		new Uint8Array([0x9b, 0, 0, 0, 1, 0, 0, 0, 0]),
	];
	readAll(test, "issued", "cbor", many);
	readAll(test, "issued", "json", [
		new TextEncoder().encode(`[${"0,".repeat(4000)}0]`),
		new TextEncoder().encode(`{"a":[${"[],".repeat(2500)}0]}`),
	]);
});

t.test("random bytes", { skip }, async (test) => {
	let seed = 20_261_122;
	const next = () => {
		seed = (seed * 48_271) % 2_147_483_647;
		return seed;
	};
	const count = sampleSize(test, 1500, 5);
	function* random(first?: number): Generator<Uint8Array> {
		for (let i = 0; i < count; i++) {
			const bytes = Uint8Array.from({ length: next() % 200 }, () => (next() >> 8) & 0xff);
			if (first !== undefined && bytes.length > 0) bytes[0] = first | (next() % 8);
			yield bytes;
		}
	}
	for (const kind of ["issued", "registration", "rejection"] as const) {
		readAll(test, kind, "cbor", random());
		// that begin as a small map does
		readAll(test, kind, "cbor", random(0xa0));
		readAll(test, kind, "json", random(0x78));
	}
});

/** So that a code is checked to be of the catalogue by the compiler as well. */
const malformed: FailureCode = "CREATE_REPLY_MALFORMED";
t.test("an empty reply is malformed", { skip }, async (test) => {
	test.equal(devices!.cbor.read("issued", "cbor", new Uint8Array(0)), malformed);
});
