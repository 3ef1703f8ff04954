// What must always be true for a device, whatever happens to it. It is checked at every power cut and at the end of every story.

import type { Test } from "tap";
import type { SettingsPatch } from "../../hosts/cloud/base/settings.js";
import { MemoryFlash } from "../../hosts/node/flash.js";
import type { DeviceRecord } from "../../src/identity/record.js";
import { decodeRecord } from "../../src/identity/record.js";
import { Store } from "../../src/identity/store.js";
import { NvsFlash } from "./nvs.js";
import type { Cut, WorldOptions } from "./world.js";
import { World } from "./world.js";

/** Every combination of two rules for ownership tokens that AWS does not document: when one is used up, and who may use it. */
export const TOKEN_RULES: readonly { readonly name: string; readonly settings: SettingsPatch }[] = (
	["success", "attempt", "never"] as const
).flatMap((singleUse) =>
	([[], ["claimCertificate"], ["clientId"], ["connection"]] as const).map((boundTo) => ({
		name: `token used up by ${singleUse}, bound to ${boundTo[0] ?? "nothing"}`,
		settings: { token: { singleUse, boundTo: [...boundTo] } },
	})),
);

/** The valid record in this flash, and its sequence number. */
function held(flash: MemoryFlash, StoreClass: typeof Store): { record: DeviceRecord; sequence: number } {
	const record = new StoreClass(flash, () => {}).load();
	for (const key of ["state.a", "state.b"]) {
		const read = decodeRecord(flash.read(key));
		if (read.is === "good" && JSON.stringify(read.value) === JSON.stringify(record))
			return { record, sequence: read.sequence };
	}
	return { record, sequence: 0 };
}

/**
 * Plays the story with these cuts and returns what went wrong; an empty list means nothing did. `strays` is how many unused
 * certificates may be left behind for reasons other than power cuts.
 */
export async function playCut(
	cuts: readonly Cut[],
	options: WorldOptions = {},
	StoreClass = Store,
	strays = 0,
): Promise<string[]> {
	// A partition that has been used before may already hold a record.
	const { flash } = options;
	let last = { sequence: flash instanceof NvsFlash ? held(flash, StoreClass).sequence : 0, proved: false };
	const check = (world: World): void => {
		let now: ReturnType<typeof held>;
		try {
			now = held(world.flash, StoreClass);
		} catch (error) {
			world.defects.push(`flash cannot be loaded: ${error}`);
			return;
		}
		if (now.sequence !== last.sequence && now.sequence !== last.sequence + 1)
			world.defects.push(`the record is neither old nor new: ${now.sequence} after ${last.sequence}`);
		if (last.proved && now.record.state !== "proved") world.defects.push("a proved identity is lost");
		last = { sequence: now.sequence, proved: now.record.state === "proved" };
	};
	const world = await World.make({ ...options, cuts, onCut: check });
	const { events } = world;
	/** How many signing requests the cloud had seen whenever a certificate was kept: only behind that may there be another key. */
	const kept: number[] = [];
	const push = events.push.bind(events);
	events.push = (...given) => {
		for (const event of given)
			if (event.event === "stored") {
				last = { sequence: held(world.flash, StoreClass).sequence, proved: event.state === "proved" };
				if (event.state === "created") kept.push(world.cloud.asked.length);
			}
		return push(...given);
	};
	world.machine.powerOn();
	if (!(await world.play())) {
		const failures = world.failures.slice(-3).join(", ");
		world.defects.push(`not running after ${Math.round(world.time.ticks() / 60_000)} min (last failures: ${failures})`);
	}
	// One for the device, and one for each power cut before a certificate was stored.
	if (world.cloud.issued > 1 + world.cuts + strays)
		world.defects.push(`${world.cloud.issued} certificates after ${world.cuts} cuts`);
	const { asked } = world.cloud;
	for (let i = 1; i < asked.length; i++)
		if (asked[i] !== asked[i - 1] && !kept.includes(i)) world.defects.push("a key was lost, and another made");
	if (kept.some((i) => i > 0 && asked.lastIndexOf(asked[i - 1]!) >= i))
		world.defects.push("a key got two certificates kept");
	for (const [clientId, times] of world.cloud.connects)
		for (let i = 1; i < times.length; i++)
			if (times[i]! - times[i - 1]! < 1000) world.defects.push(`${clientId} sent CONNECT twice within a second`);
	world.machine.powerOff();
	return world.defects;
}

/** Plays each of these stories, fails with the first ones that end wrong, and returns how many stories there were. */
export async function playCuts(
	test: Test,
	stories: readonly (readonly Cut[])[],
	options?: WorldOptions,
): Promise<number> {
	const wrong: string[] = [];
	for (const cuts of stories) {
		const defects = await playCut(cuts, options);
		if (defects.length > 0) wrong.push(`${JSON.stringify(cuts)}: ${defects.join("; ")}`);
	}
	test.same(wrong.slice(0, 5), [], `${wrong.length} of ${stories.length} stories end wrong`);
	return stories.length;
}

/** Measures the plain story: the sizes of its writes, and the number of its packets. */
export async function survey(options: WorldOptions = {}): Promise<{ writes: number[]; packets: number }> {
	const writes: number[] = [];
	class Recording extends MemoryFlash {
		override write(key: string, value: ArrayBuffer): void {
			writes.push(value.byteLength);
			super.write(key, value);
		}
	}
	const world = await World.make({ ...options, flash: new Recording() });
	world.machine.powerOn();
	if (!(await world.play())) throw new Error(`the plain story fails: ${world.failures}`);
	world.machine.powerOff();
	return { writes, packets: world.cloud.packets };
}
