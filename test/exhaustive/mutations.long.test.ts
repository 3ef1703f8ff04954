// Tests the tests: when one of the device program's safeguards is removed, it must fail the checks that it passes with all
// safeguards in place.

import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import t from "tap";
import { MemoryFlash } from "../../hosts/node/flash.js";
import { NvsFlash } from "../support/nvs.js";
import { playCut, survey } from "../support/safety.js";
import type { Cut, WorldOptions } from "../support/world.js";
import { agedPartition, cutsOn, NEXT } from "./nvs.js";

/** A safeguard, and the change to the source that removes it. */
interface Mutation {
	readonly name: string;
	readonly file: string;
	readonly find: string;
	readonly replace: string;
}

const MUTATIONS: readonly Mutation[] = [
	{
		name: "two slots: a record overwrites the valid one",
		file: "identity/store.ts",
		find: "const slot = other(this.#live);",
		replace: 'const slot = this.#live ?? "a";',
	},
	{
		name: "read-back: a write is assumed to have succeeded",
		file: "identity/store.ts",
		find: "if (back !== undefined && equalBytes(new Uint8Array(back), new Uint8Array(value))) return value.byteLength;",
		replace: "return value.byteLength;",
	},
	{
		name: "marker order: the marker is written before its record",
		file: "identity/store.ts",
		find: "const bytes = this.#write(RECORD_KEYS[slot], encodeRecord(record, this.#sequence + 1));",
		replace:
			"this.#write(MARKER_KEY, Uint8Array.of(slot.charCodeAt(0)).buffer);\n\t\tconst bytes = this.#write(RECORD_KEYS[slot], encodeRecord(record, this.#sequence + 1));",
	},
	{
		name: "newest record: without a marker, the device assumes that it is new",
		file: "identity/store.ts",
		find: "const first = marked ?? newest;",
		replace: "const first = marked;\n\t\tif (first === undefined) return UNPROVISIONED;",
	},
	{
		name: "resume: a certificate not yet registered is forgotten at power-on",
		file: "life/steps.ts",
		find: 'return create(device, record);\n\t\tcase "created":\n',
		replace: 'case "created":\n\t\t\treturn create(device, record as never);\n',
	},
	{
		name: "unknown outcome: a refused token counts as a failed registration",
		file: "life/register.ts",
		find: 'if (record.state === "created") {',
		replace: "if (true) {",
	},
	{
		name: "pending key: a key is asked about that is nowhere but in memory",
		file: "life/create.ts",
		find: "await device.keep({ ...kept, pendingKey: toHex(scalar) });",
		replace: "",
	},
	{
		name: "persistence: what cannot be written is given up",
		file: "life/device.ts",
		find: "await this.pauseAfter(failure);\n\t\t\t}",
		replace: "throw failure;\n\t\t\t}",
	},
];

/** Flash in which one write stores something else. */
class Unfaithful extends MemoryFlash {
	#left: number;

	constructor(nth: number) {
		super();
		this.#left = nth;
	}

	override write(key: string, value: ArrayBuffer): void {
		super.write(key, value);
		this.#left -= 1;
		if (this.#left === 0) this.values.get(key)![value.byteLength >> 1]! ^= 0x10;
	}
}

/** Flash that refuses one write. */
class Refusing extends MemoryFlash {
	#left: number;

	constructor(nth: number) {
		super();
		this.#left = nth;
	}

	override write(key: string, value: ArrayBuffer): void {
		this.#left -= 1;
		if (this.#left === 0) throw new Error("flash refuses");
		super.write(key, value);
	}
}

/** The stories that every mutant plays: some of each kind of the exhaustive tests. */
async function* stories(): AsyncGenerator<readonly [readonly Cut[], WorldOptions]> {
	const { writes, packets } = await survey();
	for (const [i, size] of writes.entries()) {
		for (const bytes of [0, 1, size >> 1, size - 1, size]) yield [[{ write: i + 1, bytes, tear: "mixed" }], {}];
		yield [[], { flash: new Unfaithful(i + 1) }];
		yield [[], { flash: new Refusing(i + 1) }];
	}
	for (let packet = 1; packet <= packets; packet++)
		for (const gotThrough of [false, true]) yield [[{ packet, gotThrough }], {}];
	for (let packet = 1; packet <= packets; packet++)
		yield [[{ packet, gotThrough: true }], { configuration: { keyPair: "csr" } }];
	// A token that was taken but whose answer was lost, with the connection kept.
	yield [
		[],
		{
			fate: ({ packet }) =>
				packet.cmd === "publish" && packet.topic.endsWith("provision/cbor/accepted") ? "drop" : "pass",
		},
	];
	// Cuts after every other operation under NVS: the value that is being overwritten may be gone.
	const image = await agedPartition(6, 0);
	const { cuts } = await cutsOn(image);
	for (const cut of cuts.filter(({ operation }, i) => operation % 2 === 0 && cuts[i + 1]?.operation !== operation))
		yield [[cut], { flash: new NvsFlash(image), issuedBefore: NEXT }];
}

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Builds the mutant within the project, so that it finds the same packages. */
async function build(mutation: Mutation, index: number) {
	const folder = `${root}build/mutants/${index}`;
	rmSync(folder, { recursive: true, force: true });
	cpSync(`${root}src`, `${folder}/src`, { recursive: true });
	cpSync(`${root}hosts/node`, `${folder}/hosts/node`, { recursive: true });
	const path = `${folder}/src/${mutation.file}`;
	const source = readFileSync(path, "utf8");
	if (source.split(mutation.find).length !== 2) throw new Error(`${mutation.file} no longer has: ${mutation.find}`);
	writeFileSync(
		path,
		source.replace(mutation.find, () => mutation.replace),
	);
	const { SimulatedDevice } = await import(`${folder}/hosts/node/device.ts`);
	const { Store } = await import(`${folder}/src/identity/store.ts`);
	return { machine: (options: unknown) => new SimulatedDevice(options), Store };
}

for (const [index, mutation] of MUTATIONS.entries())
	t.test(`given a program without the safeguard ${mutation.name}, the checks find a defect`, async (test) => {
		const { machine, Store } = await build(mutation, index);
		let played = 0;
		for await (const [cuts, options] of stories()) {
			played += 1;
			const defects = await playCut(cuts, { ...options, machine }, Store);
			if (defects.length > 0) {
				test.pass(`story ${played}: ${defects[0]}`);
				return;
			}
		}
		test.fail(`${played} stories find nothing wrong`);
	});

t.test("given every safeguard in place, the same checks find no defect", async (test) => {
	for await (const [cuts, options] of stories()) test.same(await playCut(cuts, options), [], JSON.stringify(cuts));
});
